"""What a run leaves on disk: a folder with run.json (how it was made) and rows.csv (what came out).

Both files are written under a temporary name and renamed, so a reader finds a whole file or none.
run.json is there from the first moment and tells how the run ended:

    running      still going on, or killed without a chance to say so
    finished     to its end
    interrupted  by the person (Ctrl-C)
    failed       by an error, which stands beside it
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
WHAT_IT_DOES = ("script", "scenario", "configuration", "seeds")  # equal: the same run again
TEXT_COLUMNS = ("scenario", "policy", "split")


class Run:
    """A run and its folder, as a context manager.

        with Run("tune", scenario.name, configuration=options, seeds={"tune": 0}, out=out) as run:
            run.save(rollout(...))          # rows.csv; other files go beside it, in run.folder

    `configuration` is all that was decided (mappings, dataclasses, scenarios, numbers, text). `out`
    is the folder itself; without it a new one is made, `<parent>/<script>-<scenario>-<UTC time>`.
    `resume` goes on in a folder that holds an earlier run, whose record is kept under "earlier".

    On entry raises RunError where the folder holds a finished run of another configuration (unless
    resuming), files that are not a run's, or cannot be made. Never swallows an exception.
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
            raise RunError(f"{place}: no run can be kept here ({error.strerror})") from error
        return self

    def save(self, rows: pd.DataFrame) -> None:
        """Write rows.csv, whole or not at all; a second call replaces the first."""
        text = rows.to_csv(index=False, lineterminator="\n")
        write_whole(self.folder / "rows.csv", text)

    def report(self, text: str) -> None:
        """Write report.md beside the rows, whole or not at all: the table as it was printed."""
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
        """A folder that nobody else has, also when two runs start in the same second."""
        script, scenario = self._record["script"], self._record["scenario"]
        name = f"{script}-{_slug(scenario)}-{self._started:%Y%m%dT%H%M%SZ}"
        number = 1
        while True:
            folder = self._parent / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                if not folder.is_dir():  # the parent is a file: no other name will help
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
            for left in ("rows.csv", "report.md"):  # no run's rows beside another's record
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
    """The rows of a run, to the last bit as saved. Raises RunError where there are none."""
    path = Path(folder) / "rows.csv"
    if not path.is_file():
        record = read_record(Path(folder))
        state = "holds no run" if record is None else f"its run is {record.get('state')}"
        raise RunError(f"{path}: no such file ({state}); expected the folder of a finished run")
    import pandas as pd

    text = dict.fromkeys(TEXT_COLUMNS, str)  # a policy named "nan" or "1" is still a name
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])


def read_record(folder: str | Path) -> dict[str, Any] | None:
    """What run.json says; None where there is none. Raises RunError where it is not a run's."""
    path = Path(folder) / "run.json"
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(record, dict) or "state" not in record:
        raise RunError(f'{path}: not the record of a run; expected an object with "state"')
    return record


def exit_state(error: BaseException | None) -> str:
    """finished, interrupted or failed, from the exception that ended the run (None: its end)."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    clean = error is None or (isinstance(error, SystemExit) and error.code in (None, 0))
    return "finished" if clean else "failed"


def plain(value: Any) -> Any:
    """The same value as JSON knows it: dict, list, text, number, None (also for nan and infinity).

    Takes mappings, sequences, dataclasses, pydantic models, numpy numbers and arrays, paths and
    dates; raises TypeError for anything else.
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
    """The versions that a result depends on; those of the learners only where they were used."""
    loaded = [package for module, package in RECORDED_IF_LOADED.items() if module in sys.modules]
    found = {"python": platform.python_version()}
    for package in (*ALWAYS_RECORDED, *loaded):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"  # run from a checkout
    return found


def revision() -> str | None:
    """The git revision of jitgym's own checkout, "-dirty" where it was changed; None elsewhere."""
    here = Path(__file__)
    git = ["git", "--no-optional-locks", "-C", str(here.parent)]
    try:
        # An installed copy may lie in somebody else's repository: ask whether it holds this file.
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
    """A name as part of a folder's name: nothing that a shell or a file system minds."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:80]
