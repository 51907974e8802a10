"""Sentences beside a table: what they may say of which figures."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

from agents.studies.sentences import gain, sentences
from jitgym.catalog import load
from jitgym.plant import leading

NOISE = np.array([0.0, 1.0, -1.0, 0.5, -0.5])


def rows(**means: tuple[float, float, float]) -> pandas.DataFrame:
    """Rows of policies by mean cost, fill rate and inventory, paired but for a little noise."""
    frames = []
    for k, (name, (cost, fill, stock)) in enumerate(means.items()):
        frames.append(
            pandas.DataFrame(
                {
                    "policy": f"{name} (tuned)",
                    "split": "test",
                    "seed": 0,
                    "episode": np.arange(5),
                    "cost": cost + 9 * NOISE + 0.1 * np.roll(NOISE, k),
                    "fill_rate": fill + 0.001 * np.roll(NOISE, k),
                    "average_inventory": stock + 0.1 * np.roll(NOISE, k),
                    "lead_time": np.nan,
                }
            )
        )
    return pandas.concat(frames, ignore_index=True)


KPIS = ["fill_rate", "average_inventory"]


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (80.0, "It costs 20.0 ± 0.3 % less than mrp."),
        (125.0, "It costs 25.0 ± 0.3 % more than mrp."),
        (100.01, "Its cost does not differ significantly from that of mrp (0.0 ± 0.3 %)."),
    ],
)
def test_a_difference_in_cost_is_reported_only_if_its_interval_excludes_zero(
    cost: float, said: str
) -> None:
    table = rows(mrp=(100.0, 0.9, 10.0), kanban=(cost, 0.9, 10.0), conwip=(200.0, 0.9, 10.0))
    first, second = sentences(table, ["mrp (tuned)"])
    assert first == "Kanban has the lowest cost of the alternatives."
    assert second == said


def test_a_kpi_is_called_better_or_worse_by_its_own_direction() -> None:
    table = rows(mrp=(100.0, 0.9, 10.0), kanban=(80.0, 0.95, 12.0))
    assert sentences(table, ["mrp (tuned)"], KPIS)[-1] == (
        "Compared with mrp, it is better in fill rate (0.95 instead of 0.9); "
        "worse in average inventory (12 instead of 10)."
    )
    alike = rows(mrp=(100.0, 0.9, 10.0), kanban=(80.0, 0.9, 10.0))
    told = sentences(alike, ["mrp (tuned)"], KPIS)[-1]
    assert told == "Compared with mrp, no KPI differs significantly."


def test_figures_and_verdict_come_from_the_same_episodes() -> None:
    """An episode in which one of the two is undefined must not turn the figures around."""
    table = rows(mrp=(100.0, 0.9, 10.0), kanban=(80.0, 0.9, 8.0))
    is_last = table["episode"] == 4
    table.loc[is_last & (table["policy"] == "mrp (tuned)"), "average_inventory"] = np.nan
    table.loc[is_last & (table["policy"] == "kanban (tuned)"), "average_inventory"] = 1000.0
    told = sentences(table, ["mrp (tuned)"], ["average_inventory"])[-1]
    assert "better in average inventory (7.987 instead of 10.01, where both are defined)" in told


def test_there_are_no_sentences_without_a_rival() -> None:
    table = rows(mrp=(100.0, 0.9, 10.0), kanban=(80.0, 0.9, 10.0))
    assert sentences(table, ["mrp (tuned)", "kanban (tuned)"]) == []


@pytest.mark.parametrize(
    ("cost", "said", "gained"),
    [
        (-125.0, "Its profit is 25.0 ± 0.3 % higher than that of mrp.", 25.0),
        (-80.0, "Its profit is 20.0 ± 0.3 % lower than that of mrp.", -20.0),
        (-100.01, "Its profit does not differ significantly from that of mrp (0.0 ± 0.3 %).", 0.0),
    ],
)
def test_a_plant_that_sells_is_told_by_its_profit(cost: float, said: str, gained: float) -> None:
    table = rows(mrp=(-100.0, 0.9, 10.0), kanban=(cost, 0.9, 10.0), conwip=(-50.0, 0.9, 10.0))
    table = table.assign(profit=-table["cost"])
    led = leading(load("fast-fashion"))
    first, second = sentences(table, ["mrp (tuned)"], led=led)
    assert first == "Kanban has the highest profit of the alternatives."
    assert second == said
    frames = {str(name): frame for name, frame in table.groupby("policy")}
    found = gain(frames["mrp (tuned)"], frames["kanban (tuned)"], led)
    assert found.mean == pytest.approx(gained, abs=0.05)
    by_cost = gain(frames["mrp (tuned)"], frames["kanban (tuned)"])
    assert (found.mean, found.half_width) == pytest.approx((by_cost.mean, by_cost.half_width))
