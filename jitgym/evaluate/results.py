"""The folder of a run on disk, with run.json (how it was made) and rows.csv (the results).

Both files are written under a temporary name and then renamed, so a reader finds a whole file or
none. run.json exists from the start, and its state tells how the run ended:

    running      the run is still going on, or it was killed
    finished     the run reached its end
    interrupted  the user interrupted it (Ctrl-C)
    failed       an error ended it; the error is recorded too
"""

from __future__ import annotations

import dataclasses
import json
import math
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from jitgym.documents import write_whole
from jitgym.errors import RunError

if TYPE_CHECKING:  # pandas takes seconds to import
    import pandas as pd

ALWAYS_RECORDED = ("jitgym", "numpy", "numba", "scipy", "gymnasium")
RECORDED_IF_LOADED = {"torch": "torch", "stable_baselines3": "stable-baselines3"}  # module: package
WHAT_IT_DOES = ("script", "scenario", "configuration", "seeds")  # if equal, it is the same run
TEXT_COLUMNS = ("scenario", "policy", "split")


class Run:
    """A run and its folder, as a context manager.

        with Run("tune", scenario.name, configuration=options, seeds={"tune": 0}, out=out) as run:
            run.save(rollout(...))          # writes rows.csv; put other files into run.folder too

    `configuration` holds all options (mappings, dataclasses, scenarios, numbers, text). `out` is
    the folder itself; without it a new one is made, `<parent>/<script>-<scenario>-<UTC time>`.
    `resume` continues in a folder with an earlier run and keeps its record under "earlier".

    On entry it raises RunError if the folder holds a finished run of another configuration (unless
    it resumes) or files of something else, or if the folder cannot be made. It never swallows an
    exception.
    """

    folder: Path

    def __init__(
        self,
        script: str,
        scenario: str,
        *,
        configuration: object,
        seeds: Mapping[str, object],
        out: str | Path | None = None,
        resume: bool = False,
        parent: str | Path = "runs",
    ) -> None:
        self.resume = resume
        self._out = None if out is None else Path(out)
        self._parent = Path(parent)
        self._record: dict[str, Any] = {
            "script": script,
            "scenario": scenario,
            "configuration": plain(configuration),
            "seeds": plain(seeds),
        }

    def __enter__(self) -> Run:
        self._started = datetime.now(UTC)
        self._record |= {"revision": revision(), "started": _seconds(self._started)}
        try:
            self.folder = self._new_folder() if self._out is None else self._given_folder(self._out)
            self._write("running")
        except OSError as error:
            place = self._out or self._parent
            raise RunError(
                f"{place}: the folder of the run cannot be made ({error.strerror})"
            ) from error
        return self

    def save(self, rows: pd.DataFrame) -> None:
        """Write rows.csv, whole or not at all; a second call replaces the file."""
        text = rows.to_csv(index=False, lineterminator="\n")
        write_whole(self.folder / "rows.csv", text)

    def report(self, text: str) -> None:
        """Write the table as report.md next to the rows, whole or not at all."""
        write_whole(self.folder / "report.md", text)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ended = datetime.now(UTC)
        self._record["ended"] = _seconds(ended)
        self._record["seconds"] = round((ended - self._started).total_seconds(), 3)
        state = exit_state(error)
        if state == "failed":
            self._record["error"] = f"{type(error).__name__}: {error}"
        self._write(state)

    def _new_folder(self) -> Path:
        """Make and return a new folder, even if two runs start in the same second."""
        script, scenario = self._record["script"], self._record["scenario"]
        name = f"{script}-{_slug(scenario)}-{self._started:%Y%m%dT%H%M%SZ}"
        number = 1
        while True:
            folder = self._parent / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                if not folder.is_dir():  # the parent is a file, so no other name will help
                    raise
                number += 1

    def _given_folder(self, folder: Path) -> Path:
        earlier = read_record(folder)
        if earlier is None and (folder / "rows.csv").exists():
            raise RunError(f"{folder}: holds a rows.csv without run.json; expected another folder")
        if earlier is not None and self.resume:
            self._record["earlier"] = [*earlier.pop("earlier", []), earlier]
        elif earlier is not None:
            self._refuse_another(folder, earlier)
            for left in ("rows.csv", "report.md"):  # they would not fit the new record
                (folder / left).unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _refuse_another(self, folder: Path, earlier: Mapping[str, Any]) -> None:
        changed = [name for name in WHAT_IT_DOES if earlier.get(name) != self._record[name]]
        if earlier.get("state") == "finished" and changed:
            raise RunError(
                f"{folder}: holds a finished run with another {' and '.join(changed)};"
                " expected a new folder, or the same options"
            )

    def _write(self, state: str) -> None:
        record = {"state": state, **self._record, "versions": versions()}
        write_whole(self.folder / "run.json", json.dumps(record, indent=2, allow_nan=False) + "\n")


def load_rows(folder: str | Path) -> pd.DataFrame:
    """Return the rows of a run, exactly as saved. Raises RunError if there are none."""
    path = Path(folder) / "rows.csv"
    if not path.is_file():
        record = read_record(Path(folder))
        state = "holds no run" if record is None else f"its run is {record.get('state')}"
        raise RunError(f"{path}: no such file ({state}); expected the folder of a finished run")
    import pandas as pd

    text = dict.fromkeys(TEXT_COLUMNS, str)  # a policy named "nan" or "1" is still a name
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])


def read_record(folder: str | Path) -> dict[str, Any] | None:
    """Return the content of run.json; None if there is none. Raises RunError if it is not valid."""
    path = Path(folder) / "run.json"
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(record, dict) or "state" not in record:
        raise RunError(f'{path}: is not the record of a run; expected an object with "state"')
    return record


def exit_state(error: BaseException | None) -> str:
    """Return finished, interrupted or failed, given the exception that ended the run, or None."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    clean = error is None or (isinstance(error, SystemExit) and error.code in (None, 0))
    return "finished" if clean else "failed"


def plain(value: Any) -> Any:
    """Return a value as JSON data: dict, list, text, number, None (also for nan and infinity).

    It takes mappings, sequences, dataclasses, pydantic models, numpy numbers and arrays, paths and
    dates, and raises TypeError for anything else.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case Path() | date():
            return str(value)
        case np.generic() | np.ndarray():
            return plain(value.tolist())
        case BaseModel():
            return plain(value.model_dump(mode="json"))
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: plain(getattr(value, part.name)) for part in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__}: this type cannot be written as JSON")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on; those of learners only if they were used."""
    loaded = [package for module, package in RECORDED_IF_LOADED.items() if module in sys.modules]
    found = {"python": platform.python_version()}
    for package in (*ALWAYS_RECORDED, *loaded):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"  # run from a checkout
    return found


def revision() -> str | None:
    """Return the git revision of jitgym's checkout, "-dirty" if it was changed; else None."""
    here = Path(__file__)
    git = ["git", "--no-optional-locks", "-C", str(here.parent)]
    try:
        # An installed copy may lie in another repository, so check that git tracks this file.
        _output([*git, "ls-files", "--error-unmatch", here.name])
        return _output([*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
    except (OSError, subprocess.SubprocessError):
        return None


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _seconds(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _slug(name: str) -> str:
    """Return a name without characters that shells or file systems do not accept."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:80]
