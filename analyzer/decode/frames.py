"""What a source hands to the decoder: one block of captured bytes and where each frame stands in it."""

from typing import NamedTuple

import numpy as np

NO_APPS = np.empty(0, np.int32)


class Frames(NamedTuple):
    """A block of frames. Arrays are one-dimensional, C-contiguous, writable: the one form kernels are compiled for.

    The block's memory is reused for the next one: whoever keeps bytes copies them.
    """

    data: np.ndarray  # uint8: the block, as read
    offset: np.ndarray  # int64: where the frame's bytes begin in `data`
    caplen: np.ndarray  # int64: bytes of it that were captured (all of them inside `data`)
    origlen: np.ndarray  # int64: bytes it had on the wire
    ts: np.ndarray  # int64: nanoseconds since 1970 (UTC), never negative; 0 where the file has no time
    link: np.ndarray  # int32: link type (LINKTYPE_*), per frame, since pcapng mixes them
    iface: np.ndarray  # int32: interface number within the capture (pcapng: counted over all sections)
    number: np.ndarray  # int64: Wireshark's frame number, from 1, undecodable frames counted
    app: np.ndarray = (
        NO_APPS  # int32: which of the source's `apps` the file names for the frame, -1; empty: it names none
    )
