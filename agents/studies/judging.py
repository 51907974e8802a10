"""How a training is judged: once, on the split `test`, beside the classic that it started from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jitgym import exact
from jitgym.control import Policy
from jitgym.evaluate import Interval, rollout, skew_interval
from jitgym.evaluate.statistics import differences
from jitgym.scenario import Scenario

from ..branches import Asking, Herd
from ..learned.corrections import Corrected, retuned
from ..learned.training import Trained
from .comparison import solved

if TYPE_CHECKING:
    import pandas

TIGHT = 1e-4
"""Share of the cost: if the bounds of the optimum are further apart, there is no exact gap."""

MEMORY = 500e6
"""Bytes that the optimum, and the exact cost of a learned policy, may take: some ten seconds."""


@dataclass(frozen=True)
class Judgement:
    """A training on the split `test`."""

    trained: Trained
    rows: pandas.DataFrame  # of the learned policy
    start_rows: pandas.DataFrame
    cost: Interval  # by the scenario's yardstick, in money
    start_cost: Interval
    difference: Interval  # learned minus start, paired by episode
    gap: float | None  # exact cost over the exact optimum - 1; None where it cannot be had
    start_gap: float | None
    optimum: float | None  # the exact optimum, or None
    retuned: Interval | None  # difference to the start of the mean correction as a constant

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data; the keys are those of `scripts/train.py --json`."""
        trained = self.trained
        return {
            "policy": trained.policy.name,
            "start": trained.start.name,
            "start_parameters": trained.start.parameters,
            "start_cost": self.start_cost.mean,
            "cost": self.cost.mean,
            "interval": [self.cost.low, self.cost.high],
            "difference": self.difference.mean,
            "difference_interval": [self.difference.low, self.difference.high],
            "gap": self.gap,
            "start_gap": self.start_gap,
            "retuned": None if self.retuned is None else self.retuned.mean,
            "kept": trained.kept,
            "headroom": trained.headroom,
            "gates": [verdict.as_dict() for verdict in trained.verdicts],
            "periods": trained.periods,
            "seconds": trained.seconds,
            "tuning_seconds": trained.start.seconds,
            "folder": None if trained.folder is None else str(trained.folder),
        }


def judged(trained: Trained, scenario: Scenario, episodes: int = 256, seed: int = 0) -> Judgement:
    """Return the judgement on episodes 0 to `episodes` - 1 of a seed of `test`."""
    rows = rollout(trained.policy, scenario, episodes, seed)
    before = rollout(trained.start.policy, scenario, episodes, seed)
    optimum, gap, start_gap = gaps(trained, scenario)
    return Judgement(
        trained,
        rows,
        before,
        skew_interval(rows["cost"]),
        skew_interval(before["cost"]),
        skew_interval(differences(rows, before)),
        gap,
        start_gap,
        optimum,
        _retuned(trained, scenario, before, seed),
    )


STATES, BETWEEN, WARM_UP = 256, 20, 300
"""Plants of the split `train` whose states give the mean correction, and periods that they run."""


def _retuned(
    trained: Trained, scenario: Scenario, before: pandas.DataFrame, seed: int
) -> Interval | None:
    """Return what the policy's mean correction as a constant costs more than the start."""
    policy = getattr(trained.policy, "policy", None)
    if trained.kept or not isinstance(policy, Corrected):
        return None
    herd, asking = Herd(policy.layout, STATES, seed), Asking(policy, policy.layout)
    herd.begin(asking, WARM_UP)
    herd.follow(asking, BETWEEN)
    constant = retuned(policy, herd.state, herd.memory)
    rows = rollout(constant, scenario, len(before), seed)
    return skew_interval(differences(rows, before))


def gaps(trained: Trained, scenario: Scenario) -> tuple[float | None, float | None, float | None]:
    """Return the exact optimum and the exact gaps of the learned policy and its start, or None."""
    optimum = optimum_of(scenario)
    if optimum is None:
        return None, None, None
    learned, start = (
        gap(each, scenario, optimum) for each in (trained.policy, trained.start.policy)
    )
    return optimum, learned, start


def optimum_of(scenario: Scenario) -> float | None:
    """Return the cost of the exact optimum, or None where only bounds are known."""
    crosses = any(source.crossover for source in scenario.sources.values())
    # With crossover, every order on its way may arrive or not: a minute of work in little memory.
    solution, _ = solved(scenario) if crosses else solved(scenario, MEMORY)
    if solution is None or not solution.cost:
        return None
    if solution.upper - solution.lower > TIGHT * abs(solution.cost):
        return None  # of a discounted window, say
    return float(solution.cost)


def gap(policy: Policy, scenario: Scenario, optimum: float | None) -> float | None:
    """Return the exact gap of a policy, as a share of the optimum; None where it cannot be had."""
    if optimum is None:
        return None
    try:
        cost = exact.evaluate(policy, scenario, memory=MEMORY).cost
    except (exact.NotFinite, exact.TooLarge):
        return None
    return float(cost - optimum) / abs(optimum)
