"""Which episodes are run: in strata, where a few long failures decide the cost.

Where a supplier fails a few times per episode, one long failure costs more than all else, and most
samples of episodes hold too few of them. The world is drawn first and does not depend on what is
decided, so failures can be counted before anything is run:

    severity of an episode = sum over its periods of the number of periods since a part went down

Many episodes are sorted by severity and cut into strata. From each stratum as many are run as
`ALLOCATION` says, and the share of the stratum in all episodes is their weight, so that every
weighted mean is unbiased (Cochran 1977, chapter 5).

Failures that depend on what is made are not counted: they differ between policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.control import Policy, View
from jitgym.plant import episode_keys, lay_out
from jitgym.plant.records import NONE
from jitgym.plant.tape import uniforms
from jitgym.scenario import Scenario

from .rollout import rollout
from .statistics import SORTED, SORTED_TIMES, STRATUM, WEIGHT

if TYPE_CHECKING:
    import pandas

CUTS = (0.4, 0.7, 0.85, 0.95, 0.99)
"""Where the strata end: shares of the episodes, from the mildest to the most severe."""

ALLOCATION = (2, 2, 2, 2, 2, 1)
"""How many episodes of each stratum are run, in proportion."""

FIRST = 1024  # episodes whose failures tell whether strata are needed
FEWEST = 33  # episodes; with fewer, a stratum has too few to show its variance
RARE = 0.5  # of the severity, standard deviation over mean; below it, samples hold enough failures

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Episodes of a split to run, with their weights."""

    numbers: Numbers  # of the episodes, in order, (n,)
    strata: Numbers  # the stratum of each, from 0, (n,)
    weights: Array  # share of its stratum in all episodes x n / episodes of the stratum, (n,)

    @property
    def is_plain(self) -> bool:
        """Whether there is one stratum: the episodes 0 to n - 1."""
        return int(self.strata.max(initial=0)) == 0


def sample(scenario: Scenario | str, episodes: int, seed: int = 0, split: str = "test") -> Sample:
    """Return the episodes to run: 0 to `episodes` - 1, or others where rare failures decide.

    They follow from the scenario, the seed and the split alone, so that all policies face the same
    ones; a larger sample holds the smaller ones, up to 1,024 episodes.
    """
    if episodes < FEWEST:
        return plain_sample(episodes)
    scenario = load(scenario)
    if not is_rare(severity(scenario, FIRST, seed, split)):
        return plain_sample(episodes)
    count = max(SORTED, SORTED_TIMES * episodes)
    found = severity(scenario, count, seed, split)
    order = np.lexsort((np.arange(count), found))
    edges = [0, *(int(cut * count) for cut in CUTS), count]
    wanted = allocated(episodes)
    numbers, strata, weights = [], [], []
    for k, size in enumerate(wanted):
        inside = np.sort(order[edges[k] : edges[k + 1]])[:size]
        share = (edges[k + 1] - edges[k]) / count
        numbers.append(inside)
        strata.append(np.full(size, k))
        weights.append(np.full(size, share * episodes / size))
    chosen = np.concatenate(numbers)
    by_number = np.argsort(chosen)
    return Sample(
        chosen[by_number],
        np.concatenate(strata)[by_number],
        np.concatenate(weights)[by_number],
    )


def plain_sample(episodes: int) -> Sample:
    """Return the episodes 0 to `episodes` - 1, all with weight 1."""
    none = np.zeros(episodes, dtype=np.int64)
    return Sample(np.arange(episodes), none, np.ones(episodes))


def allocated(episodes: int) -> list[int]:
    """Return the number of episodes of each stratum; they add up."""
    parts = np.cumsum([0, *ALLOCATION]) / sum(ALLOCATION)
    ends = np.floor(parts * episodes + 0.5).astype(int)
    return [int(size) for size in np.diff(ends)]


def is_rare(found: Array) -> bool:
    """Whether severities differ so much that most samples hold too few long failures."""
    return bool(found.std() > RARE * found.mean())


def severity(scenario: Scenario, episodes: int, seed: int, split: str) -> Array:
    """Return the severity of the episodes 0 to `episodes` - 1, (episodes,), in periods.

    It counts failures of sources and work centers with a chance per period.
    """
    layout = lay_out(scenario)
    plant = layout.plant_in(split)
    found = np.zeros(episodes)
    keys = episode_keys(split, seed, np.arange(episodes))
    for it in plant.ups_and_downs:
        if it["made"] != NONE or it["project"] != NONE:
            continue
        channel = plant.channels[it["channel"]]["number"]
        since = np.zeros(episodes)  # periods since it went down; 0 while it is up
        for period in range(plant.periods):
            u = uniforms(keys, period, channel)
            is_up = np.where(since == 0.0, u >= it["fails"], u < it["repaired"])
            since = np.where(is_up, 0.0, since + 1.0)
            found += since
    return found


def sampled(
    policy: Policy | Callable[[View], npt.ArrayLike],
    scenario: Scenario | str,
    these: Sample,
    seed: int = 0,
    split: str = "test",
) -> pandas.DataFrame:
    """Run a policy on the episodes of a sample; the rows have columns `stratum` and `weight`.

    Without strata the rows are those of `rollout`. Raises what `rollout` raises.
    """
    if these.is_plain:
        return rollout(policy, scenario, these.numbers.size, seed, split)
    rows = rollout(policy, scenario, these.numbers.size, seed, split, numbers=these.numbers)
    return rows.assign(**{STRATUM: these.strata, WEIGHT: these.weights})
