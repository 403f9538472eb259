"""The analyzer beside tshark over every capture below some folders: `make oracle FOLDER=...`.

Packets, TCP and UDP conversations with their numbers, Community ID, server names, DNS names and retransmissions, by
capture; then each difference by its class, with examples. ORACLE_SHOW=N shows N examples of each class (3).
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.oracle import ours, theirs
from tests.oracle.compare import ABOUT, CLASSES, Difference, differences

SUFFIXES = (".pcap", ".pcapng", ".cap", ".ntar", ".gz", ".zst", ".xz", ".bz2", ".lz4", "")


class Compared(NamedTuple):
    capture: Path
    unreadable: str | None  # why tshark cannot read it
    subjects: dict[str, int]  # how many things of each kind tshark sees
    differences: list[Difference]


def compare(capture: Path) -> Compared:
    """One capture, seen by both."""
    there = theirs.view(capture)
    if there.failed and not there.packets:
        return Compared(capture, there.failed, {}, [])
    here = ours.view(capture)
    keys = sum(stream.key is not None for stream in there.streams.values())
    subjects = {
        "packets": there.packets,
        "tcp": sum(proto == 6 for proto, _ in there.streams),
        "udp": sum(proto == 17 for proto, _ in there.streams),
        "stream": len(there.streams),
        "community_id": keys,
        "sni": len(there.names),
        "dns": len(there.questions),
        "resent": sum(map(len, there.resent.values())),
    }
    return Compared(capture, None, subjects, differences(here, there))


def captures(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        files = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        yield from (file for file in files if file.is_file() and file.suffix.lower() in SUFFIXES)


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        print("usage: make oracle FOLDER=...", file=sys.stderr)
        return 2
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(compare, captures([Path(a) for a in arguments]), chunksize=1))
    print(*summary(found, int(os.environ.get("ORACLE_SHOW", 3))), sep="\n")
    return int(any(difference.cls == "unexplained" for one in found for difference in one.differences))


def summary(found: Sequence[Compared], show: int) -> Iterator[str]:
    """What to print."""
    read = [one for one in found if one.unreadable is None]
    yield f"{len(found)} captures, of which tshark reads {len(read)}"
    yield f"\n{'':14}{'captures that agree':>24}{'things compared':>18}{'differences':>14}"
    for about in ABOUT:
        agree = sum(all(d.about != about for d in one.differences) for one in read)
        differing = sum(d.about == about for one in read for d in one.differences)
        things = sum(one.subjects[about] for one in read)
        yield f"{about:14}{f'{agree} of {len(read)}':>24}{things:>18,}{differing:>14,}"
    by_class: dict[tuple[str, str], list[tuple[Path, Difference]]] = defaultdict(list)
    for one in read:
        for difference in one.differences:
            by_class[difference.about, difference.cls].append((one.capture, difference))
    for (about, cls), where in sorted(by_class.items(), key=lambda item: (ABOUT.index(item[0][0]), item[0][1])):
        yield f"\n{about}, {cls}: {len(where)} in {len({path for path, _ in where})} captures. {CLASSES[cls]}"
        yield from (f"    {path.name}: {difference.detail}" for path, difference in where[:show])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
