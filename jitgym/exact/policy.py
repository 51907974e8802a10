"""The optimal policy as an agent: a lookup table of states."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym import documents
from jitgym.control import Printed, View, ViewLayout
from jitgym.control.versions import mismatch, versions
from jitgym.errors import RunError
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.stored import read_arrays

from .enumeration import Enumerated, find_rows, key_cells

Floats = npt.NDArray[np.float64]

NAMES = ("key", "states", "asks", "cells", "plant")  # the arrays of a file, beside the versions
NEAREST = 256  # states outside the table that are compared with it at a time


@dataclass(frozen=True, eq=False)
class OptimalPolicy(Printed):
    """The decision of each state of a table; elsewhere, the decision of the nearest state.

    A state outside the table is first cut to the largest value of each cell in the table. If the
    result is not in the table either, the state with the smallest sum of absolute differences is
    used. `outside` counts such states.
    """

    layout: Layout
    key: npt.NDArray[np.int32]  # state cells of a row of `states`
    states: Floats  # (states, key cells)
    asks: Floats  # (states, asked cells)
    slots: npt.NDArray[np.int32] = field(repr=False)  # hash table of states
    name: str = "optimal"
    rule: None = None
    counter: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def of(
        cls, layout: Layout, enumerated: Enumerated, choice: npt.NDArray[np.int64]
    ) -> OptimalPolicy:
        """Return the policy with one decision per state; -1, at an end, asks for nothing."""
        asks = np.zeros((choice.size, layout.asked_cells))
        decided = choice >= 0
        asks[decided] = enumerated.asked(layout, choice[decided])
        return cls(layout, enumerated.box.key, enumerated.states, asks, enumerated.slots)

    @property
    def parameters(self) -> dict[str, str]:
        """The size of the table, for printing."""
        return {"a table of": f"{len(self.states):,} states"}

    @property
    def outside(self) -> int:
        """The number of states outside the table that were looked up so far."""
        return self.counter[0]

    def start(self, batch: int) -> Floats:
        """Return no memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Floats) -> Floats:
        """Return what is asked for, (batch, asked cells)."""
        rows = ViewLayout(self.layout).state(np.asarray(view, dtype=np.float64))[:, self.key]
        return self.asks[self.numbers(rows)]

    def numbers(self, rows: Floats) -> npt.NDArray[np.int64]:
        """Return the state number of each row of key cells, or that of the nearest state."""
        whole = np.round(rows)
        rows = np.where(np.abs(rows - whole) < 1e-9, whole, np.floor(rows * 1e9 + 0.5) / 1e9) + 0.0
        found = find_rows(self.states, self.slots, rows)
        missing = np.flatnonzero(found < 0)
        if missing.size == 0:
            return found
        self.counter[0] += missing.size
        inside = np.minimum(rows[missing], self.states.max(axis=0))
        found[missing] = find_rows(self.states, self.slots, inside)
        missing = missing[found[missing] < 0]
        for k in range(0, missing.size, NEAREST):
            few = missing[k : k + NEAREST]
            for e in few:
                found[e] = int(np.abs(self.states - rows[e]).sum(axis=1).argmin())
        return found

    def save(self, path: str | Path) -> None:
        """Write the table to a file of arrays (.npz), whole or not at all."""
        today = versions()
        with documents.whole(Path(path)) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                key=self.key,
                states=self.states,
                asks=self.asks,
                cells=np.array(_names(self.layout)),
                plant=np.array(_digest(self.layout.scenario)),
                encoding=np.array(today["encoding"]),
                dynamics=np.array(today["dynamics"]),
            )

    @classmethod
    def load(cls, path: str | Path, layout: Layout) -> OptimalPolicy:
        """Read a table for a plant.

        Raises RunError, a ScenarioError, if the file is not the table of an optimal policy or was
        made for a plant with other cells or other numbers.
        """
        from .hashing import fill

        path = Path(path)
        arrays = read_arrays(path, NAMES, optional=tuple(versions()))
        numbers = {name: arrays[name] for name in versions() if name in arrays}
        if not all(number.dtype.kind == "i" and number.ndim == 0 for number in numbers.values()):
            raise RunError(f"{path}: a version is not a number; expected the table of a policy")
        if other := mismatch({name: int(number) for name, number in numbers.items()}):
            raise RunError(f"{path}: {other}; expected a table made with this version")
        if arrays["cells"].tolist() != _names(layout):
            raise RunError(
                f"{path}: the table was made for a plant with other cells than "
                f"{layout.scenario.name!r}; expected a table made for this scenario"
            )
        if arrays["plant"].tolist() != _digest(layout.scenario):
            raise RunError(
                f"{path}: the table was computed for a plant with other numbers than "
                f"{layout.scenario.name!r}; expected a table made for this scenario"
            )
        if fault := _fault(arrays, layout):
            raise RunError(f"{path}: {fault}; expected the table of an optimal policy")
        key, states, asks = arrays["key"], arrays["states"], arrays["asks"]
        states = np.ascontiguousarray(states)
        slots = np.zeros(1 << int(4 * states.shape[0]).bit_length(), dtype=np.int32)
        fill(states.view(np.uint64), states.shape[0], slots)
        return cls(layout, key, states, asks, slots)


def _fault(arrays: dict[str, npt.NDArray[Any]], layout: Layout) -> str:
    """Return what is wrong with the arrays of a table, or an empty string."""
    key, states, asks = arrays["key"], arrays["states"], arrays["asks"]
    count = states.shape[0] if states.ndim else 0
    expected = {
        "key": (key, np.int32, (key.size,)),
        "states": (states, np.float64, (count, key.size)),
        "asks": (asks, np.float64, (count, layout.asked_cells)),
    }
    for name, (array, dtype, shape) in expected.items():
        if array.dtype != dtype:
            return f"{name} holds {array.dtype}, not {np.dtype(dtype)}"
        if array.shape != shape:
            return f"{name} has the shape {array.shape}, not {shape}"
    if count == 0:
        return "it has no states"
    if not np.array_equal(key, key_cells(layout)):
        return "key does not list the cells that determine the plant's future"
    if not (np.isfinite(states).all() and np.isfinite(asks).all()):
        return "it holds numbers that are not finite"
    quantities = asks[:, : layout.plant.sources.size]
    return "it asks for negative quantities" if quantities.min(initial=0.0) < 0 else ""


NO_NUMBERS = frozenset(
    [
        "name",
        "title",
        "tags",
        "period",
        "periods_per_year",
        "parameters",
        "known_optimum",
        "words",
        "unit",
        "within",
        "actions",
    ]
)
"""Fields of a scenario that the optimal policy does not depend on."""


def _digest(scenario: Scenario) -> str:
    """Return a digest of everything in a scenario that its optimal policy depends on."""
    data = {key: value for key, value in scenario.document().items() if key not in NO_NUMBERS}
    if not scenario.horizon.ends:  # the length of an episode does not matter in the long run
        data.pop("horizon", None)
    return hashlib.sha256(documents.write(data).encode()).hexdigest()


def _names(layout: Layout) -> list[str]:
    return [f"{part.name}[{part.size}]" for part in layout.state]
