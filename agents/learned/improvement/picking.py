"""Picking: a classic policy, and a net that picks a candidate for each group, state by state.

    ask = what the classic asks;  then for each group of sources, from the customer upward:
    ask = that of the candidate with the lowest expected cost, if it saves more than the margin

The net reads the features of corrections and gives an expected cost for every candidate, in the
scale of its group. A margin of infinity keeps what the classic asks: with infinite margins for all
groups the policy *is* the classic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, Printed, View, ViewLayout
from jitgym.control.net import Net, outputs_of
from jitgym.plant import Layout

from ...branches import Asking
from ..corrections import Features, Steps
from .candidates import Candidates, Places, candidates_of, pick

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Picking(Printed):
    """A classic policy and the net that picks among candidates."""

    name: str
    layout: Layout
    base: Policy
    net: Net
    margins: Array  # of each group, in the scale of the group, (rows or 1, groups)
    rule: None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the classic."""
        return dict(getattr(self.base, "parameters", {}))

    @cached_property
    def asking(self) -> Asking:
        """The classic as a function of states."""
        return Asking(self.base, self.layout)

    @cached_property
    def steps(self) -> Steps:
        """The unit of the candidates."""
        return Steps.of(self.layout, self.base)

    @cached_property
    def features(self) -> Features:
        """What the net reads."""
        return Features(self.layout, self.steps)

    @cached_property
    def candidates(self) -> Candidates:
        """What it picks from."""
        return candidates_of(self.layout, self.steps)

    @property
    def is_classic(self) -> bool:
        """Whether it never picks anything."""
        return bool(np.isinf(self.margins).all())

    def start(self, batch: int) -> Array:
        """Return the memory of the classic."""
        return self.asking.start(batch)

    def act(self, view: View, memory: Array) -> Array:
        """Return what it asks for, (batch, asked cells)."""
        return self.asks(ViewLayout(self.layout).state(np.asarray(view, np.float64)), memory)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the same from a matrix of states, (batch, cells)."""
        asked = self.asking(state, memory)
        if not self.is_classic:
            self.picks(state, asked)
        return asked

    def picks(self, state: Array, asked: Array) -> Places:
        """Change the classic's asks into its own; return its picks, (batch, groups)."""
        found = np.empty((state.shape[0], self.candidates.groups), dtype=np.int64)
        values = outputs_of(self.net, self.features(state, asked))
        pick(self.candidates, values, self.margins, asked, found)
        return found

    def with_margins(self, margins: Array) -> Picking:
        """Return the same policy with other margins, (groups,) or (rows, groups)."""
        return replace(self, margins=np.atleast_2d(np.asarray(margins, dtype=np.float64)))
