"""Pull rules as data: one family, which runs inside the compiled loop together with the plant.

For every source, from the customer upward; the sources of one item from short to long lead time:

    gap = min(K - p - B, S - E.v)         cards and level; an absent limit does not bind
    ask = floor(min(gap, cap) / batch) x batch   where gap >= trigger, else 0

K is the number of cards (in units), p the units in process at the item's sources, and B the parts
still under a card: the stock less the free cards of the item's consumers. S is a level, and E.v a
weighted sum of the view's cells (the inventory position, or any linear rule) and of the quantities
asked earlier in this period. A source with neither cards nor level pushes: it asks for all that its
materials allow. If several sources share a work center, the higher priority runs first.

Kanban, CONWIP, base-stock, hybrid and extended kanban, (s,S), (r,nQ), capped and linear-capped
rules and single index are rows of numbers here (Buzacott and Shanthikumar 1993; Liberopoulos and
Dallery 2000 for the lines). Quantities are in units.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout
from jitgym.plant.jit import kernel
from jitgym.plant.records import PLACE, UNLIMITED, Matrix, Plant, Records, Row
from jitgym.plant.whole import at_least, whole, whole_units
from jitgym.scenario import Scenario

Array = npt.NDArray[np.float64]

# The columns of a rule's numbers.
CARDS, LEVEL, CAP, BATCH, TRIGGER, PRIORITY = range(6)

ASK = np.dtype(
    [
        ("source", PLACE),
        ("weights", "i4"),
        ("weights_end", "i4"),
        # 1 if no rule of the population has such a number, so that it can be skipped.
        ("lacks_cards", "i4"),
        ("lacks_levels", "i4"),
        ("lacks_caps", "i4"),
        ("lacks_batches", "i4"),
    ],
    align=True,
)

PUSHED = 2.0**53
"""Units asked for if nothing limits them: beyond this, floats cannot count single units."""


class Rule(NamedTuple):
    """A population of pull rules of one structure; a policy's own rule is a population of one."""

    asks: npt.NDArray[Any]  # ASK in the order of asking, (asks,)
    # The cell of each weight: a state cell, or -1 - s for the quantity asked from source s.
    cells: npt.NDArray[np.int32]
    weights: Array  # E, (population, weights)
    numbers: Array  # CARDS, LEVEL, CAP, BATCH, TRIGGER, PRIORITY of each ask, (population, asks, 6)

    def stack(self, others: Sequence[Rule]) -> Rule:
        """Return one population of this rule and of others with the same structure."""
        rules = (self, *others)
        return self._replace(
            weights=np.concatenate([rule.weights for rule in rules]),
            numbers=np.concatenate([rule.numbers for rule in rules]),
        )


def lean(rule: Rule) -> Rule:
    """Return the same population, with a mark in `asks` for numbers that none of its rules has."""
    asks = rule.asks.copy()
    columns = (("lacks_cards", CARDS), ("lacks_levels", LEVEL), ("lacks_caps", CAP))
    for name, column in columns:
        asks[name] = (rule.numbers[:, :, column] >= UNLIMITED).all(axis=0)
    asks["lacks_batches"] = (rule.numbers[:, :, BATCH] == 1.0).all(axis=0)
    return rule._replace(asks=asks)


