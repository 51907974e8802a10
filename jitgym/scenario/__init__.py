"""A scenario: what is held, how each item is replenished, and who demands it.

Quantities are in units of the item and times in periods, except the time of a work center and the
time per unit there, which share any unit of time. Costs are in money per unit; costs of holding and
backorders are in money per unit and period.

>>> from jitgym import load
>>> scenario = load("lost-sales", penalty=19)
>>> scenario.demands["customers"].shortage_cost
19.0
>>> scenario.yardstick
'average cost per period'
"""

from .capacity import Load, can_pile_up, utilization
from .checked import Scenario, build
from .checks import RESERVED
from .demand_scale import with_demand
from .model import economic_order_quantity
from .parts import (
    Actions,
    Breakdown,
    Carrier,
    Commitment,
    Demand,
    Forecast,
    Horizon,
    Item,
    KnownOptimum,
    Oracle,
    Overtime,
    Partial,
    Project,
    Quality,
    Revealed,
    Shares,
    Smoothing,
    Source,
    Stream,
    UpDown,
    WorkCenter,
)

__all__ = [
    "RESERVED",
    "Actions",
    "Breakdown",
    "Carrier",
    "Commitment",
    "Demand",
    "Forecast",
    "Horizon",
    "Item",
    "KnownOptimum",
    "Load",
    "Oracle",
    "Overtime",
    "Partial",
    "Project",
    "Quality",
    "Revealed",
    "Scenario",
    "Shares",
    "Smoothing",
    "Source",
    "Stream",
    "UpDown",
    "WorkCenter",
    "build",
    "can_pile_up",
    "economic_order_quantity",
    "utilization",
    "with_demand",
]
