"""Generalized kanban: every station has a base-stock level, and cards that bound its open requests.

    order = max(0, min(S - x, K) - in process),   x = stock - units asked of it and not taken

A station passes a request for a part upstream only with a free card (Buzacott 1989; Zipkin 1989;
Frein, Di Mascolo and Dallery 1995). At first it has S finished parts and K - S free cards. After D
requests, with P parts made and R parts handed on, it has passed upstream

    T = min(D, K - S + R),   R = min(D, S + P)

These numbers need no counters of their own: since S + P - D = x, stock and units in process already
contain them, and T - P = min(S - x, K). For the last station, x is the stock net of backorders; for
another station, it is the stock less what the next station asks for.

With K = S it is kanban. With many cards it is base-stock (local levels), once no stock is above its
level and where lots are single units. The tuner also starts from the best of both. Cards count
containers, base-stock levels are local, in units. Textbook sizing: S is that of base-stock, K that
of kanban, but at least as many cards as S needs.

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
    """Return min(S - x, K): the units that a station may have in process."""
    return np.minimum(level - free, cards)


@dataclass(frozen=True, eq=False)
class GeneralizedKanban(Acting):
    """The policy, station by station from the customer upstream."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the orders, (batch, sources) in units."""
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
        """Stock of each source's item, net of backorders, (cells, sources)."""
        return self.plan.columns([net_stock(self.layout, stage.item) for stage in self.plan.stages])

    @cached_property
    def _coming(self) -> Array:
        """Units on order at all sources of each source's item, (cells, sources)."""
        return self.plan.columns(
            [
                seen_by(self.layout, stage.source, on_order(self.layout, stage.item))
                for stage in self.plan.stages
            ]
        )

    @cached_property
    def _users(self) -> Array:
        """Units of each source's item in a unit that another source makes, (users, sources)."""
        sources = self.layout.scenario.sources.values()
        return np.array([[user.consumes.get(s.makes, 0.0) for s in sources] for user in sources])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards and the local base-stock level of every source."""
    cards, level = extended_kanban.parameters(scenario)
    needed = whole_up(level.textbook / lots_of(stages(scenario)))  # to reach S
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
