"""The glossary: terms of the trade, cost terms and KPIs, with units and formulas.

The KPIs come from the registry that computes them, so that the page agrees with the code.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitgym.plant import KPIS
from jitgym.plant.prices import TERMS

from .tables import Column, Table, markdown

WORDS: tuple[tuple[str, str, str], ...] = (
    ("item", "units", "A thing in one place, such as milk in the shop."),
    ("source", "", "One way to replenish one item: it is bought, made or moved."),
    ("work center", "units of time", "A machine or crew whose time its sources share."),
    ("demand", "units per period", "A stream of requests for one item."),
    ("period", "", "One step of the plant: a day, a week. The scenario says which."),
    ("lead time", "periods", "The time from an order until its goods can be used."),
    ("lot", "units", "The container in which a source delivers; orders are whole lots."),
    ("stock", "units", "Units on the shelf that can be used."),
    ("in process, pipeline", "units", "Units that were ordered and have not arrived."),
    ("backlog", "units", "Requests that wait. They are served before new requests."),
    ("lost sale", "units", "A request that is not served at once and does not wait."),
    (
        "inventory position",
        "units",
        "Stock + in process + ordered and not yet shipped - backlog. Most policies use it.",
    ),
    (
        "echelon position",
        "units",
        "The inventory position of an item, including its units inside the items made of it.",
    ),
    ("level, base stock S", "units", "A policy orders up to this position: max(0, S - position)."),
    ("card, kanban", "lots", "A permit to make or hold one lot of one item."),
    ("reorder point s", "units", "A policy orders when the position is at or below it."),
    (
        "EOQ",
        "units",
        "Economic order quantity: sqrt(2 x fixed cost x mean demand / holding cost).",
    ),
    (
        "critical ratio",
        "share",
        "b / (b + h), shortage cost / (shortage cost + holding cost): the newsvendor quantile.",
    ),
    (
        "utilization of a work center",
        "share",
        "Mean time needed / mean time available. At 1 or more, the backlog grows without limit.",
    ),
    (
        "steady state",
        "",
        "A state in which averages settle. Without it, averages grow with the horizon.",
    ),
    (
        "episode",
        "",
        "One simulated run of a plant over its horizon. Warm-up periods do not count in cost.",
    ),
    (
        "yardstick",
        "money",
        "The meaning of `cost`: the average per period (ongoing), the total (season), or the "
        "discounted sum.",
    ),
    (
        "tape",
        "",
        "The random numbers of an episode. Every policy meets the same ones, which is fair.",
    ),
    (
        "split",
        "",
        "A set of episodes: `train` for learners, `tune` for classics, `validate` to choose, "
        "`test` to judge.",
    ),
    (
        "textbook, tuned",
        "",
        "How the parameters of a policy were found: by its published formula, or by simulation.",
    ),
    (
        "interval, ±",
        "",
        "Where the mean of all episodes lies, with 95 % confidence: mean ± the distance to the "
        "farther end, or [from, to] where the ends are not about as far. It allows for skewness.",
    ),
    (
        "paired difference",
        "money",
        "The cost of one policy minus that of another, episode by episode on the same tape.",
    ),
    ("optimum", "money", "The least possible cost, computed by `jitgym.exact` on a small plant."),
    ("gap", "%", "(cost - optimum) / |optimum|."),
    ("control", "", "The meaning of an agent's action: orders, cards, levels or corrections."),
    ("view", "", "All that a policy sees before it asks; see [view.md](view.md)."),
)
"""Term, unit, meaning."""

COSTS = {
    "holding": "Stock at Count x holding cost of the item.",
    "in_process": "Units in the pipeline at Count x in-process holding cost of the source.",
    "in_process_holding": "Units in the pipeline at Count x in-process holding cost of the source.",
    "shortage": "Units lost x shortage cost; units that wait at Count x shortage cost.",
    "abandonment": "Units whose customers left while they waited x abandonment cost.",
    "purchase": "Units ordered (or received, where `paid: receipt`) x unit cost.",
    "shipment": "Periods with an order x shipment cost; trips of a carrier x its cost.",
    "setup": "Setups x setup cost.",
    "overtime": "Overtime used x its cost.",
    "disposal": "Units expired, obsolete or scrapped x disposal cost.",
    "commitment": "Units short of a contract x shortfall cost.",
    "project": "Improvement projects started x their cost.",
    "emission": "Emissions x emission price.",
    "salvage": "Minus units left at the end of a season x salvage value.",
    "revenue": "Minus units served x price.",
}
"""Term of the ledger -> its formula, in money per period; the term is also its column in rows."""


def page() -> str:
    """Return the glossary as Markdown."""
    better = {"high": "higher is better", "low": "lower is better", "": ""}
    lines = [
        "# Glossary",
        "",
        "`python scripts/document.py` writes this page. Units are those of the scenario: its",
        "items, its periods, its money.",
        "",
        "## Terms",
        "",
        _table(("term", "unit", "meaning"), WORDS),
        "## Cost terms",
        "",
        "Each is a column of `rows.csv`, and they add up to `cost`.",
        "",
        _table(("term", "unit", "formula"), ((f"`{t}`", "money", COSTS[t]) for t in TERMS)),
        "## KPIs",
        "",
        "Each is a column of `rows.csv`, over the periods after warm-up. A KPI that is not defined",
        "(a fill rate without demand) is empty there, and `n/a` in tables.",
        "",
        _table(
            ("column", "name", "unit", "formula", ""),
            ((f"`{n}`", k.title, k.unit, k.formula, better[k.better]) for n, k in KPIS.items()),
        ),
    ]
    return "\n".join(lines)


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    return markdown(Table(tuple(Column(name, align="left") for name in head), list(rows)))
