"""Linear rule on the observation of a learner: it separates learning from information.

    order = floor(max(0, w0 - w . x))      for every source, in whole lots

x holds the entries of the environment's observation, which is all that a learned policy sees:
quantities in units; the states of sources and work centers and the clock as the observation shows
them. The cross-entropy
method tunes it, like the other rules with real numbers. The rule uses the information of a network
with the simplest possible function: the gain of a network over it is due to learning, and its gain
over base-stock is due to information too.

If an item has several sources, each order counts against the next, as in a single index.

Sizing (ours, a start for the tuner): base-stock, which is a linear rule of echelon stocks; the
tuner also starts from the best base-stock. w0 in units; weights in units per unit, or in units for
an entry of 1.

>>> linear_orders(np.array([[8.0, 1.0]]), np.array([[10.0]]), np.array([[[1.0, 0.5]]])).tolist()
[[1.5]]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.control import ViewLayout
from jitgym.control.encodings import Entry, ObservationEncoding
from jitgym.control.sizing import from_supplier_to_customer
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from ..base.acting import Acting, Positions, acting, in_scenario_order
from ..base.common import all_echelon_levels, level_parameter
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter
from ..pull.base_stock import BASE_STOCK

MOST_NUMBERS = 80  # the search cannot handle more
REACH = 0.8  # how far a tuner moves weights from those of base-stock, in units per unit
FINEST = 1e-3
BLUR = 1e-3  # units: weighted sums of whole units are not always whole


def linear_orders(features: Array, levels: Array, weights: Array) -> Array:
    """Return w0 - w . x, (batch, sources), before rounding and before negative values become 0.

    Shapes: features (batch, entries), levels (batch or 1, sources), weights (batch or 1, sources,
    entries).
    """
    if len(weights) == 1:
        return np.asarray(levels - features @ weights[0].T)
    return np.asarray(levels - np.einsum("be,bse->bs", features, weights))


@dataclass(frozen=True, eq=False)
class Linear(Acting):
    """The linear rule."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the orders, (batch, sources) in units."""
        shown = self._observation.encode(state[:, ViewLayout(self.layout).columns])
        in_units, columns = self._in_units
        features = np.where(in_units, np.maximum(state[:, columns], 0.0), shown.astype(np.float64))
        levels = in_scenario_order(self.layout, self.values["level"])
        weights = self.values["weights"].reshape(len(levels), levels.shape[1], -1)
        gaps = linear_orders(features, levels, weights[:, self._places]) + BLUR
        return self.plan.closing(state, gaps)

    @cached_property
    def _observation(self) -> ObservationEncoding:
        return ObservationEncoding(self.layout)

    @cached_property
    def _in_units(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
        """Whether an entry counts in units, and its cell of the state, (entries,) each."""
        shown = self._observation.entries
        return np.array([e.unit == "units" for e in shown]), np.array([e.column for e in shown])

    @cached_property
    def _places(self) -> list[int]:
        """The place of each source in the order from supplier to customer."""
        order = from_supplier_to_customer(self.layout.scenario)
        return [order.index(name) for name in self.layout.scenario.sources]


def entries(scenario: Scenario) -> tuple[Entry, ...]:
    """Return the entries of the observation."""
    return ObservationEncoding(lay_out(scenario)).entries


def numbers(scenario: Scenario) -> int:
    """Return the number of parameters of the rule."""
    return len(scenario.sources) * (len(entries(scenario)) + 1)


def why_not(scenario: Scenario) -> str:
    """Return why its parameters cannot be found, or nothing."""
    if (count := numbers(scenario)) > MOST_NUMBERS:
        return f"it would have {count} parameters; the search can handle at most {MOST_NUMBERS}"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return w0 and the weights of every source, from supplier to customer."""
    plan = Positions(lay_out(scenario))
    order, shown = from_supplier_to_customer(scenario), entries(scenario)
    usual = level_parameter(scenario)
    echelon = all_echelon_levels(plan.layout, usual.textbook)
    high = all_echelon_levels(plan.layout, usual.high)
    weights = []
    for name in order:
        k = list(scenario.sources).index(name)
        weights.append([plan.matrix[e.column, k] if e.unit == "units" else 0.0 for e in shown])
    textbook = np.array(weights).ravel()
    most = [scenario.order_bound(name) for name in order]
    units = np.array([e.unit == "units" for e in shown])
    reach = np.concatenate([np.where(units, REACH, REACH * bound) for bound in most])
    return (
        parameter(
            "level",
            "units",
            [echelon[name] for name in order],
            of=order,
            high=[high[name] for name in order],
            step=FINEST,
            least=-math.inf,
            real=True,
        ),
        parameter(
            "weights",
            "units per unit",
            textbook,
            of=(f"{name}: {entry.name}" for name in order for entry in shown),
            high=textbook + reach,
            step=FINEST,
            low=textbook - reach,
            least=-math.inf,
            real=True,
        ),
    )


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the linear rule that is base-stock with these levels."""
    level, weights = parameters(scenario)
    (local,) = values.values()
    echelon = all_echelon_levels(lay_out(scenario), local)
    return {"level": np.array([echelon[name] for name in level.of]), "weights": weights.textbook}


LINEAR = Classic(
    "linear",
    why_not,
    parameters,
    acting(Linear),
    holds=(Special(BASE_STOCK, of_base_stock),),
)
