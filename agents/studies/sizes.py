"""Classics over their size: what service each gives for its stock if it is made larger or smaller.

    size f:  every level, card and safety of the tuned policy times f, on the grid of its parameters

The tuned policy is one point of such a curve (f = 1). A policy that lies above the curve of another
gives more service for the same stock, whatever the price of a shortage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jitgym import ScenarioError
from jitgym.evaluate import rollout
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from .. import classic
from ..classic import Values
from ..progress import Progress
from ..tuning.search import TunedPolicy

if TYPE_CHECKING:
    import pandas

FACTORS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6)
SIZED = ("units", "containers", "standard deviations")
"""Units of the parameters that say how large a policy is; periods, shares and weights stay."""

EPISODES = 16
KPIS = ["average_inventory", "fill_rate"]


def sized(tuned: TunedPolicy, scenario: Scenario, factor: float) -> Values | None:
    """Return the parameters of a tuned classic at another size; None if nothing changes with it."""
    kind = classic.find(_name(tuned))
    parameters = kind.parameters(scenario)
    now = classic.values_of(kind.name, parameters, tuned.parameters)
    if not any(each.unit in SIZED and now[each.name].any() for each in parameters):
        return None
    found = dict(now)
    for each in parameters:
        if each.unit in SIZED:
            steps = np.rint(factor * now[each.name] / each.step)
            found[each.name] = np.maximum(steps * each.step, each.least)
    return found


def _name(tuned: TunedPolicy) -> str:
    return tuned.name.split(" ")[0]


def over_sizes(
    tuned: Sequence[TunedPolicy], scenario: Scenario, seed: int = 0, *, progress: bool = False
) -> pandas.DataFrame:
    """Return a row per classic and size: `policy`, `factor`, `average_inventory`, `fill_rate`.

    Only classics that are compiled rules, because others take long; each size that differs once.
    """
    import pandas

    layout, lines = lay_out(scenario), []
    some = [each for each in tuned if each.rule is not None]
    with Progress(f"classics over their size on {scenario.name}", len(some), shown=progress) as bar:
        for each in some:
            kind, seen = classic.find(_name(each)), set()
            for factor in FACTORS:
                values = sized(each, scenario, factor)
                key: Any = values and tuple(tuple(part.tolist()) for part in values.values())
                if values is None or key in seen:
                    continue
                seen.add(key)
                try:
                    policy = kind.build(each.name, layout, values)
                except ScenarioError:
                    continue  # sizes that do not go together, such as a cap below a level
                means = rollout(policy, scenario, EPISODES, seed=seed)[KPIS].mean()
                lines.append((each.name, factor, *(float(mean) for mean in means)))
            bar.advance()
    return pandas.DataFrame(lines, columns=["policy", "factor", *KPIS])
