"""The headroom check: what one change per period could save, in seconds.

    headroom = mean over states of the saving of the picked candidate / mean cost per period

In states of a herd that follows the start, the candidate of `improvement` that is cheapest on one
half of the tapes is picked, if it saves more than `SURE` standard errors; the other half of the
tapes, which had no part in the choice, gives its value. So the estimate has no winner's curse. It
is a first-order figure: neighboring states may claim the same saving, so that a policy gains less,
or may open states in which there is more to win.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.control.net import untrained

from ..branches import Asking, Herd
from .improvement.labels import Labels, label
from .improvement.picking import Picking
from .session import Problem
from .settings import FEW_SOURCES

Array = npt.NDArray[np.float64]

PLANTS, PLANTS_OF_MANY = 256, 64  # of plants with few sources, and with more
VISITS = 2  # states of each plant
BETWEEN = 32  # periods between two states of a plant
TAPES = 32  # per state
WARM_UP = 300  # periods between the first and the last plant, and again before the first states
CAP = 100  # periods of a pair
SURE = 2.0  # standard errors that a pick must save


@dataclass(frozen=True)
class Headroom:
    """What a check found."""

    gain: float  # saving per decision, as a share of the start's cost per period
    error: float  # its standard error
    periods: int  # simulated

    def __str__(self) -> str:
        """Return the sentence for a table."""
        if self.gain <= 2 * self.error:
            return "the headroom check found nothing that single deviations could save"
        share, error = 100 * self.gain, 100 * self.error
        return f"the headroom check found {share:.2g} ± {2 * error:.2g} % per single deviation"


def check(problem: Problem, plants: int = 0, tapes: int = TAPES) -> Headroom:
    """Return the headroom of the start of a problem; `plants` is 0 for the usual number."""
    few = len(problem.scenario.sources) <= FEW_SOURCES
    plants = plants or (PLANTS if few else PLANTS_OF_MANY)
    policy = unimproved(problem)
    herd, asking = Herd(problem.layout, plants, problem.seed), Asking(policy, problem.layout)
    stagger = min(WARM_UP, herd.plant.periods - 1)
    herd.begin(asking, stagger)
    costs = [herd.follow(asking, WARM_UP)]
    periods = plants * (stagger // 2 + WARM_UP)
    gains = []
    for visit in range(VISITS):
        costs.append(herd.follow(asking, BETWEEN))
        labels = label(policy, herd, tapes, CAP, visit * plants)
        gains.append(revalued(labels))
        periods += plants * BETWEEN + labels.periods
    of_plants = np.mean(gains, axis=0)
    cost = max(float(np.abs(np.concatenate(costs).mean())), 1e-12)
    error = float(of_plants.std(ddof=1) / np.sqrt(plants))
    return Headroom(float(of_plants.mean()) / cost, error / cost, periods)


def unimproved(problem: Problem) -> Picking:
    """Return the start as a policy that may pick, but never does."""
    layout, base = problem.layout, problem.start.policy
    blank = untrained(np.zeros(1), np.ones(1), 1, 1, 0)
    policy = Picking("improved", layout, base, blank, np.empty((1, 0)))
    return policy.with_margins(np.full(policy.candidates.groups, np.inf))


def revalued(labels: Labels) -> Array:
    """Return the saving of the picks on tapes that had no part in the choice, (states,)."""
    halves = labels.of_tapes[:, ::2], labels.of_tapes[:, 1::2]
    every = np.arange(len(labels.features))
    gains = np.zeros(every.size)
    for one, other in (halves, halves[::-1]):
        error = one.std(axis=1, ddof=1) / np.sqrt(one.shape[1])
        sure = one.mean(axis=1) + SURE * error
        sure[np.isnan(sure)] = np.inf  # candidates that change nothing
        best = sure.argmin(axis=1)
        saved = -other.mean(axis=1)[every, best]
        gains += 0.5 * np.where(sure[every, best] < 0.0, saved, 0.0)
    return gains
