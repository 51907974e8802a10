"""What a learner is: a problem that it is given, and a session that goes on interval by interval.

A module of a learner has three functions (see `registry`):

    read_settings(path) -> settings          hyperparameters of a YAML file, checked
    begin(problem, settings) -> Session      nothing is simulated before the first `advance`
    restored(problem, stored) -> Policy      a policy from the data of `Session.candidate`

The loop around it (`training`) counts the budget, looks at candidates, writes checkpoints and asks
the gate. All of it is the same for every learner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from jitgym.control import Policy
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from .start import Start

Stored = dict[str, Any]
"""Tensors and plain numbers, by name."""


@dataclass(frozen=True)
class Problem:
    """The plant, the classic policy to start from, the budget and the seed."""

    scenario: Scenario
    layout: Layout
    start: Start
    seed: int
    periods: int  # of simulation that the learner may use


class Session(Protocol):
    """One training of one learner. All of its randomness comes from the seed of the problem."""

    periods: int  # simulated so far
    is_over: bool  # whether there is nothing more to do

    def advance(self) -> None:
        """Go on for one interval: the most that is lost if the training is killed."""

    def candidate(self) -> tuple[Policy, Stored]:
        """Return the policy as it is now, and the data from which `restored` makes it again."""

    def figures(self) -> dict[str, float]:
        """Return what the learner can tell of itself, for TensorBoard."""

    def snapshot(self) -> Stored:
        """Return all of its state."""

    def restore(self, stored: Stored) -> None:
        """Go on from a snapshot. Raises RunError if it does not fit."""
