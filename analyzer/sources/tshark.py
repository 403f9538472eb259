"""tshark, through pyshark: one conversation in full dissection for a human, and an independent oracle in tests.

Never on the way of an analysis: it reads about a thousand packets a second. pyshark wants an event loop of its own and
cannot run synchronously inside Jupyter's, so it runs in a thread here.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from analyzer.errors import CaptureError, MissingToolError

HOW_TO_GET = "tshark is not installed; it comes with Wireshark (Debian and Ubuntu: apt install tshark)"
TSHARK_READS = frozenset((None, "gzip", "zstd", "lz4"))  # compressions that tshark opens itself


def require_tshark() -> str:
    """Path of tshark.

    Raises
    ------
    MissingToolError
        It is not installed.
    """
    path = shutil.which("tshark")
    if path is None:
        raise MissingToolError(HOW_TO_GET)
    return path


def dissect(capture: Path, display_filter: str, most: int) -> list[str]:
    """Full dissections, as text, of the first `most` packets that a display filter picks.

    Raises
    ------
    MissingToolError
        tshark is not installed.
    CaptureError
        tshark cannot read the capture.
    """
    path = require_tshark()
    texts: list[str] = []
    failure: list[BaseException] = []
    worker = threading.Thread(target=_read, args=(path, capture, display_filter, most, texts, failure))
    worker.start()
    worker.join()
    if failure:
        raise CaptureError(f"tshark cannot read it: {failure[0]}")
    return texts


def _read(
    path: str, capture: Path, display_filter: str, most: int, texts: list[str], failure: list[BaseException]
) -> None:
    import pyshark

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    packets = pyshark.FileCapture(
        str(capture),
        display_filter=display_filter,
        keep_packets=False,
        tshark_path=path,
        eventloop=loop,
        custom_parameters=["-n"],
    )
    try:
        for packet in packets:
            texts.append(str(packet))
            if len(texts) >= most:
                break
    except Exception as error:  # whatever pyshark meets in a thread must reach the caller, not die there
        failure.append(error)
    finally:
        with contextlib.suppress(Exception):  # pyshark raises when tshark ended in another way than it expected,
            packets.close()
        packets._running_processes.clear()  # and would try again when it is collected, without a loop
        loop.run_until_complete(asyncio.sleep(0.05))  # lets the ended tshark's pipes be closed while there is a loop
        loop.close()


@contextlib.contextmanager
def readable(capture: Path, compression: str | None) -> Iterator[Path]:
    """A path that tshark can read: the capture itself, or a decompressed copy for as long as the block lasts."""
    if compression in TSHARK_READS:
        yield capture
        return
    import bz2
    import lzma

    packed_by = lzma if compression == "xz" else bz2
    with tempfile.NamedTemporaryFile(suffix=".pcap") as copy, packed_by.open(capture) as packed:
        shutil.copyfileobj(packed, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)
