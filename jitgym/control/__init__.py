"""Control: the view, the policy protocol, and the family of pull rules."""

from .policy import FunctionPolicy, Policy, Printed, RulePolicy, as_policy
from .positions import echelon, local
from .rules import (
    Rule,
    asking_order,
    echelon_matrix,
    linear_rule,
    pull_rule,
    with_joint_gate,
    with_setup_gate,
)
from .view import View, ViewLayout

__all__ = [
    "FunctionPolicy",
    "Policy",
    "Printed",
    "Rule",
    "RulePolicy",
    "View",
    "ViewLayout",
    "as_policy",
    "asking_order",
    "echelon",
    "echelon_matrix",
    "linear_rule",
    "local",
    "pull_rule",
    "with_joint_gate",
    "with_setup_gate",
]
