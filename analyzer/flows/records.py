"""Following TLS records through a stream, header to header, so that an answer cut in the middle of one is known.

Only lengths are read (RFC 8446 §5.1; the same since SSL 3.0); nothing is kept but where the next header must stand. What
is not TLS, or whose header fell into a gap, between two segments or behind the snapshot length, is followed no more.
"""

from analyzer.flows.arenas import RECORD_AT, RECORDS
from analyzer.flows.sequence import ahead
from analyzer.kernels import kernel

_NOT_BEGUN, _FOLLOWED, _LOST = 0, 1, 2
_HEADER = 5
_FIRST, _LAST = 20, 23  # content types: change_cipher_spec to application_data
_LARGEST = (1 << 14) + 2048  # RFC 5246 §6.2.3; TLS 1.3 allows less


@kernel
def follow_records(s, side, seq, length, captured, data, at):
    """Take `length` new bytes from sequence number `seq` on, of which `captured` stand in `data` at `at`."""
    if s[side + RECORDS] == _LOST:
        return
    if s[side + RECORDS] == _NOT_BEGUN:
        s[side + RECORDS] = _FOLLOWED
        s[side + RECORD_AT] = seq
    offset = ahead(s[side + RECORD_AT], seq)
    while offset < length:
        if offset < 0 or offset + _HEADER > captured:
            s[side + RECORDS] = _LOST
            return
        header = at + offset
        size = data[header + 3] << 8 | data[header + 4]
        if data[header] < _FIRST or data[header] > _LAST or data[header + 1] != 3 or size > _LARGEST:
            s[side + RECORDS] = _LOST
            return
        offset += _HEADER + size
    s[side + RECORD_AT] = (seq + offset) & 0xFFFFFFFF
