"""Release: how asked becomes granted, and which source comes first when something is short.

There are five steps, in the order below. Everything is granted in whole lots. What is not granted
is forgotten; the decision maker may ask again.
"""

from __future__ import annotations

from .draws import draw
from .jit import kernel
from .nature import is_done
from .records import NONE, UNLIMITED, Plant, Record, Row
from .whole import at_least, whole, whole_lots


@kernel
def release(plant: Plant, state: Row, asked: Row, tape: Row, flows: Row) -> None:
    """Write what limits, materials and work centers allow to flows[source.granted], in units."""
    begin_projects(plant, state, asked, flows)
    limit_orders(plant, state, asked, flows)
    if plant.materials.size > 0:
        ration_materials(plant, state, flows)
    if plant.centers.size > 0:
        open_centers(plant, state, asked, tape, flows)
        run_centers(plant, state, flows)
    if plant.is_contested:
        hand_out_rest(plant, state, flows)
    for c in range(plant.centers.size):
        center = plant.centers[c]
        if center.over != NONE:
            flows[center.over] = max(flows[center.used] - flows[center.regular], 0.0)


@kernel
def begin_projects(plant: Plant, state: Row, asked: Row, flows: Row) -> None:
    """Begin the improvement projects that are asked for, unless they have begun already."""
    for k in range(plant.projects.size):
        project = plant.projects[k]
        if asked[2 * plant.sources.size + k] > 0.5 and state[project.progress] == 0.0:
            state[project.progress] = 1.0
            flows[project.begun] = 1.0


@kernel
def limit_orders(plant: Plant, state: Row, asked: Row, flows: Row) -> None:
    """(i) Apply the maximum order, the free storage, whole lots and the minimum order.

    A supplier that is down grants nothing.
    """
    for s in range(plant.sources.size):
        source = plant.sources[s]
        allowed = min(max(asked[s], 0.0), source.maximum)
        if plant.items[source.item].storage < UNLIMITED:
            allowed = min(allowed, free_storage(plant, state, s, flows))
        allowed = whole_lots(source, allowed)
        is_down = source.up != NONE and state[source.up] == 0.0
        if is_down or not at_least(allowed, source.minimum):
            allowed = 0.0
        flows[source.asked] = asked[s]
        flows[source.allowed] = allowed
        flows[source.granted] = allowed


@kernel
def free_storage(plant: Plant, state: Row, s: int, flows: Row) -> float:
    """Return the room for source s: that of its item, less what earlier sources were allowed."""
    item = plant.items[plant.sources[s].item]
    room = room_for(plant, state, plant.sources[s].item)
    for k in range(item.sources, item.sources_end):
        if plant.makers[k] < s:
            room -= flows[plant.sources[plant.makers[k]].allowed]
    return max(room, 0.0)


@kernel
def room_for(plant: Plant, state: Row, i: int) -> float:
    """Return the room that the storage of item i will have once everything on the way has arrived.

    This is storage + backlog - stock - pipeline. Goods for waiting customers pass over the dock and
    need no room. It is below 0 if the storage began with too much.
    """
    item = plant.items[i]
    room = item.storage
    for d in range(plant.demands.size):
        demand = plant.demands[d]
        if demand.item == i and demand.backlog != NONE:
            room += state[demand.backlog]
    for a in range(item.ages):
        room -= state[item.stock + a]
    for k in range(item.sources, item.sources_end):
        source = plant.sources[plant.makers[k]]
        for a in range(source.ages):
            room -= state[source.pipeline + a]
        if source.partial != NONE and plant.partials[source.partial].waiting != NONE:
            room -= state[plant.partials[source.partial].waiting]
    return room


