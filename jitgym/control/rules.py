"""Pull rules as data: one family, which runs inside the compiled loop together with the plant.

For every source, from the customer upstream; the sources of one item from short to long lead time:

    gap   = min(K - p - B, S - E.v)                cards and level; an absent limit does not bind
    order = floor(min(gap, cap) / batch) x batch   if gap >= trigger, else 0

K is the number of cards (in units), p the units on order at the item's sources, and B the parts
still under a card: the stock less the free cards of the item's consumers. S is a level, and E.v a
weighted sum of the view's cells (the inventory position of `positions`, or any linear rule) and of
the earlier orders of this period. If another source of the item is asked later, or shares its
storage, no order exceeds what can be granted, and the other source gets the rest. A source with
neither cards nor level pushes: it asks for all that its materials allow. If several sources share a
work center, the higher priority runs first. Gates may then hold orders back (`gates`).

Kanban, CONWIP, base-stock, hybrid and extended kanban, (s,S), (r,nQ), capped and linear-capped
rules and single index are rows of numbers here (Buzacott and Shanthikumar 1993; Liberopoulos and
Dallery 2000 for the lines); heijunka and can-order have gates too. Quantities are in units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout
from jitgym.plant.jit import kernel
from jitgym.plant.records import NONE, PLACE, UNLIMITED, Matrix, Plant, Records, Row
from jitgym.plant.release import room_for
from jitgym.plant.stock import on_hand
from jitgym.plant.whole import at_least, whole, whole_lots, whole_units
from jitgym.scenario import Scenario

from .gates import GATE, hold_back
from .positions import Cells, echelons, on_order, returning

Array = npt.NDArray[np.float64]

# The columns of a rule's numbers.
CARDS, LEVEL, CAP, BATCH, TRIGGER, PRIORITY = range(6)

ASK = np.dtype(
    [
        ("source", PLACE),
        ("weights", "i4"),
        ("weights_end", "i4"),
        ("on_order", "i4"),  # first and last weight of the units on order under its cards
        ("on_order_end", "i4"),
        (
            "has_rivals",
            "i4",
        ),  # 1 if another source of the item is asked later or shares its storage
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
    gates: npt.NDArray[Any]  # GATE in the order in which they act, (gates,)
    thresholds: Array  # MUST, CAN, LOAD of each gate in units, (population, gates, 3)

    def stack(self, others: Sequence[Rule]) -> Rule:
        """Return one population of this rule and of others with the same structure."""
        rules = (self, *others)
        return self._replace(
            weights=np.concatenate([rule.weights for rule in rules]),
            numbers=np.concatenate([rule.numbers for rule in rules]),
            thresholds=np.concatenate([rule.thresholds for rule in rules]),
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
    gates: Records,
    thresholds: Matrix,
    state: Row,
    asked: Row,
) -> None:
    """Write the orders of one rule in this state to `asked`, (asked cells,), in units."""
    for k in range(asks.size):
        asked[asks[k].source] = asked[plant.sources.size + asks[k].source] = 0.0
    for k in range(asks.size):
        ask = asks[k]
        gap = UNLIMITED
        if not ask.lacks_cards and numbers[k, CARDS] < UNLIMITED:
            held = parts_under_cards(plant, ask.source, state, asked)
            held += weighed(ask.on_order, ask.on_order_end, cells, weights, state, asked)
            gap = numbers[k, CARDS] - held
        if not ask.lacks_levels and numbers[k, LEVEL] < UNLIMITED:
            position = weighed(ask.weights, ask.weights_end, cells, weights, state, asked)
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
            if ask.has_rivals:
                asked[ask.source] = most_granted(plant, ask.source, state, asked)
            asked[plant.sources.size + ask.source] = numbers[k, PRIORITY]
    hold_back(gates, thresholds, state, asked)


@kernel
def weighed(
    first: int,
    last: int,
    cells: npt.NDArray[np.int32],
    weights: Row,
    state: Row,
    asked: Row,
) -> float:
    """Return a weighted sum of state cells and of quantities asked in this period."""
    total = 0.0
    for w in range(first, last):
        cell = cells[w]
        total += weights[w] * (state[cell] if cell >= 0 else asked[-1 - cell])
    return total


@kernel
def parts_under_cards(plant: Plant, s: int, state: Row, asked: Row) -> float:
    """Return the units in stock of the item of source s that are under a card.

    A card is freed when the next stage has a card for the part, not when its machine starts.
    """
    item = plant.items[plant.sources[s].item]
    held = on_hand(state, item)
    for k in range(item.users, item.users_end):
        user = plant.users[k]
        held -= user.quantity * asked[user.source]
    return max(held, 0.0)


@kernel
def most_granted(plant: Plant, s: int, state: Row, asked: Row) -> float:
    """Return the units asked from source s that can be granted, as far as the state shows.

    This respects its maximum order, its materials, its minimum order, and the room in the storage
    that the quantities asked from the other sources of its item leave. It is 0 while the source or
    its work center is down.
    """
    source = plant.sources[s]
    if source.up != NONE and state[source.up] == 0.0:
        return 0.0
    if source.center != NONE:
        center = plant.centers[source.center]
        if center.up != NONE and state[center.up] == 0.0:
            return 0.0
    most = min(asked[s], enough_material_for(plant, s, state))
    item = plant.items[source.item]
    if item.storage < UNLIMITED:
        room = room_for(plant, state, source.item)
        for k in range(item.sources, item.sources_end):
            if plant.makers[k] != s:
                room -= asked[plant.makers[k]]
        most = min(most, max(room, 0.0))
    most = whole_lots(source, most)
    return most if at_least(most, source.minimum) else 0.0


@kernel
def enough_material_for(plant: Plant, s: int, state: Row) -> float:
    """Return the units that source s could make from the materials in stock."""
    source = plant.sources[s]
    units = min(source.maximum, PUSHED)
    for k in range(source.materials, source.materials_end):
        material = plant.materials[k]
        units = min(units, on_hand(state, plant.items[material.item]) / material.quantity)
    return units


def asking_order(scenario: Scenario) -> list[str]:
    """Return the sources from the customer upstream; those of one item by increasing lead time."""
    return list(scenario.asking_order)


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
        The largest order; the quantity of which orders are multiples (default: the lot size of the
        source); the smallest gap that leads to an order.
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
    of_item = echelons(layout, net)
    positions = [
        seen_by(layout, source, of_item[scenario.sources[source].makes]) for source in order
    ]
    return linear_rule(layout, order, positions, [numbers[source] for source in order])


def seen_by(layout: Layout, source: str, position: Mapping[int, float]) -> Cells:
    """Return the position of an item for one of its sources, at the moment when it is asked.

    It includes the quantities asked from earlier sources. Rework does not see the by-products that
    it consumes. It does not raise the position for other sources, which has them already.
    """
    scenario = layout.scenario
    place = layout.place_of_source
    counted = scenario.reworked
    row = dict(position)
    if source in counted:
        for cell in returning(layout, scenario.sources[source].makes):
            row.pop(cell, None)
    for other in scenario.asked_before[source]:
        if source in counted or other not in counted:
            row[-1 - place[other]] = 1.0
    return row


def linear_rule(
    layout: Layout,
    order: Sequence[str],
    positions: Sequence[dict[int, float]],
    numbers: Sequence[tuple[float, ...]],
) -> Rule:
    """Return a rule from its rows: for each source in `order`, {cell: weight} and its numbers.

    The last number (the priority) may be left out and is then 0.
    """
    scenario = layout.scenario
    place = {name: k for k, name in enumerate(scenario.sources)}
    made = [scenario.sources[source].makes for source in order]
    under = [
        seen_by(layout, source, on_order(layout, item))
        for source, item in zip(order, made, strict=True)
    ]
    rows = [*positions, *under]
    ends = np.cumsum([0, *map(len, rows)])
    asks = np.zeros(len(order), dtype=ASK)
    asks["source"] = [place[name] for name in order]
    asks["weights"], asks["weights_end"] = ends[: len(order)], ends[1 : len(order) + 1]
    asks["on_order"], asks["on_order_end"] = ends[len(order) : -1], ends[len(order) + 1 :]
    last = {item: k for k, item in enumerate(made)}
    asks["has_rivals"] = [
        k < last[item] or scenario.shares_storage(order[k]) for k, item in enumerate(made)
    ]
    return Rule(
        asks,
        np.array([cell for row in rows for cell in row], dtype=np.int32),
        np.array([[w for row in rows for w in row.values()]], dtype=np.float64),
        np.array([[(*row, 0.0)[:6] for row in numbers]], dtype=np.float64),
        np.zeros(0, dtype=GATE),
        np.zeros((1, 0, 3)),
    )


def with_setup_gate(layout: Layout, rule: Rule, runs: Mapping[str, float]) -> Rule:
    """Return a rule that asks for less than a run only from sources that are set up.

    Parameters
    ----------
    layout, rule
        The plant, and a population of one.
    runs
        The least order that is worth a setup, in units, of sources at work centers with setups.
    """
    center = {name: layout.scenario.sources[name].at for name in runs}
    cells = {part.name: part.start for part in layout.state}
    rows = [(layout.place_of_source[name], cells[f"{center[name]}.setup"], 0) for name in runs]
    return _gated(rule, rows, [(run, UNLIMITED, UNLIMITED) for run in runs.values()])


def with_joint_gate(
    layout: Layout,
    rule: Rule,
    must: Mapping[str, float],
    can: Mapping[str, float],
    load: float = UNLIMITED,
) -> Rule:
    """Return a rule whose orders from some sources, those of one carrier, wait for each other.

    Parameters
    ----------
    layout, rule
        The plant, and a population of one.
    must, can
        The order of each source for which the carrier goes, and the least order that it takes
        along, in units; both have the same sources.
    load
        The least total of the orders that can go for which the carrier also goes, in units.
    """
    end = len(rule.gates) + len(must)
    rows = [(layout.place_of_source[name], NONE, 0 if k else end) for k, name in enumerate(must)]
    return _gated(rule, rows, [(must[name], can[name], load) for name in must])


def _gated(
    rule: Rule, rows: list[tuple[int, int, int]], thresholds: list[tuple[float, float, float]]
) -> Rule:
    return rule._replace(
        gates=np.concatenate([rule.gates, np.array(rows, dtype=GATE)]),
        thresholds=np.concatenate([rule.thresholds, np.array([thresholds])], axis=1),
    )


def echelon_matrix(scenario: Scenario) -> Array:
    """Return M with echelon levels = M @ local levels, (sources, sources), in scenario order.

    The echelon level of a source is its own local level plus those of all items downstream,
    weighted by the bill of materials. If one of these items has two sources, the level of the
    source that is asked last counts.
    """
    names, order = list(scenario.sources), asking_order(scenario)
    matrix = np.zeros((len(names), len(names)))
    below: dict[str, Array] = {}
    for item in reversed(scenario.items_upstream_first):
        consumers = scenario.goes_into(item).items()
        rest = sum((quantity * below[name] for name, quantity in consumers), np.zeros(len(names)))
        below[item] = rest
        for source in [name for name in order if scenario.sources[name].makes == item]:
            own = rest.copy()
            own[names.index(source)] += 1.0
            matrix[names.index(source)] = below[item] = own
    return matrix
