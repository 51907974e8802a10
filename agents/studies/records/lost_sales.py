"""Lost sales with many parameters: the generalist beside the best capped base-stock policy.

All policies run on the same tape of one long path. The demand of each period is integrated out: the
cost of a period is its expectation, given the stock before demand. The cost of the capped
base-stock policy, which is fast to simulate, is also measured on a path `LONGER` times as long; the
figure of the generalist is that cost plus the difference of both on the common tape (a control
variate).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym import load
from jitgym.distributions import Distribution, Geometric, Poisson
from jitgym.evaluate import rollout
from jitgym.scenario import Scenario

from ...learned.generalist.lost_sales import (
    AGES,
    Family,
    family,
    read_weights,
    simulate,
    working_of,
)
from .specialists import key_of, policy_of

Array = npt.NDArray[np.float64]

PERIODS = 800_000  # of the common tape
LONGER = 20
BLOCKS = 40  # of each path, for the interval
TUNED = 150_000  # periods of each level and cap that is tried
GENERALIST = (-1.0, 0.0)
MANY = 300_000_000  # periods for the cost of the base-stock policy that a training starts from
FEW = 10_000  # episodes for the difference to it
JUDGED = 2  # the seed of these episodes; the settings of the training were looked at on seed 1
NO_CAP = 1e9


@dataclass(frozen=True)
class World:
    """A plant and the law of its demand, as arrays for `simulate`."""

    plant: Family
    expected: Array
    cumulative: Array
    guide: npt.NDArray[np.int64]

    def run(self, rule: tuple[float, float], periods: int, seed: int) -> Array:
        """Return the mean costs of blocks of one path; it is warmed up first."""
        weights = read_weights()
        blocks = np.concatenate([[500.0], np.full(BLOCKS, float(periods // BLOCKS))])
        costs = np.empty(BLOCKS + 1)
        simulate(
            self.plant, weights, rule, self.expected, self.cumulative, self.guide,
            working_of(weights), np.full(AGES - 1, 0.0), seed, blocks, costs,
        )  # fmt: skip
        return costs[1:]


def world(demand: Distribution, penalty: float, drawn: Array) -> World:
    """Return a plant with this demand, penalty and P(D = 0..10) of Kaplan's variable."""
    mean, deviation = demand.expectation, demand.standard_deviation
    units = np.arange(int(mean + 40 * deviation) + 2)
    cumulative = np.asarray(demand.cdf(units.astype(np.float64)), dtype=np.float64)
    mass = np.diff(cumulative, prepend=0.0)
    levels = np.arange(int((AGES + 4) * mean + 40 * deviation))
    left = np.array([float(mass @ np.maximum(level - units, 0)) for level in levels])
    lost = mean - (levels - left)
    hundredths = np.arange(1001) / 1000
    guide = np.minimum(np.searchsorted(cumulative, hundredths), units.size - 1)
    return World(
        family(mean, deviation, penalty, drawn),
        left + penalty * lost,
        cumulative,
        guide.astype(np.int64),
    )


