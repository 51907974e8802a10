"""The learners by name: the module of each, and its default hyperparameters.

A learner is a module with `begin`, `restored` and `Settings` (see `session`), and one line in
`LEARNERS`. The module is imported on first use, because torch takes seconds to import. `learned`
chooses among them by written rules.
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

from .settings import read_settings, settings_from

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "agents"
LEARNED = "learned"
"""The name of the learner that suits the plant."""


@dataclass(frozen=True)
class Learner:
    """A learner that can be trained and loaded by its name."""

    name: str
    place: str  # its module, relative to this package
    part: str = ""  # the object of the module that has its functions; "": the module itself

    @property
    def config(self) -> Path:
        """The file of its default hyperparameters; it gives the reason for each number."""
        return CONFIGS / f"{self.name}.yaml"

    def read_settings(self, file: Path | None = None) -> Any:
        """Return the hyperparameters of a file, or the default ones. Raises ScenarioError."""
        return read_settings(file or self.config, self.module.Settings)

    def settings_from(self, data: dict[str, Any], file: Path) -> Any:
        """Return hyperparameters that a training has stored. Raises RunError."""
        return settings_from(data, self.module.Settings, file)

    def train(self, scenario: Scenario, settings: Any, folder: str | Path, **options: Any) -> Any:
        """Train it in a folder; see `training.train` for the options and the result."""
        from .training import train

        return train(self, scenario, settings, folder, **options)

    def load(self, folder: str | Path, scenario: Scenario) -> Policy:
        """Return the policy of a training. Raises RunError if the folder holds none."""
        from .training import load

        return load(folder, scenario, find)

    @property
    def module(self) -> Any:
        """Its code: `Settings`, `begin` and `restored`."""
        module = import_module(self.place, __package__)
        return getattr(module, self.part) if self.part else module


LEARNERS = {
    learner.name: learner
    for learner in (
        Learner(LEARNED, ".choice"),
        Learner("paired-ppo", ".sb3.paired"),
        Learner("improve", ".improvement.session"),
        Learner("ppo", ".sb3.ppo"),
        Learner("hindsight", ".hindsight.session"),
        Learner("sac", ".sb3.stock", "SAC"),
        Learner("td3", ".sb3.stock", "TD3"),
        Learner("a2c", ".sb3.stock", "A2C"),
        Learner("dqn", ".sb3.stock", "DQN"),
        Learner("recurrent-ppo", ".sb3.stock", "RECURRENT_PPO"),
    )
}


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
