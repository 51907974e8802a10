"""The compiled closed loop: it runs a population of pull rules in machine code.

Policies that are not rules run in `closed_loop`, with the same results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control.rules import Rule, ask_by_rule, lean
from jitgym.plant import SPLITS, Layout
from jitgym.plant.draws import read_tape
from jitgym.plant.dynamics import begin, count_cycles, step
from jitgym.plant.frozen import Call, frozen, program_that_pays
from jitgym.plant.jit import compiled
from jitgym.plant.ledger import book, count_up, settle
from jitgym.plant.records import Matrix, Plant, Records, Row

Array = npt.NDArray[np.float64]

BLOCK = 32  # plants that take turns: few enough for the processor's fastest cache


@dataclass(frozen=True)
class Outcome:
    """The results of a population of policies, episode by episode."""

    cost: Array  # the scenario's yardstick, (population, episodes)
    terms: Array  # the same for each term of the ledger, (population, episodes, terms)
    sums: Array  # each flow, summed over the measured periods, (population, episodes, flow cells)


def run_rules(
    layout: Layout,
    rule: Rule,
    keys: npt.NDArray[np.uint64],
    split: str,
    *,
    flows: bool = True,
    is_frozen: bool | None = None,
) -> Outcome:
    """Run every rule of a population on every episode.

    Without `flows` the sums stay empty and the run is faster: enough for a tuner. With `is_frozen`
    the program is compiled for this plant (`jitgym.plant.frozen`); with None this happens
    automatically, once compilation pays off.
    """
    plant = layout.plant_in(split)
    shape = (rule.numbers.shape[0], keys.size)
    outcome = Outcome(
        np.zeros(shape),
        np.zeros((*shape, len(layout.terms))),
        np.zeros((*shape, layout.flow_cells if flows else 0)),
    )
    rule = lean(rule)
    fixed: tuple[Any, ...] = (plant, rule.asks, rule.cells, rule.gates, not flows)
    rows = (layout.asked_cells, plant.channels.size, layout.flow_cells, len(layout.terms))
    given: tuple[Any, ...] = (
        _plain(rule.weights),
        _plain(rule.numbers),
        _plain(rule.thresholds),
        _plain(keys),
        SPLITS.index(split),
        np.empty((BLOCK, layout.cells)),
        np.empty((BLOCK, plant.prices.size)),
        outcome.cost,
        outcome.terms,
        outcome.sums,
    )
    call = Call(simulate, fixed, rows, given)
    program = None
    if is_frozen is None:
        program = program_that_pays(call, outcome.cost.size * plant.periods * plant.sources.size)
    elif is_frozen:
        program = frozen(call)
    if program is not None:
        program(given)
    else:
        empty: tuple[Any, ...] = tuple(np.zeros(size) for size in rows)
        simulate(*fixed, *empty, *given)
    return outcome


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # Contiguous and writable, because numba compiles again for other kinds of arrays.
    return np.require(array, requirements=("C", "W"))


@compiled
def simulate(
    plant: Plant,
    asks: Records,
    cells: npt.NDArray[np.int32],
    gates: Records,
    is_quick: bool,
    asked: Row,
    tape: Row,
    flows: Row,
    booked: Row,
    weights: Matrix,
    numbers: npt.NDArray[np.float64],
    thresholds: npt.NDArray[np.float64],
    keys: npt.NDArray[np.uint64],
    split: int,
    state: Matrix,
    counted: Matrix,
    costs: Array,
    terms: Array,
    sums: Array,
) -> None:
    """Write cost, terms and flow sums of every rule and episode; see `Outcome` for the shapes.

    Some plants take turns period by period, so that the processor works on several at once. Without
    sums (`is_quick`), only flows with a price are added up, and they are booked at the end. The
    costs then differ in the last bits; the slower way equals an environment's costs bit for bit.
    """
    episodes = costs.shape[1]
    for p in range(numbers.shape[0]):
        for first in range(0, episodes, state.shape[0]):
            end = min(first + state.shape[0], episodes)
            counted[:] = 0.0
            for e in range(first, end):
                begin(plant, state[e - first], keys[e])
            weight = plant.average
            for t in range(plant.periods):
                for e in range(first, end):
                    row = state[e - first]
                    ask_by_rule(
                        plant,
                        asks,
                        cells,
                        weights[p],
                        numbers[p],
                        gates,
                        thresholds[p],
                        row,
                        asked,
                    )
                    read_tape(plant, keys[e], split, t, tape)
                    step(plant, row, asked, tape, flows)
                    if not is_quick:
                        count_cycles(plant, row, flows)
                    if t < plant.warm_up:
                        continue
                    if is_quick:
                        count_up(plant, flows, weight, counted[e - first])
                        continue
                    costs[p, e] += weight * book(plant, flows, booked)
                    for k in range(booked.size):
                        terms[p, e, k] += weight * booked[k]
                    for f in range(flows.size):
                        sums[p, e, f] += flows[f]
                if t >= plant.warm_up:
                    weight *= plant.discount
            for e in range(first, end):
                costs[p, e] += settle(plant, counted[e - first], terms[p, e])
