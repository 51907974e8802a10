"""The learners by name: the module of each, and its default hyperparameters.

A learner is a module with `train`, `load` and `read_settings` (see `sb3/ppo.py`), and one line in
`LEARNERS`. The module is imported on first use, because torch takes seconds to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.documents import suggest
from jitgym.scenario import Scenario

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "agents"


@dataclass(frozen=True)
class Learner:
    """A learner that can be trained and loaded by its name."""

    name: str
    module: str  # relative to this package

    @property
    def config(self) -> Path:
        """The file of its default hyperparameters; it gives the reason for each number."""
        return CONFIGS / f"{self.name}.yaml"

    def read_settings(self, file: Path | None = None) -> Any:
        """Return the hyperparameters of a file, or the default ones. Raises ScenarioError."""
        return self._code.read_settings(file or self.config)

    def train(self, scenario: Scenario, settings: Any, folder: str | Path, **options: Any) -> Any:
        """Train it in a folder; see the module's `train` for the options and the result."""
        return self._code.train(scenario, settings, folder, **options)

    def load(self, folder: str | Path, scenario: Scenario) -> Policy:
        """Return the best policy of a training. Raises RunError if the folder holds none."""
        policy: Policy = self._code.load(folder, scenario)
        return policy

    @property
    def _code(self) -> Any:
        return import_module(self.module, __package__)


LEARNERS = {learner.name: learner for learner in (Learner("ppo", ".sb3.ppo"),)}


def find(name: str) -> Learner:
    """Return a learner by its name. Raises ScenarioError if there is none."""
    if name not in LEARNERS:
        raise ScenarioError(f"unknown learner {name!r}; {suggest(name, LEARNERS)}")
    return LEARNERS[name]


def expect_folder(folder: Path | None, resume: bool) -> None:
    """Raise RunError unless a training may begin, or with `resume` continue, in this folder.

    None means a new folder.
    """
    from .checkpoint import expect_folder as expect  # imports torch

    expect(folder, resume)
