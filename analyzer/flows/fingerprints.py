"""JA3 of finished flows, worked out only when asked for: 30 microseconds a flow, and hardly two hellos alike.

JA3 keeps the order of extensions, which browsers shuffle, so that nothing can be remembered from one hello to the next as
for JA4. Lists of known programs and of malware still speak it, and so do middleboxes.
"""

from __future__ import annotations

import numpy as np

from analyzer.flows.finished import FinishedFlows
from analyzer.wire import quic
from analyzer.wire.client_hello import ClientHello, parse_client_hello
from analyzer.wire.tls import CLIENT_HELLO, behind_preamble

_TCP = 6


def ja3_of(done: FinishedFlows) -> dict[int, str]:
    """JA3 by flow number, of those flows of an identified batch whose ClientHello was whole."""
    flows = done.flows
    spoken = np.flatnonzero([fingerprint is not None for fingerprint in flows.ja4.tolist()]).tolist()
    hellos = ((int(flows.flow[i]), _hello(done, i)) for i in spoken)
    return {flow: hello.ja3 for flow, hello in hellos if isinstance(hello, ClientHello)}


def _hello(done: FinishedFlows, i: int):
    if done.flows.proto[i] != _TCP:
        reader = quic.InitialReader()
        for up in (True, False):
            for piece in done.segments(i, up):
                reader.feed(piece.data, up)
        return reader.hello
    stream = done.stream(i, True)
    return parse_client_hello(stream) or parse_client_hello(stream[behind_preamble(stream, CLIENT_HELLO) or 0 :])
