"""What every source is: frames in blocks, and what the file says of itself."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Self

from analyzer.decode.frames import Frames

ByteOrder = Literal["little", "big"]


@dataclass(frozen=True)
class Interface:
    """An interface that was captured on. A pcap file has one, without a name."""

    link: int  # link type (LINKTYPE_*)
    name: str | None = None
    description: str | None = None
    filter: str | None = None  # the capture filter as text: what it excludes cannot be seen
    snaplen: int = 0  # 0: frames were not shortened, or nobody said so


@dataclass
class SourceInfo:
    """What is known of a capture; filled in while it is read and complete once `Source.blocks` has ended."""

    name: str
    format: str = ""  # "pcap", "pcapng", or what a live source calls itself
    compression: str | None = None
    interfaces: list[Interface] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)  # of its sections
    hardware: str | None = None
    os: str | None = None
    application: str | None = None
    apps: list[str] = field(default_factory=list)  # that the file names for frames: `Frames.app` is a place in it
    kernel_drops: int | None = None  # packets that the capturing machine says it lost; None: it does not say
    frames: int = 0  # handed out so far
    other_records: int = 0  # system calls, journal entries, custom blocks: no packets, but Wireshark numbers them
    size: int | None = None  # bytes of the input as given, where that can be known before it is read
    bytes_read: int = 0  # of the input as given, before decompression
    sha256: str | None = None  # of the input as given; None for pipes, and until all of it was read
    cut_at_byte: int | None = None  # offset (decompressed) of the first record that could not be read
    cut_why: str | None = None


class Source(abc.ABC):
    """Frames from somewhere. A context manager; read once."""

    info: SourceInfo

    @abc.abstractmethod
    def blocks(self) -> Iterator[Frames]:
        """Blocks of frames in the order they were captured; the memory of one is reused for the next."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is held open. Closing twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()
