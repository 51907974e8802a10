"""What a tuning found, as plain data and as a text of at most 80 columns.

Parameters are written so that a person can type them back, and a list says which number belongs to
which source:

    agents.make("kanban", scenario, cards=[4, 9])
      cards: mill 4, press 9
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from jitgym.scenario import Scenario

from .. import classic
from ..tuning.target import STOCK, aim_of
from .comparison import Classics, Request

if TYPE_CHECKING:
    import pandas

WIDTH = 80
UNDEFINED = "n/a"


def of(classics: Classics, rows: pandas.DataFrame, kpis: Sequence[str]) -> list[dict[str, Any]]:
    """Return what was found of each tuned policy: costs, stock and KPIs on `rows`, parameters."""
    mean = rows.groupby("policy")[[*dict.fromkeys(("cost", STOCK, *kpis))]].mean()

    def figure(policy: str, column: str) -> float | None:
        value = float(mean[column][policy])
        return None if math.isnan(value) else value

    found = []
    for textbook, tuned in zip(classics.textbook, classics.tuned, strict=True):
        line: dict[str, Any] = {
            "policy": textbook.name.removesuffix(" (textbook)"),
            "textbook": tuned.tuning.textbook,
            "textbook_cost": figure(textbook.name, "cost"),
            "tuned": tuned.parameters,
            "tuned_cost": figure(tuned.name, "cost"),
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


def text(
    found: Sequence[Mapping[str, Any]], classics: Classics, scenario: Scenario, request: Request
) -> str:
    """Return the findings as a table, and below it the parameters of each policy."""
    aim = aim_of(request.target, request.least)
    kpis = [target.kpi for target in aim.targets if target.kpi != STOCK] if aim else []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("policy")
    for heading in ("textbook cost", "tuned cost", "average inventory", *kpis, "CPU s"):
        table.add_column(heading.replace("_", " "), justify="right")
    for line in found:
        columns = ["textbook_cost", "tuned_cost", STOCK, *kpis]
        figures = [_figure(line[column]) for column in columns]
        missed = "" if line.get("reached", True) else " (missed)"
        table.add_row(line["policy"] + missed, *figures, f"{line['seconds']:.1f}")
    console = Console(width=WIDTH, color_system=None)
    with console.capture() as printed:
        console.print(table)
    title = f"{scenario.title or scenario.name}: {scenario.yardstick}, split test"
    told = [*textwrap.wrap(title, WIDTH)]
    if aim is not None:
        told += textwrap.wrap(f"Wanted: {aim}, at the least {aim.least}.", WIDTH)
    told += [line.rstrip() for line in printed.get().rstrip().splitlines()]
    for line, policy in zip(found, classics.tuned, strict=True):
        told += ["", *parameters(line["policy"], policy.parameters, scenario)]
        if aim is not None and not policy.tuning.is_reached:
            reached = aim.told(policy.tuning.reached)
            told += _wrapped(
                f"{line['policy']} does not reach {aim}; the best of "
                f"{policy.tuning.candidates:,} candidates comes to {reached} on the split tune."
            )
    if classics.left_out:
        told.append("")
    for name, why in classics.left_out.items():
        told += _wrapped(f"{name} does not apply: {why}")
    return "\n".join(told)


def parameters(name: str, values: Mapping[str, Any], scenario: Scenario) -> list[str]:
    """Return lines that say how to make a policy again, and whose number each of a list is."""
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


def _figure(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.5g}"
