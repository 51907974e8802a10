"""Scripts called within the process of the tests: importing them anew takes seconds each time."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@dataclass(frozen=True)
class Done:
    """What a script printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def call(folder: Path, script: str, *options: str, columns: int = 100) -> Done:
    """Run a script in a folder, in as many columns of text as if it was started from there."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, COLUMNS=str(columns)),
        mock.patch.object(sys, "argv", [f"{script}.py", *options]),
        mock.patch.object(sys, "path", [str(SCRIPTS), *sys.path]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        module = importlib.import_module(script)
        try:
            module.common.run(module.main)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
