"""The generalist for lost sales: the projected inventory level, and a net that corrects it.

    order = round(max(0, U - m + s net(features) / 2))
    U = mean + z sqrt(variance + v),    z = normal quantile of p / (p + h)

m and v are mean and variance of the stock when the order arrives, by the moments of a normal
distribution whose negative part is lost, period by period (projected inventory level: van Jaarsveld
and Arts 2024); s is the standard deviation of demand. The net reads what is on its way, the law of
the lead time, the penalty, the mean and the deviation, all in units of the deviation or the mean,
so that the same weights serve all plants of the family.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.control import Policy, Printed, View, ViewLayout
from jitgym.distributions import hazard
from jitgym.evaluate import RunError
from jitgym.plant import Layout, lay_out
from jitgym.plant.jit import compiled, kernel
from jitgym.scenario import Scenario

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.float32]

AGES = 10  # the longest lead time, in periods
LARGEST = 8.0  # features are clipped here
FEATURES = 4 + AGES + (AGES - 1) + 3 + (AGES + 1) + (AGES - 1)
PLACE = Path(__file__).with_name("weights.npz")


class Weights(NamedTuple):
    """The net; row i of a matrix holds the weights of input i."""

    first: Numbers  # (features, hidden)
    first_bias: Numbers
    second: Numbers  # (hidden, hidden)
    second_bias: Numbers
    last: Numbers  # (hidden,)
    last_bias: Numbers  # (1,)


class Family(NamedTuple):
    """A plant of the family as numbers; a unit in stock costs 1 per period."""

    mean: float  # of demand, per period
    deviation: float
    penalty: float  # of a lost unit, in holding costs of a unit and period
    quantile: float  # z
    arrived: Array  # P(D <= age) of Kaplan's variable D, (11,)
    comes: Array  # P(an order of age a arrives k periods from now), (ages 0..9, k = 1..10)
    new: Array  # P(a new order arrives k periods from now), (11,)
    fixed: Array  # features that do not change, (3,)
    expected: Array  # of a mean order, what is still on its way at ages 1..9, (9,)
    lead: float  # mean lead time
    last: int  # longest lead time


def family(mean: float, deviation: float, penalty: float, drawn: Array) -> Family:
    """Return a plant from P(D = 0..10) of Kaplan's variable.

    Every order at least D periods old arrives, D drawn anew in each period (Kaplan 1970). A certain
    lead time L is D = L.
    """
    from scipy.special import ndtri  # a slow import, so only here

    arrived = np.minimum(np.cumsum(np.asarray(drawn, dtype=np.float64)), 1.0)
    left = 1.0 - arrived
    waits = [np.ones(AGES)]
    for k in range(1, AGES + 1):
        later = np.zeros(AGES)
        later[: AGES + 1 - k] = left[k : AGES + 1][:AGES]
        waits.append(waits[-1] * later)
    waiting = np.stack(waits, axis=1)
    comes = waiting[:, :-1] - waiting[:, 1:]
    new = np.concatenate([arrived[:1], left[0] * comes[0]])
    return Family(
        mean,
        deviation,
        penalty,
        float(ndtri(penalty / (penalty + 1.0))),
        arrived,
        np.ascontiguousarray(comes),
        new,
        np.array([math.log(penalty) / 3, deviation / mean, math.log(mean)]),
        waiting[0, 1:AGES] * left[0],
        float(new @ np.arange(AGES + 1)),
        int(np.flatnonzero(new > 1e-9).max()),
    )


@cache
def read_weights(path: Path = PLACE) -> Weights:
    """Return the weights of a file. Raises RunError if it is not such a file."""
    names = [
        f"{layer}.{part}" for layer in ("first", "second", "last") for part in ("weight", "bias")
    ]
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = [np.asarray(stored[name], dtype=np.float32) for name in names]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path}: holds no weights of a generalist ({error!r})") from None
    first, first_bias, second, second_bias, last, last_bias = found
    one, two = first_bias.size, second_bias.size
    fits = first.shape == (one, FEATURES) and second.shape == (two, one) and last.shape == (1, two)
    if not fits or last_bias.shape != (1,) or not all(np.isfinite(part).all() for part in found):
        raise RunError(f"{path}: the weights have another form than expected")
    return Weights(
        np.ascontiguousarray(first.T),
        first_bias,
        np.ascontiguousarray(second.T),
        second_bias,
        last[0].copy(),
        last_bias,
    )


@kernel
def read_features(plant: Family, stock: float, pipeline: Array, found: Numbers) -> float:
    """Write the features of a state; return U - m. `pipeline` is by age 1..9."""
    mean, deviation = plant.mean, plant.deviation
    m, v = stock, 0.0
    at, spread = plant.new[0] * m, 0.0
    total, outstanding = stock, 0.0
    for a in range(AGES - 1):
        outstanding += pipeline[a]
    for k in range(AGES):
        coming = 0.0
        for a in range(AGES - 1):
            coming += pipeline[a] * plant.comes[a + 1, k]
        total += coming
        ahead = 0.0
        if k < plant.last:
            variance = v + deviation * deviation
            s = math.sqrt(variance)
            t = (m - mean) / s
            cumulative = 0.5 * (1.0 + math.erf(t * 0.7071067811865476))
            density = 0.3989422804014327 * math.exp(-0.5 * t * t)
            first = (m - mean) * cumulative + s * density
            second = ((m - mean) ** 2 + variance) * cumulative + (m - mean) * s * density
            v = max(second - first * first, 0.0)
            m = first + coming
            at += plant.new[k + 1] * m
            spread += plant.new[k + 1] * v
            ahead = (total - (k + 2.0) * mean) / (deviation * math.sqrt(k + 2.0))
        found[4 + k] = ahead
        if k < AGES - 1:
            found[4 + AGES + k] = coming / mean - 1.0
    position = (stock + outstanding) / mean - plant.lead - 1.0
    found[0] = (at - mean) / deviation
    found[1] = math.sqrt(spread) / deviation
    found[2] = (stock - mean) / deviation
    found[3] = position * mean / deviation / math.sqrt(plant.lead + 1.0)
    place = 3 + 2 * AGES
    for k in range(3):
        found[place + k] = plant.fixed[k]
    for k in range(AGES + 1):
        found[place + 3 + k] = plant.new[k]
    for k in range(AGES - 1):
        found[place + 4 + AGES + k] = pipeline[k] / mean - plant.expected[k]
    for k in range(found.size):
        found[k] = min(max(found[k], -LARGEST), LARGEST)
    return mean + plant.quantile * math.sqrt(deviation * deviation + spread) - at


@kernel
def decided(
    plant: Family,
    weights: Weights,
    stock: float,
    pipeline: Array,
    seen: Numbers,
    one: Numbers,
    two: Numbers,
) -> float:
    """Return the order, in whole units."""
    base = read_features(plant, stock, pipeline, seen)
    for j in range(one.size):
        one[j] = weights.first_bias[j]
    for i in range(seen.size):
        x = seen[i]
        for j in range(one.size):
            one[j] += x * weights.first[i, j]
    for j in range(two.size):
        two[j] = weights.second_bias[j]
    for i in range(one.size):
        x = one[i]
        if x > 0.0:
            for j in range(two.size):
                two[j] += x * weights.second[i, j]
    output = weights.last_bias[0]
    for j in range(two.size):
        output += max(two[j], np.float32(0.0)) * weights.last[j]
    return float(math.floor(max(base + 0.5 * plant.deviation * output, 0.0) + 0.5))


@compiled
def decide(
    plant: Family,
    weights: Weights,
    stock: Array,
    pipeline: npt.NDArray[np.float64],
    working: tuple[Numbers, Numbers, Numbers],
    orders: Array,
) -> None:
    """Write the orders of a batch of states; `pipeline` is (batch, ages 1..9)."""
    for e in range(stock.size):
        orders[e] = decided(
            plant, weights, stock[e], pipeline[e], working[0], working[1], working[2]
        )


@kernel
def mixed(key: np.uint64) -> float:
    """Return a uniform of a 64-bit counter (splitmix64's finalizer), in (0, 1)."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key = key ^ (key >> np.uint64(31))
    return (float(key >> np.uint64(11)) + 0.5) * 1.1102230246251565e-16


@compiled
def simulate(
    plant: Family,
    weights: Weights,
    rule: tuple[float, float],
    expected: Array,
    cumulative: Array,
    guide: npt.NDArray[np.int64],
    working: tuple[Numbers, Numbers, Numbers],
    pipeline: Array,
    seed: int,
    blocks: Array,
    costs: Array,
) -> None:
    """Run plants of the family one period after the other, and write mean costs of blocks.

    Parameters
    ----------
    rule
        Level and cap of a capped base-stock policy; a level below 0: the generalist.
    expected
        Expected cost of a period by the stock before demand, (levels,): demand is integrated out.
    cumulative, guide
        P(demand <= d), and for each hundredth of probability the first d to try.
    pipeline
        Where the plant begins, by age 1..9; it changes.
    blocks, costs
        Periods of each block, the first one a warm-up, and the results, (blocks,).
    """
    counter = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    step = np.uint64(0x9E3779B97F4A7C15)
    stock = float(math.floor(plant.mean + plant.quantile * plant.deviation))
    drawn = int(plant.last)
    for b in range(blocks.size):
        total = 0.0
        for _ in range(int(blocks[b])):
            if rule[0] < 0.0:
                order = decided(plant, weights, stock, pipeline, working[0], working[1], working[2])
            else:
                position = stock
                for a in range(AGES - 1):
                    position += pipeline[a]
                order = min(max(rule[0] - position, 0.0), rule[1])
            on_hand = stock
            if drawn == 0:
                on_hand += order
                order = 0.0
            total += expected[min(int(on_hand), expected.size - 1)]
            counter += step
            u = mixed(counter)
            demand = guide[int(u * (guide.size - 1))]
            while cumulative[demand] < u and demand < cumulative.size - 1:
                demand += 1
            counter += step
            u = mixed(counter)
            drawn = 0
            while plant.arrived[drawn] < u and drawn < AGES:
                drawn += 1
            stock = max(on_hand - demand, 0.0)
            for a in range(AGES - 1, -1, -1):  # ages become one more
                moved = order if a == 0 else pipeline[a - 1]
                if a + 1 >= drawn:
                    stock += moved
                    moved = 0.0
                if a < AGES - 1:
                    pipeline[a] = moved
        costs[b] = total / max(blocks[b], 1.0)


@dataclass(frozen=True, eq=False)
class Generalist(Printed):
    """The generalist on one plant."""

    layout: Layout
    plant: Family
    weights: Weights
    name: str = "generalist"
    rule: None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """It has none."""
        return {}

    def start(self, batch: int) -> Array:
        """Return an empty memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Array) -> Array:
        """Return what it asks for, (batch, asked cells)."""
        return self.asks(ViewLayout(self.layout).state(np.asarray(view, np.float64)), memory)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the same from a matrix of states, (batch, cells)."""
        (source,) = self.layout.scenario.sources
        (item,) = self.layout.scenario.items
        found = {part.name: part for part in self.layout.state}
        stock = np.ascontiguousarray(state[:, found[f"{item}.stock"].start])
        pipeline = np.zeros((len(state), AGES - 1))
        part = found[f"{source}.in_process"]
        cells = state[:, part.start : part.start + part.size]
        last = min(part.size, AGES)  # cell a holds what was ordered a periods ago
        pipeline[:, : last - 1] = cells[:, 1:last]
        asked = np.zeros((len(state), self.layout.asked_cells))
        orders = np.empty(len(state))
        decide(self.plant, self.weights, stock, pipeline, working_of(self.weights), orders)
        asked[:, 0] = orders
        return asked


def working_of(weights: Weights) -> tuple[Numbers, Numbers, Numbers]:
    """Return rows that the net works in."""
    one, two = weights.first_bias.size, weights.second_bias.size
    sizes = (FEATURES, one, two)
    a, b, c = (np.zeros(size, dtype=np.float32) for size in sizes)
    return a, b, c


def policy(scenario: Scenario) -> Policy:
    """Return the generalist for a plant.

    Raises ScenarioError with the reason if the plant is not of the family.
    """
    if reason := why_not(scenario):
        raise ScenarioError(f"generalist does not apply to {scenario.name}: {reason}")
    (source,), (demand,) = scenario.sources.values(), scenario.demands.values()
    (item,) = scenario.items.values()
    by_age = hazard(source.lead_time)
    arrived = np.ones(AGES + 1)
    arrived[: by_age.size] = by_age
    drawn = np.diff(arrived, prepend=0.0)
    mean, deviation = demand.quantity.expectation, demand.quantity.standard_deviation
    plant = family(mean, deviation, float(demand.shortage_cost) / item.holding_cost, drawn)
    return Generalist(lay_out(scenario), plant, read_weights())


def why_not(scenario: Scenario) -> str:
    """Return why a plant is not of the family, or nothing."""
    if len(scenario.items) != 1 or len(scenario.sources) != 1 or len(scenario.demands) != 1:
        return "it has more than one item, source or demand"
    (source,), (demand,) = scenario.sources.values(), scenario.demands.values()
    (item,) = scenario.items.values()
    if demand.unmet != "lost" or not demand.shortage_cost or not item.holding_cost:
        return "it needs lost sales with a shortage cost, and a holding cost"
    if source.crossover or hazard(source.lead_time).size > AGES + 1:
        return f"lead times are at most {AGES} periods, without crossover"
    if source.lot_size != 1 or source.shipment_cost or source.setup_cost or source.at:
        return "orders are of whole units, without fixed cost or work center"
    return ""