@kernel
def ration_materials(plant: Plant, state: Row, flows: Row) -> None:
    """(ii) Share a material in proportion, in whole lots, if more is asked for than its stock."""
    for k in range(plant.materials.size):
        material = plant.materials[k]
        flows[plant.items[material.item].requested] += (
            material.quantity * flows[plant.sources[material.source].allowed]
        )
    for k in range(plant.materials.size):
        material = plant.materials[k]
        source = plant.sources[material.source]
        requested = flows[plant.items[material.item].requested]
        stock = material_left(plant, state, material.item, flows)
        if requested > stock:
            share = whole_lots(source, flows[source.allowed] * (stock / requested))
            flows[source.granted] = min(flows[source.granted], share)
    for s in range(plant.sources.size):
        source = plant.sources[s]
        if not at_least(flows[source.granted], source.minimum):
            flows[source.granted] = 0.0
        if source.center == NONE:
            use_materials(plant, s, flows[source.granted], flows)


@kernel
def open_centers(plant: Plant, state: Row, asked: Row, tape: Row, flows: Row) -> None:
    """Find the time available at each work center, and the turn of each of its sources."""
    for c in range(plant.centers.size):
        center = plant.centers[c]
        flows[center.planned] = draw(plant, center.time, tape)
        if center.up == NONE or state[center.up] == 1.0:
            flows[center.regular] = flows[center.planned] * pace(plant, state, c)
            flows[center.available] = flows[center.regular] + center.overtime
        if center.crew_end - center.crew < 2:
            continue  # its only source has turn 0
        for i in range(center.crew, center.crew_end):
            turn = 0.0
            for j in range(center.crew, center.crew_end):
                if comes_before(plant, state, center, j, i, asked):
                    turn += 1.0
            flows[plant.sources[plant.crew[i]].turn] = turn


@kernel
def pace(plant: Plant, state: Row, c: int) -> float:
    """Return the share of its time that a work center keeps while people are in training."""
    left = 1.0
    for k in range(plant.projects.size):
        project = plant.projects[k]
        if project.center == c and 0.0 < state[project.progress] <= project.periods:
            left *= 1.0 - project.slowed_by
    return left


@kernel
def comes_before(plant: Plant, state: Row, center: Record, j: int, i: int, asked: Row) -> bool:
    """Return whether row j of the crew runs before row i.

    The higher priority comes first, then the source that the center is set up for, then the larger
    quantity asked, then the scenario's order.
    """
    if i == j:
        return False
    sources = plant.sources.size
    priority_j, priority_i = asked[sources + plant.crew[j]], asked[sources + plant.crew[i]]
    if priority_j != priority_i:
        return priority_j > priority_i
    if center.setup != NONE:
        set_up_for = int(state[center.setup]) - 1
        if plant.crew[j] == set_up_for:
            return True
        if plant.crew[i] == set_up_for:
            return False
    asked_j, asked_i = asked[plant.crew[j]], asked[plant.crew[i]]
    return asked_j > asked_i or (asked_j == asked_i and j < i)


@kernel
def run_centers(plant: Plant, state: Row, flows: Row) -> None:
    """(iii) Each work center serves its sources in turn until its time is used up."""
    for c in range(plant.centers.size):
        center = plant.centers[c]
        for turn in range(center.crew_end - center.crew):
            for i in range(center.crew, center.crew_end):
                s = plant.crew[i]
                source = plant.sources[s]
                if flows[source.turn] == turn:
                    wanted = flows[source.granted]
                    flows[source.granted] = 0.0
                    if flows[center.available] > 0.0:
                        run(plant, state, s, wanted, flows)


