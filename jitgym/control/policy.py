"""The policy protocol: all that evaluation, exact solver and scripts know of a decision maker."""

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
    """A policy asks for a quantity from every source, given the view."""

    @property
    def name(self) -> str:
        """Its name in tables."""
        ...

    @property
    def rule(self) -> Rule | None:
        """Its record in the compiled family of pull rules, or None."""
        ...

    def start(self, batch: int) -> Array:
        """Return its memory at the start of an episode, (batch, width); the width is often 0."""
        ...

    def act(self, view: View, memory: Array) -> npt.ArrayLike:
        """Return the quantities it asks for, (batch, sources) in units; it may write to its memory.

        Priorities may follow the quantities, (batch, 2 sources), and then the improvement projects
        to begin, (batch, 2 sources + projects).
        """
        ...


class Printed:
    """A policy, or an object that holds one, that prints as one line instead of as its arrays.

    `base-stock (textbook) on lost-sales: level 29`
    """

    def __init_subclass__(cls, **given: Any) -> None:
        # Set here, because a dataclass would write its own otherwise.
        super().__init_subclass__(**given)
        cls.__repr__ = cls.__dict__.get("__repr__", printed)  # type: ignore[method-assign]


def printed(policy: Any) -> str:
    """Return a policy as one short line: its name, its plant, its parameters."""
    layout: Layout | None = getattr(policy, "layout", None)
    parameters: dict[str, Any] = getattr(policy, "parameters", {})
    where = "" if layout is None else f" on {layout.scenario.name}"
    listed = ", ".join(f"{name} {_short(value)}" for name, value in parameters.items())
    return f"{policy.name}{where}{': ' if listed else ''}{listed}"


MOST_VALUES = 12  # values of a parameter that are printed


def _short(value: Any) -> str:
    """Return the values of a parameter as text; of many values only the first ones."""
    if not isinstance(value, list | tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    more = len(value) - MOST_VALUES
    shown = ", ".join(_short(one) for one in value[:MOST_VALUES])
    return f"[{shown}, ... {more} more]" if more > 0 else f"[{shown}]"


@dataclass(frozen=True)
class RulePolicy(Printed):
    """A policy that is a pull rule: batches and the compiled loop use the same numbers."""

    name: str
    layout: Layout
    rule: Rule
    parameters: dict[str, Any] = field(default_factory=dict)  # as given, for tables and files

    def start(self, batch: int) -> Array:
        """Return an empty memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Array) -> Array:
        """Return what the rule asks for: quantities and priorities, (batch, asked cells)."""
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
        """Return an empty memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Array) -> npt.ArrayLike:
        """Return what the function returns."""
        return self.function(view)


def as_policy(policy: Policy | Callable[[View], npt.ArrayLike]) -> Policy:
    """Return the policy itself, or a plain function of the view wrapped as a policy."""
    if isinstance(policy, Policy):
        return policy
    if callable(policy):
        return FunctionPolicy(policy)
    if callable(getattr(policy, "predict", None)):
        raise TypeError(
            f"{type(policy).__name__} acts on observations; expected "
            "evaluate.net_policy(model, scenario, control=...), which turns it into a policy"
        )
    raise TypeError(
        f"{type(policy).__name__} {policy!r} is neither a policy nor a function of the view; "
        "expected one of the two"
    )


@compiled
def ask_batch(plant: Plant, rule: Rule, state: Array, asked: Array) -> None:
    """Write what the first rule of a population asks for in each state, (batch, asked cells)."""
    for e in range(state.shape[0]):
        ask_by_rule(
            plant,
            rule.asks,
            rule.cells,
            rule.weights[0],
            rule.numbers[0],
            rule.gates,
            rule.thresholds[0],
            state[e],
            asked[e],
        )
