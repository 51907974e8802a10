"""What a training leaves in its folder. Files are data: no pickled object is ever loaded.

    agent.yaml    what is trained: scenario, control, hyperparameters, seed, meaning of every entry
    last.pt       where training stands: weights, optimizer, environments, random numbers
    best.pt       weights of the policy that cost least on the split `validate`
    tensorboard/  curves

Every file is written under a temporary name and renamed: a reader finds a whole one or none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import yaml

from jitgym import documents
from jitgym.envs.spaces import Spaces
from jitgym.evaluate import RunError

Stored = dict[str, Any]


def described(spaces: Spaces, settings: Mapping[str, Any], seed: int) -> Stored:
    """Return what is trained as plain data, with the meaning of the net's inputs and outputs."""
    scenario = yaml.safe_load(spaces.layout.scenario.to_yaml())
    return {
        "agent": "ppo",
        "control": spaces.control,
        "seed": seed,
        "settings": documents.tidy(settings),
        "observation": _meaning(spaces.observation_entries),
        "action": _meaning(spaces.action_entries),
        "scenario": scenario,
    }


def _meaning(entries: Any) -> list[Stored]:
    return [
        documents.tidy({"entry": entry.name, "unit": entry.unit, "high": entry.high})
        for entry in entries
    ]


@dataclass(frozen=True)
class Checkpoint:
    """The folder of one training."""

    folder: Path

    @property
    def record(self) -> Path:
        """What is trained."""
        return self.folder / "agent.yaml"

    @property
    def last(self) -> Path:
        """Where training stands."""
        return self.folder / "last.pt"

    @property
    def best(self) -> Path:
        """The best policy."""
        return self.folder / "best.pt"

    def begin(self, record: Stored) -> None:
        """Begin a training here. Raises RunError where the folder holds one already."""
        expect_folder(self.folder, resume=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        documents.write(record, self.record)

    def resume(self, record: Stored) -> Stored:
        """Return where the training of the same agent stands. Raises RunError where none does."""
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
        """Return where training stands. Raises RunError where that cannot be read."""
        return read_tensors(self.last)

    def read_record(self) -> Stored:
        """Return what is trained here. Raises RunError where nothing is."""
        if not self.record.is_file():
            raise RunError(f"{self.record}: no such file; expected the folder of a training")
        record = documents.read_file(self.record).data
        if not isinstance(record, dict) or "control" not in record:
            raise RunError(f"{self.record}: not the record of an agent")
        return record


def expect_folder(folder: Path | None, resume: bool) -> None:
    """Raise RunError unless a training may begin in this folder, or go on there.

    None stands for a new folder.
    """
    if folder is None:
        if resume:
            raise RunError("nothing to resume: no folder is given; expected that of a training")
        return
    checkpoint = Checkpoint(folder)
    if resume and not checkpoint.last.is_file():
        raise RunError(f"{checkpoint.last}: no such file; expected a training that can be resumed")
    if not resume and (checkpoint.last.exists() or checkpoint.best.exists()):
        raise RunError(f"{folder}: holds a trained agent; expected --resume, or a new folder")


def write_tensors(path: Path, stored: Stored) -> None:
    """Write tensors and plain numbers such that nobody ever sees half of them."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(stored, unfinished)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_tensors(path: Path) -> Stored:
    """Read what `write_tensors` wrote; nothing else is unpickled. Raises RunError."""
    try:
        stored: Stored = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{path}: cannot be read as a checkpoint ({reason})") from None
    return stored
