"""Bayesian base-stock: levels follow the posterior predictive demand of new products.

    order = m + z s - inventory position,   every period, from the fast source

m and s are the mean and standard deviation of demand over the coming `cover` periods, given the
demand so far. The unknown level of demand has a gamma prior, and demand given its level is Poisson,
so that predictive demand is negative binomial (Scarf 1959; Azoury 1985; `forecasting.Life`). The
order from the slow source before the season is that of accurate response. An order is raised to the
minimum if it is at least `share` of the minimum.

Textbook sizing: z is the normal quantile of the newsvendor ratio, cover is the fast lead time and
one review period, early z is 0, share is 0.5. Quantities are in units, times in periods.

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
    """Return mean and variance of demand over a share of the life cycle.

    `sold` units were sold over the share `passed` before it.
    """
    size = shape + sold
    mean = share * size / (rate + passed)
    return round(mean, 2), round(mean + mean**2 / size, 2)


@dataclass(frozen=True, eq=False)
class BayesianBaseStock(Seasonal):
    """Order up to the level of the posterior predictive demand every period."""

    def late(self, state: Array, style: Style, position: Array) -> Array:
        """Return the level of the coming periods less the position, (batch,)."""
        mean, variance = style.life.predicted(state, 0, self.values["cover"][:, 0])
        return np.asarray(mean + self.values["late"][:, 0] * np.sqrt(variance) - position)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the safety factors, the number of periods covered, and the share of a minimum."""
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
