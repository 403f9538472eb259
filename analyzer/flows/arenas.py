"""The memory that flows live in: a few flat arrays that grow in large steps, in which kernels write.

Nothing here is a Python object per packet or per flow. A flow is a slot: `WIDTH` integers in `state`, eight words in
`address`. What is kept of its packets are rows of sixteen 32-bit words in `rows`, linked per flow, so that a flow of two
packets costs two rows and not a ring; kept payload is segments over 256-byte chunks; `series` has one entry for every
packet after the first `FIRST_ROWS`, for fitting rates. Free rows, segments, chunks and entries form linked lists, and a
finished flow's chain is spliced back in one step. Pieces never allocated yet lie behind a `TOP` mark.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np

from analyzer import limits

# -- columns of `state` --------------------------------------------------------------------------------------------
ID, PART, PROTO, STREAM, PORT_A, PORT_B = 0, 1, 2, 3, 4, 5  # A: source of the first packet
FIRST_TS, LAST_TS, FIRST_FRAME, LAST_FRAME, IFACE, CLIENT = 6, 7, 8, 9, 10, 11  # CLIENT: 0 is A, 1 is B, -1 unknown
ROW_FIRST, ROW_LAST, ROW_COUNT, NOTABLE, CONTROL = 12, 13, 14, 15, 16
RING, RING_COUNT, CONTROL_RING, CONTROL_RING_COUNT = 17, 18, 19, 20
SERIES_FIRST, SERIES_LAST, SERIES_COUNT = 21, 22, 23
CHAIN, CUT, SYN_TS, SYNACK_TS, SYN_RTT, ACK_GAP = 24, 25, 26, 27, 28, 29
SYNS, SYNACKS, ZERO_WINDOWS, RST_AT, ICMP_AT, LIVE = 30, 31, 32, 33, 34, 35
SYN_SEQ, PACKETS = 36, 37
FREE, LIVE_FLOW, RECYCLED, NUMBERED = (
    0,
    1,
    2,
    3,
)  # values of LIVE: RECYCLED lost its ports to a new flow; NUMBERED: `table.number`
SIDE = 40  # where the first direction's columns begin
# -- columns per direction (add SIDE + direction * SIDE_WIDTH) -----------------------------------------------------
COUNT, BYTES, IP_BYTES, NEW_BYTES, RESENT, LOST = 0, 1, 2, 3, 4, 5
KNOWN, NEXT, ACKED, FIN_TS, RSTS, FIRST_DATA, SIDE_LAST = 6, 7, 8, 9, 10, 11, 12
PROBE, PROBE_END, PROBE_TS, RTT = 13, 14, 15, 16
LAST_IPID, LAST_FLAGS, LAST_SEQ, LAST_ACK, LAST_LEN, LAST_COPY_TS, LAST_COPY_FRAME = 17, 18, 19, 20, 21, 22, 23
SEG_FIRST, SEG_LAST, HEAD_BYTES, UNSEEN, DATA_SEGMENTS = 24, 25, 26, 27, 28
HOLES = 29  # start, end, time, three times each `MAX_HOLES`
MAX_HOLES = 4
ALONE, LAST_NEW, UNFINISHED = 41, 42, 43  # see alone_up, last_new_up, unfinished_down in tables
RECORDS, RECORD_AT = 44, 45  # see `records`
SIDE_WIDTH = RECORD_AT + 1
WIDTH = SIDE + 2 * SIDE_WIDTH

# -- words of a row ------------------------------------------------------------------------------------------------
R_TS_LOW, R_TS_HIGH, R_FRAME, R_SEQ, R_ACK, R_TSVAL, R_TSECR, R_PAYLOAD = 0, 1, 2, 3, 4, 5, 6, 7
R_WIN, R_IPID, R_BITS, R_OPTIONS, R_DUP, R_ICMP, R_CAPTURED, R_NEXT = 8, 9, 10, 11, 12, 13, 14, 15
ROW = 16
# R_WIN: window | TTL << 16 | TCP option length / 4 << 24
# R_IPID: identification | interface << 16
# R_BITS: TCP flags | kind << 8 | ECN << 12 | direction << 16 | DF << 17 | near << 18 | dsack << 19 | has timestamps << 20
#         | has MSS << 21 | has window scale << 22 | is IPv4 << 23 | tunnel depth << 24 | is TCP << 27
# R_OPTIONS: MSS | window scale << 16;  R_DUP, R_ICMP: value + 1 (0: none)

# -- words of a series entry ---------------------------------------------------------------------------------------
S_TIME, S_SEQ, S_ACK, S_LENGTH, S_NEXT, S_TSVAL = 0, 1, 2, 3, 4, 5  # time: 10 microseconds since the flow's start
ENTRY = 6  # S_LENGTH: payload | kind << 24 | direction << 28; S_TSVAL: NONE without timestamps
TICK = 10_000  # ns
MOST_TICKS = 0xFFFFFFFF  # twelve hours: what comes later in a flow is not in its series

# -- columns of a segment ------------------------------------------------------------------------------------------
G_FRAME, G_TS, G_SEQ, G_LENGTH, G_CHUNK, G_NEXT = 0, 1, 2, 3, 4, 5
SEGMENT = 6
CHUNK = 256
NONE = 0xFFFFFFFF  # end of a linked list of 32-bit words; -1 in 64-bit ones

# -- columns of `counters` -----------------------------------------------------------------------------------------
SLOT_TOP, SLOT_FREE, LIVE_FLOWS, NEXT_ID, NEXT_TCP, NEXT_UDP = 0, 1, 2, 3, 4, 5
ROW_TOP, ROW_FREE, ENTRY_TOP, ENTRY_FREE, SEG_TOP, SEG_FREE, CHUNK_TOP, CHUNK_FREE = 6, 7, 8, 9, 10, 11, 12, 13
CLOCK, START, FUTURE_RUN, CLOCK_STEPS, KEY, NEED = 14, 15, 16, 17, 18, 19
BAD_PACKETS, SNAPLEN_CUT, DUPLICATES, ORDINARY, ICMP_LOST, SERIES_LOST, OFFLOADED = 20, 21, 22, 23, 24, 25, 26
DOUBLED_ORDINARY, CHUNKS_FREE, FRAGMENTS, COLD_COUNT = 27, 28, 29, 30
COUNTERS = 31

# -- columns of `cold` ---------------------------------------------------------------------------------------------
COLD_KEY, COLD_FLOW, COLD_PART, COLD_STREAM = 0, 1, 2, 3
COLD = 4

NEED_NOTHING, NEED_SLOTS, NEED_ROWS, NEED_ENTRIES, NEED_SEGMENTS, NEED_CHUNKS = 0, 1, 2, 3, 4, 5


class Arenas(NamedTuple):
    state: np.ndarray  # int64[slots * WIDTH]
    address: np.ndarray  # uint32[slots * 8]
    buckets: np.ndarray  # int64[power of two]: first slot of each hash chain
    rows: np.ndarray  # uint32[n * ROW]
    entries: np.ndarray  # uint32[n * ENTRY]
    segments: np.ndarray  # int64[n * SEGMENT]
    chunks: np.ndarray  # uint8[n * CHUNK]
    chunk_next: np.ndarray  # int64[n]
    counters: np.ndarray  # int64[COUNTERS]
    cold: np.ndarray  # int64[power of two * COLD]: flows that were finished early, see `cold`


_UNITS = {"slots": WIDTH, "rows": ROW, "entries": ENTRY, "segments": SEGMENT, "chunks": CHUNK}
_CAPS = {
    "slots": limits.MAX_FLOWS,
    "rows": limits.MAX_ROWS,
    "entries": limits.MAX_SERIES,
    "segments": limits.MAX_HEAD_CHUNKS,
    "chunks": limits.MAX_HEAD_CHUNKS,
}


_GROWTH = 8


def allocate(slots: int = 1 << 10, pieces: int = 1 << 12) -> Arenas:
    """Small arenas; `grow` gives more of what runs out."""
    counters = np.zeros(COUNTERS, np.int64)
    counters[[SLOT_FREE, ROW_FREE, ENTRY_FREE, SEG_FREE, CHUNK_FREE]] = -1
    counters[START] = -1
    # Keyed: a capture whose author chose its addresses to collide must not know where they fall.
    counters[KEY] = secrets.randbits(31) | 1
    return Arenas(
        state=np.zeros(slots * WIDTH, np.int64),
        address=np.zeros(slots * 8, np.uint32),
        buckets=np.full(2 * slots, -1, np.int64),
        rows=np.zeros(pieces * ROW, np.uint32),
        entries=np.zeros(pieces * ENTRY, np.uint32),
        segments=np.zeros(pieces * SEGMENT, np.int64),
        chunks=np.zeros(pieces * CHUNK, np.uint8),
        chunk_next=np.zeros(pieces, np.int64),
        counters=counters,
        cold=np.zeros(2 * COLD, np.int64),
    )


def capacity(arenas: Arenas, what: str) -> int:
    return len(getattr(arenas, "state" if what == "slots" else what)) // _UNITS[what]


def grow(arenas: Arenas, what: str) -> Arenas | None:
    """The arenas with more of one thing, or None where its limit is reached.

    Much more: what is allocated costs nothing until it is written to, and moving what was written costs each time.
    """
    now = capacity(arenas, what)
    new = min(_GROWTH * now, _CAPS[what])
    if new <= now:
        return None
    if what == "slots":
        grown = arenas._replace(
            state=_longer(arenas.state, new * WIDTH),
            address=_longer(arenas.address, new * 8),
            buckets=np.full(2 * new, -1, np.int64),
        )
        from analyzer.flows.table import rehash

        rehash(grown)
        return grown
    if what == "chunks":
        arenas = arenas._replace(chunk_next=_longer(arenas.chunk_next, new))
    return arenas._replace(**{what: _longer(getattr(arenas, what), new * _UNITS[what])})


def room_for_cold(arenas: Arenas, more: int) -> Arenas | None:
    """The arenas with room to remember so many more flows, or None where the limit is reached."""
    from analyzer.flows.cold import move_cold

    wanted = int(arenas.counters[COLD_COUNT]) + more
    if wanted > limits.MAX_COLD_FLOWS:
        return None
    if 2 * wanted * COLD > len(arenas.cold):  # at most half full: beyond that, probing takes long
        larger = np.zeros(COLD << (2 * wanted - 1).bit_length(), np.int64)
        arenas.counters[COLD_COUNT] = move_cold(arenas.cold, larger)
        return arenas._replace(cold=larger)
    return arenas


def _longer(array: np.ndarray, n: int) -> np.ndarray:
    longer = np.zeros(n, array.dtype)
    longer[: len(array)] = array
    return longer
