"""A lower bound: the cost of a clairvoyant, who knows the whole tape of an episode beforehand.

    min sum of price x flow     over all real orders, sales and stocks that the plant allows
    s.t. stock(t+1) = stock(t) - consumed - sold + arrived,    work <= time while a center is up

The world is drawn first and does not depend on what is decided, so demand, lead times, failures of
suppliers and times are numbers here. What is left out makes the bound lower, never higher: whole
lots, minimum orders, storage, setups, and failures that depend on what is made; where a lot may be
left unfinished, a window of periods holds a lot of each source more. A fixed cost per shipment or
trip is a whole number; where the program is stopped before it is solved, its dual bound counts. No
policy costs less on the same tape, and the mean over tapes bounds the mean of every policy (Brown,
Smith and Sun 2010, with a penalty of 0).

The bound says much where capacity, seasons or fixed costs decide, and nothing where uncertainty
does: a clairvoyant of a single item with lost sales holds no stock and loses no sale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.errors import ScenarioError
from jitgym.plant import Layout, episode_keys, lay_out
from jitgym.plant.records import NONE, UNLIMITED, Plant
from jitgym.plant.tape import uniforms
from jitgym.scenario import Scenario

from . import closed_loop

if TYPE_CHECKING:
    import pandas

Array = npt.NDArray[np.float64]

MOST = 150_000  # unknowns of a program
SECONDS = 10.0  # of the solver, per tape
WINDOWS = (1, 4, 16, 64)  # periods in which work takes time, where lots may be left unfinished


@dataclass(frozen=True)
class World:
    """What a tape holds, period by period."""

    requested: Array  # units, (periods, demands)
    is_up: Array  # 1 or 0, (periods, sources and centers that can fail)
    planned: Array  # time of each work center, (periods, centers)
    due: Array  # age from which orders arrive, (periods, sources)


def why_not(scenario: Scenario) -> str:
    """Return why a plant has no clairvoyant bound, or nothing."""
    plant = lay_out(scenario).plant
    size = plant.periods * (plant.sources.size + plant.items.size + 2 * plant.demands.size)
    for has_it, what in (
        (size > MOST, f"{size:,} unknowns; {MOST:,} are the most that are tried"),
        (scenario.projects, "improvement projects"),
        (plant.partials.size, "partial deliveries"),
        (plant.abandonment.size, "customers who leave, which depends on who waits"),
        (plant.obsolescence.size or plant.items["perishes"].any(), "stock that spoils"),
        (plant.salvage.size, "a salvage value"),
        (plant.commitments.size, "commitments"),
        ((plant.sources["quality"] != NONE).any(), "defects"),
        ((plant.sources["crossover"] != NONE).any(), "orders that overtake each other"),
        ((plant.demands["waits_channel"] != NONE).any(), "unmet demand of which a share waits"),
        ((plant.demands["life"] != NONE).any(), "demand that follows a life cycle"),
        ((plant.prices["price"] < 0).any(), "revenue"),
    ):
        if has_it:
            return f"it has {what}"
    return ""


def bound(
    scenario: Scenario | str,
    episodes: int = 8,
    seed: int = 0,
    split: str = "test",
    seconds: float = SECONDS,
) -> pandas.DataFrame:
    """Return a row per episode with the clairvoyant's `cost`, in the scenario's yardstick.

    The rows are those of `rollout` for the same seed and split, so that they can be paired with a
    policy's. `solved` tells whether the program was solved; else `cost` is its dual bound.

    Raises ScenarioError if the plant has a feature that the program does not know.
    """
    import pandas

    scenario = load(scenario)
    if reason := why_not(scenario):
        raise ScenarioError(f"{scenario.name}: no clairvoyant bound, {reason}")
    layout = lay_out(scenario)
    found = [
        _solve(layout, split, world_of(layout, split, seed, episode), seconds)
        for episode in range(episodes)
    ]
    return pandas.DataFrame(
        {
            "scenario": scenario.name,
            "policy": "clairvoyant",
            "split": split,
            "seed": seed,
            "episode": np.arange(episodes),
            "cost": [cost for cost, _ in found],
            "solved": [is_solved for _, is_solved in found],
        }
    )


def world_of(layout: Layout, split: str, seed: int, episode: int) -> World:
    """Return what the tape of an episode holds; nothing is ordered meanwhile."""
    engine = closed_loop.at_start(layout, split, seed, np.array([episode]))
    plant, nothing = engine.plant, np.zeros((1, layout.asked_cells))
    world = World(
        np.zeros((plant.periods, plant.demands.size)),
        np.ones((plant.periods, plant.ups_and_downs.size)),
        np.zeros((plant.periods, plant.centers.size)),
        np.ones((plant.periods, plant.sources.size)),
    )
    keys = episode_keys(split, seed, episode)
    ups: list[Array] = []

    def wait(state: Array) -> Array:
        ups.append(state[0, plant.ups_and_downs["cell"]].copy())
        return nothing

    for t in closed_loop.run(engine, wait, plant.periods):
        world.is_up[t] = ups[t]
        world.requested[t] = engine.flows[plant.demands["requested"]]
        world.planned[t] = engine.flows[plant.centers["planned"]]
        for s, source in enumerate(plant.sources):
            if source["ages"] > 0:
                world.due[t, s] = _drawn(plant, int(source["lead_time"]), keys, t)
    return world


def _drawn(plant: Plant, which: int, keys: npt.NDArray[np.uint64], period: int) -> float:
    """Return the value of a distribution in a period: a quantile of its uniform, as in `draw`."""
    distribution = plant.distributions[which]
    first = int(distribution["first"])
    if distribution["channel"] == NONE:
        return float(plant.values[first])
    u = float(uniforms(keys, period, plant.channels[distribution["channel"]]["number"])[0])
    place = first
    while plant.ends[place] <= u:
        place += 1
    return float(plant.values[place])


def arrivals(due: Array, ages: int) -> npt.NDArray[np.int64]:
    """Return the period at whose end an order of each period arrives, (periods,).

    An order of period r has age t - r + 1 at the end of period t. Orders that are still on their
    way at the end of the horizon have the number of periods. At lead time 0 it is the period
    before: they arrive before demand is served.
    """
    periods = due.size
    if ages == 0:
        return np.arange(periods) - 1
    found = np.full(periods, periods)
    for r in range(periods):
        last = min(r + ages, periods)
        late = np.flatnonzero(np.arange(1, last - r + 1) >= due[r:last])
        if late.size:
            found[r] = r + late[0]
        elif r + ages <= periods:
            found[r] = r + ages - 1
    return found


class Program:
    """A linear program that is written row by row."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.least: list[float] = []
        self.most: list[float] = []
        self.is_whole: list[int] = []
        self.cells: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def variables(
        self,
        count: int,
        cost: npt.ArrayLike = 0.0,
        most: npt.ArrayLike = np.inf,
        whole: bool = False,
    ) -> npt.NDArray[np.int64]:
        """Add variables from 0 to `most`, and return their numbers, (count,)."""
        first = len(self.cost)
        self.cost += np.broadcast_to(np.asarray(cost, float), count).tolist()
        self.most += np.broadcast_to(np.asarray(most, float), count).tolist()
        self.least += [0.0] * count
        self.is_whole += [int(whole)] * count
        return np.arange(first, first + count)

    def row(self, terms: Sequence[tuple[int, float]], low: float, high: float) -> None:
        """Add low <= sum of terms <= high; terms are (variable, factor)."""
        number = len(self.low)
        self.cells += [(number, int(variable), float(factor)) for variable, factor in terms]
        self.low.append(low)
        self.high.append(high)

    def solve(self, seconds: float) -> tuple[float, bool]:
        """Return a lower bound of the optimum, and whether it is the optimum itself."""
        from scipy import sparse
        from scipy.optimize import Bounds, LinearConstraint, linprog, milp

        rows, columns, factors = zip(*self.cells, strict=True)
        matrix = sparse.csr_array((factors, (rows, columns)), shape=(len(self.low), len(self.cost)))
        low, high = np.array(self.low), np.array(self.high)
        is_equal, above, below = low == high, low > -np.inf, high < np.inf
        relaxed: Any = linprog  # far quicker than a mixed-integer solver on the same program
        first = relaxed(
            self.cost,
            sparse.vstack([matrix[below & ~is_equal], -matrix[above & ~is_equal]]),
            np.concatenate([high[below & ~is_equal], -low[above & ~is_equal]]),
            matrix[is_equal],
            low[is_equal],
            np.column_stack([self.least, self.most]),
            "highs",
        )
        least = float(first.fun) if first.status == 0 else 0.0  # no cost is below 0 here
        if not any(self.is_whole):
            return least, first.status == 0
        found: Any = milp(
            np.array(self.cost),
            integrality=np.array(self.is_whole),
            bounds=Bounds(np.array(self.least), np.array(self.most)),
            constraints=LinearConstraint(matrix, low, high),
            options={"time_limit": seconds, "mip_rel_gap": 1e-6},
        )
        bound = found.mip_dual_bound
        if bound is not None and np.isfinite(bound):
            least = max(least, float(bound))
        return least, found.status == 0


