"""The classic policies: textbook sizing beside the parameters that a tuner may move."""

from __future__ import annotations

from typing import Any

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.documents import suggest
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from .accurate_response import ACCURATE_RESPONSE
from .adaptive_kanban import ADAPTIVE_KANBAN
from .balanced import BALANCED
from .base_stock import BASE_STOCK
from .bayesian_base_stock import BAYESIAN_BASE_STOCK
from .c_mu import C_MU
from .can_order import CAN_ORDER
from .capped_base_stock import CAPPED_BASE_STOCK
from .capped_dual_index import CAPPED_DUAL_INDEX
from .clark_scarf import CLARK_SCARF
from .constant import CONSTANT
from .conwip import CONWIP
from .conwip_hot import CONWIP_HOT
from .dual_index import DUAL_INDEX
from .eoq import EOQ
from .extended_kanban import EXTENDED_KANBAN
from .generalized_kanban import GENERALIZED_KANBAN
from .heijunka import HEIJUNKA
from .hybrid import HYBRID
from .intermittent import CROSTON, TSB
from .kanban import KANBAN
from .linear import LINEAR
from .linear_capped import LINEAR_CAPPED
from .longest_queue import LONGEST_QUEUE
from .look_ahead import LOOK_AHEAD, on
from .min_max import MIN_MAX
from .mrp import MRP
from .myopic import MYOPIC
from .myopic_two import MYOPIC_TWO
from .periodic_review import PERIODIC_REVIEW
from .policy import Classic, Parameter, Values, plain, values_of
from .regime_base_stock import REGIME_BASE_STOCK
from .reorder_batch import REORDER_BATCH
from .rolling_lp import ROLLING_LP
from .seasonal_base_stock import SEASONAL_BASE_STOCK
from .silver_meal import SILVER_MEAL
from .single_index import SINGLE_INDEX
from .smoothed import SMOOTHED
from .tailored_base_surge import TAILORED_BASE_SURGE
from .wagner_whitin import WAGNER_WHITIN

CLASSICS: dict[str, Classic] = {
    classic.name: classic
    for classic in (
        KANBAN,
        CONWIP,
        BASE_STOCK,
        EOQ,
        CONSTANT,
        SMOOTHED,
        MRP,
        HYBRID,
        HEIJUNKA,
        REGIME_BASE_STOCK,
        CONWIP_HOT,
        SEASONAL_BASE_STOCK,
        C_MU,
        CAN_ORDER,
        BALANCED,
        ACCURATE_RESPONSE,
        BAYESIAN_BASE_STOCK,
        TAILORED_BASE_SURGE,
        CAPPED_BASE_STOCK,
        LINEAR_CAPPED,
        SINGLE_INDEX,
        DUAL_INDEX,
        CAPPED_DUAL_INDEX,
        EXTENDED_KANBAN,
        MIN_MAX,
        REORDER_BATCH,
        PERIODIC_REVIEW,
        MYOPIC,
        MYOPIC_TWO,
        CLARK_SCARF,
        WAGNER_WHITIN,
        SILVER_MEAL,
        LINEAR,
        CROSTON,
        TSB,
        GENERALIZED_KANBAN,
        ADAPTIVE_KANBAN,
        LONGEST_QUEUE,
        LOOK_AHEAD,
        ROLLING_LP,
    )
}

__all__ = [
    "CLASSICS",
    "Classic",
    "Parameter",
    "Values",
    "applicable",
    "find",
    "make",
    "plain",
    "values_of",
]


def find(name: str) -> Classic:
    """Return a classic policy by its name. Raises ScenarioError where there is none.

    `look-ahead:NAME` looks ahead with the policy of that name.
    """
    ahead, _, base = name.partition(":")
    if ahead == LOOK_AHEAD.name and base:
        if base not in CLASSICS:
            raise ScenarioError(f"{name}: unknown base {base!r}; {suggest(base, CLASSICS)}")
        named = find(base)
        return on(name, lambda _: named)
    if name not in CLASSICS:
        raise ScenarioError(f"unknown policy {name!r}; {suggest(name, CLASSICS)}")
    return CLASSICS[name]


def applicable(name: str, scenario: Scenario) -> Classic:
    """Return a classic policy that applies to this scenario. Raises ScenarioError."""
    classic = find(name)
    if reason := classic.why_not(scenario):
        raise ScenarioError(f"{scenario.file}: {name} does not apply: {reason}")
    return classic


def make(name: str, scenario: Scenario, parameters: dict[str, Any]) -> Policy:
    """Return a classic policy with these parameters; those left out are the textbook's."""
    classic = applicable(name, scenario)
    values = values_of(name, classic.parameters(scenario), parameters)
    label = name if parameters else f"{name} (textbook)"
    return classic.build(label, lay_out(scenario), values)
