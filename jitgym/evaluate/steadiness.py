"""Whether a policy has a steady state, or backlog or stock still grows at the end of the horizon.

An average cost per period describes the long run only if there is a steady state. If work comes
faster than it can be done, the backlog grows with every period and the average cost with every
longer horizon. The interval over the episodes does not show this: it is narrow all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, View
from jitgym.scenario import Scenario, can_pile_up

from .rollout import rollout
from .statistics import interval

if TYPE_CHECKING:
    import pandas

LEVEL = 0.99  # level of the interval of the growth
PILES = ("backlog", "average_inventory")  # KPIs in mean units; either of them may grow
EPISODES = 64  # number of episodes that are checked
GROWS = "grows"  # column of the rows of a comparison: whether the policy has no steady state
NO_STEADY_STATE = "no steady state: the average grows with the horizon"


def is_growing(
    rows: pandas.DataFrame, policy: Policy | Callable[[View], npt.ArrayLike], scenario: Scenario
) -> bool:
    """Return whether backlog or stock grows from the first to the second half of measured periods.

    `rows` are a rollout of the policy; its first episodes are run again for half of the measured
    periods. A pile grows if the second half holds more than the first, by more than half of the
    growth of a random walk, and the 99 % interval of the difference per episode is above 0. The
    result is False if nothing can wait for ever, or if the scenario is a season.
    """
    horizon = scenario.horizon
    measured = horizon.periods - horizon.warm_up
    whole = rows.head(EPISODES)
    if not can_pile_up(scenario) or measured < 2 or len(whole) < 2:
        return False
    half = horizon.warm_up + measured // 2
    changed = horizon.model_copy(update={"ongoing": half, "training": None})
    shortened = scenario.model_copy(update={"horizon": changed})
    split, seed = str(whole["split"].iloc[0]), int(whole["seed"].iloc[0])
    numbers = whole["episode"].to_numpy()
    first = rollout(policy, shortened, len(whole), seed, split, numbers=numbers)
    share = (half - horizon.warm_up) / measured
    for kpi in PILES:
        early = first[kpi].to_numpy(dtype=np.float64)
        late = (whole[kpi].to_numpy(dtype=np.float64) - share * early) / (1.0 - share)
        if _grows(early, late, _least_ratio(horizon.warm_up, measured)):
            return True
    return False


def _grows(early: npt.NDArray[np.float64], late: npt.NDArray[np.float64], ratio: float) -> bool:
    """Return whether late piles, (episodes,), clearly exceed early ones, and by this ratio."""
    growth = interval(late - early, LEVEL)
    return growth.low > 0 and float(late.mean()) > ratio * float(early.mean())


def _least_ratio(warm_up: int, measured: int) -> float:
    """Return 1 + half of the growth between the halves of a random walk, which grows as sqrt(t)."""
    walk = math.sqrt((warm_up + 0.75 * measured) / (warm_up + 0.25 * measured))
    return 1.0 + (walk - 1.0) / 2
