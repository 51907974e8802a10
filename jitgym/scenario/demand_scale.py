"""The same plant under more or less demand: for step tests and sensitivity."""

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
    """Return a scenario whose every mean demand is `factor` times what it was.

    Distributions keep their kind; what else stays as it was stands in the docstring of each kind.
    Whole quantities stay whole: a constant of 4 times 1.2 is 4 or 5, with mean 4.8. The bounds of
    the actions stay, so that both plants have the same spaces.

    Raises
    ------
    ScenarioError
        If a demand cannot be multiplied: an event shares the periods with the others of its clock,
        so that its mean does not follow its rate.

    >>> from jitgym import load
    >>> with_demand(load("lost-sales"), 1.2).demands["customers"].mean.__round__(6)
    6.0
    """
    if not (math.isfinite(factor) and factor >= 0):
        raise ScenarioError(
            f"{scenario.file}: demand times {factor!r}; expected a factor from 0 on"
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
        return quantity  # of a part, its stream is multiplied
    if isinstance(quantity, Event):
        low, high = quantity.interval
        rest = 1.0 - (high - low)
        drawn = factor * (high - low) / (factor * (high - low) + rest)
        raise PlacedError(
            f"an event of clock {quantity.clock!r} shares the periods with its other events: with "
            f"{factor:g} times its rate it would be drawn with mean {drawn:g}, not "
            f"{factor * (high - low):g}; expected the rates themselves to be changed"
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
