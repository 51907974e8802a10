"""The same plant under more or less demand: for step tests and sensitivity."""

from __future__ import annotations

import math
from typing import Any

from jitgym import documents

from .model import Scenario, build


def with_demand(scenario: Scenario, factor: float) -> Scenario:
    """Return a scenario whose every mean demand is `factor` times what it was.

    Distributions keep their kind; a binomial or a uniform demand keeps its shape as far as whole
    numbers allow. The bounds of the actions stay, so that both plants have the same spaces.

    Raises
    ------
    ScenarioError
        If a demand cannot be scaled, such as an event of a clock whose rate is all there is.

    >>> from jitgym.scenario import load
    >>> with_demand(load("lost-sales"), 1.2).demands["customers"].mean.__round__(6)
    6.0
    """
    data = scenario.document()
    for demand in data["demands"].values():
        demand["quantity"] = _scaled(demand["quantity"], factor)
    for stream in data.get("streams", {}).values():
        stream["quantity"] = _scaled(stream["quantity"], factor)
    data.pop("known_optimum", None)
    return build(documents.Document(scenario.name, data), scenario._folder)


def _scaled(quantity: Any, factor: float) -> Any:
    if isinstance(quantity, int | float):
        return _whole(quantity * factor)
    kind = quantity["distribution"]
    if kind == "part-of":
        return quantity
    changed = dict(quantity)
    if kind == "regimes":
        regimes = quantity["regimes"]
        changed["regimes"] = {name: _scaled(part, factor) for name, part in regimes.items()}
    elif kind == "intermittent":
        changed["quantity"] = _scaled(quantity["quantity"], factor)
    elif kind == "recorded":
        changed["scale"] = quantity.get("scale", 1.0) * factor
    elif kind == "life-cycle":
        # More demand, not a better forecast: the level's coefficient of variation stays.
        changed["mean"] = quantity["mean"] * factor
        deviation = "standard_deviation_of_level"
        changed[deviation] = quantity[deviation] * factor
    elif kind == "event":
        changed["rate"] = quantity["rate"] * factor
    elif kind == "finite":
        changed["values"] = [round(value * factor) for value in quantity["values"]]
    elif kind == "uniform":
        changed["low"], changed["high"] = (round(quantity[k] * factor) for k in ("low", "high"))
    elif kind == "binomial":
        changed["trials"] = round(quantity["trials"] * factor)
    elif kind == "deterministic":
        return _whole(quantity["value"] * factor)
    else:
        changed["mean"] = quantity["mean"] * factor
    return changed


def _whole(quantity: float) -> Any:
    """A constant in whole units, or the two whole numbers around it with the same mean."""
    below, rest = math.floor(quantity + 1e-9), quantity - math.floor(quantity + 1e-9)
    if rest < 1e-9:
        return float(below)
    chances = [1.0 - rest, rest]
    return {"distribution": "finite", "values": [below, below + 1], "probabilities": chances}
