"""Corrections: a classic policy whose levels, cards or orders a net moves, state by state.

    correction of a source = lot x round(step x output / lot),      order = rule(level + correction)

An output of 1 moves a source by one step: the largest of a lot, the batch in which the rule orders,
and a quarter of the mean requirement per period. Where the classic is a pull rule, its levels and
cards move; elsewhere the orders themselves. With outputs of 0 the policy is the classic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, Printed, View, ViewLayout
from jitgym.control.encodings import CATEGORY, COSINE, SINE, ObservationEncoding
from jitgym.control.net import (
    Corrector,
    Net,
    ask_batch_by_net,
    ask_corrected,
    corrector,
    outputs_of,
    untrained,
)
from jitgym.control.rules import BATCH, Rule
from jitgym.plant import Layout

from ..branches import Asking

Array = npt.NDArray[np.float64]

SHARE_OF_NEED = 0.25
"""A step is at least this share of the mean requirement per period."""


@dataclass(frozen=True)
class Steps:
    """The unit of the corrections of each source."""

    lot: Array  # (sources,), in units
    step: Array  # (sources,), in units; 0 for a source that is not corrected

    @classmethod
    def of(cls, layout: Layout, base: Policy) -> Steps:
        """Return the steps for corrections to this policy."""
        scenario = layout.scenario
        sources = list(scenario.sources.values())
        lot = np.array([source.lot_size for source in sources], dtype=np.float64)
        rule = rule_of(base)
        if rule is not None:
            # Orders in batches: two plants whose positions differ by less never meet again.
            for k, ask in enumerate(rule.asks):
                batch = float(rule.numbers[0, k, BATCH])
                lot[ask["source"]] = max(lot[ask["source"]], batch)
        need = np.array([scenario.mean_requirement(source.makes) for source in sources])
        wanted = np.maximum(lot, SHARE_OF_NEED * need)
        return cls(lot, wanted)

    def units(self, outputs: npt.NDArray[Any]) -> Array:
        """Return outputs as corrections in units, (batch, sources)."""
        lots = np.floor(np.asarray(outputs, np.float64) * (self.step / self.lot) + 0.5)
        return np.asarray(lots * self.lot)


def rule_of(policy: Policy) -> Rule | None:
    """Return the compiled rule of a policy, or None."""
    inner: Any = getattr(policy, "policy", policy)
    rule: Rule | None = inner.rule
    return rule


@dataclass(frozen=True)
class Features:
    """What a net reads: the observation's entries in natural units, then the classic's asks."""

    layout: Layout
    steps: Steps

    @cached_property
    def entries(self) -> tuple[Any, ...]:
        """The entries of the observation."""
        return ObservationEncoding(self.layout).entries

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.entries) + len(self.steps.lot)

    @cached_property
    def usual(self) -> Array:
        """A third of the usual size of each quantity, and 1 for other features, (features,).

        It stands for the deviation of a feature that does not move under the classic, such as stock
        under a start that orders nothing.
        """
        found = [1.0 / entry.factor if entry.usual else 1.0 for entry in self.entries]
        return np.array(found + [1.0] * len(self.steps.lot))

    @cached_property
    def _columns(self) -> npt.NDArray[np.intp]:
        return np.array([entry.column for entry in self.entries], dtype=np.intp)

    def __call__(self, state: Array, asked: Array) -> Array:
        """Return the features of states, (batch, features)."""
        found = np.empty((state.shape[0], self.width))
        count = len(self.entries)
        found[:, :count] = state[:, self._columns]
        for k, entry in enumerate(self.entries):
            if entry.kind == CATEGORY:
                found[:, k] = found[:, k] == entry.category
            elif entry.kind in (SINE, COSINE):
                turn = np.sin if entry.kind == SINE else np.cos
                found[:, k] = turn(2.0 * np.pi * found[:, k] / entry.high)
        found[:, count:] = asked[:, : self.steps.lot.size] / self.steps.step
        return found


@dataclass(frozen=True, eq=False)
class Corrected(Printed):
    """A classic policy and the net that corrects it."""

    name: str
    layout: Layout
    base: Policy
    net: Net
    rule: None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the classic."""
        return dict(getattr(self.base, "parameters", {}))

    @cached_property
    def asking(self) -> Asking:
        """The classic as a function of states."""
        return Asking(self.base, self.layout)

    @cached_property
    def steps(self) -> Steps:
        """The unit of the corrections."""
        return Steps.of(self.layout, self.base)

    @cached_property
    def features(self) -> Features:
        """What the net reads."""
        return Features(self.layout, self.steps)

    @cached_property
    def as_data(self) -> Corrector | None:
        """The policy as data for compiled code; None if the classic is not a compiled rule."""
        rule = rule_of(self.base)
        if rule is None:
            return None
        entries = ObservationEncoding(self.layout).table
        return corrector(rule, self.net, entries, self.steps.lot, self.steps.step)

    def start(self, batch: int) -> Array:
        """Return the memory of the classic."""
        return self.asking.start(batch)

    def act(self, view: View, memory: Array) -> Array:
        """Return what it asks for, (batch, asked cells)."""
        return self.asks(ViewLayout(self.layout).state(np.asarray(view, np.float64)), memory)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the same from a matrix of states, (batch, cells)."""
        if self.as_data is not None:
            asked = np.zeros((state.shape[0], self.layout.asked_cells))
            ask_batch_by_net(self.layout.plant, self.as_data, np.ascontiguousarray(state), asked)
            return asked
        asked = self.asking(state, memory)
        outputs = outputs_of(self.net, self.features(state, asked))
        return self.corrected(state, asked, outputs)

    def corrected(self, state: Array, asked: Array, outputs: npt.NDArray[Any]) -> Array:
        """Return what the classic asks for with these outputs of the net, (batch, asked cells)."""
        return correct(self.layout, self.base, self.steps, state, asked, outputs)

    def with_net(self, net: Net) -> Corrected:
        """Return the same policy with another net."""
        return replace(self, net=net)


def corrected(base: Policy, layout: Layout, generator: np.random.Generator) -> Corrected:
    """Return a classic with an untrained net of 64 and 64 units, whose features are not scaled."""
    steps = Steps.of(layout, base)
    width = Features(layout, steps).width
    seed = int(generator.integers(2**31))
    net = untrained(np.zeros(width), np.ones(width), 64, steps.lot.size, seed)
    return Corrected("corrected", layout, base, net)


def retuned(policy: Corrected, state: Array, memory: Array) -> Corrected:
    """Return the classic with the policy's mean correction in these states as a constant.

    What it gains, the tuner of the classic has left; the rest of a learned policy's gain follows
    the state.
    """
    asked = policy.asking(state, memory)
    outputs = outputs_of(policy.net, policy.features(state, asked))
    mean = policy.steps.units(outputs).mean(axis=0) / policy.steps.step
    net = policy.net._replace(
        last=np.zeros_like(policy.net.last), last_bias=mean.astype(policy.net.last_bias.dtype)
    )
    return replace(policy, name="retuned", net=net)


def correct(
    layout: Layout,
    base: Policy,
    steps: Steps,
    state: Array,
    asked: Array,
    outputs: npt.NDArray[Any],
) -> Array:
    """Return the asks of a classic that is corrected by outputs of a net, (batch, sources).

    `asked` is what the classic asks for without corrections, (batch, asked cells).
    """
    corrections = steps.units(outputs)
    rule = rule_of(base)
    if rule is None:
        moved = asked.copy()
        sources = corrections.shape[1]
        moved[:, :sources] = np.maximum(moved[:, :sources] + corrections, 0.0)
        return moved
    moved = np.zeros_like(asked)
    numbers = np.empty(rule.numbers.shape[1:])
    ask_corrected(layout.plant, rule, numbers, corrections, state, moved)
    return moved
