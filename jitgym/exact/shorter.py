"""A lower bound for plants that are too large to solve: the optimum with shorter lead times.

A buyer with a shorter lead time can wait with each order and then does what the other does, with
more knowledge. So in the long run the optimum with shorter lead times costs no more. This holds for
suppliers that are always up and whose lead time is certain, if nothing else tells when an order was
placed: no discount, no carrier, no terms of payment, no contract.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitgym.catalog import load
from jitgym.distributions import Deterministic
from jitgym.scenario import Scenario

from .enumeration import MEMORY
from .errors import NotFinite, TooLarge
from .solving import solve


@dataclass(frozen=True)
class Shorter:
    """The optimum of a plant with shorter lead times: a lower bound."""

    cost: float
    periods: int  # by which each lead time is shorter

    def __str__(self) -> str:
        """Return the bound in words."""
        unit = "period" if self.periods == 1 else "periods"
        return (
            f"no policy costs less than {self.cost:.6g}, the optimum with lead times that are "
            f"{self.periods} {unit} shorter"
        )


def eligible(scenario: Scenario) -> dict[str, int]:
    """Return the lead times that may be shortened, by source; empty if the bound does not hold."""
    if scenario.discount is not None or scenario.horizon.ends:
        return {}
    return {
        name: int(source.lead_time.value)
        for name, source in scenario.sources.items()
        if not source.consumes
        and source.at is None
        and isinstance(source.lead_time, Deterministic)
        and source.lead_time.value > 0
        and not (source.disruption or source.partial or source.carrier or source.commitment)
        and not source.pays_after
    }


def shorter(scenario: Scenario | str, memory: float = MEMORY) -> Shorter | None:
    """Return the optimum with lead times as little shorter as can be solved; None if none can."""
    scenario = load(scenario)
    given = eligible(scenario)
    for periods in range(1, max(given.values(), default=0) + 1):
        paths = {
            f"sources.{name}.lead_time": max(lead - periods, 0) for name, lead in given.items()
        }
        try:
            found = solve(load(scenario, **paths), memory=memory)
        except (NotFinite, TooLarge):
            continue
        return Shorter(found.lower, periods)
    return None