@kernel
def ask_by_rule(
    plant: Plant,
    asks: Records,
    cells: npt.NDArray[np.int32],
    weights: Row,
    numbers: Matrix,
    state: Row,
    asked: Row,
) -> None:
    """Write what one rule asks for in this state to `asked`, (asked cells,), in units."""
    for k in range(asks.size):
        asked[asks[k].source] = asked[plant.sources.size + asks[k].source] = 0.0
    for k in range(asks.size):
        ask = asks[k]
        gap = UNLIMITED
        if not ask.lacks_cards and numbers[k, CARDS] < UNLIMITED:
            gap = numbers[k, CARDS] - under_cards(plant, ask.source, state, asked)
        if not ask.lacks_levels and numbers[k, LEVEL] < UNLIMITED:
            position = 0.0
            for w in range(ask.weights, ask.weights_end):
                cell = cells[w]
                position += weights[w] * (state[cell] if cell >= 0 else asked[-1 - cell])
            gap = min(gap, numbers[k, LEVEL] - position)
        if gap == UNLIMITED:
            gap = enough_material_for(plant, ask.source, state)
        if gap > 0.0 and at_least(gap, numbers[k, TRIGGER]):
            wanted = gap if ask.lacks_caps else min(gap, numbers[k, CAP])
            batch = numbers[k, BATCH]
            if ask.lacks_batches or batch == 1.0:  # a division would cost more than all the rest
                asked[ask.source] = whole_units(wanted)
            else:
                asked[ask.source] = whole(wanted / batch) * batch
            asked[plant.sources.size + ask.source] = numbers[k, PRIORITY]


@kernel
def under_cards(plant: Plant, s: int, state: Row, asked: Row) -> float:
    """Return the units of the item of source s that are in process, asked, or under a card.

    A card is freed when the next stage has a card for the part, not when its machine starts.
    """
    item = plant.items[plant.sources[s].item]
    held = 0.0
    for a in range(item.ages):
        held += state[item.stock + a]
    for k in range(item.users, item.users_end):
        user = plant.users[k]
        held -= user.quantity * asked[user.source]
    held = max(held, 0.0)
    for k in range(item.sources, item.sources_end):
        source = plant.sources[plant.makers[k]]
        held += asked[plant.makers[k]]
        for a in range(source.ages):
            held += state[source.pipeline + a]
    return held


@kernel
def enough_material_for(plant: Plant, s: int, state: Row) -> float:
    """Return the units that source s could make from the materials in stock."""
    source = plant.sources[s]
    units = min(source.maximum, PUSHED)
    for k in range(source.materials, source.materials_end):
        material = plant.materials[k]
        item = plant.items[material.item]
        stock = 0.0
        for a in range(item.ages):
            stock += state[item.stock + a]
        units = min(units, stock / material.quantity)
    return units


def asking_order(scenario: Scenario) -> list[str]:
    """Return the sources from the customer upward; those of one item by increasing lead time."""
    return [
        source
        for item in reversed(scenario.items_upstream_first)
        for source in sorted(scenario.sources_of(item), key=scenario.mean_lead_time)
    ]


def pull_rule(
    layout: Layout,
    *,
    cards: dict[str, float] | None = None,
    levels: dict[str, float] | None = None,
    net: bool = True,
    caps: dict[str, float] | None = None,
    batches: dict[str, float] | None = None,
    triggers: dict[str, float] | None = None,
    priorities: dict[str, float] | None = None,
) -> Rule:
    """Return the rule with these numbers per source, in units.

    Parameters
    ----------
    cards
        Kanban cards K; a source that is not named has no card limit.
    levels
        Echelon base-stock levels S; a source that is not named has no level.
    net
        Whether the inventory position is net of backorders (base-stock) or gross (CONWIP).
    caps, batches, triggers
        Largest quantity to ask for; its multiples (default: the source's lot size); smallest gap
        that leads to an order.
    priorities
        At a work center the higher priority runs first; default 0.
    """
    scenario = layout.scenario
    numbers = {
        source: (
            (cards or {}).get(source, UNLIMITED),
            (levels or {}).get(source, UNLIMITED),
            (caps or {}).get(source, UNLIMITED),
            (batches or {}).get(source, float(scenario.sources[source].lot_size)),
            (triggers or {}).get(source, 0.0),
            (priorities or {}).get(source, 0.0),
        )
        for source in scenario.sources
    }
    order = asking_order(scenario)
    positions = _inventory_positions(layout, order, net)
    return linear_rule(layout, order, positions, [numbers[source] for source in order])