@kernel
def run(plant: Plant, state: Row, s: int, wanted: float, flows: Row) -> None:
    """Run a source for up to `wanted` more units, in whole lots, while its center has time.

    Nothing below the minimum order is begun or granted (iv). Time spent on an unfinished setup or
    lot is kept for the source, in its cell `work`; idle time is not.
    """
    source = plant.sources[s]
    center = plant.centers[source.center]
    first = max(source.lot, source.minimum - flows[source.granted])  # the least that can be made
    if not at_least(wanted, first):
        return
    time = flows[center.available] - flows[center.used]
    done = state[source.work] if source.work != NONE else 0.0
    must_change = must_set_up(center, state, s)
    setup = 0.0
    if must_change:
        is_faster = is_done(plant, state, source.setup_project)
        setup = source.faster_setup if is_faster else source.setup_time
    lots = whole(wanted * source.per_lot)
    fits = lots
    if source.lot_time > 0.0:
        fits = min(lots, whole((time + done - setup) * source.per_lot_time))
    elif not at_least(time + done, setup):
        fits = 0.0
    if not at_least(fits * source.lot, first):
        fits = 0.0
    if fits < lots:  # the time is used up: the rest of it goes into a setup or lot that is begun
        flows[center.used] += time
        if source.work != NONE:
            spent = setup + fits * source.lot_time if fits > 0.0 else 0.0
            state[source.work] = max(time + done - spent, 0.0)
    else:
        needed = setup + lots * source.lot_time
        flows[center.used] += max(needed - done, 0.0)
        if source.work != NONE:
            state[source.work] = max(done - needed, 0.0)
    if fits > 0.0:
        if must_change:
            state[center.setup] = s + 1.0
            flows[source.setups] += 1.0
        flows[source.granted] += fits * source.lot
        flows[center.made] += fits * source.lot
        use_materials(plant, s, fits * source.lot, flows)


@kernel
def must_set_up(center: Record, state: Row, s: int) -> bool:
    """Return whether a work center has setups and is not set up for source s."""
    return center.setup != NONE and int(state[center.setup]) - 1 != s


@kernel
def hand_out_rest(plant: Plant, state: Row, flows: Row) -> None:
    """(v) One more pass, in the same sequence, hands out what rounding and short capacity left.

    As in the first pass, a source that takes no time can run at a center whose time is used up.
    If each material and each work center has only one source, nothing can be left.
    """
    for c in range(plant.centers.size):
        center = plant.centers[c]
        for turn in range(center.crew_end - center.crew):
            for i in range(center.crew, center.crew_end):
                s = plant.crew[i]
                if flows[plant.sources[s].turn] == turn:
                    if flows[plant.sources[s].granted] > 0.0 and must_set_up(center, state, s):
                        continue  # no second setup in one period for what is left
                    more = could_take(plant, state, s, flows)
                    if more > 0.0 and flows[center.available] > 0.0:
                        run(plant, state, s, more, flows)
    for s in range(plant.sources.size):
        source = plant.sources[s]
        if source.center == NONE:
            more = could_take(plant, state, s, flows)
            if more > 0.0 and at_least(flows[source.granted] + more, source.minimum):
                flows[source.granted] += more
                use_materials(plant, s, more, flows)


@kernel
def could_take(plant: Plant, state: Row, s: int, flows: Row) -> float:
    """Return how many more units, in whole lots, source s may have and has material for."""
    source = plant.sources[s]
    more = flows[source.allowed] - flows[source.granted]
    if more <= 0.0:
        return 0.0
    for k in range(source.materials, source.materials_end):
        material = plant.materials[k]
        left = material_left(plant, state, material.item, flows)
        more = min(more, left / material.quantity)
    return whole_lots(source, more)


@kernel
def material_left(plant: Plant, state: Row, i: int, flows: Row) -> float:
    """Return the stock of item i that has not been granted to any source yet."""
    item = plant.items[i]
    left = -flows[item.consumed]
    for a in range(item.ages):
        left += state[item.stock + a]
    return left


@kernel
def use_materials(plant: Plant, s: int, quantity: float, flows: Row) -> None:
    """Reserve the materials for a granted quantity of source s; they leave stock at Start."""
    source = plant.sources[s]
    for k in range(source.materials, source.materials_end):
        material = plant.materials[k]
        flows[plant.items[material.item].consumed] += material.quantity * quantity
