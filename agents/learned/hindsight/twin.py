"""The plant with tiny lots is its own twin: its cost on a tape has a slope in every quantity.

    J_t(state, correction) = cost of period t + discount x J_(t+1)(next state)

The world is drawn first and does not depend on what is decided, so that the cost of a window is a
function of the corrections. Backward in time, the slope of J_t in every quantity of the state, and
in every correction, is measured by running the compiled period once more, on the same row of the
tape, with that quantity moved by `STEP` units. Lots of 2^-20 units make flows real; all other rules
of the plant (limits, shared materials, storage, capacity) stay as they are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jitgym.control import Rule
from jitgym.control.rules import BATCH, CARDS, LEVEL, TRIGGER, ask_by_rule
from jitgym.plant import SPLITS, Layout
from jitgym.plant.draws import read_tape
from jitgym.plant.dynamics import step
from jitgym.plant.jit import compiled, kernel, separate
from jitgym.plant.records import UNLIMITED, Matrix, Plant, Row

from ...branches.compiled import cost_of
from ...branches.rows import Keys, Places

LOT = 2.0**-20  # units
STEP = 0.01  # units by which a quantity is moved for a slope
MOST = 40  # quantities of a state; each one costs a run of the period
QUANTITIES = ("stock", "in_process", "backlog", "waiting")
"""The parts of a state that are quantities; all others are drawn, or count time."""


def with_tiny_lots(plant: Plant) -> Plant:
    """Return the same plant with lots so small that all flows are real."""
    sources = plant.sources.copy()
    share = LOT / sources["lot"]
    sources["lot"] = LOT
    sources["per_lot"] = 1.0 / LOT
    sources["lot_time"] *= share
    sources["per_lot_time"] /= share
    return plant._replace(sources=sources)


def without_batches(rule: Rule) -> Rule:
    """Return the same rule, which orders in tiny lots where it orders in lots."""
    numbers, asks = rule.numbers.copy(), rule.asks.copy()
    numbers[:, :, BATCH] = LOT
    asks["lacks_batches"] = 0
    return rule._replace(numbers=numbers, asks=asks)


def quantities(layout: Layout) -> Places:
    """Return the cells of a state that are quantities and shape the future, (quantities,)."""
    found = [
        cell
        for part in layout.state
        if part.name.rpartition(".")[2] in QUANTITIES
        for cell in range(part.start, part.stop)
        if cell < layout.key_cells
    ]
    return np.array(found, dtype=np.int64)


def why_not(layout: Layout, rule: Rule | None) -> str:
    """Return why the slopes of a plant under a rule say little or take too long, or nothing."""
    if rule is None:
        return "its start is not a pull rule"
    if rule.gates.size:
        return "its start holds orders back until they are large (gates)"
    for name, source in layout.scenario.sources.items():
        for has_it, what in (
            (source.quality is not None, "has defects, which are whole units"),
            (source.partial is not None, "ships in part, in whole units"),
            (source.setup_time or source.setup_cost, "has setups"),
            (source.shipment_cost or source.carrier, "has a cost per shipment"),
            (source.minimum_order, "has a minimum order"),
        ):
            if has_it:
                return f"source {name} {what}"
    names = list(layout.scenario.sources)
    for ask, numbers in zip(rule.asks, rule.numbers[0], strict=True):
        name = names[ask["source"]]
        source = layout.scenario.sources[name]
        if max(numbers[BATCH], numbers[TRIGGER]) > source.lot_size:
            return f"its start orders in batches from source {name}"
        if layout.scenario.mean_requirement(source.makes) < source.lot_size:
            return f"source {name} makes less than a lot per period, so that whole lots matter"
    count = quantities(layout).size
    if count > MOST:
        return f"its state has {count} quantities, more than {MOST}"
    return ""


@separate
def ask_moved(
    plant: Plant, rule: Rule, numbers: Matrix, units: Row, state: Row, asked: Row
) -> None:
    """Write what a rule asks for when its levels and cards are moved by `units`, (sources,)."""
    for k in range(numbers.shape[0]):
        for column in range(numbers.shape[1]):
            numbers[k, column] = rule.numbers[0, k, column]
        moved = units[rule.asks[k].source]
        for column in (CARDS, LEVEL):
            if numbers[k, column] < UNLIMITED:
                numbers[k, column] += moved
    ask_by_rule(
        plant, rule.asks, rule.cells, rule.weights[0], numbers, rule.gates,
        rule.thresholds[0], state, asked,
    )  # fmt: skip


@kernel
def to_go(
    plant: Plant,
    rule: Rule,
    numbers: Matrix,
    units: Row,
    state: Row,
    asked: Row,
    tape: Row,
    flows: Row,
    later: Row,
) -> float:
    """Return J of a state; the state becomes the next one.

    `later` is the slope of J_(t+1) in the next state, times the discount factor, (cells,).
    """
    ask_moved(plant, rule, numbers, units, state, asked)
    step(plant, state, asked, tape, flows)
    total = cost_of(plant, flows)
    for c in range(later.size):
        total += later[c] * state[c]
    return total


@compiled
def run_forward(
    plant: Plant,
    rule: Rule,
    split: int,
    keys: Keys,
    periods: Places,
    units: Matrix,
    numbers: Matrix,
    asked: Row,
    tape: Row,
    flows: Row,
    state: Matrix,
    cost: Row,
) -> None:
    """Run a period of every row with these corrections in units, (rows, sources)."""
    for e in range(state.shape[0]):
        read_tape(plant, keys[e], split, periods[e], tape)
        ask_moved(plant, rule, numbers, units[e], state[e], asked)
        step(plant, state[e], asked, tape, flows)
        cost[e] = cost_of(plant, flows)


@compiled
def slopes_in_corrections(
    plant: Plant,
    rule: Rule,
    split: int,
    keys: Keys,
    periods: Places,
    units: Matrix,
    numbers: Matrix,
    asked: Row,
    tape: Row,
    flows: Row,
    work: Row,
    state: Matrix,
    later: Matrix,
    by: float,
    base: Row,
    slopes: Matrix,
) -> None:
    """Write J of every row to `base`, (rows,), and its slopes, (rows, sources)."""
    for e in range(state.shape[0]):
        read_tape(plant, keys[e], split, periods[e], tape)
        for s in range(-1, units.shape[1]):  # -1: nothing is moved
            for c in range(work.size):
                work[c] = state[e, c]
            if s >= 0:
                units[e, s] += by
            total = to_go(plant, rule, numbers, units[e], work, asked, tape, flows, later[e])
            if s < 0:
                base[e] = total
            else:
                units[e, s] -= by
                slopes[e, s] = (total - base[e]) / by


@compiled
def slopes_in_states(
    plant: Plant,
    rule: Rule,
    split: int,
    keys: Keys,
    periods: Places,
    cells: Places,
    units: Matrix,
    none: Row,
    numbers: Matrix,
    asked: Row,
    asked_at: Row,
    tape: Row,
    flows: Row,
    work: Row,
    state: Matrix,
    later: Matrix,
    by: float,
    base: Row,
    in_asks: Matrix,
    slopes: Matrix,
) -> None:
    """Write the slopes of J in the quantities of every row, (rows, cells of a state).

    `in_asks` are slopes of J in what the rule asks for without corrections, through what reads it.
    """
    for e in range(state.shape[0]):
        read_tape(plant, keys[e], split, periods[e], tape)
        ask_moved(plant, rule, numbers, none, state[e], asked_at)
        for k in range(cells.size):
            place = cells[k]
            for c in range(work.size):
                work[c] = state[e, c]
            work[place] += by
            total = 0.0
            ask_moved(plant, rule, numbers, none, work, asked)
            for s in range(in_asks.shape[1]):
                total += in_asks[e, s] * (asked[s] - asked_at[s])
            total += to_go(plant, rule, numbers, units[e], work, asked, tape, flows, later[e])
            slopes[e, place] = (total - base[e]) / by


class Twin:
    """A plant with tiny lots and a rule, with working rows for the functions above."""

    def __init__(self, layout: Layout, plant: Plant, rule: Rule, split: str) -> None:
        self.split = SPLITS.index(split)
        self.layout, self.plant, self.rule = layout, with_tiny_lots(plant), without_batches(rule)
        self.cells = quantities(layout)
        width = int(layout.plant.initial.size)
        self.sources = len(layout.scenario.sources)
        self._numbers = np.empty(rule.numbers.shape[1:])
        self._asked, self._asked_at = np.zeros((2, layout.asked_cells))
        self._tape = np.zeros(layout.plant.channels.size)
        self._flows, self._work = np.zeros(layout.flow_cells), np.empty(width)
        self._none = np.zeros(self.sources)

    def forward(self, keys: Keys, periods: Places, units: Matrix, state: Matrix, cost: Row) -> None:
        """Run a period of every row; `state` becomes the next one."""
        run_forward(
            self.plant, self.rule, self.split, keys, periods, units, self._numbers, self._asked,
            self._tape, self._flows, state, cost,
        )  # fmt: skip

    def in_corrections(
        self, keys: Keys, periods: Places, units: Matrix, state: Matrix, later: Matrix
    ) -> tuple[Row, Matrix]:
        """Return J of every row, and its slopes in the corrections, (rows, sources)."""
        base, slopes = np.empty(len(state)), np.empty(units.shape)
        slopes_in_corrections(
            self.plant, self.rule, self.split, keys, periods, units, self._numbers, self._asked,
            self._tape, self._flows, self._work, state, later, STEP, base, slopes,
        )  # fmt: skip
        return base, slopes

    def in_states(
        self,
        keys: Keys,
        periods: Places,
        units: Matrix,
        state: Matrix,
        later: Matrix,
        base: Row,
        in_asks: npt.NDArray[np.float64],
    ) -> Matrix:
        """Return the slopes of J in the state, (rows, cells); 0 in cells that are no quantity."""
        slopes = np.zeros(state.shape)
        slopes_in_states(
            self.plant, self.rule, self.split, keys, periods, self.cells, units, self._none,
            self._numbers, self._asked, self._asked_at, self._tape, self._flows, self._work, state,
            later, STEP, base, in_asks, slopes,
        )  # fmt: skip
        return slopes
