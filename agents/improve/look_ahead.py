"""Look-ahead: one step of policy improvement on a tuned classic, by simulation (rollout).

    ask = argmin over candidates a of the mean cost over sample paths,
          with a in this period and the base's asks in the coming ones

The base is a classic policy that is a compiled rule: `look-ahead` uses the one that suits the
plant, `look-ahead:kanban` the one that it names. Every candidate meets the same paths (common
random numbers). Sources decide one after the other, from the customer upward, and each knows the
earlier decisions. The candidates of a source are the base's ask, a step or two more or less, and
nothing if an order has a fixed cost (Bertsekas 2020, Rollout, policy iteration, and distributed
reinforcement learning, chapters 2 and 3: one agent at a time).

The policy knows only what the view shows. The random numbers of the paths come from a seed of their
own, and recorded demand comes from the split `train`. In every period the draws of a channel are
spread evenly over the paths (a Latin hypercube; McKay, Beckman and Conover 1979). They are the same
at every decision, so the policy always asks for the same in the same state. It does not apply to a
plant that hides something on which its future depends. With few paths, noise makes some of many
candidates look good. Therefore a gain must exceed `caution` times its standard error.

Sizing (ours): the base's sizes. The number of periods is the longest way from supplier to customer,
plus 8 (16 with one source) and three economic orders, at most 48. There are 256 paths for one
source, because its states recur and are remembered; for several sources there are as many as a
comparison has time for. Caution is 0 for one source, 2 for several, in standard errors. Only the
base is tuned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, Rule, ViewLayout, asking_order
from jitgym.control.masses import deviation_of
from jitgym.control.policy import ask_batch
from jitgym.control.sizing import Stage, outside_suppliers, stages
from jitgym.distributions import Regimes
from jitgym.envs import Engine
from jitgym.evaluate import closed_loop
from jitgym.plant import SPLITS, Layout, episode_keys, lay_out
from jitgym.plant.records import RECORDED, REPLAYED, UNIFORM
from jitgym.scenario import Revealed, Scenario

from ..classic.adaptive.regime_base_stock import REGIME_BASE_STOCK
from ..classic.base.acting import Acting, remembered, rows
from ..classic.base.declaration import Array, Classic, Parameter, Values, parameter
from ..classic.pull.base_stock import BASE_STOCK
from ..classic.reorder.min_max import MIN_MAX
from ..classic.sourcing.dual_index import DUAL_INDEX

SPLIT, SEED = "train", 271_828_182  # of the paths; the seed is used for nothing else
REST, REST_OF_ONE = 8, 16  # periods after the longest way, until one order no longer matters
CYCLES = 3  # economic orders, until the end's place in the order cycle no longer matters
LONGEST = 48  # largest number of periods
PATHS_OF_ONE = 256  # for a plant with one source
MOST_PATHS, FEWEST_PATHS = 32, 8  # for a plant with several sources
WORK = 10e6  # periods x sources to simulate for an episode; twice as many are too many
ROWS = 8192  # plants that are simulated at once
CAUTION = 2.0  # with several sources
OWN = ("paths", "periods", "caution")


@dataclass(frozen=True, eq=False)
class LookAhead(Acting):
    """The policy; it remembers its asks in the states that it has met."""

    base: Classic = field(kw_only=True)
    known: dict[bytes, Array] = field(default_factory=dict, init=False, repr=False)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks, (batch, asked cells): quantities, priorities, projects."""
        if len(self._alone) > 1:
            asked = np.empty((len(state), self.layout.asked_cells))
            for k, policy in enumerate(self._alone):
                mine = self._of_row == k
                asked[mine] = policy.asks(state[mine], memory[mine])
            return asked
        whole = state.copy()
        whole[:, self._unseen] = self.layout.plant.initial[self._unseen]
        return remembered(self.known, whole[:, self._telling], lambda new: self._decide(whole[new]))

    def _decide(self, state: Array) -> Array:
        """Return the base's asks, improved source by source."""
        asked = np.zeros((len(state), self.layout.asked_cells))
        ask_batch(self.layout.plant, self._rule, state, asked)
        cost = self._costs(state, asked[:, np.newaxis])[:, 0]
        every = np.arange(len(state))
        for k, changes in self._changes:
            tried = np.repeat(asked[:, np.newaxis], changes.size, axis=1)
            tried[:, :, k] = np.maximum(tried[:, :, k] + changes, 0.0)
            found = self._costs(state, tried)
            gains = cost[:, np.newaxis] - found
            sure = gains.mean(axis=2) - self._own("caution") * gains.std(axis=2) / math.sqrt(
                gains.shape[2]
            )
            best = sure.argmax(axis=1)
            better = sure[every, best] > 1e-9
            asked[better] = tried[better, best[better]]
            cost[better] = found[better, best[better]]
        return asked

    def _costs(self, state: Array, first: Array) -> Array:
        """Return the cost of first asks, (batch, candidates, asked cells), by path.

        The base decides in the periods after the first. The result is (batch, candidates, paths).
        """
        paths = self._firsts.size
        at_once = max(1, ROWS // (first.shape[1] * paths))
        parts = [
            self._simulated(state[k : k + at_once], first[k : k + at_once])
            for k in range(0, len(state), at_once)
        ]
        return np.concatenate(parts).reshape(*first.shape[:2], paths)

    def _simulated(self, state: Array, first: Array) -> Array:
        plant, paths = self.layout.plant, self._firsts.size
        count = first.shape[0] * first.shape[1] * paths
        engine = self._engine(1 << (count - 1).bit_length())
        engine.state[:count] = np.repeat(state, first.shape[1] * paths, axis=0)
        engine.keys[:count] = np.tile(episode_keys(SPLIT, SEED, range(paths)), count // paths)
        engine.period[:count] = np.tile(self._firsts, count // paths)
        costs, weight, goes_on = np.zeros(count), 1.0, self._goes_on(engine, count)
        decide = self._first_then_base(np.repeat(first.reshape(-1, first.shape[2]), paths, axis=0))
        for _ in closed_loop.run(engine, decide, int(self._own("periods"))):
            costs += weight * goes_on * engine.cost[:count]
            weight *= plant.discount
            goes_on = self._goes_on(engine, count)
        return costs

    def _first_then_base(self, first: Array) -> closed_loop.Decide:
        """Return a function that asks for `first` in the first period, and like the base later."""
        waiting = [first]

        def decide(state: Array) -> Array:
            asked = np.zeros((len(state), self.layout.asked_cells))
            if waiting:
                asked[: len(first)] = waiting.pop()
            else:
                ask_batch(self.layout.plant, self._rule, state, asked)
            return asked

        return decide

    def _goes_on(self, engine: Engine, count: int) -> Array:
        """Return 1 where the coming period still belongs to a season, else 0, (count,)."""
        plant = self.layout.plant
        if not self.layout.scenario.horizon.ends:
            return np.ones(count)
        return (engine.state[:count, plant.clock] < plant.periods).astype(np.float64)

    def _engine(self, batch: int) -> Engine:
        """Return an engine with this many plants."""
        if batch not in self._engines:
            engine = closed_loop.engine_of(self._imagined, batch, SPLIT)
            engine.place(np.ones(batch, dtype=np.bool_))
            self._engines[batch] = engine
        return self._engines[batch]

    def _own(self, name: str) -> float:
        return float(self.values[name][0, 0])

    @cached_property
    def _engines(self) -> dict[int, Engine]:
        return {}

    @cached_property
    def _rule(self) -> Rule:
        values = {name: row[0] for name, row in self.values.items() if name not in OWN}
        return _rule_of(self.base, self.layout, values)

    @cached_property
    def _imagined(self) -> Layout:
        """The plant whose tape holds the paths, one after the other in time."""
        plant = self.layout.plant
        shape = (plant.channels.size, self._firsts.size, int(self._own("periods")))
        draws = even_draws(shape).reshape(shape[0], shape[1] * shape[2])
        chance = np.flatnonzero(plant.channels["kind"] == UNIFORM)
        channels = plant.channels.copy()
        channels["kind"][chance] = REPLAYED
        channels["recorded"][chance] = len(plant.recorded) + np.arange(chance.size)
        records = np.zeros((chance.size, len(SPLITS)), dtype=RECORDED)
        records["first"] = (
            plant.series.size + draws.shape[1] * np.arange(chance.size)[:, np.newaxis]
        )
        records["length"] = draws.shape[1]
        imagined = plant._replace(
            channels=channels,
            recorded=np.concatenate([plant.recorded, records]),
            series=np.concatenate([plant.series, draws[chance].ravel()]),
        )
        return replace(self.layout, plant=imagined)

    @cached_property
    def _firsts(self) -> npt.NDArray[np.int64]:
        """The first period of every path."""
        return np.arange(int(self._own("paths"))) * int(self._own("periods"))

    @cached_property
    def _changes(self) -> list[tuple[int, Array]]:
        """Sources from the customer upward, and the changes of the ask to try, in units."""
        scenario, at = self.layout.scenario, stages(self.layout.scenario)
        steps = [-2, -1, 1, 2] if len(at) == 1 else [-1, 1]
        return [
            (
                list(scenario.sources).index(name),
                np.append(stride(at[name]) * np.array(steps), [-np.inf] * has_fixed_cost(at[name])),
            )
            for name in asking_order(scenario)
        ]

    @cached_property
    def _unseen(self) -> npt.NDArray[np.bool_]:
        """Cells that the view does not show; the future does not depend on them, see `why_not`."""
        shown = np.zeros(self.layout.cells, dtype=np.bool_)
        shown[ViewLayout(self.layout).columns] = True
        return ~shown

    @cached_property
    def _telling(self) -> npt.NDArray[np.intp]:
        """Cells that the future and the rule depend on."""
        read = self._rule.cells[self._rule.cells >= self.layout.key_cells]
        return np.concatenate([np.arange(self.layout.key_cells), np.unique(read)]).astype(np.intp)

    @cached_property
    def _of_row(self) -> npt.NDArray[np.intp]:
        """In a crowd: the number of the policy that each row of the batch follows."""
        table = np.column_stack(list(self.values.values()))
        return np.unique(table, axis=0, return_inverse=True)[1].ravel()

    @cached_property
    def _alone(self) -> list[LookAhead]:
        """The different policies of a crowd."""
        firsts = [int(np.argmax(self._of_row == k)) for k in range(self._of_row.max() + 1)]
        return [
            replace(self, values={name: row[k : k + 1] for name, row in self.values.items()})
            for k in firsts
        ]


def even_draws(shape: tuple[int, int, int]) -> Array:
    """Return uniforms, (channels, paths, periods); in each period one in each of `paths` intervals.

    >>> np.sort(even_draws((1, 4, 2))[0] * 4, axis=0).astype(int).tolist()
    [[0, 0], [1, 1], [2, 2], [3, 3]]
    """
    rng = np.random.default_rng(SEED)
    places = rng.permuted(np.broadcast_to(np.arange(shape[1])[:, np.newaxis], shape), axis=1)
    return np.asarray((places + rng.random(shape)) / shape[1])


def stride(stage: Stage) -> float:
    """Return one step of change, in units: half a standard deviation of demand, in whole lots."""
    return stage.lot * max(1, round(deviation_of(stage.demand) / 2 / stage.lot))


def has_fixed_cost(stage: Stage) -> bool:
    """Return whether an order has a cost that does not depend on its size."""
    source = stage.scenario.sources[stage.source]
    return bool(source.shipment_cost or source.setup_cost or source.carrier)


def usual_base(scenario: Scenario) -> Classic:
    """Return the simple policy that suits a plant; the tuner finds its parameters."""
    bought = [stages(scenario)[name] for name in outside_suppliers(scenario)]
    if any(isinstance(demand.quantity, Regimes) for demand in scenario.demands.values()):
        suited = REGIME_BASE_STOCK
    elif any(map(has_fixed_cost, bought)):
        suited = MIN_MAX
    else:
        suited = DUAL_INDEX
    return BASE_STOCK if suited.why_not(scenario) else suited


def periods_ahead(scenario: Scenario) -> int:
    """Return how many periods to simulate: the longest way to a customer, and some to settle."""
    at = stages(scenario)
    cycle = max((stage.order_lasts for stage in at.values() if has_fixed_cost(stage)), default=0.0)
    rest = REST if len(at) > 1 else REST_OF_ONE
    return min(math.ceil(longest_way(scenario) + rest + CYCLES * cycle), LONGEST)


def longest_way(scenario: Scenario) -> float:
    """Return the mean time of parts from a supplier to a customer, on the longest way."""
    ways = (stage.route for stage in stages(scenario).values())
    return max(math.fsum(map(scenario.mean_lead_time, way)) for way in ways)


def paths_for(scenario: Scenario) -> int:
    """Return how many paths each decision has time for; 0 if there is no time for enough paths."""
    count = len(scenario.sources)
    if count == 1:
        return PATHS_OF_ONE
    at = stages(scenario)
    candidates = 1 + math.fsum(2 + has_fixed_cost(stage) for stage in at.values())
    work = candidates * periods_ahead(scenario) * count * scenario.horizon.periods
    if FEWEST_PATHS * work > 2 * WORK:
        return 0
    paths = 1 << int(math.log2(max(WORK / work, 1.0)))
    return min(max(paths, FEWEST_PATHS), MOST_PATHS)


def _rule_of(base: Classic, layout: Layout, values: Values) -> Rule:
    rule = base.build(base.name, layout, values).rule
    assert rule is not None
    return rule


def on(name: str, base_of: Callable[[Scenario], Classic]) -> Classic:
    """Return the policy that looks ahead with this base."""

    def why_not(scenario: Scenario) -> str:
        base = base_of(scenario)
        if reason := base.why_not(scenario):
            return f"{base.name}, its base, does not apply: {reason}"
        values = {p.name: p.textbook for p in base.parameters(scenario)}
        if base.build(base.name, lay_out(scenario), values).rule is None:
            return f"{base.name}, its base, is not a compiled rule (kanban, for example, is)"
        if reason := hidden(scenario):
            return reason
        if (longest := longest_way(scenario)) > LONGEST - REST:
            return f"parts take {longest:g} periods to the customer; it looks {LONGEST} ahead"
        if not paths_for(scenario):
            return "the plant is too large; its decisions would take hours of simulation"
        return ""

    def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
        return (*base_of(scenario).parameters(scenario), *own_parameters(scenario))

    def build(label: str, layout: Layout, values: Values) -> Policy:
        return LookAhead(label, layout, rows(values), base=base_of(layout.scenario))

    return Classic(name, why_not, parameters, build, base=base_of)


def hidden(scenario: Scenario) -> str:
    """Return what the view hides although the future depends on it, or nothing."""
    for name, demand in scenario.demands.items():
        if isinstance(demand.quantity, Regimes) and not demand.quantity.seen:
            return f"the regime of {name} is hidden; it can only simulate what the view shows"
        if isinstance(demand.forecast, Revealed):
            return f"the view shows revealed demand of {name} as a forecast only, not by period"
    return ""


def own_parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return paths, periods and caution, which a tuner does not change."""
    several = len(scenario.sources) > 1

    def fixed(name: str, unit: str, value: float, least: float, step: float = 1.0) -> Parameter:
        return parameter(name, unit, value, step=step, low=value, least=least, whole=step == 1.0)

    return (
        fixed("paths", "paths", max(paths_for(scenario), 1), 1.0),
        fixed("periods", "periods", periods_ahead(scenario), 1.0),
        fixed("caution", "standard errors", CAUTION if several else 0.0, 0.0, 0.5),
    )


LOOK_AHEAD = on("look-ahead", usual_base)