def best_capped(given: World) -> tuple[float, float]:
    """Return level and cap of the best capped base-stock policy, by search on one tape."""
    plant = given.plant

    def cost(rule: tuple[float, float]) -> float:
        if rule not in known:
            known[rule] = float(given.run(rule, TUNED, 1).mean())
        return known[rule]

    known: dict[tuple[float, float], float] = {}
    spread = plant.quantile * plant.deviation * math.sqrt(plant.lead + 1.0)
    best = (round((plant.lead + 1.0) * plant.mean + spread), round(plant.mean + plant.deviation))
    width = max(1, round(plant.deviation * math.sqrt(plant.lead + 1.0) / 2))
    while width >= 1:
        moves = [(a * width, b * max(1, width // 3)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        tried = [(max(best[0] + a, 1), max(best[1] + b, 1)) for a, b in moves]
        found = min(tried, key=lambda rule: cost((float(rule[0]), float(rule[1]))))
        if found == best:
            width //= 2
        best = found
    return float(best[0]), float(best[1])


def compared(
    demand: Distribution, penalty: float, drawn: Array, holding: float = 1.0
) -> dict[str, Any]:
    """Return costs of the best capped base-stock policy and the generalist, with an interval.

    `penalty` is in holding costs of a unit and period; `holding` is that cost, in money.
    """
    given = world(demand, penalty, drawn)
    rule = best_capped(given)
    classic, ours = given.run(rule, PERIODS, 2), given.run(GENERALIST, PERIODS, 2)
    long = given.run(rule, LONGER * PERIODS, 3)
    apart = ours - classic
    cost = float(long.mean() + apart.mean())
    error = math.hypot(_error(long), _error(apart))
    return {
        "classic": holding * float(long.mean()),
        "ours": holding * cost,
        "interval": [holding * (cost - 2 * error), holding * (cost + 2 * error)],
        "parameters": {"level": rule[0], "cap": rule[1]},
    }


def _error(blocks: Array) -> float:
    return float(blocks.std(ddof=1)) / math.sqrt(blocks.size)


def zero_shot(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row with a certain lead time."""
    drawn = np.zeros(AGES + 1)
    drawn[int(row["lead_time"])] = 1.0
    return compared(_demand(row), _penalty(row), drawn, float(row["holding"]))


def random_lead_times(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row with Kaplan's random lead times.

    Each row has a policy of its own, trained by `hindsight`. No order arrives in the period of its
    placing: with a lead time of 0 read as 1, base-stock costs 13.38 for the printed 13.3786; else
    it costs 13.87.
    """
    drawn = law_of(row)
    found = compared(_demand(row), _penalty(row), drawn, float(row["holding"]))
    return found | specialist(row, drawn)


def scenario_of(row: dict[str, str], drawn: Array) -> Scenario:
    """Return the plant of a row as a scenario, from P(D = 0..10) of Kaplan's variable."""
    stays = np.concatenate([[1.0], np.cumprod(1.0 - np.cumsum(drawn))[:-1]])
    mass = np.maximum(np.cumsum(drawn) * stays, 0.0)  # of the lead time of an order
    ages = np.flatnonzero(mass > 1e-12)
    law = {
        "distribution": "finite",
        "values": ages.tolist(),
        "probabilities": (mass[ages] / mass[ages].sum()).tolist(),
    }
    return load(
        "lost-sales",
        demand=row["demand"],
        mean=float(row["mean"]),
        holding=float(row["holding"]),
        penalty=float(row["penalty"]),
        lead_time=law if ages.size > 1 else int(ages[0]),
    )


def law_of(row: dict[str, str]) -> Array:
    """Return P(D = 0..10) of Kaplan's variable; a lead time of 0 is read as 1."""
    drawn = np.array([float(each) for each in row["kaplan_pmf_0_to_10"].split()])
    drawn[1] += drawn[0]
    drawn[0] = 0.0
    return drawn


def specialist(row: dict[str, str], drawn: Array) -> dict[str, Any]:
    """Return the cost of the policy of a row (`specialists`), and of base-stock.

    The cost of the tuned base-stock policy is measured on one long path, on which the demand of
    each period is integrated out; the difference to it, paired, on episodes of the scenario.
    """
    scenario, holding = scenario_of(row, drawn), float(row["holding"])
    classic, policy = policy_of(scenario, key_of(row, drawn))
    few = [
        rollout(each, scenario, FEW, seed=JUDGED)["cost"].to_numpy() for each in (classic, policy)
    ]
    apart = few[1] - few[0]
    level = float(np.ravel(classic.parameters["level"])[0])
    long = holding * world(_demand(row), _penalty(row), drawn).run((level, NO_CAP), MANY, 3)
    base = float(long.mean())
    cost = base + float(apart.mean())
    error = math.hypot(_error(long), float(apart.std(ddof=1)) / math.sqrt(FEW))
    return {"ours": cost, "interval": [cost - 2 * error, cost + 2 * error], "base": base}


def _penalty(row: dict[str, str]) -> float:
    return float(row["penalty"]) / float(row["holding"])


def _demand(row: dict[str, str]) -> Distribution:
    made: Distribution
    if row["demand"] == "geometric":
        made = Geometric(mean=float(row["mean"]))
    else:
        made = Poisson(mean=float(row["mean"]))
    return made
