"""The order of events in one period: what happens, and when.

The decision maker has seen the view and asked for a quantity from every source. Then come the seven
stages of `step`, one function each, in the words of the inventory literature. An order with lead
time L is usable L periods after it was placed, before that period's demand, and the decision maker
sees the stock after today's arrivals (Zipkin 2008).

Every function here is pure but for the rows that it is given to write: `state` (cells,), `flows`
(flow cells,). Quantities in units of the item, times in the work center's unit of time.
"""

from __future__ import annotations

from .draws import draw
from .jit import kernel
from .records import NONE, Plant, Record, Row
from .release import release


@kernel
def step(plant: Plant, state: Row, asked: Row, tape: Row, flows: Row) -> None:
    """One period of one plant: (state, asked, tape) -> (state, flows)."""
    flows[:] = 0.0
    release(plant, state, asked, tape, flows)
    start(plant, state, flows)
    serve(plant, state, tape, flows)
    age(plant, state, flows)
    count(plant, state, flows)
    receive(plant, state, tape, flows)
    nature(plant, state, tape, flows)


@kernel
def begin(plant: Plant, state: Row) -> None:
    """Put a plant at the start of an episode."""
    for k in range(state.size):
        state[k] = plant.initial[k]


@kernel
def start(plant: Plant, state: Row, flows: Row) -> None:
    """Materials leave stock; what was granted enters the pipeline, or arrives at lead time 0."""
    for k in range(plant.items.size):
        item = plant.items[k]
        if flows[item.consumed] > 0.0:
            take(state, item, flows[item.consumed])
    for s in range(plant.sources.size):
        source = plant.sources[s]
        granted = flows[source.granted]
        if granted > 0.0:
            flows[source.shipments] = 1.0
            if source.ages == 0:
                put(plant, state, source, granted, flows)
            else:
                state[source.pipeline] = granted
        if source.outside:
            flows[plant.totals[0].ordered] += granted
    ordered = flows[plant.totals[0].ordered]
    flows[plant.totals[0].ordered_squared] = ordered * ordered


@kernel
def serve(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Backorders are served first, then new demand; the rest is backordered or lost."""
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        if demand.backlog != NONE and state[demand.backlog] > 0.0:
            item = plant.items[demand.item]
            served = min(state[demand.backlog], on_hand(state, item))
            take(state, item, served)
            state[demand.backlog] -= served
            flows[demand.served] += served
            flows[item.served] += served
    total = 0.0
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        item = plant.items[demand.item]
        requested = draw(plant, demand.quantity, tape)
        served = min(requested, on_hand(state, item))
        take(state, item, served)
        flows[demand.requested] = requested
        flows[demand.at_once] = served
        flows[demand.served] += served
        flows[item.served] += served
        if demand.backlog != NONE:
            state[demand.backlog] += requested - served
        else:
            flows[demand.lost] = requested - served
        state[demand.last] = requested
        total += requested
    flows[plant.totals[0].demand_squared] = total * total


@kernel
def age(plant: Plant, state: Row, flows: Row) -> None:
    """Stock grows a period older; what is past its shelf life is waste."""
    for k in range(plant.items.size):
        item = plant.items[k]
        if item.perishes:
            flows[item.wasted] = state[item.stock + item.ages - 1]
            for a in range(item.ages - 1, 0, -1):
                state[item.stock + a] = state[item.stock + a - 1]
            state[item.stock] = 0.0


@kernel
def count(plant: Plant, state: Row, flows: Row) -> None:
    """Stock, in process and backlog are counted: the base of costs and of every average."""
    for k in range(plant.items.size):
        flows[plant.items[k].on_hand] = on_hand(state, plant.items[k])
    for s in range(plant.sources.size):
        flows[plant.sources[s].in_process] = in_process(state, plant.sources[s])
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        if demand.backlog != NONE:
            flows[demand.waiting] = state[demand.backlog]


@kernel
def receive(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """The pipeline grows a period older, and what is due arrives."""
    for s in range(plant.sources.size):
        source = plant.sources[s]
        if source.ages == 0:
            continue
        due = 0.0  # without crossover: the age from which every order arrives
        if source.crossover == NONE:
            due = draw(plant, source.lead_time, tape)
        arrived = 0.0
        for k in range(source.ages - 1, -1, -1):
            quantity = state[source.pipeline + k]
            if source.crossover == NONE:
                arrives = k + 1 >= due
            else:
                arrives = tape[source.crossover + k] < plant.hazards[source.hazard + k]
            if arrives:
                arrived += quantity
                quantity = 0.0
            if k + 1 < source.ages:
                state[source.pipeline + k + 1] = quantity
        state[source.pipeline] = 0.0
        if arrived > 0.0:
            put(plant, state, source, arrived, flows)


@kernel
def nature(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Work centers fail or recover, and forecasts are revised."""
    for c in range(plant.centers.size):
        center = plant.centers[c]
        if center.up == NONE:
            continue
        u = tape[center.channel]
        if state[center.up] == 0.0:
            state[center.up] = 1.0 if u < center.repaired else 0.0
        else:
            survives = 1.0 - center.fails
            if center.by_unit:
                survives = survives ** flows[center.made]
            state[center.up] = 0.0 if u < 1.0 - survives else 1.0
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        if demand.forecast != NONE:
            error = flows[demand.requested] - state[demand.forecast]
            state[demand.forecast] += demand.weight * error


@kernel
def on_hand(state: Row, item: Record) -> float:
    """Return an item's stock of all ages, in units."""
    total = state[item.stock]
    for a in range(1, item.ages):
        total += state[item.stock + a]
    return total


@kernel
def in_process(state: Row, source: Record) -> float:
    """Return what is in a source's pipeline, in units of the item that it makes."""
    total = 0.0
    for k in range(source.ages):
        total += state[source.pipeline + k]
    return total


@kernel
def take(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity, at most what is there, out of stock, the oldest first."""
    for a in range(item.ages - 1, 0, -1):
        taken = min(quantity, state[item.stock + a])
        state[item.stock + a] -= taken
        quantity -= taken
    # Never below 0, not even by the last bits of lots that are no whole numbers.
    state[item.stock] = max(state[item.stock] - quantity, 0.0)


@kernel
def put(plant: Plant, state: Row, source: Record, quantity: float, flows: Row) -> None:
    """Good units of a source enter the stock of its item."""
    item = plant.items[source.item]
    state[item.stock] += quantity
    flows[source.received] += quantity
    flows[item.arrived] += quantity
