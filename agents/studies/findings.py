"""The results of a tuning, as plain data and as a table.

Parameters are printed as a call that makes the policy again, and lists name the source of each
number:

    agents.make("kanban", scenario, cards=[4, 9])
      cards: mill 4, press 9
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jitgym.evaluate import mean_of, skew_of
from jitgym.evaluate.steadiness import GROWS, NO_STEADY_STATE
from jitgym.plant import kpis_of, leading
from jitgym.report.tables import KEPT, Column, Table
from jitgym.scenario import Scenario

from .. import classic
from ..tuning.target import STOCK, aim_of
from .comparison import Classics, Request

if TYPE_CHECKING:
    import pandas

WIDTH = 80
UNSTEADY = "no steady state"


def of(classics: Classics, rows: pandas.DataFrame, kpis: Sequence[str]) -> list[dict[str, Any]]:
    """Return the parameters of each tuned policy, and its costs, stock and KPIs on `rows`."""
    frames = {str(name): frame for name, frame in rows.groupby("policy")}

    def figure(policy: str, column: str) -> float | None:
        value = mean_of(frames[policy], column)
        return None if math.isnan(value) else value

    found = []
    for textbook, tuned in zip(classics.textbook, classics.tuned, strict=True):
        line: dict[str, Any] = {
            "policy": textbook.name.removesuffix(" (textbook)"),
            "textbook": tuned.tuning.textbook,
            "textbook_cost": figure(textbook.name, "cost"),
            "tuned": tuned.parameters,
            "tuned_cost": figure(tuned.name, "cost"),
            "steady": not bool(rows.loc[rows["policy"] == tuned.name, GROWS].any()),
            STOCK: figure(tuned.name, STOCK),
            **{kpi: figure(tuned.name, kpi) for kpi in kpis},
        }
        if kpis:
            line["reached"] = tuned.tuning.is_reached
            line["on_tune"] = tuned.tuning.reached
        found.append(
            line | {"periods": tuned.tuning.periods, "seconds": tuned.tuning.seconds},
        )
    return found


def table(
    found: Sequence[Mapping[str, Any]],
    classics: Classics,
    rows: pandas.DataFrame,
    scenario: Scenario,
    request: Request,
) -> Table:
    """Return the results as a table, with the parameters of each policy below it."""
    aim = aim_of(request.target, request.least, scenario)
    kpis = [target.kpi for target in aim.targets if target.kpi != STOCK] if aim else []
    named, led = kpis_of(scenario), leading(scenario)
    judged = {str(name): skew_of(frame, led.column) for name, frame in rows.groupby("policy")}
    growing = set(rows.loc[rows[GROWS], "policy"])
    columns = (
        Column("policy", importance=KEPT, align="left"),
        Column(f"textbook_{led.column}", importance=40),
        Column(f"tuned_{led.column}", importance=KEPT),
        Column(STOCK, named[STOCK].title, importance=30 if aim is None else KEPT),
        *(Column(kpi, named[kpi].title, importance=KEPT) for kpi in kpis),
        Column("seconds", unit="CPU", importance=10, form=".1f"),
    )
    lines = []
    for line, textbook, tuned in zip(found, classics.textbook, classics.tuned, strict=True):
        missed = "" if line.get("reached", True) else " (missed)"
        cells = [line[column] for column in (STOCK, *kpis, "seconds")]
        shown = [UNSTEADY if p.name in growing else judged[p.name] for p in (textbook, tuned)]
        lines.append([line["policy"] + missed, *shown, *cells])
    title = f"{scenario.title or scenario.name}: {led.title}, split test"
    notes = ["± or [from, to]: 95 % interval", *scenario.cautions]
    notes += [f"{name}: {NO_STEADY_STATE}" for name in sorted(growing)]
    if aim is not None:
        notes.append(f"Target: {aim}, at the least {aim.least}.")
    for line, policy in zip(found, classics.tuned, strict=True):
        notes += parameters(line["policy"], policy.parameters, scenario)
        if aim is not None and not policy.tuning.is_reached:
            reached = aim.told(policy.tuning.reached)
            notes.append(
                f"{line['policy']} does not reach {aim}; the best of "
                f"{policy.tuning.candidates:,} candidates on the split tune: {reached}."
            )
    notes += [f"{name} does not apply: {why}" for name, why in classics.left_out.items()]
    return Table(columns, lines, title, notes)


def parameters(name: str, values: Mapping[str, Any], scenario: Scenario) -> list[str]:
    """Return lines with the call that makes a policy again, and with the sources of its numbers."""
    written = "".join(f", {key}={value!r}" for key, value in values.items())
    lines = _wrapped(f'agents.make("{name}", scenario{written})', "    ")
    for each in classic.find(name).parameters(scenario):
        value = values.get(each.name)
        if isinstance(value, list):
            pairs = (f"{of} {number}" for of, number in zip(each.of, value, strict=True))
            lines += [f"  {line}" for line in _wrapped(f"{each.name}: {', '.join(pairs)}", "  ")]
    return lines


def _wrapped(line: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(
        line,
        WIDTH - 2,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
