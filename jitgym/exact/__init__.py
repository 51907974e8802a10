"""The exact optimum of a small plant, enumerated with the dynamics of the simulator.

    solution = exact.solve(scenario)            # .cost, .lower, .upper, .states, .policy
    value    = exact.evaluate(policy, scenario) # .cost, .lower, .upper

Where a plant is too large, `shorter` gives a lower bound.

`cost` is the scenario's yardstick: the long-run average per period (ongoing), the total of a
season, or, with a discount, the discounted sum from the first state.
"""

from .bounds import Bounds, first_bounds
from .enumeration import MEMORY
from .errors import NotFinite, TooLarge
from .evaluation import Value, evaluate
from .policy import OptimalPolicy
from .shorter import Shorter, shorter
from .solving import Solution, solve

__all__ = [
    "MEMORY",
    "Bounds",
    "NotFinite",
    "OptimalPolicy",
    "Shorter",
    "Solution",
    "TooLarge",
    "Value",
    "evaluate",
    "first_bounds",
    "shorter",
    "solve",
]
