"""The view: what a decision maker sees of a batch of plants before it asks.

A `View` is a numpy array of shape (batch, cells) in natural units; its cells have names:

    view["car.stock"]          (batch,)  stock of an item, all ages together
    view["mill.in_process"]    (batch,)  units in process at a source, all ages together
    view["mill.in_process[2]"] (batch,)  those of them ordered two periods ago
    view["press.up"]           (batch,)  1 if up, 0 if down
    view["press.setup"]        (batch,)  1 + the number of the source it is set up for; 0 for none
    view["customers.backlog"]  (batch,)  units backordered for this demand
    view["customers.last"]     (batch,)  demand of the previous period
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
        """Every cell that a policy may see."""
        shown = [part for part in self.layout.state if part.kind != "hidden"]
        slices = sorted(shown, key=self._place)
        return tuple(cell for part in slices for cell in _cells(part))

    def _place(self, part: Slice) -> tuple[int, int]:
        """Return the place of a slice: by kind, then in the scenario's order."""
        owners = self._owners.get(part.kind, self._owners["demand"])
        return KINDS.index(part.kind), owners[part.owner]

    @cached_property
    def _owners(self) -> dict[str, dict[str, int]]:
        """The number of each owner, by kind."""
        scenario = self.layout.scenario
        names = {
            "item": [*scenario.items],
            "source": [*scenario.sources, *scenario.projects],
            "center": [*scenario.work_centers],
            "clock": ["clock"],
            "demand": [*scenario.demands],
        }
        # A source and a project may share a name; the first of them gives the number.
        return {kind: {n: k for k, n in reversed([*enumerate(of)])} for kind, of in names.items()}

    @cached_property
    def columns(self) -> npt.NDArray[np.intp]:
        """Columns of the state matrix that the view shows, (cells,)."""
        return np.array([cell.column for cell in self.cells], dtype=np.intp)

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """The positions of each name in the view: of single cells, and of groups by age."""
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
        """Return a matrix of states with this view; cells that it does not show are 0."""
        state = np.zeros((view.shape[0], self.layout.cells))
        state[:, self.columns] = view
        return state


def _cells(part: Slice) -> list[Cell]:
    # The first cell of a pipeline is left out: it holds the units granted in this period, and is
    # always empty when the decision maker looks.
    if part.name.endswith(".in_process"):
        ages = range(1, part.size)
        return [Cell(f"{part.name}[{age}]", part.start + age, part) for age in ages]
    if part.size == 1:
        return [Cell(part.name, part.start, part)]
    return [Cell(f"{part.name}[{age}]", part.start + age, part) for age in range(part.size)]


class View(np.ndarray[Any, np.dtype[np.float64]]):
    """An array of shape (batch, cells) with named columns."""

    layout: ViewLayout | None = None

    def __array_finalize__(self, source: npt.NDArray[Any] | None) -> None:
        self.layout = getattr(source, "layout", None)

    def __getitem__(self, key: Any) -> Any:
        """Return the total of the cells with this name, (batch,); other keys index as in numpy."""
        if not isinstance(key, str):
            return np.asarray(self)[key]
        if self.layout is None or key not in self.layout.positions:
            known = "" if self.layout is None else ", ".join(self.layout.positions)
            raise KeyError(f"the view has no cell {key!r}; expected one of {known}")
        return np.asarray(self)[:, self.layout.positions[key]].sum(axis=1)

    def copy(self, order: Any = "C") -> Self:
        """Return a copy that keeps its names."""
        return super().copy(order)
