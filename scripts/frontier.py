"""Print how much stock classic policies need for given fill rates, as a Markdown table."""

from __future__ import annotations

from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

import agents
from agents.progress import track
from agents.studies import frontier
from jitgym.evaluate import Run

POLICIES = "classic policies; all are compared with the first"


def main(
    scenario: common.ScenarioName,
    policies: Annotated[Positional[tuple[str, ...]], arg(metavar="POLICY...", help=POLICIES)] = (
        "kanban",
        "conwip",
        "hybrid",
        "base-stock",
    ),
    *,
    given: common.Given = (),
    low: Annotated[float, arg(help="lowest fill rate to compare")] = 0.9,
    high: Annotated[float, arg(help="highest fill rate to compare")] = 0.99,
    count: Annotated[int, arg(help="largest number of fill rates in the table")] = 3,
    seed: common.Seed = 0,
    episodes: common.Episodes = 1024,
    out: common.Out = None,
) -> None:
    """Explore each policy on the split `tune`, and compare the best at equal fill rates on `test`.

    The folder of the run holds run.json and page.md.
    """
    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    expected = "expected 0 <= low < high <= 1"
    common.expect(0 <= low < high <= 1, f"--low {low:g}, --high {high:g}; {expected}")
    common.expect(count >= 1, f"--count is {count}; expected at least 1")
    for name in policies:
        agents.expect_name(name)
    options = {"scenario": plant, "policies": policies, "low": low, "high": high}
    with Run("frontier", plant.name, configuration=options, seeds={"all": seed}, out=out) as run:
        searches = [
            frontier.explore(name, plant, low, high, seed, progress=True) for name in policies
        ]
        explored, rates = frontier.matched(searches, low, high, count, progress=True)
        why = f"one of the policies has no fill rate from {low:g} to {high:g}"
        common.expect(bool(rates), f"{why}; widen the range with --low and --high")
        meetings = [
            frontier.meet(explored, rate, seed, episodes)
            for rate in track(rates, f"evaluate on {plant.name}")
        ]
        page = frontier.page(meetings)
        (run.folder / "page.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    common.run(main)
