"""The comparison of a scenario: every policy on the same tape, with its interval and its gap.

rows -> comparison -> table (for people, see `tables`) or as_json (for programs)

The KPIs are those that matter most for the scenario, under its own names (`headline_kpis`). If a
scenario has a name for its profit, the table shows the profit; otherwise it shows the cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jitgym.evaluate.results import plain
from jitgym.evaluate.statistics import (
    WEIGHT,
    Interval,
    by_episode,
    differences,
    holm,
    mean_of,
    paired_p_value,
    skew_of,
    skew_paired,
)
from jitgym.evaluate.steadiness import GROWS, NO_STEADY_STATE
from jitgym.plant import USUAL, Kpi, Leading, headline_kpis, kpis_of, leading
from jitgym.scenario import Scenario

from .tables import KEPT, Column, Marked, Table

NO_STEADY = "no steady\nstate"  # printed instead of a gap

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ComparisonRow:
    """The results of one policy, or of several with exactly the same costs."""

    names: tuple[str, ...]  # policies that coincide
    cost: Interval  # in money, the scenario's yardstick
    difference: Interval | None  # paired, to the best tuned classic; None for that policy itself
    leading: Interval  # the main figure of the scenario: the cost or the profit
    leading_difference: Interval | None  # like `difference`
    kpis: Mapping[str, float]  # nan if not defined
    gap: float | None  # share above the optimum; None if the optimum is not known
    episodes: int
    p_value: float | None = None  # two-sided, of no leading difference; None for the reference
    differs: bool = False  # whether there is one, allowing for all policies of the table (Holm)
    is_weighted: bool = False  # whether the episodes were chosen in strata of rare failures
    is_steady: bool = True  # False: the average grows with the horizon and has no gap

    @property
    def policy(self) -> str:
        """All names, such as "base-stock (tuned) = kanban (tuned)"."""
        return " = ".join(self.names)


def comparison(
    rows: pd.DataFrame,
    tuned_classics: Sequence[str],
    optimum: float | None,
    scenario: Scenario,
    level: float = 0.95,
    reference: str | None = None,
) -> tuple[ComparisonRow, ...]:
    """Compare the policies of one scenario; the lowest cost comes first.

    `rows` are the concatenated rollouts of several policies on the same tape. A column `grows`, if
    there is one, says which policies have no steady state. `reference` is the policy that
    differences are taken to, chosen on other episodes; if it is None, the cheapest of the
    `tuned_classics` in these rows. `optimum` is in the unit of cost. The KPIs are the usual ones
    and those of the scenario, as means over the episodes in which they are defined.

    Raises ValueError if the rows are of several scenarios or tapes, or lack a tuned classic.
    """
    frames = _by_policy(rows, tuned_classics)
    groups = _coinciding(frames)
    costs = {names: skew_of(frames[names[0]], level=level) for names in groups}
    cheapest_first = sorted(groups, key=lambda names: costs[names].mean)
    steady = {names: not _grows(frames[names[0]]) for names in groups}
    tuned = [names for names in cheapest_first if set(names) & set(tuned_classics)]
    against = next((names for names in tuned if steady[names]), ())
    if reference is not None:
        against = next((names for names in tuned if reference in names and steady[names]), against)
    column = leading(scenario).column
    kpis = dict.fromkeys((*headline_kpis(scenario), *USUAL))

    def compared(names: tuple[str, ...]) -> ComparisonRow:
        frame = frames[names[0]]
        best = frames[against[0]] if steady[names] and against not in ((), names) else None
        return ComparisonRow(
            names=names,
            cost=costs[names],
            difference=None if best is None else skew_paired(frame, best, level=level),
            leading=skew_of(frame, column, level),
            leading_difference=None if best is None else skew_paired(frame, best, column, level),
            kpis={name: mean_of(frame, name) for name in kpis},
            gap=_gap(costs[names].mean, optimum) if steady[names] else None,
            p_value=None if best is None else paired_p_value(frame, best, column),
            is_weighted=WEIGHT in frame,
            episodes=len(frame),
            is_steady=steady[names],
        )

    return _tested([compared(names) for names in cheapest_first], level)


def _tested(rows: Sequence[ComparisonRow], level: float) -> tuple[ComparisonRow, ...]:
    """Return the rows, and which of them differ from the reference (Holm over all of them)."""
    tested = [k for k, row in enumerate(rows) if row.p_value is not None]
    found = holm([rows[k].p_value or 0.0 for k in tested], level)
    sure = dict(zip(tested, found, strict=True))
    return tuple(replace(row, differs=sure.get(k, False)) for k, row in enumerate(rows))


def _by_policy(rows: pd.DataFrame, expected: Iterable[str]) -> dict[str, pd.DataFrame]:
    scenarios = list(rows["scenario"].unique())
    if len(scenarios) != 1:
        raise ValueError(
            f"there are rows of {len(scenarios)} scenarios; expected one scenario per table"
        )
    if rows["cost"].isna().any():
        raise ValueError("a cost is nan; expected a number in every episode")
    frames = {str(name): frame for name, frame in rows.groupby("policy", sort=False)}
    absent = [name for name in expected if name not in frames]
    if absent:
        raise ValueError(f"no rows of {', '.join(absent)}; expected one of {', '.join(frames)}")
    return frames


def _coinciding(frames: dict[str, pd.DataFrame]) -> list[tuple[str, ...]]:
    """Group names by equal cost in every episode. Raises ValueError if the tapes differ."""
    groups: dict[tuple[float, ...], tuple[str, ...]] = {}
    first = next(iter(frames.values()))
    for name, frame in frames.items():
        differences(frame, first)  # only to check that both are on the same tape
        costs = tuple(by_episode(frame).to_numpy().tolist())
        groups[costs] = (*groups.get(costs, ()), name)
    return list(groups.values())


def _grows(frame: pd.DataFrame) -> bool:
    return GROWS in frame and bool(frame[GROWS].any())


def _gap(cost: float, optimum: float | None) -> float | None:
    if optimum is None or optimum == 0:
        return None
    return (cost - optimum) / abs(optimum)


def as_json(table: Sequence[ComparisonRow]) -> dict[str, Any]:
    """Return the table as one JSON object: plain numbers; null if not defined or not known.

    {"policies": [{"policy", "cost", "interval": [low, high], "difference", "difference_interval",
    "p_value", "differs", "fill_rate", "average_inventory", "turnover", "gap", "episodes",
    "steady"}, ...]}; the lowest cost comes first. `p_value` is two-sided, of the leading figure;
    `differs` allows for all policies of the table (Holm). A scenario with its own names for KPIs
    adds these KPIs. Intervals and differences are those of the cost.
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
        "p_value": row.p_value,
        "differs": None if row.p_value is None else row.differs,
        **row.kpis,
        "gap": row.gap,
        "episodes": row.episodes,
        "steady": row.is_steady,
    }
    return {name: plain(entry) for name, entry in entries.items()}


