"""Demand: the customers who leave while they wait, and the requests of a period."""

from __future__ import annotations

from .draws import binomial, draw, negative_binomial, normal_cdf, normal_quantile, share_of
from .jit import kernel
from .records import NONE, WAITS, Plant, Record, Row


@kernel
def abandon(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Waiting customers leave, each with the same probability; the longest waiting go first."""
    for k in range(plant.abandonment.size):
        gone = plant.abandonment[k]
        demand = plant.demands[gone.demand]
        units = share_of(tape[gone.channel], state[demand.backlog], gone.chance)
        left = units
        for w in range(WAITS - 1, -1, -1):
            part = min(left, state[demand.queue + w])
            state[demand.queue + w] -= part
            flows[demand.left_after] += (w + 1) * part
            left -= part
        state[demand.backlog] -= units
        flows[gone.abandoned] = units


@kernel
def leave_queue(state: Row, demand: Record, served: float, flows: Row) -> None:
    """Record how long the customers served now have waited; the longest waiting come first."""
    for w in range(WAITS - 1, -1, -1):
        if served == 0.0:
            return
        part = min(served, state[demand.queue + w])
        if part > 0.0:
            state[demand.queue + w] -= part
            flows[demand.waited + min(w + 1, WAITS - 1)] += part
            served -= part


@kernel
def grow_older(state: Row, demand: Record) -> None:
    """Add a period to the waiting time of the backlog; this period's customers begin to wait."""
    waiting = state[demand.backlog]
    if waiting == 0.0:
        return
    old = younger = 0.0
    for w in range(WAITS):
        units = state[demand.queue + w]
        state[demand.queue + w] = younger
        old += units
        younger = units
    state[demand.queue + WAITS - 1] += younger
    state[demand.queue] = max(waiting - old, 0.0)


@kernel
def requested_by(plant: Plant, state: Row, demand: Record, tape: Row, flows: Row) -> float:
    """Return the units that a demand requests in this period."""
    if demand.stream != NONE:
        return part_of_stream(plant, demand.stream, tape, flows)
    if demand.revealed != NONE:
        return foretold(plant, state, plant.revealed[demand.revealed], demand, tape)
    if demand.life != NONE:
        return of_new_product(plant, state, plant.lives[demand.life], tape)
    return draw(plant, drawn_from(plant, state, demand), tape)


@kernel
def drawn_from(plant: Plant, state: Row, demand: Record) -> int:
    """Return the distribution of a demand in this state: of its phase or regime, if any."""
    if demand.phases > 1:
        return int(plant.numbers[demand.phase_rows + int(state[plant.clock]) % demand.phases])
    if demand.regime != NONE:
        return int(plant.numbers[demand.phase_rows + int(state[demand.regime])])
    return demand.quantity


@kernel
def part_of_stream(plant: Plant, p: int, tape: Row, flows: Row) -> float:
    """Return one demand's part of a stream, by successive conditional binomials.

    The parts before it have been drawn already: demands are served in the scenario's order, and the
    parts stand in the same order.
    """
    first = p
    while not plant.parts[first].first:
        first -= 1
    rest = draw(plant, plant.parts[p].stream, tape)
    for k in range(first, p):
        rest -= flows[plant.demands[plant.parts[k].demand].requested]
    return binomial(tape[plant.parts[p].channel], rest, plant.parts[p].share)


@kernel
def of_new_product(plant: Plant, state: Row, life: Record, tape: Row) -> float:
    """Return this period's demand for a product in its life cycle, given the demand so far."""
    size, mean = foreseen(plant, state, life)
    requested = negative_binomial(tape[life.channel], size, mean)
    state[life.sold] += requested
    return requested


@kernel
def foreseen(plant: Plant, state: Row, life: Record) -> tuple[float, float]:
    """Return the size and mean of the negative binomial that the next demand is drawn from.

    The level is gamma(shape, rate), and demand is Poisson(level x share s). Given the demand n over
    the share c that has passed, the next demand is negative binomial with size shape + n and mean
    s (shape + n) / (rate + c): the posterior predictive. Before the first share and after the last
    one the mean is 0.
    """
    k = int(state[plant.clock]) - life.first
    if k < 0 or k >= life.count:
        return 1.0, 0.0
    passed = 0.0
    for j in range(k):
        passed += plant.numbers[life.shares + j]
    size = life.shape + state[life.sold]
    return size, plant.numbers[life.shares + k] * size / (life.rate + passed)


@kernel
def foretold(plant: Plant, state: Row, revealed: Record, demand: Record, tape: Row) -> float:
    """Return F^-1(Phi(z)), where z is the sum of the part revealed ahead and the part drawn now."""
    z = state[revealed.latent]
    z += plant.numbers[revealed.rests] * normal_quantile(tape[revealed.rest_channel])
    u = min(normal_cdf(z), 1.0 - 2.0**-53)
    distribution = plant.distributions[demand.quantity]
    step = plant.guides[distribution.guide + int(u * distribution.guides)]
    while plant.ends[step] <= u:
        step += 1
    return plant.values[step]


@kernel
def expected(plant: Plant, revealed: Record, first: int, lead: int, z: float) -> float:
    """Return the honest forecast, E[F^-1(Phi(z + r N))]; r^2 is the share not revealed yet.

    F^-1 is a step function: the sum has the first value, and each rise times its probability.
    """
    rest = plant.numbers[revealed.rests + lead]
    total = plant.values[first]
    for k in range(revealed.count - 1):
        rise = plant.values[first + k + 1] - plant.values[first + k]
        beyond = plant.numbers[revealed.ends + k]
        if rest > 1e-9:
            total += rise * normal_cdf((z - beyond) / rest)
        elif z > beyond:
            total += rise
    return total
