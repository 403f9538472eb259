"""How far a capture is read: a bar on standard error, on a terminal only, and only where it takes a while."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Self

from analyzer.report.escape import visible

PATIENCE_S = 0.7  # small captures are answered before; the bar's own import costs 0.1 s


class Progress:
    """Context manager; call it with the bytes read so far."""

    def __init__(self, capture: str):
        self._name = visible(os.path.basename(capture))
        self._total = os.path.getsize(capture) if os.path.isfile(capture) else None
        self._began = time.monotonic()
        self._bar: Callable[[int], None] | None = None
        self._close: Callable[[], None] = lambda: None
        self._wanted = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __call__(self, bytes_read: int) -> None:
        if not self._wanted:
            return
        if self._bar is None:
            if time.monotonic() - self._began < PATIENCE_S:
                return
            self._open()
        assert self._bar is not None
        self._bar(bytes_read)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
        )
        bar = Bar(*columns, console=Console(stderr=True), transient=True)
        task = bar.add_task("", total=self._total, name=self._name)
        bar.start()
        self._bar, self._close = (lambda count: bar.update(task, completed=count)), bar.stop
