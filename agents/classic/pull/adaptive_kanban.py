"""Adaptive kanban: CONWIP with extra cards, which are added while net stock is low.

    release = max(0, K + X - units in process and in stock on the line)
    X' = min(X + D, E)  where stock net of backorders <= R;   max(X - D, 0)  where it is > C

K is the number of cards, X the number of extra cards, at most E. Demand D adds extra cards while
the net stock of the items that are sold is at or below the release threshold R, and removes them
while it is above the capture threshold C (Tardif and Maaseidvaag 2001, with C >= R). As with
CONWIP, only the first source has cards, and the other sources push. Without extra cards it is
CONWIP; the tuner also starts from the best CONWIP. A card stands for one lot of the first source.
Thresholds in units.

Textbook sizing: K is that of CONWIP, E a third of K (0 if only a known pattern varies), R is 0, and
C is the mean demand per period.
The paper searches for these numbers; the sizes here are a start for the tuner.

>>> extra_cards(1.0, demand=2, net_stock=0, release=0, capture=4, most=5)
3.0
>>> extra_cards(3.0, demand=2, net_stock=5, release=0, capture=4, most=5)
1.0
>>> extra_cards(3.0, demand=2, net_stock=2, release=0, capture=4, most=5)
3.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jitgym.control import echelon
from jitgym.control.positions import net_stock
from jitgym.control.sizing import stages
from jitgym.scenario import Scenario
from jitgym.units import whole

from ..base.acting import Acting, acting
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter
from ..planning.mrp import write_material_for
from . import conwip
from .conwip import CONWIP, first_sources


def extra_cards(
    extra: Any, demand: Any, net_stock: Any, release: Any, capture: Any, most: Any
) -> Any:
    """Return the number of extra cards after the demand of a period."""
    more = np.where(
        net_stock <= release, np.minimum(extra + demand, np.maximum(most, extra)), extra
    )
    fewer = np.where(
        net_stock > np.maximum(capture, release), np.maximum(extra - demand, 0.0), more
    )
    return fewer if np.ndim(fewer) else float(fewer)


@dataclass(frozen=True, eq=False)
class AdaptiveKanban(Acting):
    """CONWIP with extra cards; its memory is their number, and 1 after the first period."""

    def start(self, batch: int) -> Array:
        """Return no extra cards."""
        return np.zeros((batch, 2))

    def asks(self, state: Array, memory: Array) -> Array:
        """Add or remove extra cards, and return the orders, (batch, sources) in units."""
        layout, value = self.layout, {name: v[:, 0] for name, v in self.values.items()}
        lot = self.plan.lots[self._first]
        last = state[:, layout.plant.demands["last"]].sum(axis=1) * memory[:, 1]
        memory[:, 0] = extra_cards(
            memory[:, 0],
            last / lot,
            state @ self._sold,
            value["release"],
            value["capture"],
            value["extra"],
        )
        memory[:, 1] = 1.0
        asked = np.zeros((len(state), len(self.plan.stages)))
        for k in range(asked.shape[1]):
            if k != self._first:
                write_material_for(layout.plant, k, state, asked)
                asked[:, k] = self.plan.whole(asked[:, k], k)
        cards = whole(value["cards"] + memory[:, 0]) * lot
        gap = np.maximum(cards - state @ self._on_the_line, 0.0)
        asked[:, self._first] = self.plan.whole(gap, self._first)
        return asked

    @cached_property
    def _first(self) -> int:
        scenario = self.layout.scenario
        return list(scenario.sources).index(first_sources(scenario)[0])

    @cached_property
    def _on_the_line(self) -> Array:
        """The gross echelon position of the first source's item, (cells,)."""
        scenario = self.layout.scenario
        item = scenario.sources[first_sources(scenario)[0]].makes
        return self.plan.columns([echelon(self.layout, item, net=False)])[:, 0]

    @cached_property
    def _sold(self) -> Array:
        """Stock of the items that are sold, net of backorders, (cells,)."""
        sold = dict.fromkeys(demand.item for demand in self.layout.scenario.demands.values())
        return self.plan.columns([net_stock(self.layout, item) for item in sold]).sum(axis=1)


def why_not(scenario: Scenario) -> str:
    """Return why one set of cards cannot control this plant, or nothing."""
    return conwip.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards, the extra cards, and the two thresholds."""
    (cards,) = CONWIP.parameters(scenario)
    (first,) = first_sources(scenario)
    mean = math.ceil(sum(demand.mean for demand in scenario.demands.values()))
    high = max(math.ceil(float(cards.high[0]) * stages(scenario)[first].lot), mean)
    stage = stages(scenario)[first]
    is_known = len(stage.cycle) > 1 and stage.uncertainty < 1e-9
    extra = 0 if is_known else math.ceil(float(cards.textbook[0]) / 3)
    return (
        cards,
        parameter("extra", "containers", extra, high=cards.high, whole=True),
        parameter("release", "units", 0.0, high=high, low=-high),
        parameter("capture", "units", mean, high=high, low=-high),
    )


def of_conwip(scenario: Scenario, values: Values) -> Values:
    """Return the adaptive kanban without extra cards, which is CONWIP."""
    _, _, *thresholds = parameters(scenario)
    kept = {threshold.name: threshold.textbook for threshold in thresholds}
    return {"cards": values["cards"], "extra": np.zeros(1), **kept}


ADAPTIVE_KANBAN = Classic(
    "adaptive-kanban",
    why_not,
    parameters,
    acting(AdaptiveKanban),
    holds=(Special(CONWIP, of_conwip),),
)
