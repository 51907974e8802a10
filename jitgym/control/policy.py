"""The policy: all that evaluation, the exact solver and the scripts know of a decision maker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout, Plant
from jitgym.plant.jit import compiled

from .rules import Rule, ask_by_rule
from .view import View, ViewLayout

Array = npt.NDArray[np.float64]


@runtime_checkable
class Policy(Protocol):
    """Who asks, and for how much."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def rule(self) -> Rule | None:
        """Its record in the compiled family of pull rules, or None."""
        ...

    def start(self, batch: int) -> Array:
        """Return its memory at the beginning of an episode, (batch, width), often of width 0."""
        ...

    def act(self, view: View, memory: Array) -> npt.ArrayLike:
        """Return what it asks for, (batch, sources) in units; may write to its memory.

        Beside the quantities there may stand priorities, (batch, 2 sources), and then which
        improvement projects to begin, (batch, 2 sources + projects).
        """
        ...


class Printed:
    """A policy, or what holds one, that prints in a line instead of as all its arrays.

    `base-stock (textbook) on lost-sales: level 29`
    """

    def __init_subclass__(cls, **given: Any) -> None:
        # Before a dataclass would write its own.
        super().__init_subclass__(**given)
        cls.__repr__ = cls.__dict__.get("__repr__", printed)  # type: ignore[method-assign]


def printed(policy: Any) -> str:
    """Return a policy as one short line: its name, its plant, its parameters."""
    layout: Layout | None = getattr(policy, "layout", None)
    parameters: dict[str, Any] = getattr(policy, "parameters", {})
    where = "" if layout is None else f" on {layout.scenario.name}"
    listed = ", ".join(f"{name} {_short(value)}" for name, value in parameters.items())
    return f"{policy.name}{where}{': ' if listed else ''}{listed}"


MOST_VALUES = 12  # of a parameter that are printed


def _short(value: Any) -> str:
    """Return a parameter's values, of many the first only."""
    if not isinstance(value, list | tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    more = len(value) - MOST_VALUES
    shown = ", ".join(_short(one) for one in value[:MOST_VALUES])
    return f"[{shown}, ... {more} more]" if more > 0 else f"[{shown}]"


@dataclass(frozen=True)
class RulePolicy(Printed):
    """A policy that is a pull rule: batches and the compiled loop run the same numbers."""

    name: str
    layout: Layout
    rule: Rule
    parameters: dict[str, Any] = field(default_factory=dict)  # as it was made, for tables and files

    def start(self, batch: int) -> Array:
        """Return no memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Array) -> Array:
        """Return the rule's asks, quantities in units and priorities, (batch, asked cells)."""
        state = ViewLayout(self.layout).state(np.asarray(view, dtype=np.float64))
        asked = np.zeros((state.shape[0], self.layout.asked_cells))
        ask_batch(self.layout.plant, self.rule, state, asked)
        return asked


@dataclass(frozen=True)
class FunctionPolicy(Printed):
    """A plain function of the view as a policy: (batch, cells) -> (batch, sources) or (batch,)."""

    function: Callable[[View], npt.ArrayLike]
    rule: None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", "function")

    def start(self, batch: int) -> Array:
        """Return no memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Array) -> npt.ArrayLike:
        """Return what the function returns."""
        return self.function(view)


def as_policy(policy: Policy | Callable[[View], npt.ArrayLike]) -> Policy:
    """Return a policy: itself, or a plain function of the view wrapped as one."""
    if isinstance(policy, Policy):
        return policy
    if callable(policy):
        return FunctionPolicy(policy)
    if callable(getattr(policy, "predict", None)):
        raise TypeError(
            f"{type(policy).__name__} acts on observations; expected "
            "evaluate.net_policy(model, scenario, control=...), which makes a policy of it"
        )
    raise TypeError(
        f"{type(policy).__name__} {policy!r} is neither a policy nor a function of the view; "
        "expected one of them"
    )


@compiled
def ask_batch(plant: Plant, rule: Rule, state: Array, asked: Array) -> None:
    """Write what the first rule of a population asks for in each state, (batch, asked cells)."""
    for e in range(state.shape[0]):
        ask_by_rule(
            plant, rule.asks, rule.cells, rule.weights[0], rule.numbers[0], state[e], asked[e]
        )
