"""Readback: the shortest linear rule that does most of what a net does.

    correction of a source = lot x round((number + sum of number x feature) / lot)

The rule is fitted to the corrections of the net in states that occur under it, by least squares.
Features join one after the other, for the source where they explain most, until little is left to
explain or the rule has `MOST_NUMBERS` numbers. It is a policy of its own, to be judged beside the
net: what it gains can be written on a card, and what it leaves is what the net is for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy
from jitgym.control.net import Net, outputs_of

from ..branches import Asking, Herd
from .corrections import Corrected

Array = npt.NDArray[np.float64]

STATES, TIMES, BETWEEN, WARM_UP = 256, 24, 8, 300
"""Plants of the split `train`, how often and after how many periods they are looked at."""

MOST_NUMBERS = 6
WORTH = 0.01  # share of the variance that a feature must explain to join
SEED = 77_003


@dataclass(frozen=True)
class Term:
    """A number of the rule."""

    source: str
    feature: str  # "" for the constant
    number: float  # units per unit of the feature


@dataclass(frozen=True)
class Readback:
    """A linear rule, and how well it follows the net."""

    policy: Corrected
    terms: tuple[Term, ...]
    explained: float  # share of the variance of the net's corrections

    def __str__(self) -> str:
        """Return the rule in words, one formula for each source that it corrects."""
        found = []
        for source in dict.fromkeys(term.source for term in self.terms):
            parts = [term for term in self.terms if term.source == source]
            text = "".join(
                f" {'-' if term.number < 0 else '+'} {abs(term.number):.3g}"
                + (f" x {term.feature}" if term.feature else "")
                for term in parts
            )
            found.append(f"{source} by {text.removeprefix(' + ').strip()}")
        return "corrects " + "; ".join(found)


def readback(policy: Policy) -> Readback | None:
    """Return the linear rule of a trained policy; None if it is no net, or corrects nothing."""
    inner: object = getattr(policy, "policy", policy)
    if not isinstance(inner, Corrected):
        return None
    features, units = _seen(inner)
    deviation = features.std(axis=0)
    names = _names(inner)
    usable = [k for k in range(len(names)) if deviation[k] > 1e-9]
    chosen = _chosen(features, units, inner.steps.lot, usable)
    if not chosen:
        return None
    weights, bias = np.zeros((features.shape[1], units.shape[1])), np.zeros(units.shape[1])
    scale = np.ones(len(names))  # asks are features in steps, and are told in units
    scale[-len(inner.steps.step) :] = inner.steps.step
    terms = []
    left = 0.0
    sources = list(inner.layout.scenario.sources)
    for source, columns in chosen.items():
        solved = _fitted(features[:, columns], units[:, source])
        bias[source], weights[columns, source] = solved[0], solved[1:]
        terms.append(Term(sources[source], "", float(solved[0])))
        terms += [
            Term(sources[source], names[column], float(number / scale[column]))
            for column, number in zip(columns, solved[1:], strict=True)
        ]
        guess = bias[source] + features[:, columns] @ solved[1:]
        left += float(((units[:, source] - guess) ** 2).sum())
    others = [k for k in range(units.shape[1]) if k not in chosen]
    left += float((units[:, others] ** 2).sum())
    apart = units - units.mean(axis=0)
    whole = float((apart**2).sum())
    explained = 1.0 - left / whole if whole > 0 else 1.0
    net = linear_net(weights / inner.steps.step, bias / inner.steps.step, features, deviation)
    return Readback(
        replace(inner, name=f"{policy.name}, as a linear rule", net=net), tuple(terms), explained
    )


def _seen(policy: Corrected) -> tuple[Array, Array]:
    """Return features and corrections in units in states that occur, (states, ...)."""
    herd, asking = Herd(policy.layout, STATES, SEED), Asking(policy, policy.layout)
    herd.begin(asking, WARM_UP)
    features, units = [], []
    for _ in range(TIMES):
        herd.follow(asking, BETWEEN)
        asked = policy.asking(herd.state, herd.memory.copy())
        seen = policy.features(herd.state, asked)
        features.append(seen)
        units.append(outputs_of(policy.net, seen) * policy.steps.step)
    return np.concatenate(features), np.concatenate(units)


def _names(policy: Corrected) -> list[str]:
    asks = [f"(units that {name} asks)" for name in policy.layout.scenario.sources]
    return [entry.name for entry in policy.features.entries] + asks


def _chosen(features: Array, units: Array, lot: Array, usable: list[int]) -> dict[int, list[int]]:
    """Return the features of each source's rule; a source that is hardly corrected has none."""
    apart = units - units.mean(axis=0)
    whole = float((apart**2).sum())
    matters = [s for s in range(units.shape[1]) if np.abs(units[:, s]).mean() > 0.02 * lot[s]]
    found: dict[int, list[int]] = {}
    count = 0
    while True:
        best, place = 0.0, (-1, -1)
        for source in matters:
            columns = found.get(source, [])
            cost = 1 if source in found else 2  # the first feature brings a constant with it
            if count + cost > MOST_NUMBERS:
                continue
            before = _rest(features[:, columns], units[:, source])
            if source not in found:  # without a rule, the source keeps its mean too
                before = float((units[:, source] ** 2).sum())
            for column in usable:
                if column in columns:
                    continue
                after = _rest(features[:, [*columns, column]], units[:, source])
                gain = (before - after) / cost
                if gain > best:
                    best, place = gain, (source, column)
        if place[0] < 0 or best < WORTH * max(whole, 1e-300):
            return found
        count += 1 if place[0] in found else 2
        found.setdefault(place[0], []).append(place[1])


def _fitted(columns: Array, target: Array) -> Array:
    """Return constant and weights by least squares, (1 + columns,)."""
    given = np.column_stack([np.ones(len(target)), columns])
    return np.asarray(np.linalg.lstsq(given, target, rcond=None)[0])


def _rest(columns: Array, target: Array) -> float:
    solved = _fitted(columns, target)
    return float(((target - solved[0] - columns @ solved[1:]) ** 2).sum())


def linear_net(weights: Array, bias: Array, features: Array, deviation: Array) -> Net:
    """Return a net whose outputs are linear in the features, (features, outputs).

    Each output is the difference of two hidden units, its positive and its negative part. Features
    are clipped where a net clips them.
    """
    mean = features.mean(axis=0)
    spread = np.where(deviation > 1e-9, deviation, 1.0)
    scaled = weights * spread[:, np.newaxis]
    shift = bias + mean @ weights
    outputs = weights.shape[1]
    one = np.eye(2 * outputs, dtype=np.float32)
    return Net(
        mean,
        1.0 / spread,
        np.hstack([scaled, -scaled]).astype(np.float32),
        np.concatenate([shift, -shift]).astype(np.float32),
        one,
        np.zeros(2 * outputs, dtype=np.float32),
        np.vstack([np.eye(outputs), -np.eye(outputs)]).astype(np.float32),
        np.zeros(outputs, dtype=np.float32),
    )
