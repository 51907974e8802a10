"""One fair table of a scenario: every policy on the same tape, with its interval and its gap.

rows -> comparison -> show (for people) or as_json (for programs)
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jitgym.evaluate.results import plain
from jitgym.evaluate.statistics import Interval, by_episode, interval, paired

if TYPE_CHECKING:
    import pandas as pd

READABLE_WIDTH = 100  # columns of text that the table needs; what is not a terminal gets them
HEADING_WIDTH = 15  # about that of the figures below
SIGNIFICANT_DIGITS = 6  # no cost is printed to more


@dataclass(frozen=True)
class ComparisonRow:
    """What one policy did, or several that did the same to the last bit."""

    names: tuple[str, ...]  # policies that coincide
    cost: Interval  # in money, the scenario's yardstick
    difference: Interval | None  # paired cost over the best tuned classic; None for that one itself
    fill_rate: float  # share; nan where undefined, as the two below
    average_inventory: float  # units
    turnover: float  # turns a year
    gap: float | None  # share above the optimum; None where that is not known
    episodes: int

    @property
    def policy(self) -> str:
        """All names, such as "base-stock (tuned) = kanban (tuned)"."""
        return " = ".join(self.names)


def comparison(
    rows: pd.DataFrame,
    tuned_classics: Sequence[str],
    optimum: float | None,
    level: float = 0.95,
) -> tuple[ComparisonRow, ...]:
    """Compare the policies of one scenario, cheapest first.

    `rows` are rollouts of several policies on the same tape, concatenated; `tuned_classics` names
    those of them that the others are measured against (the cheapest of them is the reference);
    `optimum` is in the unit of cost. KPIs are means over the episodes that define them.

    Raises ValueError where rows are of several scenarios or tapes, or lack a named classic.
    """
    frames = _by_policy(rows, tuned_classics)
    groups = _coinciding(frames)
    costs = {names: interval(frames[names[0]]["cost"].to_numpy(), level) for names in groups}
    cheapest_first = sorted(groups, key=lambda names: costs[names].mean)
    reference = next((names for names in cheapest_first if set(names) & set(tuned_classics)), ())

    def compared(names: tuple[str, ...]) -> ComparisonRow:
        frame = frames[names[0]]
        apart = reference not in ((), names)
        return ComparisonRow(
            names=names,
            cost=costs[names],
            difference=paired(frame, frames[reference[0]], level=level) if apart else None,
            fill_rate=_mean(frame, "fill_rate"),
            average_inventory=_mean(frame, "average_inventory"),
            turnover=_mean(frame, "turnover"),
            gap=_gap(costs[names].mean, optimum),
            episodes=len(frame),
        )

    return tuple(compared(names) for names in cheapest_first)


def _by_policy(rows: pd.DataFrame, expected: Iterable[str]) -> dict[str, pd.DataFrame]:
    scenarios = list(rows["scenario"].unique())
    if len(scenarios) != 1:
        raise ValueError(f"rows of {len(scenarios)} scenarios; expected one a table")
    if rows["cost"].isna().any():
        raise ValueError("a cost is nan; expected a number in every episode")
    frames = {str(name): frame for name, frame in rows.groupby("policy", sort=False)}
    absent = [name for name in expected if name not in frames]
    if absent:
        raise ValueError(f"no rows of {', '.join(absent)}; expected one of {', '.join(frames)}")
    return frames


def _coinciding(frames: dict[str, pd.DataFrame]) -> list[tuple[str, ...]]:
    """Names grouped by equal cost in every episode. Raises ValueError where tapes differ."""
    groups: dict[tuple[float, ...], tuple[str, ...]] = {}
    first = next(iter(frames.values()))
    for name, frame in frames.items():
        paired(frame, first)  # for its check that both are on one tape
        costs = tuple(by_episode(frame).to_numpy().tolist())
        groups[costs] = (*groups.get(costs, ()), name)
    return list(groups.values())


def _mean(frame: pd.DataFrame, column: str) -> float:
    return interval(frame[column].to_numpy()).mean


def _gap(cost: float, optimum: float | None) -> float | None:
    if optimum is None or optimum == 0:
        return None
    return (cost - optimum) / abs(optimum)


def as_json(table: Sequence[ComparisonRow]) -> dict[str, Any]:
    """The table as one JSON object: plain numbers, null for what is undefined or not known.

    {"policies": [{"policy", "cost", "interval": [low, high], "difference", "difference_interval",
    "fill_rate", "average_inventory", "turnover", "gap", "episodes"}, ...]}, cheapest first.
    """
    return {"policies": [_row_as_json(row) for row in table]}


def _row_as_json(row: ComparisonRow) -> dict[str, Any]:
    difference = row.difference
    entries = {
        "policy": row.policy,
        "cost": row.cost.mean,
        "interval": [row.cost.low, row.cost.high],
        "difference": difference and difference.mean,
        "difference_interval": difference and [difference.low, difference.high],
        "fill_rate": row.fill_rate,
        "average_inventory": row.average_inventory,
        "turnover": row.turnover,
        "gap": row.gap,
        "episodes": row.episodes,
    }
    return {name: plain(entry) for name, entry in entries.items()}


def render(
    table: Sequence[ComparisonRow],
    title: str,
    notes: Sequence[str] = (),
    yardstick: str = "average cost a period",
) -> Table:
    """The table for `rich`; `notes` stand below it. Only names may fold: figures stay whole."""
    drawn = Table(
        title=Text(title),
        caption=Text("\n".join([*_legend(table), *notes])),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    drawn.add_column("policy", overflow="fold", min_width=12)
    headings = (
        f"{textwrap.fill(yardstick, HEADING_WIDTH)}\n± half-width",
        "difference to\nbest tuned\nclassic",
        "fill\nrate",
        "average\ninventory",
        "turns",
        "gap",
    )
    for heading in headings:
        drawn.add_column(heading, justify="right", no_wrap=True)
    differences = [row.difference for row in table]
    columns = (
        [Text(" =\n".join(row.names)) for row in table],
        _with_half_widths([row.cost for row in table]),
        _with_half_widths(differences, sign="+", absent="reference" if any(differences) else "n/a"),
        [_share(row.fill_rate) for row in table],
        [_number(row.average_inventory, ".2f") for row in table],
        [_number(row.turnover, ".2f") for row in table],
        [_share(row.gap, sign="+") for row in table],
    )
    for cells in zip(*columns, strict=True):
        drawn.add_row(*cells)
    return drawn


def show(
    table: Sequence[ComparisonRow],
    title: str,
    notes: Sequence[str] = (),
    yardstick: str = "average cost a period",
    file: IO[str] | None = None,
) -> None:
    """Print the table; into a pipe or a file as plain text of 100 columns."""
    console = Console(file=file or sys.stdout)
    if not console.is_terminal:
        console = Console(file=file or sys.stdout, width=READABLE_WIDTH)
    console.print(render(table, title, notes, yardstick))


def _legend(table: Sequence[ComparisonRow]) -> list[str]:
    if not table:
        return []
    level, episodes = table[0].cost.level, table[0].episodes
    return [f"±: {100 * level:g} % interval over {episodes} episodes; differences are paired."]


def _with_half_widths(
    intervals: Sequence[Interval | None], sign: str = "", absent: str = "n/a"
) -> list[str]:
    """Each as "mean ± half-width" with the same decimals, so that the column lines up.

    But none with more than the significant digits: the cost of a policy that fails says nothing of
    how precisely those of the others are to be read.
    """
    present = [one for one in intervals if one is not None]
    wanted = _decimals(present)
    texts = []
    for one in intervals:
        if one is None:
            texts.append(absent)
            continue
        size = max(abs(one.mean), one.half_width if math.isfinite(one.half_width) else 0.0)
        most = SIGNIFICANT_DIGITS - 1 - _exponent(size or 1.0)
        form = f".{max(0, min(wanted, most))}f"
        texts.append(f"{_number(one.mean, form, sign)} ± {_number(one.half_width, form)}")
    return texts


def _decimals(intervals: Sequence[Interval]) -> int:
    """Two digits of the narrowest half-width; without one, the digits of the largest mean."""
    widths = [one.half_width for one in intervals if one.half_width > 0]
    if widths:
        return 1 - _exponent(min(widths))
    largest = max((abs(one.mean) for one in intervals if one.mean), default=1.0)
    return SIGNIFICANT_DIGITS - 1 - _exponent(largest)


def _exponent(number: float) -> int:
    return math.floor(math.log10(number)) if math.isfinite(number) else 0


def _number(value: float | None, form: str, sign: str = "") -> str:
    if value is None or math.isnan(value):
        return "n/a"
    return format(value, f"{sign}z{form}")  # z: no "-0.00"


def _share(value: float | None, sign: str = "") -> str:
    percent = _number(None if value is None else 100 * value, ".2f", sign)
    return percent if percent == "n/a" else f"{percent} %"
