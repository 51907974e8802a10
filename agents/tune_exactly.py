"""Tune a classic policy exactly, where the plant is so small that its cost can be computed.

The best of the simulation is where it begins; then one or two numbers at a time move by one or two
steps for as long as the exact cost falls (pattern search, Hooke and Jeeves 1961). No chance is in
it: two parameters that differ by .01 % are told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jitgym import exact
from jitgym.control import Policy
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario, load

from .classic import Classic, applicable, plain, values_of
from .tune import Point, Space, roles, tune

MEMORY = 30e6
"""Bytes for a neighbor: what takes more was going to grow without end."""


@dataclass(frozen=True)
class ExactlyTuned:
    """The parameters of a classic policy that no neighbor beats, and its exact cost."""

    policy: Policy
    parameters: dict[str, Any]
    value: exact.Value
    candidates: int  # that were evaluated


def tune_exactly(
    name: str,
    scenario: Scenario | str | Path,
    seed: int = 0,
    *,
    start: Mapping[str, Any] | None = None,
) -> ExactlyTuned:
    """Return a classic policy whose exact cost no neighboring parameters beat.

    Parameters
    ----------
    name, scenario, seed
        As for `agents.tune`.
    start
        Parameters to begin at, those left out the textbook's; by default what `agents.tune` takes.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy, or it does not apply to this plant.
    exact.NotFinite, exact.TooLarge
        If the plant, or the policy, cannot be evaluated exactly.
    """
    scenario = load(scenario)
    classic = applicable(name, scenario)
    space = Space(classic.parameters(scenario), roles(scenario))
    begin = tune(name, scenario, seed).parameters if start is None else start
    trial = _Exactly(classic, lay_out(scenario), space)
    best = space.point(values_of(name, space.parameters, begin))
    trial.run(best)
    moves = np.vstack([space.moves, 2 * space.moves])
    moved = True
    while moved:
        for point in space.clipped(np.array(best) + moves):
            trial.run(point)
        (found,) = sorted(trial.found, key=lambda point: (trial.found[point].cost, point))[:1]
        moved, best = found != best, found
    values = space.values(best)
    policy = classic.build(f"{name} (best)", trial.layout, values)
    return ExactlyTuned(policy, plain(values), trial.found[best], len(trial.found))


@dataclass
class _Exactly:
    """Candidates that were evaluated."""

    classic: Classic
    layout: Layout
    space: Space
    found: dict[Point, exact.Value] = field(default_factory=dict)

    def run(self, point: Point) -> None:
        if point in self.found:
            return
        policy = self.classic.build(self.classic.name, self.layout, self.space.values(point))
        memory = MEMORY if self.found else exact.MEMORY
        try:
            self.found[point] = exact.evaluate(policy, self.layout.scenario, memory=memory)
        except exact.TooLarge:  # such parameters let stock or backlog grow without end
            if not self.found:
                raise
