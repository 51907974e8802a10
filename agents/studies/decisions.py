"""Today's orders of a policy from a state that a person wrote down, each with its reason.

A state file is YAML: the name of a part of the view (docs/view.md) and its units; a list gives the
ages, the youngest first:

    product.stock: 12
    supplier.in_process: [5, 4, 6]     # ordered 1, 2 and 3 periods ago

Every part that decides must be there, or the file says `missing: zero`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.control import Policy, Rule, ViewLayout
from jitgym.control.rules import BATCH, CAP, CARDS, LEVEL, TRIGGER
from jitgym.documents import read_file, suggest
from jitgym.plant import Layout
from jitgym.plant.records import UNLIMITED

from ..branches import Asking
from ..learned.corrections import Corrected, rule_of

Array = npt.NDArray[np.float64]
MISSING = "missing"


@dataclass(frozen=True)
class Decision:
    """What is ordered from one source today, and why."""

    source: str
    units: float  # asked for; the plant may grant less
    reason: str


def parts(layout: Layout) -> dict[str, int]:
    """Return the parts of the view that decide, with their number of cells.

    The demand of the period before is left out: it only reports.
    """
    found: dict[str, int] = {}
    for cell in ViewLayout(layout).cells:
        if cell.of.kind != "report":
            found[cell.of.name] = found.get(cell.of.name, 0) + 1
    return found


def template(layout: Layout) -> str:
    """Return a state file for a plant, with zeros to fill in; what can be down is up."""
    units = {part.name: part.unit for part in layout.state}
    lines = [f"# The state of {layout.scenario.name} today; ages: the youngest first."]
    for name, count in parts(layout).items():
        usual = "1" if name.endswith(".up") else "0"
        value = usual if count == 1 else f"[{', '.join([usual] * count)}]"
        lines.append(f"{name}: {value}" + (f"  # {units[name]}" if units.get(name) else ""))
    return "\n".join(lines) + "\n"


def read_state(path: Path, layout: Layout) -> Array:
    """Return the state of a file, (1, cells).

    Raises ScenarioError with the file, the part, what was found and what to write instead.
    """
    given = read_file(path, "a state file in YAML").data
    if not isinstance(given, Mapping):
        raise ScenarioError(f"{path}: expected lines such as 'product.stock: 12'")
    known, rest = parts(layout), dict(given)
    how = rest.pop(MISSING, None)
    if how not in (None, "zero"):
        raise ScenarioError(f"{path}: {MISSING} is {how!r}; expected zero, or no such line")
    for name in rest:
        if name not in known:
            raise ScenarioError(f"{path}: unknown part {name!r}; {suggest(str(name), known)}")
    if how is None and (absent := [name for name in known if name not in rest]):
        raise ScenarioError(
            f"{path}: has no {', '.join(absent)}; expected every part, or the line 'missing: zero'"
        )
    state = np.zeros((1, layout.cells))
    columns: dict[str, list[int]] = {}
    for cell in ViewLayout(layout).cells:
        columns.setdefault(cell.of.name, []).append(cell.column)
    for name, value in rest.items():
        values = value if isinstance(value, list) else [value]
        if len(values) != known[name]:
            raise ScenarioError(
                f"{path}: {name} has {len(values)} numbers; expected {known[name]}"
                + (", one for each age" if known[name] > 1 else "")
            )
        for column, number in zip(columns[name], values, strict=True):
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if not is_number or not math.isfinite(number) or number < 0:
                raise ScenarioError(f"{path}: {name} is {number!r}; expected a number from 0 on")
            state[0, column] = number
    return state


def decide(policy: Policy, layout: Layout, state: Array) -> list[Decision]:
    """Return what a policy asks for in a state, (1, cells), source by source."""
    asking = Asking(policy, layout)
    asked = asking(state, asking.start(1))[0]
    inner: Any = getattr(policy, "policy", policy)
    sources = list(layout.scenario.sources)
    reasons = dict.fromkeys(sources, f"the policy {policy.name} asks for it in this state")
    if isinstance(inner, Corrected):
        base = inner.asking(state, inner.asking.start(1))[0]
        reasons = {
            name: f"{inner.base.name} asks for {base[k]:g}; "
            + (
                f"the net changes that by {asked[k] - base[k]:+g} in this state"
                if asked[k] != base[k]
                else "the net leaves that as it is"
            )
            for k, name in enumerate(sources)
        }
    elif (rule := rule_of(policy)) is not None:
        reasons |= _reasons(rule, layout, state[0], asked)
    return [Decision(name, float(asked[k]), reasons[name]) for k, name in enumerate(sources)]


def _reasons(rule: Rule, layout: Layout, state: Array, asked: Array) -> dict[str, str]:
    sources, found = list(layout.scenario.sources), {}
    for k, ask in enumerate(rule.asks):
        name, numbers = sources[ask["source"]], rule.numbers[0, k]
        order = float(asked[ask["source"]])
        said = []
        gap = math.inf
        if numbers[LEVEL] < UNLIMITED:
            position = 0.0
            for w in range(int(ask["weights"]), int(ask["weights_end"])):
                cell = int(rule.cells[w])
                position += rule.weights[0, w] * (state[cell] if cell >= 0 else asked[-1 - cell])
            gap = numbers[LEVEL] - position
            where = f"{gap:g} below" if gap > 0 else "not below"
            said.append(
                f"the inventory position is {position:g}, {where} the level {numbers[LEVEL]:g}"
            )
        if numbers[CARDS] < UNLIMITED:
            used = numbers[CARDS] - order
            if order > 0 and order < gap:
                said.append(f"{used:g} of {numbers[CARDS]:g} kanban cards are in use")
            elif order <= 0 < gap:
                said.append(f"all {numbers[CARDS]:g} kanban cards are in use")
            else:
                said.append(f"its {numbers[CARDS]:g} kanban cards do not bind")
        if order > 0 and numbers[CAP] < UNLIMITED and order >= numbers[CAP]:
            said.append(f"an order is at most {numbers[CAP]:g}")
        if 0 < gap < numbers[TRIGGER]:
            said.append(f"it orders from a gap of {numbers[TRIGGER]:g} on")
        elif 0 < gap < math.inf and order == 0 and rule.gates.size:
            said.append("the order waits until it is worth a setup or a trip")
        if order > 0 and numbers[BATCH] > 1:
            said.append(f"orders are multiples of {numbers[BATCH]:g}")
        found[name] = "; ".join(said) or "it pushes all that its materials allow"
    return found
