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

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jitgym.control.positions import net_stock, on_order
from jitgym.control.rules import seen_by
from jitgym.control.sizing import stages
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.acting import Acting, acting, in_scenario_order, write_granted
from ..base.common import lots_of
from ..base.declaration import Array, Classic, Parameter, Special, Values
from . import extended_kanban, hybrid
from .base_stock import BASE_STOCK
from .extended_kanban import of_base_stock
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
            if self.plan.has_rivals[k]:
                write_granted(self.layout.plant, k, state, asked)
        return asked

    @property
    def _levels(self) -> Array:
        return next(value for name, value in self.values.items() if name != "cards")

    @cached_property
    def _stock(self) -> Array:
        """Stock of each source's item net of what waits for it, (cells, sources)."""
        return self.plan.columns([net_stock(self.layout, stage.item) for stage in self.plan.stages])

    @cached_property
    def _coming(self) -> Array:
        """What is on order at all sources of each source's item, (cells, sources)."""
        return self.plan.columns(
            [
                seen_by(self.layout, stage.source, on_order(self.layout, stage.item))
                for stage in self.plan.stages
            ]
        )

    @cached_property
    def _users(self) -> Array:
        """Units of each source's item in a unit that another makes, (users, sources)."""
        sources = self.layout.scenario.sources.values()
        return np.array([[user.consumes.get(s.makes, 0.0) for s in sources] for user in sources])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards and the local level of every source."""
    cards, level = extended_kanban.parameters(scenario)
    needed = whole_up(level.textbook / lots_of(stages(scenario)))  # with fewer, S is not
    return cards.resized(np.maximum(cards.textbook, needed)), level


def of_kanban(scenario: Scenario, values: Values) -> Values:
    """Return the generalized kanban that is kanban with these cards: K = S."""
    (level,) = BASE_STOCK.parameters(scenario)
    return {"cards": values["cards"], level.name: values["cards"] * lots_of(stages(scenario))}


GENERALIZED_KANBAN = Classic(
    "generalized-kanban",
    hybrid.why_not,
    parameters,
    acting(GeneralizedKanban),
    holds=(Special(KANBAN, of_kanban), Special(BASE_STOCK, of_base_stock)),
)
