"""One warehouse and its stores: echelon base-stock beside a priced rule found by direct search.

A period: what is due arrives; the warehouse orders, and ships to the stores; demand comes; costs
are counted. What is on its way pays nothing. Unmet demand waits, is lost, or, with a probability
for each unit, is met at once from the warehouse and else lost.

Classic is echelon base-stock, with stock that is short shared in proportion to what is asked, or
unit by unit to the store that lacks most. Ours ships a unit to the store where it is most likely to
be needed, as long as that chance is above a price, and keeps the others; the price falls with the
stock of the warehouse, and the target of the warehouse bends with what is on its way and ends with
the horizon:

    ship while P(D of the next L + 1 periods > position) - g (L - shortest L)
               > 1 / (1 + exp(-(a + b W + c W^2 + d N + e / periods left))),
    order up to min(S + u W + v N + w Q, mean of what is left + z deviations), at most a cap

W is the stock of the warehouse, N what it gets in the next period, Q its last order, all in mean
demands of a period. Where demand is lost, the position leaves out the demand that a store will
probably not meet. The twelve numbers are found by the cross-entropy method on tapes of their own;
both policies are judged on others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from jitgym import ScenarioError

from ...tuning.cross_entropy import cross_entropy

Array = npt.NDArray[np.float64]

PERIODS = 100
TUNED, JUDGED = 2_000, 10_000  # replications; of the tuned ones, over the number of stores
FINER = 3  # times as many where there are few rows
ROUNDS = (1.0, 0.4, 0.3)  # the width of each round of the search
PROPORTIONAL, SHORTAGE, PRICED = range(3)
WAITS = -1.0  # unmet demand waits; else the probability that a unit is met from the warehouse
BELOW = 200  # positions of a store that are looked up start here, in shipping units
FINE = 0.1  # the shipping unit where demand is continuous


class Chain(NamedTuple):
    """A warehouse and its stores as numbers; quantities in units, times in periods."""

    lead: int
    leads: npt.NDArray[np.int64]  # (stores,)
    holding: float  # per unit and period, at the warehouse
    store_holding: float
    penalty: float  # per unit: of a period's wait, or of a lost unit
    willing: float  # WAITS, or the probability that an unmet unit is met from the warehouse
    unit: float  # the least quantity that is shipped
    mean: float  # of demand of all stores, per period
    deviation: float
    needed: Array  # P(D over lead + 1 periods > position), (stores, positions from -BELOW on)
    means: Array  # of demand, per store and period, (stores,)
    left: Array  # E[(stock - D)+] of a period, (stores, stocks 0, unit, 2 unit, ...)


class First(NamedTuple):
    """The state at the beginning."""

    warehouse: float
    coming: float  # units due at the warehouse in each period of its lead time
    stores: Array  # (stores,)
    on_the_way: Array  # units due at each store in each period of its lead time, (stores,)


@njit(cache=True)
def between(values: Array, at: float) -> float:
    """Return the value at a place between two entries; the ends go on."""
    at = min(max(at, 0.0), values.size - 1.0)
    below = min(int(at), values.size - 2)
    return float(values[below] + (at - below) * (values[below + 1] - values[below]))


@njit(cache=True)
def projected(chain: Chain, store: int, stock: float, going: Array) -> float:
    """Return the position of a store, less the demand that it will probably not meet.

    It is the mean stock when a unit that is shipped now arrives, and the mean demand until then.
    """
    for k in range(1, chain.leads[store] + 1):
        stock = between(chain.left[store], stock / chain.unit) + going[k]
    return float(stock + chain.leads[store] * chain.means[store])


@njit(cache=True)
def simulate(
    chain: Chain, kind: int, numbers: Array, tape: Array, seed: int, first: First, costs: Array
) -> None:
    """Write the total cost of each replication of a tape (replications, periods, stores)."""
    stores, periods = chain.leads.size, tape.shape[1]
    nearest, longest = chain.leads.min(), chain.leads.max()
    for r in range(tape.shape[0]):
        np.random.seed(seed + r)
        warehouse, last, total = first.warehouse, 0.0, 0.0
        stock = first.stores.copy()
        coming = np.zeros(chain.lead + 1)
        coming[1:] = first.coming
        going = np.zeros((stores, longest + 1))
        for i in range(stores):
            going[i, 1 : chain.leads[i] + 1] = first.on_the_way[i]
        asked, shipped, position = np.empty(stores), np.empty(stores), np.empty(stores)
        for t in range(periods):
            coming[:-1] = coming[1:]
            coming[-1] = 0.0
            warehouse += coming[0]
            coming[0] = 0.0
            everywhere = warehouse + coming.sum()
            for i in range(stores):
                going[i, :-1] = going[i, 1:]
                going[i, -1] = 0.0
                stock[i] += going[i, 0]
                going[i, 0] = 0.0
                position[i] = stock[i] + going[i].sum()
                if kind == PRICED and chain.willing != WAITS:
                    position[i] = projected(chain, i, stock[i], going[i])
                everywhere += position[i]
                shipped[i] = 0.0
            if kind == PRICED:
                target = numbers[0]
                level, soon = warehouse / chain.mean, coming[1] / chain.mean
                target += numbers[6] * level + numbers[7] * soon
                target += numbers[8] * last / chain.mean
                left = periods - t
                target = min(
                    target, chain.mean * left + numbers[1] * chain.deviation * math.sqrt(left)
                )
                order = min(numbers[2], max(0.0, target - everywhere))
                while warehouse >= chain.unit:
                    best, most = -1, 0.0
                    for i in range(stores):
                        if t + chain.leads[i] >= periods:
                            continue
                        at = (position[i] + shipped[i]) / chain.unit + BELOW
                        apart = chain.leads[i] - nearest
                        chance = between(chain.needed[i], at) - numbers[9] * apart
                        if chance > most:
                            best, most = i, chance
                    cover = warehouse / chain.mean
                    price = numbers[3] + cover * (numbers[4] + numbers[10] * cover)
                    price += numbers[5] * soon + numbers[11] / left
                    if best < 0 or most <= 1.0 / (1.0 + math.exp(-price)):
                        break
                    shipped[best] += chain.unit
                    warehouse -= chain.unit
            else:
                order, wanted = max(0.0, numbers[0] - everywhere), 0.0
                for i in range(stores):
                    asked[i] = max(0.0, numbers[1 + i] - position[i])
                    wanted += asked[i]
                if wanted <= warehouse:
                    shipped[:] = asked
                    warehouse -= wanted
                else:
                    if kind == PROPORTIONAL:
                        share = warehouse / wanted
                        for i in range(stores):
                            shipped[i] = math.floor(asked[i] * share / chain.unit) * chain.unit
                            warehouse -= shipped[i]
                    while warehouse >= chain.unit:
                        best, most = 0, -1.0
                        for i in range(stores):
                            if asked[i] - shipped[i] > most:
                                best, most = i, asked[i] - shipped[i]
                        shipped[best] += chain.unit
                        warehouse -= chain.unit
            order = math.floor(order / chain.unit + 0.5) * chain.unit
            coming[chain.lead] += order
            last = order
            for i in range(stores):
                going[i, chain.leads[i]] += shipped[i]
                stock[i] -= tape[r, t, i]
                if stock[i] < 0.0:
                    if chain.willing == WAITS:
                        total -= chain.penalty * stock[i]
                    else:
                        short = -stock[i]
                        stock[i] = 0.0
                        if chain.willing > 0.0:
                            met = min(
                                float(np.random.binomial(int(short), chain.willing)), warehouse
                            )
                            warehouse -= met
                            short -= met
                        total += chain.penalty * short
                else:
                    total += chain.store_holding * stock[i]
            total += chain.holding * warehouse
        costs[r] = total


def run(chain: Chain, kind: int, numbers: Array, tape: Array, seed: int, first: First) -> Array:
    """Return the total cost of each replication, (replications,)."""
    costs = np.empty(len(tape))
    simulate(chain, kind, numbers, tape, seed, first, costs)
    return costs


def covered(mass: Sequence[Array], leads: Sequence[int], most: int) -> Array:
    """Return P(D over lead + 1 periods > position) of each store, from the mass of one period."""
    found = np.ones((len(mass), BELOW + most))
    for i, (each, lead) in enumerate(zip(mass, leads, strict=True)):
        law = np.ones(1)
        for _ in range(lead + 1):
            law = np.convolve(law, each)[:most]
        below = np.minimum(np.cumsum(law), 1.0)
        found[i, BELOW : BELOW + below.size] = 1.0 - below
        found[i, BELOW + below.size :] = 0.0
    return found


def stays(mass: Sequence[Array], unit: float) -> tuple[Array, Array]:
    """Return the means, (stores,), and E[(stock - D)+] of each store and stock."""
    steps = np.arange(mass[0].size)
    means = np.array([float(each @ steps) * unit for each in mass])
    left = [np.concatenate([[0.0], np.cumsum(np.cumsum(each))[:-1]]) * unit for each in mass]
    return means, np.array(left)


def tuned_levels(
    chain: Chain, tape: Array, first: First | None, alike: bool
) -> tuple[float, int, Array]:
    """Return cost, sharing and levels (warehouse, stores) of the best echelon base-stock.

    A search in steps that become smaller, from newsvendor levels. Without a first state the stock
    at the beginning is that of the levels.
    """
    stores, unit = chain.leads.size, chain.unit
    fractile = chain.penalty / (chain.penalty + chain.store_holding)
    reach = (chain.needed > 1 - fractile).sum(axis=1) - BELOW
    of_stores = np.maximum(reach, 0) * unit
    begin = np.concatenate([[of_stores.sum() + (chain.lead + 1) * chain.mean], of_stores])
    begin = np.round(begin / unit) * unit
    moves = [np.eye(stores + 1)[0]]
    for i in [slice(1, None)] if alike else range(1, stores + 1):
        store, both = np.zeros(stores + 1), np.zeros(stores + 1)
        store[i] = both[i] = 1.0
        both[0] = both[1:].sum()
        moves += [store, both]
    best = (math.inf, PROPORTIONAL, begin)
    for kind in (PROPORTIONAL, SHORTAGE):

        def cost(levels: Array, kind: int = kind) -> float:
            state = at_levels(chain, levels) if first is None else first
            return float(run(chain, kind, levels, tape, 0, state).mean())

        levels, least = begin, cost(begin)
        step = max(unit, round(chain.deviation / 2 / unit) * unit)
        while step >= unit - 1e-9:
            moved = True
            while moved:
                moved = False
                for move in moves:
                    for way in (step, -step):
                        tried = levels + way * move
                        if (found := cost(tried)) < least - 1e-9:
                            levels, least, moved = tried, found, True
            step = math.floor(step / 2 / unit) * unit
        if least < best[0]:
            best = (least, kind, levels)
    return best


def at_levels(chain: Chain, levels: Array) -> First:
    """Return the state in which every position is at its level, and mean demand on its way."""
    stores, coming = levels[1:], np.rint(chain.means)
    due = np.rint(chain.mean)
    return First(
        max(0.0, levels[0] - stores.sum() - chain.lead * due),
        due,
        np.maximum(0.0, stores - chain.leads * coming),
        coming,
    )


def searched(chain: Chain, tape: Array, first: First, levels: Array) -> Array:
    """Return the twelve numbers of the priced rule, searched from the levels of base-stock.

    Each further round starts from the best of the one before, and looks more closely.
    """
    mean = chain.mean
    best = np.array([levels[0], 1.0, 3 * mean, -2.0, -0.1, 0, 0, 0, 0, 0, 0, 0])
    width = np.array([1.5, 0, 2.5, 0, 0, 0, 0.4, 0.4, 0.4, 0, 0, 0]) * mean
    width += np.array([0, 2.0, 0, 3.0, 1.0, 1.0, 0, 0, 0, 0.05, 0.3, 4.0])

    def cost(vectors: Array, share: float) -> Array:
        part = tape[: max(1, round(share * len(tape)))]
        return np.array([run(chain, PRICED, each, part, 0, first).mean() for each in vectors])

    least = math.inf
    for seed, scale in enumerate(ROUNDS):
        around = best
        low, high = around - scale * width, around + scale * width
        for middle in cross_entropy(cost, around, low, high, seed):
            if (found := float(cost(middle[None], 1.0)[0])) < least:
                best, least = middle, found
    return best


def compared(
    chain: Chain, tapes: tuple[Array, Array], first: First | None, alike: bool
) -> dict[str, Any]:
    """Return the costs of both on replications of their own, and the interval of ours."""
    _, kind, levels = tuned_levels(chain, tapes[0], first, alike)
    state = at_levels(chain, levels) if first is None else first
    numbers = searched(chain, tapes[0], state, levels)
    classic = run(chain, kind, levels, tapes[1], 1_000_000, state)
    ours = run(chain, PRICED, numbers, tapes[1], 1_000_000, state)
    half = 1.96 * float(ours.std(ddof=1)) / math.sqrt(ours.size)
    cost = float(ours.mean())
    return {
        "classic": float(classic.mean()),
        "ours": cost,
        "interval": [cost - half, cost + half],
        "parameters": {"levels": levels.tolist(), "numbers": numbers.tolist()},
    }


# --- the tables ---------------------------------------------------------------------------------


def kaynov(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row: whole units, and first stock at the levels of base-stock."""
    kinds, leads = (
        _repeated(row["demands"]),
        [int(e) for e in _repeated(row["retailer_lead_times"])],
    )
    if len(kinds) != len(leads):
        raise ScenarioError(f"{len(leads)} lead times for {len(kinds)} demands; expected as many")
    is_large = int(row["no"]) >= 13
    word, _, chance = row["unmet"].partition(" ")
    known = {"backordered": WAITS, "lost": 0.0, "partial": float(chance or 0)}
    if word not in known:
        raise ScenarioError(
            f"unmet is {word!r}; expected backordered, lost, or partial and a share"
        )
    units = np.arange(400)
    mass = [_mass(kind, units) for kind in kinds]
    means, left = stays(mass, 1.0)
    variances = [float(each @ units**2) - mean**2 for each, mean in zip(mass, means, strict=True)]
    chain = Chain(
        int(row["warehouse_lead_time"]),
        np.array(leads),
        3.0 if is_large else 0.5,
        3.0 if is_large else 1.0,
        60.0 if is_large else 9.0,
        known[word],
        1.0,
        math.fsum(means),
        math.sqrt(math.fsum(variances)),
        covered(mass, leads, 600),
        means,
        left,
    )
    cumulative = [np.cumsum(each) for each in mass]
    tapes = [
        np.stack(
            [
                np.minimum(np.searchsorted(law, rng.random((count, PERIODS))), units[-1])
                for law in cumulative
            ],
            axis=2,
        ).astype(np.float64)
        for count, rng in _streams(len(kinds))
    ]
    alike = len(set(zip(kinds, leads, strict=True))) == 1
    return compared(chain, (tapes[0], tapes[1]), None, alike)


