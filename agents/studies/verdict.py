"""The verdict of a comparison: one sentence above the table.

What learning saves against the best tuned classic, how sure that is, what remains to the optimum,
how much it is per year, and what it took to find; or plainly that there is nothing to gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jitgym.plant import leading
from jitgym.report.comparisons import ComparisonRow
from jitgym.scenario import Scenario

MARGIN = 1.0
"""A policy is not inferior if its interval ends at less than this many percent worse."""

MOST_LETTERS = 120  # of the parameters in a verdict


@dataclass(frozen=True)
class Effort:
    """A training: the name of its policy in the table, and what it took."""

    policy: str
    kept: bool  # whether the start was kept
    seconds: float  # CPU seconds, tuning of the start included
    rule: str = ""  # the name of its readback in the table, a linear rule; "": it has none
    numbers: int = 0  # of that rule


@dataclass(frozen=True)
class Verdict:
    """A sentence, and its figures."""

    sentence: str
    figures: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"sentence": self.sentence, **self.figures}


def verdict(
    rows: Sequence[ComparisonRow],
    reference: str,
    scenario: Scenario,
    efforts: Sequence[Effort],
    bound: float | None = None,
    parameters: Mapping[str, object] | None = None,
) -> Verdict:
    """Return the verdict on the policies of a comparison.

    `reference` is the best tuned classic, chosen on other episodes; "" if there is none. `bound` is
    a lower bound of the cost of every policy, where the optimum is not known. `parameters` are
    those of the reference: where there is nothing to gain, its numbers are the advice.
    """
    at = {name: row for row in rows for name in row.names}
    base = at.get(reference)
    learned = [each for each in efforts if each.policy in at]
    if base is None:
        return Verdict("No tuned classic has a steady state here.", {"reference": None})
    rest = _gap(base, at.get("optimal"))
    figures: dict[str, Any] = {
        "reference": reference,
        "reference_gap": rest,
        "cpu_minutes": sum(each.seconds for each in learned) / 60,
    }
    if not learned:
        mean = base.leading.mean
        named, figure = (
            leading(scenario).title,
            f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.4g}",
        )
        said = f"The best tuned classic is {bare(reference)}, {named} {figure}{_above(rest)}."
        return Verdict(said, figures)
    best = min(learned, key=lambda each: at[each.policy].cost.mean)
    optimal = at.get("optimal")
    row, apart = at[best.policy], at[best.policy].leading_difference
    if best.kept or row is base or apart is None:
        said = (
            f"Nothing to gain by learning here: use {bare(reference)}, as tuned"
            f"{_numbers(parameters or {})}{_above(rest)}."
        )
        return Verdict(said, figures | {"saving": 0.0, "saving_interval": [0.0, 0.0]})
    led = leading(scenario)
    way = 100.0 if led.better == "high" else -100.0
    gained = apart.scaled(way / (abs(base.leading.mean) or 1.0))
    figures |= {
        "policy": best.policy,
        "saving": gained.mean / 100,
        "saving_interval": [gained.low / 100, gained.high / 100],
        "gap": _gap(row, optimal),
    }
    span = f"[{gained.low:.1f}, {gained.high:.1f}]"
    if gained.low <= 0.0 <= gained.high:
        said = (
            f"No difference can be told between {bare(best.policy)} and the best tuned classic, "
            f"{bare(reference)}: {gained.mean:+.1f} % {span}{_above(rest, bare(reference))}."
        )
        most, enough = -gained.low, -gained.low < MARGIN
        said += (
            f" {bare(best.policy).capitalize()} is at most {most:.1f} % worse"
            f"{', so it is not inferior' if enough else ''} (margin: {MARGIN:g} %)."
        )
        return Verdict(said, figures | {"not_inferior": enough})
    if gained.high < 0.0:
        said = (
            f"Use {bare(reference)}, the best tuned classic{_numbers(parameters or {})}: "
            f"{bare(best.policy)} is {-gained.mean:.1f} % worse {span}."
        )
        return Verdict(said, figures)
    what = "saves" if led.column == "cost" else f"raises the {led.title} by"
    parts = [
        f"On this plant, {bare(best.policy)} {what} {gained.mean:.1f} % {span} against the best "
        f"tuned classic, {bare(reference)}"
    ]
    if figures["gap"] is not None:
        parts.append(f"{max(100 * figures['gap'], 0.0):.2f} % remains to the optimum")
    elif bound is not None and bound > 0:
        figures["bound"] = bound
        parts.append(f"at most {100 * (row.cost.mean / bound - 1):.1f} % remains, to a lower bound")
    share = _share_of_rule(best, at, base)
    if share is not None:
        figures["rule_share"] = share
        parts.append(
            f"a linear rule with {best.numbers} numbers gets {100 * max(share, 0.0):.0f} % of the "
            "saving"
        )
    if scenario.periods_per_year != 1.0 and scenario.yardstick.startswith("average"):
        yearly = abs(apart.mean) * scenario.periods_per_year
        figures["per_year"] = yearly
        money = f" {scenario.currency}" if scenario.currency else ""
        unknown = "" if money else ", in the money of the scenario"
        parts.append(f"that is {yearly:,.0f}{money} per year{unknown}")
    parts.append(f"finding it took {figures['cpu_minutes']:.1f} CPU minutes")
    return Verdict("; ".join(parts) + ".", figures)


def _share_of_rule(best: Effort, at: dict[str, ComparisonRow], base: ComparisonRow) -> float | None:
    """Return the share of the saving that the readback of a policy gets too; None without one."""
    if best.rule not in at:
        return None
    saved = base.leading.mean - at[best.policy].leading.mean
    return (base.leading.mean - at[best.rule].leading.mean) / saved if saved else None


def _gap(row: ComparisonRow, optimal: ComparisonRow | None) -> float | None:
    """Return the share above the optimum: on the same tape if the optimal policy is in the table.

    Then the luck of the episodes is the same on both sides.
    """
    if optimal is None or row.gap is None or not optimal.cost.mean:
        return row.gap
    return (row.cost.mean - optimal.cost.mean) / abs(optimal.cost.mean)


def _numbers(parameters: Mapping[str, object]) -> str:
    """Return the numbers of a policy in words; nothing if they are too many for a sentence."""
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in parameters.items())
    return f" ({said})" if 0 < len(said) <= MOST_LETTERS else ""


def _above(gap: float | None, name: str = "it") -> str:
    if gap is None:
        return ""
    return f"; {name} is {max(100 * gap, 0.0):.2f} % above the optimum"


def bare(name: str) -> str:
    """Return the name of a policy without `(tuned)`."""
    return name.removesuffix(" (tuned)")
