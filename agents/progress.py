"""Progress on standard error: a bar on a terminal, plain lines elsewhere.

    tune kanban on bracket-line: 40 %, 12 s

The first line comes after a second, the next ones every five seconds; what is done sooner prints
nothing. A thread prints them, so that a long step does not keep them back. Standard output is never
touched.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

FIRST = 1.0  # seconds until the first line
EVERY = 5.0  # seconds between the others

Item = TypeVar("Item")
Result = TypeVar("Result")


class Progress:
    """How far something is. Use it as a context, and call `advance` or `update` on the way."""

    def __init__(self, title: str, total: float = 0.0, *, shown: bool = True) -> None:
        self.title, self.total, self.done, self.detail = title, total, 0.0, ""
        self._is_shown = shown
        self._ended = threading.Event()
        self._lines: threading.Thread | None = None
        self._bar: Bar | None = None

    def __enter__(self) -> Progress:
        self._began = time.monotonic()
        if not self._is_shown:
            return self
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task(self.line, total=None)
            self._bar.start()
        else:
            self._lines = threading.Thread(target=self._print_lines, daemon=True)
            self._lines.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._lines is not None:
            self._lines.join()
        if self._bar is not None:
            self._bar.stop()

    def expect(self, total: float) -> None:
        """Say how many steps there will be."""
        self.total = total

    def advance(self, detail: str = "") -> None:
        """Count one step as done."""
        self.update(self.done + 1, detail)

    def update(self, done: float, detail: str = "") -> None:
        """Say how many steps are done, and what else is known."""
        self.done, self.detail = done, detail
        if self._bar is not None:
            total = self.total or None
            self._bar.update(self._task, completed=done, total=total, description=self.line)

    def drive(self, steps: Generator[Any, None, Result]) -> Result:
        """Run a generator to its end, count what it yields as steps, and return its result."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            self.advance()

    @property
    def line(self) -> str:
        """How far it is, in one plain line."""
        share = f"{min(100.0, 100.0 * self.done / self.total):.0f} %, " if self.total else ""
        passed = time.monotonic() - self._began
        detail = f", {self.detail}" if self.detail else ""
        return f"{self.title}: {share}{passed:.0f} s{detail}"

    def _print_lines(self) -> None:
        wait = FIRST
        while not self._ended.wait(wait):
            print(self.line, file=sys.stderr, flush=True)
            wait = EVERY


def track(items: Sequence[Item], title: str, *, shown: bool = True) -> Iterator[Item]:
    """Yield items, and show how many of them are done."""
    with Progress(title, len(items), shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()
