"""Where the time of one analysis goes: `python -m tests.bench.stages CAPTURE` (compiled kernels, everything warm)."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import analyzer.engine
import analyzer.flows.tracker
import signatures
from analyzer import api, kernels
from analyzer.decode import Frames
from analyzer.engine import Analysis
from analyzer.exhibits import Exhibits
from analyzer.flows.dns_watch import DnsWatch
from analyzer.flows.identify import Identifier
from analyzer.flows.seen import SeenStore

SEAMS = {  # stage: the functions in which it happens, by owner and name; none of them calls another
    "decode": ((analyzer.flows.tracker, "decode"),),
    "account": ((analyzer.flows.tracker, "account"),),
    "summarize flows": ((analyzer.flows.tracker, "summarize"),),
    "watch DNS": ((DnsWatch, "look"),),
    "identify": ((Identifier, "identify"),),
    "remember": ((SeenStore, "add"), (Exhibits, "add")),
    "judge": ((analyzer.engine, "judge"),),
}


class Stopwatch:
    """Adds up, by stage, the seconds spent inside functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def hold(self, owner: Any, name: str, stage: str) -> None:
        """From now on, time what `owner.name` does."""
        setattr(owner, name, self.timed(getattr(owner, name), stage))

    def timed(self, function: Callable, stage: str) -> Callable:
        def call(*arguments, **named):
            begin = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - begin

        return call

    def each(self, blocks: Iterator[Frames], stage: str) -> Iterator[Frames]:
        """The same blocks; the time until each of them is there counts."""
        following = self.timed(lambda: next(blocks, None), stage)
        while (block := following()) is not None:
            yield block


def stages(capture: Path) -> dict[str, float]:
    """Seconds by stage of one analysis, `in all` and `rest` (what no seam covers) included."""
    loaded = signatures.load()
    with kernels.forced("compiled"):
        api.analyze(None, loaded)  # loads or compiles the kernels
        watch = Stopwatch()
        for stage, seams in SEAMS.items():
            for owner, name in seams:
                watch.hold(owner, name, stage)
        for module in loaded.signatures:
            for name in ("detect", "across"):
                if hasattr(module, name):
                    watch.hold(module, name, "signatures")
        begin = time.perf_counter()
        with api.open_capture(capture) as source:
            analysis = Analysis(loaded)
            for frames in watch.each(source.blocks(), "read"):
                analysis.feed(frames)
            analysis.finish(api.capture_info(source))
        total = time.perf_counter() - begin
    return {**watch.seconds, "rest": total - sum(watch.seconds.values()), "in all": total}


def main() -> None:
    found = stages(Path(sys.argv[1]))
    for stage, seconds in found.items():
        print(f"{stage:16} {seconds:8.2f} s {seconds / found['in all']:6.1%}")


if __name__ == "__main__":
    main()
