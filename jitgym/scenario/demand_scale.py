"""The same plant with more or less demand, for step tests and sensitivity analysis."""

from __future__ import annotations

import math

import numpy as np

from jitgym import documents
from jitgym.distributions import (
    Deterministic,
    Distribution,
    Event,
    Intermittent,
    PartOf,
    Regimes,
    made,
    multiplied,
    scaled,
)
from jitgym.errors import PlacedError, ScenarioError

from .checked import Scenario, build


def with_demand(scenario: Scenario, factor: float) -> Scenario:
    """Return the scenario with every mean demand multiplied by `factor`.

    Distributions keep their kind; the docstring of each kind says what else stays the same. Whole
    quantities stay whole: a constant 4 times 1.2 becomes 4 or 5, with mean 4.8. The bounds of the
    actions stay, so that both plants have the same spaces.

    Raises
    ------
    ScenarioError
        If a demand cannot be multiplied. An event shares the periods with the other events of its
        clock, so that its mean is not proportional to its rate.

    >>> from jitgym import load
    >>> with_demand(load("lost-sales"), 1.2).demands["customers"].mean.__round__(6)
    6.0
    """
    if not (math.isfinite(factor) and factor >= 0):
        raise ScenarioError(
            f"{scenario.file}: demand times {factor!r}; expected a factor of at least 0"
        )
    data = scenario.document()
    for section, parts in (("demands", scenario.demands), ("streams", scenario.streams)):
        for name, part in parts.items():
            try:
                quantity = _scaled(part.quantity, factor)
            except PlacedError as error:
                where = f"{scenario.file}: {section}.{name}.quantity"
                raise ScenarioError(f"{where}: times {factor:g}: {error}") from None
            data[section][name]["quantity"] = documents.tidy(quantity)
    data.pop("known_optimum", None)
    return build(documents.Document(scenario.name, data), scenario._folder)


def _scaled(quantity: Distribution, factor: float) -> Distribution:
    if isinstance(quantity, PartOf) or factor == 1.0:
        return quantity  # the stream of a part is multiplied instead
    if isinstance(quantity, Event):
        low, high = quantity.interval
        rest = 1.0 - (high - low)
        drawn = factor * (high - low) / (factor * (high - low) + rest)
        raise PlacedError(
            f"an event of clock {quantity.clock!r} shares the periods with the other events: with "
            f"{factor:g} times its rate it would be drawn with mean {drawn:g}, not "
            f"{factor * (high - low):g}; expected new rates in the scenario instead"
        )
    if isinstance(quantity, Deterministic):
        return multiplied(np.array([quantity.value]), np.ones(1), factor)
    if isinstance(quantity, Intermittent):
        inner = _scaled(quantity.quantity, factor)
        return made(Intermittent, **quantity.parameters() | {"quantity": inner})
    if isinstance(quantity, Regimes):
        regimes = {name: _scaled(part, factor) for name, part in quantity.regimes.items()}
        return made(Regimes, **quantity.parameters() | {"regimes": regimes})
    return scaled(quantity, factor)
