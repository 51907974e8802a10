"""Ctrl-C while modules are imported, which takes seconds: one line, no traceback.

`_common` imports this before anything slow.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def _leave(number: int, frame: object) -> None:
    """End at once: while modules are imported there is nothing to clean up."""
    os.write(2, b"\ninterrupted\n")
    os._exit(130)


def as_usual() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    signal.signal(signal.SIGINT, _usual)


_usual = signal.getsignal(signal.SIGINT)
_called = getattr(sys.modules["__main__"], "__file__", None)
if _called is not None and Path(_called).resolve().parent == Path(__file__).resolve().parent:
    signal.signal(signal.SIGINT, _leave)  # a script is run, not a test that imports one
