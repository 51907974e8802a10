"""Lower bounds beside the best tuned classic: what could still be won where no optimum is known.

    bound <= cost of every policy,      left = (cost of the best classic - bound) / bound

Three bounds, by what a plant allows: the optimum itself; the optimum with shorter lead times
(`jitgym.exact.shorter`); the clairvoyant's cost on the same tapes (`jitgym.evaluate.clairvoyant`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jitgym import exact
from jitgym.evaluate import Interval, clairvoyant, rollout, skew_of
from jitgym.report.tables import KEPT, Column, Table
from jitgym.scenario import Scenario

from ..learned import start as starts
from ..progress import Progress
from .comparison import MEMORY, solved

VACUOUS = 0.5
"""A clairvoyant's cost below this share of the classic's says nothing about what can be won."""


@dataclass(frozen=True)
class Bounded:
    """The bounds of a plant, in its yardstick; None where there is none."""

    label: str
    classic: str
    cost: Interval  # of the classic, on the tapes of the clairvoyant
    optimum: float | None
    shorter: exact.Shorter | None
    clairvoyant: Interval | None
    exact_tapes: int  # tapes on which the clairvoyant's program was solved
    why_not: str  # there is no clairvoyant's bound

    @property
    def best(self) -> float | None:
        """The largest lower bound that is known."""
        known = [self.optimum, None if self.shorter is None else self.shorter.cost]
        if self.clairvoyant is not None:
            known.append(self.clairvoyant.low)
        return max((each for each in known if each is not None), default=None)

    @property
    def says(self) -> str:
        """What the bounds leave, in words."""
        if self.optimum is not None:
            said = f"the optimum is {self.optimum:.6g} in the long run; these are few tapes"
        elif self.shorter is not None:
            left = self.cost.mean / self.shorter.cost - 1
            said = f"{self.shorter}; {self.classic} is {100 * left:.1f} % above it"
        else:
            said = "no optimum, and no shorter lead time that can be solved"
        if self.clairvoyant is None:
            return f"{said}. No clairvoyant: {self.why_not}"
        share = self.clairvoyant.mean / self.cost.mean
        if share < VACUOUS:
            return (
                f"{said}. The clairvoyant pays {100 * share:.0f} % of the classic's cost: what he "
                "knows, and what his program leaves out, decides here, so the bound does not say "
                "what can be won"
            )
        return f"{said}. At most {100 * (1 - share):.0f} % could be saved, says the clairvoyant"


def bounded(
    scenario: Scenario,
    label: str,
    tapes: int,
    seconds: float,
    *,
    progress: bool = False,
) -> Bounded:
    """Return the bounds of a plant; the program of a tape is stopped after `seconds`."""
    with Progress(f"bounds of {label}", shown=progress):
        start = starts.find(scenario)
        rows = rollout(start.policy, scenario, tapes)
        solution, _ = solved(scenario)
        short = None if solution is not None else exact.shorter(scenario, MEMORY)
        reason = clairvoyant.why_not(scenario)
        found, count = None, 0
        if not reason:
            least = clairvoyant.bound(scenario, tapes, seconds=seconds)
            found = skew_of(least)
            count = int(least["solved"].sum())
        optimum = None if solution is None else float(solution.cost)
        return Bounded(label, start.name, skew_of(rows), optimum, short, found, count, reason)


def table(found: Sequence[Bounded]) -> Table:
    """Return the bounds as a table, and what they say below it."""
    columns = (
        Column("plant", importance=KEPT, align="left"),
        Column("classic", "best tuned classic", align="left"),
        Column("cost", importance=KEPT),
        Column("optimum", form="6"),
        Column("shorter", "optimum, shorter lead times", form="6"),
        Column("clairvoyant", importance=KEPT),
        Column("solved", "tapes solved"),
    )
    rows = [
        (
            each.label,
            each.classic,
            each.cost,
            each.optimum,
            None if each.shorter is None else each.shorter.cost,
            each.clairvoyant,
            None if each.clairvoyant is None else each.exact_tapes,
        )
        for each in found
    ]
    return Table(columns, rows, notes=[f"{each.label}: {each.says}." for each in found])


def as_json(each: Bounded) -> dict[str, Any]:
    """Return the bounds of a plant as plain data."""
    return {
        "plant": each.label,
        "classic": each.classic,
        "cost": each.cost.mean,
        "optimum": each.optimum,
        "shorter": None if each.shorter is None else each.shorter.cost,
        "clairvoyant": None if each.clairvoyant is None else each.clairvoyant.mean,
        "tapes_solved": each.exact_tapes,
        "bound": each.best,
        "says": each.says,
    }
