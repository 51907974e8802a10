"""Generalized kanban: a station has base-stock, and cards that bound what it owes.

    ask = max(0, min(S - x, K) - in process),   x = stock - what is asked of it and not yet taken

A request for a part passes on upstream only with a free card of the station (Buzacott 1989; Zipkin
1989; Frein, Di Mascolo and Dallery 1995). S parts stand there finished at first, K - S cards are
free. With D requests so far, P parts made and R handed on, what passes on is

    T = min(D, K - S + R),   R = min(D, S + P)

which DESIGN counts by counters of their own; but S + P - D is x, so that all T says now is in stock
and in process: T - P = min(S - x, K). For the last station x is the stock net of backorders, for
another the stock less what the next station asks.

With K = S it is kanban; with many cards base-stock (local levels), once no stock is above its level
and where lots are single units. The tuner starts from the best of both as well. Cards in
containers, levels local, in units; textbook sizing: those of kanban and base-stock, and as many
cards as the level needs.

>>> int(owed(cards=6, level=4, free=-1))  # one more is asked for than there is
5
>>> int(owed(cards=6, level=4, free=-3))  # the cards bind
6
>>> int(owed(cards=6, level=4, free=3))
1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jitgym.control import Policy
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.acting import Acting, in_scenario_order, rows
from ..base.declaration import Array, Classic, Parameter, Special, Values
from ..base.sizing import stages
from . import extended_kanban, hybrid
from .base_stock import BASE_STOCK
from .extended_kanban import of_base_stock, of_kanban
from .kanban import KANBAN


def owed(cards: Any, level: Any, free: Any) -> Any:
    """Return min(S - x, K): what a station may have in process."""
    return np.minimum(level - free, cards)


@dataclass(frozen=True, eq=False)
class GeneralizedKanban(Acting):
    """The rule, station by station from the customer upward."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks, (batch, sources) in units."""
        cards = in_scenario_order(self.layout, self.values["cards"]) * self.plan.lots
        levels = in_scenario_order(self.layout, self._levels)
        asked = np.zeros((len(state), len(self.plan.stages)))
        stock = state @ self._stock
        coming = state @ self._coming
        for k, rivals in self.plan.order:
            free = stock[:, k] - asked @ self._users[:, k]
            gap = owed(cards[:, k], levels[:, k], free) - coming[:, k]
            gap = gap - asked[:, rivals].sum(axis=1)
            asked[:, k] = self.plan.whole(np.maximum(gap, 0.0), k)
        return asked

    @property
    def _levels(self) -> Array:
        return next(value for name, value in self.values.items() if name != "cards")

    @cached_property
    def _stock(self) -> Array:
        """Stock of each source's item net of what waits for it, (cells, sources)."""
        return self._cells(".stock", 1.0) + self._cells(".backlog", -1.0)

    @cached_property
    def _coming(self) -> Array:
        """What is in process at all sources of each source's item, (cells, sources)."""
        return self._cells(".in_process", 1.0)

    def _cells(self, ending: str, units: float) -> Array:
        scenario = self.layout.scenario
        item_of = (
            {f"{item}.stock": item for item in scenario.items}
            | {f"{name}.in_process": source.makes for name, source in scenario.sources.items()}
            | {f"{name}.backlog": demand.item for name, demand in scenario.demands.items()}
        )
        matrix = np.zeros((self.layout.cells, len(scenario.sources)))
        for part in self.layout.state:
            for k, source in enumerate(scenario.sources.values()):
                if part.name.endswith(ending) and item_of.get(part.name) == source.makes:
                    matrix[part.start : part.stop, k] = units
        return matrix

    @cached_property
    def _users(self) -> Array:
        """Units of each source's item in a unit that another makes, (users, sources)."""
        sources = self.layout.scenario.sources.values()
        return np.array([[user.consumes.get(s.makes, 0.0) for s in sources] for user in sources])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards and the local level of every source."""
    cards, level = extended_kanban.parameters(scenario)
    lots = np.array([stage.lot for stage in stages(scenario).values()])
    textbook = np.maximum(cards.textbook, whole_up(level.textbook / lots))  # with fewer, S is not
    return replace(cards, textbook=textbook, high=np.maximum(cards.high, textbook)), level


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these cards and local levels."""
    return GeneralizedKanban(name, layout, rows(values))


GENERALIZED_KANBAN = Classic(
    "generalized-kanban",
    hybrid.why_not,
    parameters,
    build,
    holds=(Special(KANBAN, of_kanban), Special(BASE_STOCK, of_base_stock)),
)
