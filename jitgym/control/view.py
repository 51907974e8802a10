"""The view: what a decision maker sees of a batch of plants before it asks.

A `View` is a numpy array of shape (batch, cells), in natural units, that knows its cells by name:

    view["car.stock"]          (batch,)  stock of an item, all ages together
    view["mill.in_process"]    (batch,)  in the pipeline of a source, all ages together
    view["mill.in_process[2]"] (batch,)  of that, what was ordered two periods ago
    view["press.up"]           (batch,)  1 up, 0 down
    view["press.setup"]        (batch,)  1 + the number of the source it is set up for; 0: none
    view["customers.backlog"]  (batch,)  waiting for this demand
    view["customers.last"]     (batch,)  demand of the period before
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout, Slice

KINDS = ("item", "source", "center", "demand", "report", "forecast", "clock")


@dataclass(frozen=True)
class Cell:
    """One cell of the view."""

    name: str
    column: int  # of the state row
    of: Slice


@dataclass(frozen=True)
class ViewLayout:
    """The cells of the view of a plant, in the order item, source, center, demand, forecast."""

    layout: Layout

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell that may be seen."""
        shown = [part for part in self.layout.state if part.kind != "hidden"]
        slices = sorted(shown, key=self._place)
        return tuple(cell for part in slices for cell in _cells(part))

    def _place(self, part: Slice) -> tuple[int, int]:
        """Return where a slice stands: by kind, then in the scenario's order."""
        owners = self._owners.get(part.kind, self._owners["demand"])
        return KINDS.index(part.kind), owners[part.owner]

    @cached_property
    def _owners(self) -> dict[str, dict[str, int]]:
        """Number of each owner by kind."""
        scenario = self.layout.scenario
        names = {
            "item": [*scenario.items],
            "source": [*scenario.sources, *scenario.projects],
            "center": [*scenario.work_centers],
            "clock": ["clock"],
            "demand": [*scenario.demands],
        }
        # A source and a project may share a name: the last to be written is the first.
        return {kind: {n: k for k, n in reversed([*enumerate(of)])} for kind, of in names.items()}

    @cached_property
    def columns(self) -> npt.NDArray[np.intp]:
        """Columns of the state matrix that the view shows, (cells,)."""
        return np.array([cell.column for cell in self.cells], dtype=np.intp)

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """Positions in the view of each name: of single cells, and of groups by age."""
        shown = [part for part in self.layout.state if part.kind != "hidden"]
        places: dict[str, list[int]] = {part.name: [] for part in shown}
        for k, cell in enumerate(self.cells):
            places.setdefault(cell.name, []).append(k)
            if cell.name != cell.of.name:
                places[cell.of.name].append(k)
        return places

    def of(self, state: npt.NDArray[np.float64]) -> View:
        """Return the view of a matrix of states, (batch, state cells) -> (batch, cells)."""
        view = state[:, self.columns].view(View)
        view.layout = self
        return view

    def state(self, view: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return a matrix of states that shows this view; what it does not show is 0."""
        state = np.zeros((view.shape[0], self.layout.cells))
        state[:, self.columns] = view
        return state


def _cells(part: Slice) -> list[Cell]:
    # What was granted this period is not there yet when the decision maker looks: the pipeline's
    # first cell is empty then, and is left out.
    if part.name.endswith(".in_process"):
        ages = range(1, part.size)
        return [Cell(f"{part.name}[{age}]", part.start + age, part) for age in ages]
    if part.size == 1:
        return [Cell(part.name, part.start, part)]
    return [Cell(f"{part.name}[{age}]", part.start + age, part) for age in range(part.size)]


class View(np.ndarray[Any, np.dtype[np.float64]]):
    """An array of shape (batch, cells) whose columns can be asked for by name."""

    layout: ViewLayout | None = None

    def __array_finalize__(self, source: npt.NDArray[Any] | None) -> None:
        self.layout = getattr(source, "layout", None)

    def __getitem__(self, key: Any) -> Any:
        """Return the total of the cells with this name, (batch,); else index as numpy does."""
        if not isinstance(key, str):
            return np.asarray(self)[key]
        if self.layout is None or key not in self.layout.positions:
            known = "" if self.layout is None else ", ".join(self.layout.positions)
            raise KeyError(f"the view has no cell {key!r}; it has {known}")
        return np.asarray(self)[:, self.layout.positions[key]].sum(axis=1)

    def copy(self, order: Any = "C") -> Self:
        """Return a copy that keeps its names."""
        return super().copy(order)
