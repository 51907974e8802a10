"""Robustness: policies made for the nominal plant, judged unchanged on plants that differ from it.

    policy of the nominal plant -> a changed plant -> its cost beside a classic retuned there

Changes, by rule (a change that a plant cannot have is left out and named):

    demand +10 %, demand -10 %     the mean of every demand
    less time                      5 % less time at every work center whose time is certain
    more variable demand           Poisson demand becomes negative binomial with twice the variance
    later suppliers                a period more at outside sources whose lead time is certain

A longer lead time gives the state more ages, so that a net of the nominal plant cannot read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from jitgym import ScenarioError
from jitgym.catalog import load
from jitgym.control import Policy
from jitgym.distributions import Deterministic, Poisson
from jitgym.evaluate import Interval, sample, sampled, skew_of, skew_paired
from jitgym.plant import lay_out
from jitgym.report.tables import KEPT, Column, Table
from jitgym.scenario import Scenario, with_demand

from .. import classic
from ..learned.corrections import Corrected, Features, Steps
from ..progress import Progress
from ..tuning.search import TunedPolicy, tune

LESS_TIME = 0.95
MORE, LESS = 1.1, 0.9


@dataclass(frozen=True)
class Change:
    """A plant that differs from the nominal one; None and a reason where it cannot differ so."""

    name: str
    scenario: Scenario | None
    why_not: str = ""


@dataclass(frozen=True)
class Judged:
    """One policy on one changed plant."""

    change: str
    policy: str
    cost: Interval | None  # None where the policy cannot run on the plant
    to_retuned: Interval | None  # paired difference to the first row of the change; None for it


def changes(scenario: Scenario) -> list[Change]:
    """Return the nominal plant and its changes."""
    found = [
        Change("none", scenario),
        Change("demand +10 %", with_demand(scenario, MORE)),
        Change("demand -10 %", with_demand(scenario, LESS)),
    ]
    times = {
        f"work_centers.{name}.time": {"distribution": "deterministic", "value": value}
        for name, center in scenario.work_centers.items()
        if isinstance(center.time, Deterministic) and (value := LESS_TIME * center.time.value) > 0
    }
    found.append(_changed("less time", scenario, times, "no work center has a certain time"))
    variable = {
        f"demands.{name}.quantity": {
            "distribution": "negative-binomial",
            "mean": demand.quantity.mean,
            "size": demand.quantity.mean,
        }
        for name, demand in scenario.demands.items()
        if isinstance(demand.quantity, Poisson) and demand.quantity.mean > 0
    }
    found.append(_changed("more variable demand", scenario, variable, "no demand is Poisson"))
    later = {
        f"sources.{name}.lead_time": source.lead_time.value + 1
        for name, source in scenario.sources.items()
        if not source.consumes and isinstance(source.lead_time, Deterministic)
    }
    found.append(
        _changed("later suppliers", scenario, later, "no outside source has a certain lead time")
    )
    return found


def _changed(name: str, scenario: Scenario, given: dict[str, Any], why_not: str) -> Change:
    if not given:
        return Change(name, None, why_not)
    try:
        return Change(name, load(scenario, **given))
    except ScenarioError as error:
        return Change(name, None, str(error).splitlines()[0])


def moved(policy: Policy, name: str, scenario: Scenario) -> Policy | None:
    """Return the same policy for another plant; None if its state has another shape.

    A classic keeps its parameters. A learned policy keeps its net, and the parameters of the
    classic that it corrects.
    """
    inner: Any = getattr(policy, "policy", policy)
    layout = lay_out(scenario)
    if isinstance(inner, Corrected):
        base = moved(inner.base, _classic_of(inner.base), scenario)
        width = None if base is None else Features(layout, Steps.of(layout, base)).width
        if base is None or width != inner.net.mean.size:
            return None
        return replace(inner, name=policy.name, layout=layout, base=base)
    if name not in classic.CLASSICS:
        return None
    kind = classic.find(name)
    if kind.why_not(scenario):
        return None
    values = classic.values_of(name, kind.parameters(scenario), policy.parameters)  # type: ignore[attr-defined]
    return kind.build(policy.name, layout, values)


def _classic_of(policy: Policy) -> str:
    """Return the name of a classic, also of one that a training kept."""
    inner: Policy = getattr(policy, "policy", policy)
    name = inner.name.split(" ")[0]
    return name if name in classic.CLASSICS else policy.name.split(" ")[0]


def judge(
    policies: Sequence[Policy],
    scenario: Scenario,
    *,
    episodes: int = 256,
    seed: int = 0,
    retune: bool = True,
    progress: bool = False,
) -> tuple[list[Judged], list[str]]:
    """Judge policies of the nominal plant on every changed plant; return rows and notes.

    Each change also has a row of the first policy's classic, retuned for the change; differences
    are to that row, paired on the same tape of the split `test`. Without `retune` there is no such
    row, and differences are to the first policy.
    """
    rows: list[Judged] = []
    notes: list[str] = []
    first: Any = policies[0]
    name = _classic_of(first)
    for change in changes(scenario):
        plant = change.scenario
        if plant is None or (why := classic.find(name).why_not(plant)):
            notes.append(f"{change.name}: left out, {change.why_not or why}")
            continue
        with Progress(f"{change.name} on {scenario.name}", shown=progress):
            these = sample(plant, episodes, seed)
            best = None
            if retune and change.name != "none":
                tuned: TunedPolicy = tune(name, plant, seed)
                best = sampled(tuned, plant, these, seed)
                rows.append(Judged(change.name, f"{name} (retuned)", skew_of(best), None))
            for policy in policies:
                there = moved(policy, _classic_of(policy), plant)
                if there is None:
                    rows.append(Judged(change.name, policy.name, None, None))
                    continue
                frame = sampled(there, plant, these, seed)
                rows.append(
                    Judged(
                        change.name,
                        policy.name,
                        skew_of(frame),
                        None if best is None else skew_paired(frame, best),
                    )
                )
                best = frame if best is None else best
    return rows, notes


def as_json(row: Judged) -> dict[str, Any]:
    """Return a row as plain data."""

    def plain(each: Interval | None) -> dict[str, Any] | None:
        return None if each is None else asdict(each)

    return {
        "change": row.change,
        "policy": row.policy,
        "cost": plain(row.cost),
        "difference": plain(row.to_retuned),
    }


def from_json(data: dict[str, Any]) -> Judged:
    """Return the row that `as_json` described."""

    def made(each: dict[str, Any] | None) -> Interval | None:
        if each is None:
            return None
        ends = each["ends"]
        return Interval(**(each | {"ends": None if ends is None else (ends[0], ends[1])}))

    return Judged(data["change"], data["policy"], made(data["cost"]), made(data["difference"]))


def table(rows: Sequence[Judged], scenario: Scenario, notes: Sequence[str]) -> Table:
    """Return the rows as a table."""
    columns = (
        Column("change", importance=KEPT, align="left"),
        Column("policy", importance=KEPT, align="left"),
        Column("cost", f"{scenario.yardstick} ± half-width", importance=KEPT),
        Column(
            "difference", "difference to the first", importance=KEPT, sign="+",
            absent="reference",
        ),
    )  # fmt: skip
    lines = [
        (
            row.change,
            row.policy,
            row.cost if row.cost is not None else "another state",
            row.to_retuned if row.cost is not None else "n/a",
        )
        for row in rows
    ]
    said = [
        "± or [from, to]: 95 % interval; differences are paired, to the first row of each change.",
        *notes,
    ]
    return Table(columns, lines, f"Robustness: {scenario.title or scenario.name}", said)