def _solve(layout: Layout, split: str, world: World, seconds: float) -> tuple[float, bool]:
    """Return the clairvoyant's cost on a tape, and whether it is exact."""
    return _Writer(layout, split, world).program.solve(seconds)


class _Writer:
    """Writes the program of a plant and a tape."""

    def __init__(self, layout: Layout, split: str, world: World) -> None:
        self.layout, self.world, self.program = layout, world, Program()
        self.plant = layout.plant_in(split)
        self.periods = self.plant.periods
        counted = np.arange(self.periods) - self.plant.warm_up
        powers = self.plant.discount ** np.maximum(counted, 0)
        self.weight = np.where(counted >= 0, self.plant.average * powers, 0.0)
        self.prices = np.zeros(layout.flow_cells)
        np.add.at(self.prices, self.plant.prices["flow"], self.plant.prices["price"])
        ups = self.plant.ups_and_downs
        self.up_of = {int(it["cell"]): world.is_up[:, k] for k, it in enumerate(ups)}
        self._variables()
        self._stocks()
        self._demands()
        self._centers()
        self._trips()

    def _priced(self, flow: int) -> Array:
        """Return the cost of a unit of a flow in each period; 0 where it is not a flow."""
        return np.zeros(self.periods) if flow == NONE else self.prices[flow] * self.weight

    def _variables(self) -> None:
        plant, add, count = self.plant, self.program.variables, self.periods
        self.granted, self.shipped, self.at = [], [], []
        for s, source in enumerate(plant.sources):
            most = np.full(count, source["maximum"] if source["maximum"] < UNLIMITED else np.inf)
            if source["up"] != NONE:
                most[self.up_of[int(source["up"])] < 0.5] = 0.0
            at = arrivals(self.world.due[:, s], int(source["ages"]))
            cost = self._priced(int(source["granted"])).copy()
            received = self._priced(int(source["received"]))
            arrives = at if int(source["ages"]) else np.arange(count)
            cost += np.where(arrives < count, received[np.minimum(arrives, count - 1)], 0.0)
            held = np.concatenate([[0.0], np.cumsum(self._priced(int(source["in_process"])))])
            cost += held[np.minimum(at + 1, count)] - held[np.minimum(np.arange(count), at + 1)]
            fixed = self._priced(int(source["shipments"]))
            self.at.append(at)
            self.granted.append(add(count, cost, most))
            self.shipped.append(add(count, fixed, 1.0, whole=True) if fixed.any() else None)
        self.stock = [add(count, self._priced(int(item["on_hand"]))) for item in plant.items]
        self.sold = [add(count, self._priced(int(demand["served"]))) for demand in plant.demands]

    def _stocks(self) -> None:
        """Stock at Count, and before Start: what is consumed must be there in the morning."""
        plant, program = self.plant, self.program
        initial = plant.initial
        for i, item in enumerate(plant.items):
            first = int(item["stock"])
            begun = float(initial[first : first + int(item["ages"])].sum())
            users = [
                (int(it["source"]), float(it["quantity"]))
                for it in plant.materials
                if int(it["item"]) == i
            ]
            makers = [s for s, source in enumerate(plant.sources) if int(source["item"]) == i]
            buyers = [d for d, demand in enumerate(plant.demands) if int(demand["item"]) == i]
            arriving: list[list[int]] = [[] for _ in range(self.periods + 1)]
            at_once: list[list[int]] = [[] for _ in range(self.periods)]
            for s in makers:
                for r, t in enumerate(self.at[s]):
                    if int(plant.sources[s]["ages"]) == 0:
                        at_once[r].append(int(self.granted[s][r]))
                    elif t + 1 < self.periods:
                        arriving[t + 1].append(int(self.granted[s][r]))
            for t in range(self.periods):
                before = [] if t == 0 else [(int(self.stock[i][t - 1]), 1.0)]
                morning = before + [(order, 1.0) for order in arriving[t]]
                used = [(int(self.granted[s][t]), -quantity) for s, quantity in users]
                start = begun if t == 0 else 0.0
                if used:
                    program.row(morning + used, -start, np.inf)
                rest = [(int(self.sold[d][t]), -1.0) for d in buyers]
                rest += [(order, 1.0) for order in at_once[t]]
                program.row([*morning, *used, *rest, (int(self.stock[i][t]), -1.0)], -start, -start)

    def _demands(self) -> None:
        """Backlog or lost sales of each demand."""
        plant, program, count = self.plant, self.program, self.periods
        for d, demand in enumerate(plant.demands):
            requested = self.world.requested[:, d]
            if demand["backlog"] == NONE:
                lost = program.variables(count, self._priced(int(demand["lost"])))
                for t in range(count):
                    terms = [(int(self.sold[d][t]), 1.0), (int(lost[t]), 1.0)]
                    program.row(terms, requested[t], requested[t])
                continue
            begun = float(plant.initial[int(demand["backlog"])])
            waiting = program.variables(count, self._priced(int(demand["waiting"])))
            for t in range(count):
                terms = [(int(self.sold[d][t]), 1.0), (int(waiting[t]), 1.0)]
                if t > 0:
                    terms.append((int(waiting[t - 1]), -1.0))
                due = requested[t] + (begun if t == 0 else 0.0)
                program.row(terms, due, due)

    def _centers(self) -> None:
        """Work takes time; overtime has a price."""
        plant, program = self.plant, self.program
        for c, center in enumerate(plant.centers):
            up = np.ones(self.periods)
            if center["up"] != NONE:
                up = self.up_of[int(center["up"])]
            regular = self.world.planned[:, c] * up
            extra = float(center["overtime"])
            price = self._priced(int(center["over"]))
            over = program.variables(self.periods, price, extra * up) if extra else None
            crew = [s for s, it in enumerate(plant.sources) if int(it["center"]) == c]
            left = [plant.sources[s] for s in crew if plant.sources[s]["work"] != NONE]
            more = float(sum(source["lot_time"] for source in left))  # of lots begun before
            for length in WINDOWS if left else (1,):
                for t in range(0, self.periods - length + 1, length):
                    terms = [
                        (int(self.granted[s][r]), float(it["lot_time"] / it["lot"]))
                        for s in crew
                        for it in (plant.sources[s],)
                        for r in range(t, t + length)
                    ]
                    if over is not None:
                        terms += [(int(over[r]), -1.0) for r in range(t, t + length)]
                    program.row(terms, -np.inf, float(regular[t : t + length].sum()) + more)

    def _trips(self) -> None:
        """A shipment and a trip are whole numbers, where they have a price."""
        plant, program = self.plant, self.program
        whole = float(self.world.requested.sum()) * 4 + float(plant.initial.clip(0).sum()) + 1.0
        for s, shipped in enumerate(self.shipped):
            if shipped is None:
                continue
            most = float(min(plant.sources[s]["maximum"], whole))
            for t in range(self.periods):
                terms = [(int(self.granted[s][t]), 1.0), (int(shipped[t]), -most)]
                program.row(terms, -np.inf, 0.0)
        for carrier in plant.carriers:
            price = self._priced(int(carrier["trips"]))
            if not price.any():
                continue
            trips = program.variables(self.periods, price, whole=True)
            capacity = float(min(carrier["capacity"], whole))
            loads = plant.loads[int(carrier["loads"]) : int(carrier["loads_end"])]
            for t in range(self.periods):
                terms = [(int(self.granted[s][t]), 1.0) for s in loads]
                program.row([*terms, (int(trips[t]), -capacity)], -np.inf, 0.0)
