"""Simulate published figures, and print published, ours, difference, verdict and source.

`python scripts/validate.py` takes some ten minutes on two cores: each figure is simulated until the
half-width of its interval (99.9 %, familywise over the table) is below half a percent of it. The
result stands in docs/validation.md.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import _common as common
import numpy as np
import tyro
from rich.progress import track

import agents
import jitgym
from jitgym.control import RulePolicy
from jitgym.evaluate import familywise, interval
from jitgym.evaluate.loop import run_rules
from jitgym.plant import episode_keys, lay_out

PUBLISHED = Path(__file__).resolve().parents[1] / "tests" / "published"
EPISODES = 256  # a batch
MOST_BATCHES = 400


@dataclass(frozen=True)
class Case:
    """A policy of a published row: what it is, and what it should cost."""

    table: str
    row: str
    scenario: str
    given: dict[str, Any]
    policy: str
    parameters: dict[str, Any]
    published: float


@dataclass(frozen=True)
class Finding:
    """What came out."""

    case: Case
    mean: float
    half_width: float
    periods: int

    @property
    def holds(self) -> bool:
        """Whether the interval contains the published figure."""
        return abs(self.mean - self.case.published) <= self.half_width


def main(
    precision: Annotated[float, tyro.conf.arg(help="half-width, as a share of the figure")] = 0.005,
    seed: Annotated[int, tyro.conf.arg(help="of the first batch of episodes")] = 1,
    workers: Annotated[int, tyro.conf.arg(help="processes")] = os.cpu_count() or 1,
    out: Annotated[Path | None, tyro.conf.arg(help="write the table to this Markdown file")] = None,
) -> None:
    """Simulate the policies of the published tables."""
    common.expect(workers >= 1, f"--workers is {workers}; expected at least 1")
    common.expect(0 < precision < 1, f"--precision is {precision}; expected a share, above 0")
    common.expect(out is None or out.parent.is_dir(), f"--out {out}: there is no such folder")
    common.expect_sample(seed, EPISODES)
    cases = [*tandem_cases(), *lost_sales_cases()]
    level = familywise(0.999, len(cases))
    with ProcessPoolExecutor(workers) as pool:
        waiting = [pool.submit(simulate, case, precision, level, seed) for case in cases]
        findings = [future.result() for future in track(waiting, "simulating")]
    text = markdown(findings, precision, seed)
    print(text)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if not all(finding.holds for finding in findings):
        raise SystemExit(1)


def rows(name: str) -> list[dict[str, str]]:
    """Rows of a published table."""
    with (PUBLISHED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> list[float]:
    """A list of numbers in one cell."""
    return [float(part) for part in text.split(",")]


def tandem_cases() -> Iterator[Case]:
    """Kanban, base-stock and CONWIP at the parameters of each two-station line."""
    for k, row in enumerate(rows("two_station_tandem.csv"), 1):
        given = {
            "demand_rate": float(row["demand_rate"]),
            "service_rates": numbers(row["service_rates"]),
            "holding": numbers(row["holding"]),
            "backorder": float(row["backorder"]),
        }
        for policy, parameters, column in (
            ("kanban", {"cards": numbers(row["kanban_cards"])}, "kanban_cost"),
            ("base-stock", {"levels": numbers(row["base_stock_levels"])}, "base_stock_cost"),
            ("conwip", {"cards": float(row["conwip_cards"])}, "conwip_cost"),
        ):
            cost = float(row[column])
            yield Case("two_station_tandem", f"{k}", "tandem", given, policy, parameters, cost)


def lost_sales_cases() -> Iterator[Case]:
    """The best base-stock level of each row of Zipkin (2008)."""
    for row in rows("lost_sales.csv"):
        given = {
            "demand": row["demand"],
            "mean": float(row["mean"]),
            "holding": float(row["holding"]),
            "penalty": float(row["penalty"]),
            "lead_time": int(row["lead_time"]),
        }
        label = f"{row['demand']} L={row['lead_time']} p={row['penalty']}"
        parameters = {"level": float(row["base_stock_level"])}
        cost = float(row["base_stock_cost"])
        yield Case("lost_sales", label, "lost-sales", given, "base-stock", parameters, cost)


def simulate(case: Case, precision: float, level: float, seed: int) -> Finding:
    """Simulate batches of episodes until the interval is narrow enough."""
    layout = lay_out(jitgym.load(case.scenario, **case.given))
    policy = agents.make(case.policy, layout.scenario, **case.parameters)
    assert isinstance(policy, RulePolicy)
    costs: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    for batch in range(MOST_BATCHES):
        keys = episode_keys("test", seed + batch, np.arange(EPISODES))
        costs.append(run_rules(layout, policy.rule, keys, "test", flows=False).cost[0])
        found = interval(np.concatenate(costs), level)
        if found.half_width < precision * found.mean:
            break
    periods = found.n * layout.plant.periods
    return Finding(case, found.mean, found.half_width, periods)


def markdown(findings: list[Finding], precision: float, seed: int) -> str:
    """Return the table as Markdown."""
    lines = [
        "# Published figures, simulated",
        "",
        f"`python scripts/validate.py --precision {precision:g} --seed {seed}`: average cost a "
        "period; intervals of 99.9 %, familywise over the table. Sources and protocols: "
        "`tests/published/README.md`.",
        "",
        "| table | row | policy | published | ours | half-width | million periods | verdict |",
        "|---|---|---|---:|---:|---:|---:|---|",
    ]
    for found in findings:
        case = found.case
        cells = (
            case.table,
            case.row,
            case.policy,
            f"{case.published:.4f}",
            f"{found.mean:.4f}",
            f"{found.half_width:.4f} ({found.half_width / found.mean:.2%})",
            f"{found.periods / 1e6:.0f}",
            "contained" if found.holds else "NOT contained",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    common.run(main)
