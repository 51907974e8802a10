"""Decoding: from an encoded action to what is asked, in compiled code.

Environments decode their actions here, and so does every policy whose actions are those of an
environment. The meaning of the entries is in `encodings`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import Matrix, Plant, Row

from .encodings import ASKED, CORRECTIONS, LEVELS, UNITS, ActionEncoding, ActionTable
from .rules import ask_by_rule, most_granted
from .view import ViewLayout


@kernel
def decode_row(
    plant: Plant,
    table: ActionTable,
    numbers: Matrix,
    levels: Row,
    action: Row,
    state: Row,
    asked: Row,
) -> None:
    """Write what an encoded action asks for to `asked`, (asked cells,), quantities in units.

    Cells without an entry in the action (priorities, projects) stay 0.
    """
    if table.kind == UNITS:
        for k in range(action.size):
            asked[k] = action[k]
        return
    sources = plant.sources.size
    if table.kind == CORRECTIONS:
        correct(plant, table, action, state, asked)
    elif table.kind == LEVELS:
        for s in range(sources):
            levels[s] = decoded(table, s, action)
        asks = table.rule.asks
        for k in range(asks.size):
            level = 0.0
            for s in range(sources):
                level += table.matrix[asks[k].source, s] * levels[s]
            numbers[k, table.column] = level
        ask_by_rule(
            plant,
            asks,
            table.rule.cells,
            table.rule.weights[0],
            numbers,
            table.rule.gates,
            table.rule.thresholds[0],
            state,
            asked,
        )
    first = 0 if table.kind == ASKED else sources
    for k in range(first, action.size):
        asked[table.cells[k]] = decoded(table, k, action)


@kernel
def correct(plant: Plant, table: ActionTable, action: Row, state: Row, asked: Row) -> None:
    """Write what the table's rule asks for, each source corrected before the next one is asked.

    A source sees the corrected orders of the sources of its item that are asked before it. If
    others are asked later, its order is cut to what can be granted, as without a correction.
    """
    rule = table.rule
    for k in range(2 * plant.sources.size):
        asked[k] = 0.0
    for k in range(rule.asks.size):
        s = rule.asks[k].source
        one = rule.asks[k : k + 1]
        ask_by_rule(
            plant,
            one,
            rule.cells,
            rule.weights[0],
            rule.numbers[0, k : k + 1],
            rule.gates,
            rule.thresholds[0],
            state,
            asked,
        )
        asked[s] = max(asked[s] + decoded(table, s, action), 0.0)
        if rule.asks[k].has_rivals:
            asked[s] = most_granted(plant, s, state, asked)


@kernel
def decoded(table: ActionTable, k: int, action: Row) -> float:
    """Return one entry of an action, decoded to its unit."""
    steps: float = np.floor((action[k] + table.offset[k]) * table.gain[k] + 0.5)
    return min(max(steps, float(table.least[k])), float(table.most[k])) * float(table.step[k])


def ask(
    encoding: ActionEncoding, action: npt.ArrayLike, view: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what encoded actions ask for, given these views, (batch, sources) in units.

    `action` is what an environment of this encoding takes: (batch, sources), or (batch,) for a
    single choice. `view` is (batch, cells). This is the environment's own decoding, for policies
    that act in units. Raises ValueError if an environment would refuse the action.
    """
    plant, table = encoding.layout.plant, encoding.table
    state = ViewLayout(encoding.layout).state(np.asarray(view, dtype=np.float64))
    actions = encoding.checked(action, state.shape[0])
    asked = np.zeros((state.shape[0], encoding.layout.asked_cells))
    numbers, levels = table.rule.numbers[0].copy(), np.empty(plant.sources.size)
    decode(plant, table, numbers, levels, actions, state, asked)
    return asked


@compiled
def decode(
    plant: Plant,
    table: ActionTable,
    numbers: Matrix,
    levels: Row,
    actions: Matrix,
    state: Matrix,
    asked: Matrix,
) -> None:
    """Write what each action asks for to `asked`, (batch, asked cells)."""
    for e in range(state.shape[0]):
        decode_row(plant, table, numbers, levels, actions[e], state[e], asked[e])
