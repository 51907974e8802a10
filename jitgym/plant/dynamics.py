"""The order of events in one period.

The decision maker has seen the view and asked for a quantity from every source. Then the seven
stages of `step` follow, one function each, in the words of the inventory literature. An order with
lead time L is usable L periods after it was placed, before that period's demand, and the decision
maker sees the stock after today's arrivals (Zipkin 2008).

A function here changes nothing but the rows `state` (cells,) and `flows` (flow cells,). Quantities
are in units of the item, times in the work center's unit of time. A stage loops over the records of
a feature, so that a scenario without the feature pays nothing.
"""

from __future__ import annotations

import numpy as np

from . import nature as of_nature
from .demand import abandon, grow_older, leave_queue, requested_by
from .draws import draw, share_of
from .jit import kernel
from .quality import inspect
from .records import NONE, Plant, Record, Row
from .release import release
from .stock import on_hand, take, take_oldest
from .whole import at_least, is_some, whole, whole_up


@kernel
def step(plant: Plant, state: Row, asked: Row, tape: Row, flows: Row) -> None:
    """Run one period of one plant: (state, asked, tape) -> (state, flows)."""
    decide(plant, state, asked, tape, flows)
    happen(plant, state, tape, flows)


@kernel
def decide(plant: Plant, state: Row, asked: Row, tape: Row, flows: Row) -> None:
    """Run Release and Start, which lead to the post-decision state."""
    flows[:] = 0.0
    release(plant, state, asked, tape, flows)
    start(plant, state, tape, flows)


