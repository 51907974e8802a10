"""The start of a learner: the tuned classic policy with the lowest cost on the split `tune`.

Candidates are policies whose levels, cards or batches a net can correct, the most specialized ones
first (`SUITED`). Those that cost more than `WORST` times the cheapest by textbook sizing are left
out, at most five are tuned, and the tuned ones run again on episodes that no tuning has used; the
cheapest one there is the start. It is the same for every training seed. Policies whose orders are
themselves limited or fitted (caps, constant orders, linear rules, myopic orders) are rivals in a
table but no start: where a cap decides, a moved level changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jitgym.control import Policy, RulePolicy, asking_order, linear_rule
from jitgym.documents import write_whole
from jitgym.evaluate import rollout
from jitgym.plant import Layout, lay_out
from jitgym.plant.machine_code import cache_folder
from jitgym.plant.records import UNLIMITED
from jitgym.scenario import Scenario

from .. import classic
from ..tuning.search import tune

SUITED = (
    "regime-base-stock",
    "conwip-hot",
    "heijunka-milk-run",
    "heijunka",
    "can-order",
    "seasonal-base-stock",
    "bayesian-base-stock",
    "capped-dual-index",
    "dual-index",
    "extended-kanban",
    "s-S",
    "r-nQ",
    "eoq",
    "base-stock",
)
"""The candidates: policies for what is special about a plant come before general ones."""

FOR_FIXED_COSTS = ("s-S", "r-nQ", "eoq")
"""Candidates only where an order has a fixed cost; elsewhere they are base-stock."""

NOTHING = "nothing"
"""The start of a training from scratch."""

WORST = 3.0  # times the cheapest: textbook sizes above it do not become the best by tuning
MOST = 5  # candidates that are tuned
SCREENED = 20_000  # periods of each candidate with textbook sizes
JUDGED = 200_000  # periods of each tuned candidate, on episodes that no tuning has used
SEED = 0  # of the tuning
FRESH = 3_000_017  # the seed of the fresh episodes; tuning uses 0 and 1,000,003


@dataclass(frozen=True)
class Start:
    """The classic policy that a learner starts from."""

    policy: Policy
    name: str  # in the registry of classics
    parameters: dict[str, Any]
    tried: dict[str, float]  # tuned candidate -> its cost on the fresh episodes of `tune`
    periods: int  # simulated to find it
    seconds: float  # CPU seconds to find it


def find(scenario: Scenario, name: str = "", *, progress: bool = False) -> Start:
    """Return the start of a scenario; it is kept on disk and found at once the next time.

    `name` asks for one classic, which is tuned, or for `NOTHING`; without a name, the best of the
    candidates is the start. Raises ScenarioError if there is no such policy or it does not apply.
    """
    if name == NOTHING:
        return Start(made(name, scenario, {}), name, {}, {}, 0, 0.0)
    place = _place(scenario, name)
    if (known := _read(place, scenario)) is not None:
        return known
    expect(name, scenario)
    began, periods, tried = time.process_time(), 0, {}
    found: dict[str, dict[str, Any]] = {}
    for each in [name] if name else candidates(scenario):
        tuned = tune(each, scenario, SEED, progress=progress)
        periods += tuned.tuning.periods
        tried[each] = _cost(tuned, scenario, JUDGED)
        periods += JUDGED
        found[each] = tuned.parameters
    best = min(tried, key=lambda each: tried[each])
    start = Start(
        made(best, scenario, found[best]),
        best,
        found[best],
        tried,
        periods,
        time.process_time() - began,
    )
    _write(place, start)
    return start


def expect(name: str, scenario: Scenario) -> None:
    """Raise ScenarioError unless a training can start from the classic of this name."""
    if name not in ("", NOTHING):
        classic.applicable(name, scenario)


def candidates(scenario: Scenario) -> list[str]:
    """Return the candidates that are tuned, at most five."""
    plain = not any(s.shipment_cost or s.setup_cost or s.carrier for s in scenario.sources.values())
    fitting = [
        name
        for name in SUITED
        if not (plain and name in FOR_FIXED_COSTS) and not classic.find(name).why_not(scenario)
    ]
    costs = {name: _cost(classic.make(name, scenario, {}), scenario, SCREENED) for name in fitting}
    least = min(costs.values())
    reach = least + (WORST - 1.0) * abs(least)
    return [name for name in fitting if costs[name] <= reach][:MOST]


def _cost(policy: Policy, scenario: Scenario, periods: int) -> float:
    episodes = max(2, periods // scenario.horizon.of_split("tune")[0])
    return float(rollout(policy, scenario, episodes, FRESH, "tune")["cost"].mean())


def made(name: str, scenario: Scenario, parameters: dict[str, Any]) -> Policy:
    """Return a tuned classic from its parameters. Raises ScenarioError if they do not fit."""
    if name == NOTHING:
        return nothing(lay_out(scenario))
    found = classic.applicable(name, scenario)
    values = classic.values_of(name, found.parameters(scenario), parameters)
    return found.build(f"{name} (tuned)", lay_out(scenario), values)


def textbook(name: str, scenario: Scenario) -> Policy:
    """Return a start before it was tuned."""
    return nothing(lay_out(scenario)) if name == NOTHING else classic.make(name, scenario, {})


def nothing(layout: Layout) -> Policy:
    """Return the policy that never asks for anything.

    With corrections, the net alone decides how much is ordered: learning from scratch.
    """
    order = asking_order(layout.scenario)
    lots = [float(layout.scenario.sources[source].lot_size) for source in order]
    numbers = [(UNLIMITED, 0.0, UNLIMITED, lot, 0.0, 0.0) for lot in lots]
    return RulePolicy(NOTHING, layout, linear_rule(layout, order, [{} for _ in order], numbers))


def _place(scenario: Scenario, name: str = "") -> Path | None:
    """Return the file of a start: named after the scenario, its name and the code that tunes."""
    if (folder := cache_folder()) is None:
        return None
    written = json.dumps(scenario.document(), sort_keys=True, default=str)
    digest = hashlib.sha256(f"{written}{_code()}{name}".encode()).hexdigest()
    return folder / "starts" / f"{digest[:32]}.json"


@cache
def _code() -> str:
    """Return the digest of all code on which a start depends."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for folder in ("jitgym", "agents/classic", "agents/tuning", "agents/learned/start.py"):
        place = root / folder
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(place: Path | None, scenario: Scenario) -> Start | None:
    if place is None:
        return None
    try:
        data = json.loads(place.read_text(encoding="utf-8"))
        policy = made(data["name"], scenario, data["parameters"])
        tried = {str(name): float(cost) for name, cost in data["tried"].items()}
        return Start(
            policy,
            str(data["name"]),
            data["parameters"],
            tried,
            int(data["periods"]),
            float(data["seconds"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(place: Path | None, start: Start) -> None:
    if place is None:
        return
    data = {
        "name": start.name,
        "parameters": start.parameters,
        "tried": start.tried,
        "periods": start.periods,
        "seconds": start.seconds,
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, json.dumps(data, default=_plain))
    except OSError:
        return  # a start that cannot be kept is found again


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
