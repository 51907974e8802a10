"""Compute published figures, and print the published figure, ours, the difference and a verdict.

`python scripts/validate.py` solves and evaluates exactly, with the dynamics of the simulator; the
result is docs/validation.md. With `--by simulation`, policies of published rows are simulated until
the half-width of the interval (99.9 %, familywise over the table) is below half a percent; this
takes about ten minutes on two cores, and the result is docs/validation-by-simulation.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import _common as common
import _published as published
import numpy as np
import tyro
from _published import OPTIMAL, Case, Found

import agents
import jitgym
from agents.progress import track
from jitgym.control import RulePolicy
from jitgym.evaluate import familywise, interval
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.plant import episode_keys, lay_out
from jitgym.report import tables as report

EPISODES = 256  # per batch
MOST_BATCHES = 400
LEVEL = 0.999

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Simulated:
    """The simulated figure of a case."""

    case: Case
    mean: float
    half_width: float
    periods: int

    @property
    def holds(self) -> bool:
        """Whether the interval contains the published figure."""
        return abs(self.mean - self.case.published) <= self.half_width


def main(
    tables: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="TABLE...", help="tables of tests/published; all by default"),
    ] = (),
    by: Annotated[
        Literal["exact", "simulation"], tyro.conf.arg(help="how our figures are computed")
    ] = "exact",
    precision: Annotated[
        float, tyro.conf.arg(help="half-width of a simulated figure, as a share of it")
    ] = 0.005,
    seed: Annotated[int, tyro.conf.arg(help="seed of the first batch of simulated episodes")] = 1,
    workers: Annotated[int, tyro.conf.arg(help="number of processes")] = os.cpu_count() or 1,
    out: Annotated[Path | None, tyro.conf.arg(help="write the table to this Markdown file")] = None,
) -> None:
    """Compute the figures of the published tables; exit with 1 if one is outside tolerance."""
    common.expect(workers >= 1, f"--workers is {workers}; expected at least 1")
    common.expect(0 < precision < 1, f"--precision is {precision}; expected a share, above 0")
    common.expect(out is None or out.parent.is_dir(), f"--out {out}: there is no such folder")
    common.expect_sample(seed, EPISODES)
    cases = list(published.cases())
    known = {case.table for case in cases}
    for name in tables:
        expected = ", ".join(sorted(known))
        common.expect(name in known, f"no table {name!r}; expected one of {expected}")
    cases = [case for case in cases if not tables or case.table in tables]
    if by == "exact":
        found = parallel(published.compute, cases, workers)
        text, holds = exactly(found), all(each.holds for each in found)
    else:
        cases = [case for case in cases if is_simulated(case)]
        level = familywise(LEVEL, max(len(cases), 1))
        judge = partial(simulate, precision=precision, level=level, seed=seed)
        simulated = parallel(judge, cases, workers)
        text = by_simulation(simulated, precision, seed)
        holds = all(each.holds for each in simulated)
    print(text)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if not holds:
        raise SystemExit(1)


def parallel(function: Callable[[In], Out], cases: Sequence[In], workers: int) -> list[Out]:
    """Return the results of a function for all cases, in their order, and show progress."""
    with ProcessPoolExecutor(workers) as pool:
        waiting = [pool.submit(function, case) for case in cases]
        return [future.result() for future in track(waiting, "published figures")]


def is_simulated(case: Case) -> bool:
    """Return whether a case is a policy whose cost can be checked by simulation."""
    if case.policy in (OPTIMAL, "capped-base-stock"):
        return False
    return case.table in ("two_station_tandem", "lost_sales")


def simulate(case: Case, precision: float, level: float, seed: int) -> Simulated:
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
    return Simulated(case, found.mean, found.half_width, periods)


def exactly(found: Sequence[Found]) -> str:
    """Return the table of exact figures as Markdown."""
    failing = sum(not each.holds for each in found)
    lines = [
        "# Published figures, computed exactly",
        "",
        f"`python scripts/validate.py`: {len(found)} figures, {failing} outside tolerance. Our "
        "figures are solved or evaluated by `jitgym.exact` with the dynamics of the simulator; "
        "best parameters are those that no neighbor beats. Sources and protocols: "
        "`tests/published/README.md`. Seconds are those of the solution alone, on a busy machine.",
        "",
    ]
    head = "table row figure published ours difference tolerance states seconds verdict"
    rows = []
    for each in found:
        case = each.case
        best = ", ".join(f"{name} {value}" for name, value in each.parameters.items())
        cells = (
            case.table,
            case.row,
            f"{case.figure} ({best})" if best else case.figure,
            f"{case.published:g}",
            f"{each.ours:.6g}",
            f"{each.ours - case.published:+.1e}",
            f"{case.within:g}",
            f"{each.states:,}",
            f"{each.seconds:.2f}",
            "within tolerance" if each.holds else "OUTSIDE TOLERANCE",
        )
        rows.append(cells)
    lines += [markdown(head, rows), "Not in this table:", ""]
    lines += [f"- `{table}`, {which}: {why}." for table, which, why in published.NOT_COVERED]
    return "\n".join([*lines, "", published.REMARK, ""])


def by_simulation(findings: Sequence[Simulated], precision: float, seed: int) -> str:
    """Return the table of simulated figures as Markdown."""
    lines = [
        "# Published figures, simulated",
        "",
        f"`python scripts/validate.py --by simulation --precision {precision:g} --seed {seed}`: "
        "average cost per period; intervals of 99.9 %, familywise over the table. Sources and "
        "protocols: `tests/published/README.md`.",
        "",
    ]
    head = "table row policy published ours half-width million_periods verdict"
    rows = []
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
            "in the interval" if found.holds else "OUTSIDE the interval",
        )
        rows.append(cells)
    return "\n".join([*lines, markdown(head, rows)])


def markdown(head: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; the columns of figures lie between the names and the verdict."""
    texts = ("table", "row", "figure", "policy", "verdict")
    columns = [
        report.Column(name, align="left" if name in texts else "right") for name in head.split()
    ]
    return report.markdown(report.Table(tuple(columns), rows))


if __name__ == "__main__":
    common.run(main)