@kernel
def happen(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Run the rest of the period, up to the state that the next decision sees."""
    serve(plant, state, tape, flows)
    age(plant, state, tape, flows)
    count(plant, state, flows)
    receive(plant, state, tape, flows)
    nature(plant, state, tape, flows)


@kernel
def begin(plant: Plant, state: Row, key: np.uint64) -> None:
    """Put a plant at the start of the episode with this key."""
    for k in range(state.size):
        state[k] = plant.initial[k]
    of_nature.begin_phase(plant, state, key)
    of_nature.begin_regimes(plant, state, key)
    of_nature.begin_forecasts(plant, state, key)


@kernel
def start(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Materials leave stock; granted units enter the pipeline, or arrive at once at lead time 0."""
    for k in range(plant.items.size):
        item = plant.items[k]
        if flows[item.consumed] > 0.0:
            take(state, item, flows[item.consumed])
    for s in range(plant.sources.size):
        source = plant.sources[s]
        granted = flows[source.granted]
        shipped = granted
        if source.partial != NONE:
            shipped = ship_part(plant, state, source, granted, tape, flows)
        if shipped > 0.0:
            flows[source.shipments] = 1.0
            if source.ages == 0:
                inspect(plant, state, source, shipped, tape, flows)
            else:
                state[source.pipeline] = shipped
        if source.outside:
            flows[plant.totals[0].ordered] += granted
            flows[plant.totals[0].asked] += flows[source.asked]
    total = plant.totals[0]
    flows[total.ordered_squared] = flows[total.ordered] * flows[total.ordered]
    flows[total.asked_squared] = flows[total.asked] * flows[total.asked]
    for c in range(plant.carriers.size):
        load_carrier(plant, plant.carriers[c], flows)
    for k in range(plant.commitments.size):
        contract = plant.commitments[k]
        state[contract.owed] -= flows[plant.sources[contract.source].granted]


@kernel
def ship_part(
    plant: Plant, state: Row, source: Record, granted: float, tape: Row, flows: Row
) -> float:
    """Return the units shipped of an order and of waiting units; the rest waits or is cancelled."""
    partial = plant.partials[source.partial]
    due = granted
    if partial.waiting != NONE:
        due += state[partial.waiting]
    if source.up != NONE and state[source.up] == 0.0:
        shipped = 0.0
    else:
        share = draw(plant, partial.share, tape)
        shipped = due if share >= 1.0 else min(whole(due * share), due)
    flows[partial.shipped] = shipped
    if partial.waiting != NONE:
        state[partial.waiting] = due - shipped
    else:
        flows[partial.cancelled] = due - shipped
    return shipped


@kernel
def load_carrier(plant: Plant, carrier: Record, flows: Row) -> None:
    """Count the trips of a carrier: its sources ship together in a period."""
    units = 0.0
    for k in range(carrier.loads, carrier.loads_end):
        source = plant.sources[plant.loads[k]]
        ships = source.granted
        if source.partial != NONE:
            ships = plant.partials[source.partial].shipped
        units += flows[ships]
    if units > 0.0:
        flows[carrier.trips] = max(whole_up(units / carrier.capacity), 1.0)


@kernel
def serve(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Waiting customers may leave; serve backorders, then new demand; the rest waits or is lost.

    Demands on one item are served in the scenario's order, all backorders before new demand.
    """
    abandon(plant, state, tape, flows)
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        if demand.backlog != NONE and state[demand.backlog] > 0.0:
            item = plant.items[demand.item]
            served = min(state[demand.backlog], on_hand(state, item))
            take(state, item, served)
            leave_queue(state, demand, served, flows)
            state[demand.backlog] -= served
            flows[demand.served] += served
            flows[item.served] += served
    total = 0.0
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        item = plant.items[demand.item]
        requested = requested_by(plant, state, demand, tape, flows)
        served = min(requested, on_hand(state, item))
        take(state, item, served)
        flows[demand.requested] = requested
        flows[demand.at_once] = served
        flows[demand.served] += served
        if requested > 0.0:
            flows[demand.orders] = 1.0
            flows[demand.in_full] = 1.0 if at_least(served, requested) else 0.0
        flows[item.served] += served
        wait_or_go(state, demand, requested - served, tape, flows)
        state[demand.last] = requested
        total += requested
    flows[plant.totals[0].demand_squared] = total * total


@kernel
def wait_or_go(state: Row, demand: Record, unmet: float, tape: Row, flows: Row) -> None:
    """Unmet demand is backordered or lost, or a share of each."""
    if demand.backlog == NONE:
        flows[demand.lost] = unmet
    elif demand.waits_channel == NONE:
        state[demand.backlog] += unmet
    else:
        waiting = share_of(tape[demand.waits_channel], unmet, demand.waits)
        state[demand.backlog] += waiting
        flows[demand.lost] = unmet - waiting


@kernel
def age(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Stock grows a period older; units past their shelf life are waste; a share becomes obsolete.

    The oldest units become obsolete first, whatever the issuing order.
    """
    for k in range(plant.items.size):
        item = plant.items[k]
        if item.perishes:
            flows[item.wasted] = state[item.stock + item.ages - 1]
            for a in range(item.ages - 1, 0, -1):
                state[item.stock + a] = state[item.stock + a - 1]
            state[item.stock] = 0.0
    for k in range(plant.obsolescence.size):
        decay = plant.obsolescence[k]
        item = plant.items[decay.item]
        lost = share_of(tape[decay.channel], on_hand(state, item), decay.chance)
        take_oldest(state, item, lost)
        flows[decay.obsolete] = lost
        flows[item.wasted] += lost


@kernel
def count(plant: Plant, state: Row, flows: Row) -> None:
    """Count stock, units in process and backlog: the base of costs and of every average."""
    for k in range(plant.items.size):
        flows[plant.items[k].on_hand] = on_hand(state, plant.items[k])
    for s in range(plant.sources.size):
        flows[plant.sources[s].in_process] = in_process(plant, state, plant.sources[s])
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        flows[demand.ready] = 1.0 if is_some(flows[plant.items[demand.item].on_hand]) else 0.0
        if demand.backlog != NONE:
            flows[demand.waiting] = state[demand.backlog]
            grow_older(state, demand)
    for k in range(plant.savings.size):
        saving = plant.savings[k]
        if of_nature.is_done(plant, state, saving.project):
            flows[saving.reduced] = flows[saving.flow]


@kernel
def receive(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """The pipeline grows a period older; units that are due arrive and are inspected."""
    for s in range(plant.sources.size):
        source = plant.sources[s]
        if source.ages == 0:
            continue
        is_faster = of_nature.is_done(plant, state, source.lead_project)
        due = 0.0  # without crossover: the age from which every order arrives
        if source.crossover == NONE:
            due = draw(plant, source.faster_lead_time if is_faster else source.lead_time, tape)
        hazard = source.faster_hazard if is_faster else source.hazard
        arrived = 0.0
        for k in range(source.ages - 1, -1, -1):
            quantity = state[source.pipeline + k]
            if source.crossover == NONE:
                arrives = k + 1 >= due
            else:
                arrives = tape[source.crossover + k] < plant.hazards[hazard + k]
            if arrives:
                arrived += quantity
                quantity = 0.0
            if k + 1 < source.ages:
                state[source.pipeline + k + 1] = quantity
        state[source.pipeline] = 0.0
        if arrived > 0.0:
            inspect(plant, state, source, arrived, tape, flows)
    for k in range(plant.salvage.size):
        left = plant.salvage[k]
        if state[plant.clock] == plant.periods - 1.0:  # the season ends: the stock left is sold
            flows[left.salvaged] = on_hand(state, plant.items[left.item])


@kernel
def nature(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Draw failures and repairs; move regimes, forecasts, contracts, projects and the clock on."""
    of_nature.fail_and_recover(plant, state, tape, flows)
    of_nature.move_regimes(plant, state, tape)
    of_nature.reveal(plant, state, tape)
    of_nature.smooth(plant, state, tape, flows)
    of_nature.settle_contracts(plant, state, flows)
    of_nature.learn(plant, state, flows)
    if plant.clock != NONE:
        state[plant.clock] += 1.0
        if plant.cycle > 0 and state[plant.clock] >= plant.cycle:
            state[plant.clock] = 0.0


@kernel
def count_cycles(plant: Plant, state: Row, flows: Row) -> None:
    """Count the replenishment cycles that end in a period, after its last stage.

    Only KPIs depend on them: callers that need only costs leave this out.
    """
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        item = plant.items[demand.item]
        received = on_hand(state, item) - flows[item.on_hand]  # after demand was served
        if is_some(flows[item.arrived] - received):  # before: at lead time 0
            end_cycle(state, demand, flows)
        if flows[demand.in_full] < flows[demand.orders] or is_some(flows[demand.waiting]):
            state[demand.short] = 1.0
        if is_some(received):
            end_cycle(state, demand, flows)


@kernel
def end_cycle(state: Row, demand: Record, flows: Row) -> None:
    """Goods arrive, so a replenishment cycle ends; it was full if it had no stockout."""
    flows[demand.cycles] += 1.0
    flows[demand.full_cycles] += 1.0 - state[demand.short]
    state[demand.short] = 0.0


@kernel
def in_process(plant: Plant, state: Row, source: Record) -> float:
    """Return the units in a source's pipeline and those that wait to ship."""
    total = 0.0
    for k in range(source.ages):
        total += state[source.pipeline + k]
    if source.partial != NONE and plant.partials[source.partial].waiting != NONE:
        total += state[plant.partials[source.partial].waiting]
    return total
