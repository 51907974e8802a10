"""The spaces of an environment, and the meaning of their entries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.control.encodings import (
    CONTROLS,
    ActionEncoding,
    ActionEntry,
    Control,
    Entry,
    ObservationEncoding,
)
from jitgym.errors import ScenarioError
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario


@dataclass(frozen=True)
class Spaces:
    """The observation and action of a plant under one control, as Gymnasium spaces and by entry."""

    layout: Layout
    control: Control

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            known = ", ".join(CONTROLS)
            raise ScenarioError(f"control {self.control!r} is unknown; expected one of {known}")

    @cached_property
    def action_encoding(self) -> ActionEncoding:
        """The encoding of actions."""
        return ActionEncoding(self.layout, self.control)

    @cached_property
    def observation_entries(self) -> tuple[Entry, ...]:
        """Name, unit and bounds of each entry of the observation."""
        return ObservationEncoding(self.layout).entries

    @cached_property
    def observation_names(self) -> tuple[str, ...]:
        """Name of each entry of the observation."""
        return tuple(entry.name for entry in self.observation_entries)

    @cached_property
    def action_entries(self) -> tuple[ActionEntry, ...]:
        """Name, unit and bounds of each entry of the action."""
        return self.action_encoding.entries

    @cached_property
    def observation(self) -> gymnasium.Space[npt.NDArray[np.float32]]:
        """Box [0, 1], float32."""
        width = len(self.observation_entries)
        return gymnasium.spaces.Box(0.0, 1.0, (width,), np.float32)

    @cached_property
    def action(self) -> gymnasium.Space[Any]:
        """Box [-1, 1], float32, or MultiDiscrete; Discrete if there is a single entry."""
        encoding = self.action_encoding
        if encoding.is_discrete and encoding.choices.size == 1:
            return gymnasium.spaces.Discrete(encoding.choices[0])
        if encoding.is_discrete:
            return gymnasium.spaces.MultiDiscrete(encoding.choices)
        return gymnasium.spaces.Box(-1.0, 1.0, (encoding.choices.size,), np.float32)


class OfOnePlant:
    """The scenario of an environment of either API; it is fixed once the environment is made."""

    scenario: Scenario
    layout: Layout
    spaces: Spaces

    def _lay_out(self, scenario: str | Scenario, control: Control, given: dict[str, Any]) -> None:
        self.scenario = load(scenario, **given)
        self.layout = lay_out(self.scenario)
        self.spaces = Spaces(self.layout, control)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. Raises AttributeError for those that are fixed."""
        if name in FIXED and (name not in MADE or name in self.__dict__):
            raise AttributeError(
                f"the {name} of an environment is fixed; expected a new environment for "
                f"another {name}"
            )
        super().__setattr__(name, value)

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Name of each entry of the observation."""
        return self.spaces.observation_names

    @property
    def observation_entries(self) -> tuple[Entry, ...]:
        """Name, unit and bounds of each entry of the observation."""
        return self.spaces.observation_entries

    @property
    def action_entries(self) -> tuple[ActionEntry, ...]:
        """Name, unit and bounds of each entry of the action."""
        return self.spaces.action_entries

    @property
    def reward_scale(self) -> float:
        """The cost of a reward of -1, in money."""
        return self.scenario.reward_scale


MADE = ("scenario", "layout", "spaces", "engine")  # set once, when the environment is made
FIXED = (*MADE, "observation_names", "observation_entries", "action_entries", "reward_scale")