def linear_rule(
    layout: Layout,
    order: Sequence[str],
    positions: Sequence[dict[int, float]],
    numbers: Sequence[tuple[float, ...]],
) -> Rule:
    """Return a rule from its rows: for each source in `order`, {cell: weight} and its numbers.

    The last number (the priority) may be left out and is then 0.
    """
    place = {name: k for k, name in enumerate(layout.scenario.sources)}
    ends = np.cumsum([0, *(len(position) for position in positions)])
    asks = np.zeros(len(order), dtype=ASK)
    asks["source"] = [place[name] for name in order]
    asks["weights"], asks["weights_end"] = ends[:-1], ends[1:]
    return Rule(
        asks,
        np.array([cell for position in positions for cell in position], dtype=np.int32),
        np.array([[w for position in positions for w in position.values()]], dtype=np.float64),
        np.array([[(*row, 0.0)[:6] for row in numbers]], dtype=np.float64),
    )


def _inventory_positions(layout: Layout, order: Sequence[str], net: bool) -> list[dict[int, float]]:
    scenario = layout.scenario
    of_items = echelons(layout, net)
    place = {name: k for k, name in enumerate(scenario.sources)}
    asked: dict[str, dict[int, float]] = {}  # item -> the sources asked for it so far
    positions = []
    for source in order:  # each ask raises the position for the next source
        item = scenario.sources[source].makes
        before = asked.setdefault(item, {})
        positions.append(of_items[item] | before)
        before[-1 - place[source]] = 1.0
    return positions


def echelon(layout: Layout, item: str, net: bool = True) -> dict[int, float]:
    """Return the echelon of an item as {state cell: units of the item per unit of the cell}.

    It is everything in stock and in process at the item and below, down to the customer, summed
    over consuming branches and weighted by the bill of materials, less the backorders if `net`.
    """
    below, waiting = {item}, [item]
    while waiting:
        further = layout.scenario.goes_into(waiting.pop()).keys() - below
        below |= further
        waiting += further
    return echelons(layout, net, below)[item]


def echelons(
    layout: Layout, net: bool = True, of: Collection[str] | None = None
) -> dict[str, dict[int, float]]:
    """Return the echelon of every item, or of those in `of` and all below them; see `echelon`."""
    scenario = layout.scenario
    cells = {part.name: part for part in layout.state}
    backlogs: dict[str, list[int]] = {}
    for name, demand in scenario.demands.items():
        if f"{name}.backlog" in cells:
            backlogs.setdefault(demand.item, []).append(cells[f"{name}.backlog"].start)
    rows: dict[str, dict[int, float]] = {}
    for item in reversed(scenario.items_upstream_first):
        if of is not None and item not in of:
            continue
        row = rows[item] = {}
        parts = [cells[f"{item}.stock"]]
        parts += [cells[f"{source}.in_process"] for source in scenario.sources_of(item)]
        for part in parts:
            row.update(dict.fromkeys(range(part.start, part.stop), 1.0))
        if net:
            row.update(dict.fromkeys(backlogs.get(item, ()), -1.0))
        # Two sources may make one item from this one; the units below are counted once.
        for consumer, quantity in scenario.goes_into(item).items():
            for cell, units in rows[consumer].items():
                row[cell] = row.get(cell, 0.0) + quantity * units
    return rows


def echelon_matrix(scenario: Scenario) -> Array:
    """Return M with echelon levels = M @ local levels, (sources, sources), in scenario order.

    The echelon level of a source is its own local level plus those of all items below, weighted by
    the bill of materials. If an item below has two sources, the level of the one asked last counts.
    """
    names = list(scenario.sources)
    place = {name: k for k, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)))
    below: dict[str, Array] = {}
    for item in reversed(scenario.items_upstream_first):
        consumers = scenario.goes_into(item).items()
        rest = sum((quantity * below[name] for name, quantity in consumers), np.zeros(len(names)))
        below[item] = rest
        for source in sorted(scenario.sources_of(item), key=scenario.mean_lead_time):
            own = rest.copy()
            own[place[source]] += 1.0
            matrix[place[source]] = below[item] = own
    return matrix
