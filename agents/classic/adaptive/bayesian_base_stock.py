"""Bayesian base-stock: levels of the posterior predictive, for products whose level is learned.

    order = m + z s - inventory position,   every period, from the fast source

m, s mean and deviation of demand over the coming `cover` periods given the demand so far: gamma
level, Poisson demand, so negative binomial (Scarf 1959; Azoury 1985; `forecasting.Life`). What the
slow source brings is ordered before the season as in accurate response; an order is brought up to
the minimum where it is worth `share` of it.

Textbook sizing: z the normal quantile of the newsvendor ratio, cover the fast lead time and one
period of review, early z 0, share 0.5. Quantities in units, times in periods.

>>> posterior(shape=4, rate=0.004, sold=300, passed=0.2, share=0.1)  # prior mean 1000
(149.02, 222.07)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jitgym.scenario import Scenario

from ..base.acting import acting
from ..base.declaration import Array, Classic, Parameter, parameter
from .accurate_response import Seasonal, Style, safety_factors, share_parameter, why_not


def posterior(
    shape: float, rate: float, sold: float, passed: float, share: float
) -> tuple[float, float]:
    """Return mean and variance of demand over a share of life, given what sold over another."""
    size = shape + sold
    mean = share * size / (rate + passed)
    return round(mean, 2), round(mean + mean**2 / size, 2)


@dataclass(frozen=True, eq=False)
class BayesianBaseStock(Seasonal):
    """Order up to the posterior's level every period."""

    def late(self, state: Array, style: Style, position: Array) -> Array:
        """Return what the level of the coming periods is above the position."""
        mean, variance = style.life.predicted(state, 0, self.values["cover"][:, 0])
        return np.asarray(mean + self.values["late"][:, 0] * np.sqrt(variance) - position)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return both safety factors, the periods that are covered, and the share of a minimum."""
    fastest = max(
        min(map(scenario.mean_lead_time, scenario.sources_of(demand.item)))
        for demand in scenario.demands.values()
    )
    cover = math.ceil(fastest) + 1
    return (
        *safety_factors(scenario),
        parameter("cover", "periods", cover, high=24.0, low=1.0, whole=True),
        share_parameter(),
    )


BAYESIAN_BASE_STOCK = Classic("bayesian-base-stock", why_not, parameters, acting(BayesianBaseStock))
