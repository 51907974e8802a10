"""Nature: what changes at the end of a period, whatever was decided."""

from __future__ import annotations

import numpy as np

from .demand import expected
from .draws import normal_quantile
from .jit import kernel
from .records import CROSTON, EXPONENTIAL, NONE, ORACLE, Plant, Record, Row
from .tape import channel_number, uniform

PRELUDE = 1 << 40  # these periods of the tape hold what is known when an episode begins

PHASE = channel_number(".phase")  # no name of a part begins with a dot


@kernel
def is_done(plant: Plant, state: Row, project: int) -> bool:
    """Return whether an improvement project exists and is finished."""
    if project == NONE:
        return False
    return state[plant.projects[project].progress] > plant.projects[project].periods


@kernel
def fail_and_recover(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Suppliers and work centers fail and recover."""
    for k in range(plant.ups_and_downs.size):
        it = plant.ups_and_downs[k]
        u = tape[it.channel]
        if state[it.cell] == 0.0:
            state[it.cell] = 1.0 if u < it.repaired else 0.0
        else:
            state[it.cell] = 0.0 if u < chance_to_fail(plant, state, it, flows) else 1.0


@kernel
def chance_to_fail(plant: Plant, state: Row, it: Record, flows: Row) -> float:
    """Return the probability of a failure in this period: p, or 1 - (1 - p)^q over q units."""
    survives = 1.0 - it.fails
    if is_done(plant, state, it.project):
        survives = 1.0 - it.fails_after
    if it.made != NONE:
        survives = survives ** flows[it.made]
    return 1.0 - survives


@kernel
def move_regimes(plant: Plant, state: Row, tape: Row) -> None:
    """Draw the next regime of each demand."""
    for k in range(plant.regimes.size):
        regime = plant.regimes[k]
        cell = plant.demands[regime.demand].regime
        row = regime.chances + (1 + int(state[cell])) * regime.count
        state[cell] = follow(plant, row, regime.count, tape[regime.channel])


@kernel
def begin_regimes(plant: Plant, state: Row, key: np.uint64) -> None:
    """Draw the first regime of each demand from the long-run shares."""
    for k in range(plant.regimes.size):
        regime = plant.regimes[k]
        u = uniform(key, np.uint64(PRELUDE), plant.channels[regime.channel].number)
        cell = plant.demands[regime.demand].regime
        state[cell] = follow(plant, regime.chances, regime.count, u)


@kernel
def begin_phase(plant: Plant, state: Row, key: np.uint64) -> None:
    """Draw the phase of the clock at which an episode of training begins; see `Layout.plant_in`.

    In the middle of its term, a contract is as far along as if the buyer had bought evenly.
    """
    if plant.first_phases <= 1:
        return
    u = uniform(key, np.uint64(PRELUDE), PHASE)
    phase = np.floor(u * plant.first_phases)
    state[plant.clock] = phase
    for k in range(plant.commitments.size):
        contract = plant.commitments[k]
        passed = int(phase) % contract.every
        state[contract.owed] = np.ceil(contract.quantity * (1.0 - passed / contract.every))


@kernel
def follow(plant: Plant, row: int, count: int, u: float) -> float:
    """Return the number of the first cumulative probability that is above u."""
    k = 0
    while k < count - 1 and plant.numbers[row + k] <= u:
        k += 1
    return float(k)


@kernel
def reveal(plant: Plant, state: Row, tape: Row) -> None:
    """Reveal a part of each future demand and revise its forecast (Heath and Jackson 1994)."""
    for k in range(plant.revealed.size):
        it = plant.revealed[k]
        first = plant.distributions[plant.demands[it.demand].quantity].first
        for j in range(it.leads):
            z = state[it.latent + j + 1] if j + 1 < it.leads else 0.0
            if j > 0:
                z += plant.numbers[it.weights + j] * normal_quantile(tape[it.channel + j - 1])
            state[it.latent + j] = z
            state[it.forecast + j] = expected(plant, it, first, j, z)


@kernel
def begin_forecasts(plant: Plant, state: Row, key: np.uint64) -> None:
    """Draw the parts of the first demands that were revealed before the episode begins."""
    for k in range(plant.revealed.size):
        it = plant.revealed[k]
        first = plant.distributions[plant.demands[it.demand].quantity].first
        for j in range(it.leads):
            z = 0.0
            for lead in range(max(j, 1), it.leads):
                # For the demand j periods ahead, the part with this lead was revealed lead - j ago.
                period = np.uint64(PRELUDE + lead - j)
                u = uniform(key, period, plant.channels[it.channel + lead - 1].number)
                z += plant.numbers[it.weights + lead] * normal_quantile(u)
            state[it.latent + j] = z
            state[it.forecast + j] = expected(plant, it, first, j, z)


@kernel
def smooth(plant: Plant, state: Row, tape: Row, flows: Row) -> None:
    """Update the forecasts of recorded demand from requests; an oracle reads the future demand."""
    for k in range(plant.smoothing.size):
        it = plant.smoothing[k]
        requested = flows[plant.demands[it.demand].requested]
        if it.method == EXPONENTIAL:
            state[it.forecast] += it.weight * (requested - state[it.forecast])
            continue
        if it.method == ORACLE:
            state[it.forecast] = tape[it.next]
            continue
        if it.method == CROSTON:
            if requested > 0.0:
                state[it.size] += it.weight * (requested - state[it.size])
                state[it.size + 1] += it.weight * (state[it.size + 2] - state[it.size + 1])
                state[it.size + 2] = 0.0
            state[it.size + 2] += 1.0
            state[it.forecast] = (1.0 - it.weight / 2.0) * state[it.size] / state[it.size + 1]
        else:
            occurs = 1.0 if requested > 0.0 else 0.0
            if requested > 0.0:
                state[it.size] += it.weight * (requested - state[it.size])
            state[it.size + 1] += it.weight * (occurs - state[it.size + 1])
            state[it.forecast] = state[it.size] * state[it.size + 1]


@kernel
def settle_contracts(plant: Plant, state: Row, flows: Row) -> None:
    """At the end of a contract's term, the units still owed are paid for and a new term begins."""
    for k in range(plant.commitments.size):
        contract = plant.commitments[k]
        if (int(state[plant.clock]) + 1) % contract.every == 0:
            flows[contract.shortfall] = max(state[contract.owed], 0.0)
            state[contract.owed] = contract.quantity


@kernel
def learn(plant: Plant, state: Row, flows: Row) -> None:
    """Move improvement projects that have begun a period further, until their training is over."""
    for k in range(plant.projects.size):
        project = plant.projects[k]
        progress = state[project.progress]
        if 0.0 < progress <= project.periods:
            state[project.progress] = progress + 1.0
