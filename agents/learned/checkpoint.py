"""The files of a training in its folder. Files are data: no pickled object is ever loaded.

    agent.yaml    what is trained: scenario, control, hyperparameters, seed, meaning of every entry
    last.pt       the state of the training: weights, optimizer, environments, random numbers
    best.pt       weights of the policy with the lowest cost on the split `validate`
    tensorboard/  curves (see `tracking`)
    train.log     a line per look

Every file is written under a temporary name and then renamed: a reader finds a whole file or none.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Any

import torch
from pydantic import Field, ValidationError

from jitgym import ScenarioError, documents
from jitgym.control.encodings import QUANTITY, Entry, ObservationEncoding
from jitgym.control.versions import mismatch, versions
from jitgym.distributions import Part
from jitgym.evaluate import RunError
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.stored import UNREADABLE, expect_file, reason

from .session import Stored
from .start import Start


class Begun(Part):
    """The classic policy that the training starts from."""

    name: str
    parameters: dict[str, Any]


class Record(Part):
    """The content of agent.yaml: what is trained, and what the net's inputs mean."""

    agent: str  # the name that was asked for
    versions: dict[str, int] = Field(default={})  # of encodings and dynamics
    seed: Annotated[int, Field(ge=0)]
    periods: int | None  # of simulation that were asked for
    start: Begun
    learners: dict[str, dict[str, Any]]  # those that are tried, with their settings
    observation: list[dict[str, str | float | None]]
    scenario: dict[str, Any]


def described(
    agent: str,
    layout: Layout,
    start: Start,
    learners: Mapping[str, Mapping[str, Any]],
    seed: int,
    periods: int | None,
) -> Stored:
    """Return the content of agent.yaml as plain data."""
    tidy: Stored = documents.tidy(
        {
            "agent": agent,
            "versions": versions(),
            "seed": seed,
            "periods": periods,
            "start": {"name": start.name, "parameters": dict(start.parameters)},
            "learners": {name: dict(settings) for name, settings in learners.items()},
            "observation": observation(layout),
        }
    )
    return tidy | {"scenario": layout.scenario.document()}


def observation(layout: Layout) -> list[Stored]:
    """Return name and unit of each entry that a net reads."""
    return [
        documents.tidy({"entry": entry.name, "unit": entry.unit} | _size(entry))
        for entry in ObservationEncoding(layout).entries
    ]


def _size(entry: Entry) -> dict[str, float]:
    """Return the size of an entry in natural units: of a quantity without bound, the usual one."""
    return {"usual": entry.usual} if entry.kind == QUANTITY else {"high": entry.high}


