"""The classic policies: each declares its parameters, their textbook sizes, and how it is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.documents import suggest
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from .adaptive.accurate_response import ACCURATE_RESPONSE
from .adaptive.bayesian_base_stock import BAYESIAN_BASE_STOCK
from .adaptive.conwip_hot import CONWIP_HOT
from .adaptive.intermittent import CROSTON, TSB
from .adaptive.regime_base_stock import REGIME_BASE_STOCK
from .adaptive.seasonal_base_stock import SEASONAL_BASE_STOCK
from .adaptive.smoothed import SMOOTHED
from .base.declaration import Classic, Parameter, Values, plain, values_of
from .planning.mrp import MRP
from .planning.rolling_lp import ROLLING_LP
from .planning.silver_meal import SILVER_MEAL
from .planning.wagner_whitin import WAGNER_WHITIN
from .pull.adaptive_kanban import ADAPTIVE_KANBAN
from .pull.base_stock import BASE_STOCK
from .pull.clark_scarf import CLARK_SCARF
from .pull.conwip import CONWIP
from .pull.extended_kanban import EXTENDED_KANBAN
from .pull.generalized_kanban import GENERALIZED_KANBAN
from .pull.hybrid import HYBRID
from .pull.kanban import KANBAN
from .reorder.capped_base_stock import CAPPED_BASE_STOCK
from .reorder.constant import CONSTANT
from .reorder.eoq import EOQ
from .reorder.linear import LINEAR
from .reorder.linear_capped import LINEAR_CAPPED
from .reorder.min_max import MIN_MAX
from .reorder.myopic import MYOPIC
from .reorder.myopic_two import MYOPIC_TWO
from .reorder.periodic_review import PERIODIC_REVIEW
from .reorder.reorder_batch import REORDER_BATCH
from .scheduling.c_mu import C_MU
from .scheduling.heijunka import HEIJUNKA
from .scheduling.heijunka_milk_run import HEIJUNKA_MILK_RUN
from .scheduling.longest_queue import LONGEST_QUEUE
from .sourcing.balanced import BALANCED
from .sourcing.can_order import CAN_ORDER
from .sourcing.capped_dual_index import CAPPED_DUAL_INDEX
from .sourcing.dual_index import DUAL_INDEX
from .sourcing.single_index import SINGLE_INDEX
from .sourcing.tailored_base_surge import TAILORED_BASE_SURGE

OnABase = Callable[[str, Callable[[Scenario], Classic]], Classic]
"""(name, scenario -> base policy) -> a policy that improves its base policy."""

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
        HEIJUNKA_MILK_RUN,
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
        ROLLING_LP,
    )
}

_ON_A_BASE: dict[str, OnABase] = {}

__all__ = [
    "CLASSICS",
    "Classic",
    "Parameter",
    "Values",
    "applicable",
    "find",
    "make",
    "plain",
    "register",
    "values_of",
]


def register(classic: Classic, on_a_base: OnABase) -> None:
    """Add a policy that improves another policy; `NAME:OTHER` then improves the policy OTHER."""
    CLASSICS[classic.name] = classic
    _ON_A_BASE[classic.name] = on_a_base


def find(name: str) -> Classic:
    """Return a classic policy by its name. Raises ScenarioError if there is none.

    `look-ahead:NAME` is look-ahead with the policy NAME as its base policy.
    """
    improver, _, base = name.partition(":")
    if improver in _ON_A_BASE and base:
        if base not in CLASSICS:
            raise ScenarioError(f"{name}: unknown base policy {base!r}; {suggest(base, CLASSICS)}")
        named = find(base)
        return _ON_A_BASE[improver](name, lambda _: named)
    if name not in CLASSICS:
        raise ScenarioError(f"unknown policy {name!r}; {suggest(name, CLASSICS)}")
    return CLASSICS[name]


def applicable(name: str, scenario: Scenario) -> Classic:
    """Return a classic policy. Raises ScenarioError if it does not apply to this scenario."""
    classic = find(name)
    if reason := classic.why_not(scenario):
        raise ScenarioError(f"{scenario.file}: {name} does not apply: {reason}")
    return classic


def make(name: str, scenario: Scenario, parameters: dict[str, Any]) -> Policy:
    """Return a classic policy with these parameters; the others have their textbook size."""
    classic = applicable(name, scenario)
    values = values_of(name, classic.parameters(scenario), parameters)
    label = name if parameters else f"{name} (textbook)"
    return classic.build(label, lay_out(scenario), values)