def dogru(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row: five stores with gamma demand, backordered."""
    from scipy.stats import gamma  # a slow import, so only here

    stores, lead, cover = 5, 3, 1.0
    variation = float(row["coefficient_of_variation"])
    shape = variation**-2
    most = math.ceil(60 * max(1.0, variation) / FINE)
    edges = (np.arange(most) + 0.5) * FINE
    mass = np.diff(gamma.cdf(edges, shape, scale=1 / shape), prepend=0.0)
    chain = Chain(
        lead,
        np.ones(stores, dtype=np.int64),
        0.5,
        1.0,
        float(row["penalty"]),
        WAITS,
        FINE,
        float(stores),
        variation * math.sqrt(stores),
        covered([mass] * stores, [1] * stores, 2 * most),
        *stays([mass] * stores, FINE),
    )
    tapes = [
        rng.gamma(shape, 1 / shape, (count, PERIODS, stores))
        for count, rng in _streams(stores, FINER)
    ]
    first = First(stores * cover, stores * cover, np.full(stores, cover), np.full(stores, cover))
    return compared(chain, (tapes[0], tapes[1]), first, True)


def _streams(stores: int, times: int = 1) -> list[tuple[int, np.random.Generator]]:
    """Return the number of replications and the draws of both tapes: to tune, and to judge."""
    seeds = np.random.SeedSequence(1).spawn(2)
    counts = (max(1, times * TUNED // stores), times * JUDGED)
    return [(count, np.random.default_rng(seed)) for count, seed in zip(counts, seeds, strict=True)]


def _repeated(text: str) -> list[str]:
    """Return the entries of a list, in which `2 x10` and `10x P3` say how often one is repeated.

    >>> _repeated("2 x3"), _repeated("2x N5-14"), _repeated("1 2 3")
    (['2', '2', '2'], ['N5-14', 'N5-14'], ['1', '2', '3'])
    """
    words = text.split()
    if len(words) == 2 and words[1].startswith("x") and words[1][1:].isdigit():
        return [words[0]] * int(words[1][1:])
    if len(words) == 2 and words[0].endswith("x") and words[0][:-1].isdigit():
        return [words[1]] * int(words[0][:-1])
    return words


def _mass(kind: str, units: npt.NDArray[np.int64]) -> Array:
    """Return the mass of the demand of a period on 0, 1, 2, ...

    `P3` is Poisson of mean 3, `U0-6` uniform, `N5-1` normal, rounded, and 0 where it is below.
    """
    from scipy import stats  # a slow import, so only here

    letter, numbers = kind[:1], kind[1:].split("-")
    try:
        values = [float(each) for each in numbers]
        if letter == "P" and len(values) == 1:
            return np.asarray(stats.poisson.pmf(units, values[0]))
        if letter == "U" and len(values) == 2:
            inside = (units >= values[0]) & (units <= values[1])
            return np.asarray(inside / inside.sum())
        if letter == "N" and len(values) == 2:
            above = stats.norm.cdf(units + 0.5, *values)
            return np.asarray(np.diff(above, prepend=0.0))
    except ValueError:
        pass
    raise ScenarioError(f"demand is {kind!r}; expected such as P3, U0-6 or N5-1")