@dataclass(frozen=True)
class Checkpoint:
    """The folder of one training."""

    folder: Path

    @property
    def record(self) -> Path:
        """The file that says what is trained."""
        return self.folder / "agent.yaml"

    @property
    def last(self) -> Path:
        """The file with the state of the training."""
        return self.folder / "last.pt"

    @property
    def log(self) -> Path:
        """The file with a line per look."""
        return self.folder / "train.log"

    @property
    def curve(self) -> Path:
        """The file with a row per look: periods, CPU seconds, difference to the start."""
        return self.folder / "looks.csv"

    @property
    def best(self) -> Path:
        """The file with the best policy."""
        return self.folder / "best.pt"

    def begin(self, record: Stored) -> None:
        """Begin a training here. Raises RunError if the folder already holds one."""
        expect_folder(self.folder, resume=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        documents.write(record, self.record)

    def resume(self, record: Stored) -> Stored:
        """Return the state of the training of the same agent. Raises RunError if there is none."""
        expect_folder(self.folder, resume=True)
        earlier = self.read_record()
        changed = [name for name in record if earlier.get(name) != record[name]]
        if changed:
            raise RunError(
                f"{self.folder}: holds an agent with another {' and '.join(changed)}; "
                "expected the same options, or a new folder"
            )
        return self.stored()

    def stored(self) -> Stored:
        """Return the state of the training. Raises RunError if it cannot be read."""
        return read_tensors(self.last)

    def read_record(self) -> Stored:
        """Return the record of this training as plain data. Raises RunError if there is none."""
        return self._checked()[0]

    def read(self) -> Record:
        """Return the record of this training. Raises RunError if there is none."""
        return self._checked()[1]

    def expect_scenario(self, layout: Layout) -> None:
        """Raise RunError unless the plant has the entries that the net of this folder reads."""
        if self.read_record()["observation"] != observation(layout):
            raise RunError(
                f"{self.folder}: its agent was trained with another observation than "
                f"{layout.scenario.name} has; expected the scenario of its training"
            )

    def _checked(self) -> tuple[Stored, Record]:
        if not self.record.is_file():
            raise RunError(f"{self.record}: no such file; expected the folder of a training")
        try:
            document = documents.read_file(self.record)
            record = Record.model_validate(document.data)
        except ValidationError as error:
            raise RunError(str(documents.explain(error, Record, document))) from None
        except ScenarioError as error:
            raise RunError(str(error)) from None
        if other := mismatch(record.versions):
            raise RunError(f"{self.record}: {other}; expected an agent trained with this version")
        needed = (name for name, about in Scenario.model_fields.items() if about.is_required())
        if missing := [name for name in needed if name not in record.scenario]:
            raise RunError(
                f"{self.record}: scenario.{missing[0]}: is missing; expected a whole file"
            )
        return document.data, record


def expect_folder(folder: Path | None, resume: bool) -> None:
    """Raise RunError unless a training may begin, or with `resume` continue, in this folder.

    None means a new folder.
    """
    if folder is None:
        if resume:
            raise RunError(
                "nothing to resume: no folder is given; expected the folder of a training"
            )
        return
    checkpoint = Checkpoint(folder)
    if resume and not checkpoint.last.is_file():
        raise RunError(f"{checkpoint.last}: no such file; expected a training that can be resumed")
    if not resume and (checkpoint.last.exists() or checkpoint.best.exists()):
        raise RunError(f"{folder}: holds a trained agent; expected --resume, or a new folder")


def write_tensors(path: Path, stored: Stored) -> None:
    """Write tensors and plain numbers; a reader never sees a half-written file."""
    with documents.whole(path) as unfinished:
        try:
            torch.save(stored, unfinished)
        except RuntimeError as error:  # raised by torch if the disk is full
            raise RunError(f"{path}: cannot be written ({reason(error)})") from None


def read_tensors(path: Path) -> Stored:
    """Read a file of `write_tensors`; nothing else is unpickled. Raises RunError."""
    expect_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if any(m.compress_type != zipfile.ZIP_STORED for m in archive.infolist()):
                raise RunError(f"{path}: is compressed; expected a checkpoint as torch writes it")
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except RunError:
        raise
    except (*UNREADABLE, AttributeError, IndexError, AssertionError, UnpicklingError) as error:
        raise RunError(f"{path}: cannot be read as a checkpoint ({reason(error)})") from None
    if not isinstance(stored, dict):
        raise RunError(f"{path}: holds {type(stored).__name__}; expected a checkpoint")
    return stored


def expect_like(stored: object, known: object, path: Path | str, *place: object) -> None:
    """Raise RunError unless `stored` has the same parts, shapes and types as `known`.

    Numbers must be finite, except for those that are infinite in `known`.
    """
    where = f"{path}: {'.'.join(map(str, place)) or 'its content'}"
    if isinstance(known, Mapping):
        if not isinstance(stored, Mapping) or stored.keys() != known.keys():
            held = stored.keys() if isinstance(stored, Mapping) else ()
            differing = sorted(map(str, known.keys() ^ held))
            raise RunError(f"{where} has other parts than expected: {', '.join(differing[:4])}")
        for name, part in known.items():
            expect_like(stored[name], part, path, *place, name)
    elif isinstance(known, torch.Tensor):
        if not isinstance(stored, torch.Tensor):
            raise RunError(f"{where} is {type(stored).__name__}; expected a tensor")
        found, expected = (stored.dtype, tuple(stored.shape)), (known.dtype, tuple(known.shape))
        if found != expected:
            raise RunError(
                f"{where} is {found[0]} {found[1]}; expected {expected[0]} {expected[1]}"
            )
        if not torch.isfinite(stored).all() and torch.isfinite(known).all():
            raise RunError(f"{where} holds numbers that are not finite; expected finite numbers")
    elif type(stored) is not type(known):
        raise RunError(f"{where} is {type(stored).__name__}; expected {type(known).__name__}")
    elif isinstance(stored, float) and stored != stored:
        raise RunError(f"{where} is nan; expected a number")
