"""Measure how often the printed 95 % intervals cover the true mean; write docs/coverage.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

from agents.studies import coverage
from jitgym.report.tables import markdown

NAMES = "catalog names; default: all of the page"


def main(
    scenarios: Annotated[Positional[tuple[str, ...]], arg(metavar="SCENARIO...", help=NAMES)] = (),
    *,
    episodes: Annotated[int, arg(help="episodes that samples are drawn from")] = 10_240,
    samples: Annotated[int, arg(help="samples of each size")] = 2000,
    sizes: Annotated[tuple[int, ...], arg(help="episodes of a sample")] = (64, 256),
    page: Annotated[Path | None, arg(metavar="FILE", help="write the page here too")] = None,
) -> None:
    """Resample the episodes of two policies per scenario, and count how often intervals cover."""
    names = scenarios or tuple(coverage.POLICIES)
    for name in names:
        known = ", ".join(coverage.POLICIES)
        common.expect(name in coverage.POLICIES, f"{name} is not on this page; expected {known}")
    common.expect(samples >= 1, f"--samples is {samples}; expected at least 1")
    common.expect(episodes >= 64, f"--episodes is {episodes}; expected at least 64")
    common.expect(min(sizes) >= 33, f"--sizes {min(sizes)} is too few; expected at least 33")
    found = [
        each
        for name in names
        for each in coverage.measure(name, sizes, episodes, samples, progress=True)
    ]
    lines = [
        "# Do the intervals cover?",
        "",
        f"`python scripts/coverage.py` wrote this page. Two tuned policies run on {episodes:,}",
        f"episodes of each scenario; {samples:,} samples are drawn from them. Shown is the share",
        "of samples whose 95 % interval holds the mean of all episodes, from the smallest to the",
        "largest of three: of either cost, and of the paired difference. Tables print intervals",
        "that allow for skewness; where rare failures decide the cost, the episodes are chosen in",
        "strata and weighted (`jitgym/evaluate/strata.py`). The standard error of a share is about",
        f"{100 * (0.05 * 0.95 / samples) ** 0.5:.1f} %.",
        "",
        markdown(coverage.table(found)),
    ]
    text = "\n".join(lines)
    if page is not None:
        page.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    common.run(main)