MARK = "*"  # behind a difference that is not chance
DIFFERENCE = 40  # importance of the difference to the best tuned classic
FIRST = 3  # this many KPIs with a scenario's own names are more important


def table(
    compared: Sequence[ComparisonRow],
    scenario: Scenario,
    notes: Sequence[str] = (),
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    chosen_on: str = "these episodes",
    verdict: str = "",
) -> Table:
    """Return a comparison as a table; policy, cost (or profit) and gap are never left out.

    `chosen_on` names the episodes on which the reference was chosen; `verdict` is its first line.

    With `parameters` (policy -> name -> value) there is one more column, for a report.
    """
    named, led = kpis_of(scenario), leading(scenario)
    shown = led.beside(headline_kpis(scenario))
    most = DIFFERENCE - 1 if shown == list(USUAL) else DIFFERENCE + FIRST
    differences = any(row.difference for row in compared)
    columns = [
        Column("policy", importance=KEPT, align="left"),
        Column(led.column, f"{led.title} ± half-width", importance=KEPT),
        Column(
            "difference",
            "difference to best tuned classic",
            importance=DIFFERENCE,
            sign="+",
            absent="reference" if differences else "n/a",
        ),
        *(_kpi_column(named[name], most - k) for k, name in enumerate(shown)),
        Column("gap", unit="%", importance=KEPT, form=".2f", sign="+"),
    ]
    if parameters is not None:
        columns.append(Column("parameters", importance=0, align="left"))
    rows = [
        (
            row.policy.replace(" = ", " =\n"),
            row.leading,
            _difference(row),
            *(row.kpis[name] for name in shown),
            row.gap if row.is_steady else NO_STEADY,
            *([] if parameters is None else [_parameters(row, parameters)]),
        )
        for row in compared
    ]
    title = scenario.title or scenario.name
    units = _units([named[name] for name in shown])
    said = [*_legend(compared, led, chosen_on), *units, *notes]
    return Table(tuple(columns), rows, title, said, verdict)


def _difference(row: ComparisonRow) -> Any:
    if not row.is_steady:
        return "n/a"
    apart = row.leading_difference
    return Marked(apart, MARK) if apart is not None and row.differs else apart


def _kpi_column(kpi: Kpi, importance: int) -> Column:
    unit = "%" if kpi.unit == "share" else ""  # other units are below the table, to save room
    return Column(kpi.name, kpi.title, unit, importance, form=".2f")


def _units(kpis: Sequence[Kpi]) -> list[str]:
    found = [f"{kpi.title} ({kpi.unit})" for kpi in kpis if kpi.unit != "share"]
    return [f"Units: {', '.join(found)}."] if found else []


def _parameters(row: ComparisonRow, parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the parameters of each policy, such as "kanban (tuned): cards [3, 4]"."""
    known = [(name, parameters[name]) for name in row.names if parameters.get(name)]
    return "; ".join(
        f"{name}: {', '.join(f'{number} {value}' for number, value in each.items())}"
        for name, each in known
    )


def _legend(compared: Sequence[ComparisonRow], led: Leading, chosen_on: str) -> list[str]:
    if not compared:
        return []
    level, episodes = compared[0].cost.level, compared[0].episodes
    found = [
        f"± or [from, to]: {100 * level:g} % interval over {episodes} episodes, which allows for "
        "skewness; differences are paired."
    ]
    if any(row.is_weighted for row in compared):
        found.append(
            "Rare failures decide the cost: the episodes were chosen so that long ones occur, and "
            "every mean is weighted."
        )
    if any(row.difference for row in compared):
        tests = sum(row.p_value is not None for row in compared)
        found.append(
            f"{MARK}: differs from the reference (Holm over {tests}: all together err in "
            f"{100 * (1 - level):g} %)."
        )
        found.append(f"The reference is the tuned classic with the {led.best} on {chosen_on}.")
    growing = [row.policy for row in compared if not row.is_steady]
    if growing:
        found.append(f"{'; '.join(growing)}: {NO_STEADY_STATE}.")
    return found
