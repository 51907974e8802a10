"""Whether a policy has a steady state, or what waits still grows at the end of the horizon.

An average cost per period stands for the long run only where there is a steady state. Where work
comes faster than it can be done, the backlog grows with every period, the average cost with every
longer horizon, and its interval over the episodes is narrow all the same: it does not show.
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

LEVEL = 0.99  # of the interval of the growth
PILES = ("backlog", "average_inventory")  # KPIs, mean units: whichever of them grows
EPISODES = 64  # that are looked at
GROWS = "grows"  # column of the rows of a comparison: whether the policy has no steady state
NO_STEADY_STATE = "no steady state: the average grows with the horizon"


def is_growing(
    rows: pandas.DataFrame, policy: Policy | Callable[[View], npt.ArrayLike], scenario: Scenario
) -> bool:
    """Whether backlog or stock grows from the first half of the measured periods to the second.

    `rows` are a rollout of the policy; its first episodes are run again, for half of the measured
    periods. A pile grows where the second half holds more than the first, by more than half of what
    a random walk would add, and the 99 % interval of the difference, episode by episode, is above
    0. Never where nothing waits for ever, or a season ends: there the cost is what it is.
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
    first = rollout(policy, shortened, len(whole), seed, split)
    share = (half - horizon.warm_up) / measured
    for kpi in PILES:
        early = first[kpi].to_numpy(dtype=np.float64)
        late = (whole[kpi].to_numpy(dtype=np.float64) - share * early) / (1.0 - share)
        if _grows(early, late, _least_ratio(horizon.warm_up, measured)):
            return True
    return False


def _grows(early: npt.NDArray[np.float64], late: npt.NDArray[np.float64], ratio: float) -> bool:
    """Whether what was held late, (episodes,), is clearly more than early, and by this factor."""
    growth = interval(late - early, LEVEL)
    return growth.low > 0 and float(late.mean()) > ratio * float(early.mean())


def _least_ratio(warm_up: int, measured: int) -> float:
    """Return 1 and half of what sqrt(t), the mean of a random walk's pile, grows between halves."""
    walk = math.sqrt((warm_up + 0.75 * measured) / (warm_up + 0.25 * measured))
    return 1.0 + (walk - 1.0) / 2
