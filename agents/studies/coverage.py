"""Whether 95 % intervals cover the mean in 95 % of the samples: measured by resampling.

Two policies run on many episodes; their mean is taken for the true one. Then samples are drawn from
these episodes, with replacement, as a comparison would run them: all alike, or in strata where rare
failures decide the cost (`jitgym.evaluate.strata`). Counted is how often the interval holds the
mean: of the cost of each policy, and of their paired difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load as load_scenario
from jitgym.control import Policy
from jitgym.evaluate import Interval, interval, rollout, skew_interval
from jitgym.evaluate.statistics import SORTED, stratified
from jitgym.evaluate.strata import CUTS, allocated, is_rare, severity
from jitgym.report.tables import KEPT, Column, Table
from jitgym.scenario import Scenario

from .. import classic
from ..progress import Progress
from ..tuning.search import tune

Array = npt.NDArray[np.float64]
Range = tuple[float, float]
Draw = Callable[[np.random.Generator], Array]

POLICIES = {
    "automotive-line": ("heijunka", "base-stock"),
    "content-studio": ("kanban", "base-stock"),
    "kanban-line": ("kanban", "base-stock"),
    "lost-sales": ("base-stock", "constant"),
    "online-retail": ("can-order", "base-stock"),
}
"""The two policies of each scenario, which are tuned."""


@dataclass(frozen=True)
class Covered:
    """The coverage of the intervals on one scenario, as shares of the samples."""

    scenario: str
    size: int  # episodes of a sample
    skewness: float  # of the costs, the larger of the two
    student: Range  # from the smallest to the largest: of both costs and their difference
    plain: Range  # allowing for skewness
    strata: Range | None  # the same in strata; None where no rare failure decides
    narrower: float | None  # width in strata over plain, of the first cost


def measure(
    name: str,
    sizes: Sequence[int],
    episodes: int,
    samples: int,
    *,
    tuned: bool = True,
    progress: bool = False,
) -> list[Covered]:
    """Return the coverage on a scenario, for each size of a sample."""
    scenario = load_scenario(name)
    with Progress(f"coverage on {name}", shown=progress):
        costs = [
            rollout(_policy(each, scenario, tuned), scenario, episodes)["cost"].to_numpy()
            for each in POLICIES[name]
        ]
        given = [*costs, costs[0] - costs[1]]
        found = severity(scenario, episodes, 0, "test")
        severe = found if is_rare(found) else None
        return [_covered(name, size, given, severe, samples) for size in sizes]


def _policy(name: str, scenario: Scenario, tuned: bool) -> Policy:
    return tune(name, scenario, 0) if tuned else classic.make(name, scenario, {})


def _covered(
    name: str,
    size: int,
    given: Sequence[Array],
    severe: Array | None,
    samples: int,
) -> Covered:
    def alike(values: Array) -> Callable[[np.random.Generator], Array]:
        return lambda draw: values[draw.integers(values.size, size=size)]

    student = [_share(values, alike(values), interval, samples) for values in given]
    plain = [_share(values, alike(values), skew_interval, samples) for values in given]
    skewness = max(abs(float((((v - v.mean()) / v.std()) ** 3).mean())) for v in given[:2])
    if severe is None:
        return Covered(name, size, skewness, _range(student), _range(plain), None, None)
    sizes = allocated(size)
    strata = np.repeat(np.arange(len(sizes)), sizes)
    shares = np.diff([0.0, *CUTS, 1.0])
    weights = np.repeat(shares * size / np.array(sizes), sizes)

    def sorted_(values: Array) -> Draw:
        def drawn(draw: np.random.Generator) -> Array:
            # The episodes that are sorted are a sample of all episodes too.
            scanned = draw.integers(values.size, size=SORTED)
            order = scanned[np.argsort(severe[scanned])]
            parts = np.split(order, [int(cut * SORTED) for cut in CUTS])
            chosen = [draw.choice(part, m, False) for part, m in zip(parts, sizes, strict=True)]
            return np.asarray(values[np.concatenate(chosen)])

        return drawn

    inside = [
        _share(v, sorted_(v), lambda y: stratified(y, strata, weights), samples) for v in given
    ]
    return Covered(
        name, size, skewness, _range(student), _range(plain), _range(inside),
        inside[0][1] / plain[0][1],
    )  # fmt: skip


def _range(found: Sequence[tuple[float, float]]) -> Range:
    shares = [share for share, _ in found]
    return min(shares), max(shares)


def _written(found: Range | None) -> str | None:
    return None if found is None else f"{100 * found[0]:.1f} to {100 * found[1]:.1f}"


def _share(
    values: Array, drawn: Draw, make: Callable[[Array], Interval], samples: int
) -> tuple[float, float]:
    """Return the share of samples whose interval holds the mean, and the mean width."""
    draw, true = np.random.default_rng(0), float(values.mean())
    hits, width = 0, 0.0
    for _ in range(samples):
        found = make(drawn(draw))
        hits += found.low <= true <= found.high
        width += found.high - found.low
    return hits / samples, width / samples


def table(found: Sequence[Covered]) -> Table:
    """Return the coverage as a table, in percent."""
    columns = (
        Column("scenario", importance=KEPT, align="left"),
        Column("episodes", importance=KEPT),
        Column("skewness", form=".1f"),
        Column("student", "Student (%)", form=".1f"),
        Column("plain", "printed, if all episodes are alike (%)", importance=KEPT, form=".1f"),
        Column("strata", "printed, in strata (%)", importance=KEPT, form=".1f"),
        Column("narrower", "width in strata", "%", form=".0f"),
    )
    rows = [
        (
            each.scenario, each.size, each.skewness, _written(each.student),
            _written(each.plain), _written(each.strata), each.narrower,
        )
        for each in found
    ]  # fmt: skip
    return Table(columns, rows)
