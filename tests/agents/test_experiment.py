"""Experiments from files: read, refused, and conducted on a small scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

from agents.studies import experiment as experiments
from jitgym import ScenarioError, catalog
from jitgym.catalog import load
from jitgym.evaluate import Run
from jitgym.plant import headline_kpis, kpis_of, leading

ROOT = Path(__file__).resolve().parents[2]
SMALL = """\
title: Small
scenarios: [lost-sales]
agents: [constant, base-stock]
episodes: 20
kpis: [fill_rate, oee]
steps: [1.3]
step_episodes: 8
"""


@pytest.mark.parametrize("file", sorted((ROOT / "configs" / "experiments").glob("*.yaml")))
def test_every_experiment_in_the_repository_can_be_read(file: Path) -> None:
    plan = experiments.read_experiment(file)
    for name in plan.scenarios:
        load(name)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("fill_rate", "fil_rate", "line 5: kpis.0: no KPI 'fil_rate'; expected one of fill_rate"),
        ("constant", "constnt", "line 3: agents.0: no policy 'constnt'"),
        ("steps: [1.3]", "opponents: {lost: [eoq]}", "opponents.lost: no scenario 'lost'"),
        ("steps: [1.3]", "opponents: {lost-sales: [oeq]}", "opponents.lost-sales.0: no policy"),
        ("steps: [1.3]", "references: [eoq]", "line 6: references.0: 'eoq' is not an agent of all"),
        ("steps: [1.3]", "demand: [0]", "line 6: demand.0: is 0; expected more than 0"),
        ("episodes: 20", "episodes: 1", "line 4: episodes: is 1; expected at least 2"),
        ("title: Small", "tile: Small", "line 1: tile: unknown key"),
    ],
)
def test_a_wrong_experiment_is_refused_with_its_line(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(SMALL.replace(before, after))
    with pytest.raises(ScenarioError) as raised:
        experiments.read_experiment(file)
    assert message in str(raised.value)


def test_an_experiment_gives_gains_kpis_and_steps(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    plan = experiments.read_experiment(file)
    with Run("compare", "lost-sales", configuration=plan, seeds={}, out=tmp_path / "run") as run:
        text = experiments.conduct(plan, load("lost-sales"), run)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "fill rate (share)" in lines[0]
    constant, base_stock = lines[2:4]
    assert constant.startswith("| constant (tuned) |")
    assert "reference" in constant
    assert "| n/a |" in constant  # no work center, no OEE
    gain = float(base_stock.split("|")[3].split("±")[0])
    assert gain > 0  # base-stock beats a constant order here
    assert lines[6].split("|")[2].strip() == "+30%"
    assert (tmp_path / "run" / "rows.csv").exists()


def test_a_gain_is_in_percent_of_the_cost_of_each_reference_at_each_demand(tmp_path: Path) -> None:
    file = tmp_path / "demands.yaml"
    file.write_text(
        SMALL.replace("steps: [1.3]", "demand: [1, 1.5]")
        .replace("agents: [constant,", "references: [base-stock, constant]\nagents: [constant,")
        .replace("episodes: 20", "episodes: 20\nopponents: {lost-sales: [eoq]}")
    )
    plan = experiments.read_experiment(file)
    with Run("compare", "lost-sales", configuration=plan, seeds={}, out=tmp_path / "run") as run:
        text = experiments.conduct(plan, load("lost-sales"), run)
    rows = pandas.read_csv(tmp_path / "run" / "rows.csv")
    sections = text.split("### Mean demand × ")
    assert [section[:3].strip() for section in sections[1:]] == ["1", "1.5"]
    for section, factor in zip(sections[1:], (1.0, 1.5), strict=True):
        table = [line for line in section.splitlines() if line.startswith("|")]
        assert "gain over base-stock (%) | gain over constant (%)" in table[0]
        cost = rows[rows["demand"] == factor].groupby("policy")["cost"].mean()
        assert set(cost.index) == {"constant (tuned)", "base-stock (tuned)", "eoq (tuned)"}
        for line in table[2:]:
            name, _, *gains = [cell.strip() for cell in line.strip("|").split("|")]
            for reference, shown in zip(("base-stock", "constant"), gains, strict=False):
                base = cost[f"{reference} (tuned)"]
                if shown == "reference":
                    assert name == f"{reference} (tuned)"
                else:
                    expected = 100 * (base - cost[name]) / abs(base)
                    assert float(shown.split("±")[0]) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("name", catalog.names())
def test_the_table_of_an_experiment_leads_with_what_a_comparison_leads_with(name: str) -> None:
    scenario = load(name)
    led = leading(scenario)
    plan = experiments.read_experiment(ROOT / "configs" / "experiments" / "tension.yaml")
    kpis = plan.kpis_of(scenario)
    one = pandas.DataFrame({"split": "test", "seed": 0, "episode": np.arange(4)})
    one = one.assign(**dict.fromkeys(kpis, 0.5), cost=[-9.0, -11.0, -10.0, -10.0])
    one = one.assign(profit=-one["cost"])
    rows = pandas.concat([one.assign(policy="a (tuned)"), one.assign(policy="b (tuned)")])
    found = experiments.kpi_table(rows, kpis, ["a (tuned)"], kpis_of(scenario), led)
    names = [column.name for column in found.columns]
    assert names[:2] == ["policy", led.column]
    assert names.count(led.column) == 1
    assert "cost" not in names[2:]
    asked = {*headline_kpis(scenario), *plan.kpis} if scenario.words else {*plan.kpis}
    assert set(names[3:]) == asked - {led.column}
    assert found.rows[0][1].mean == (10.0 if led.column == "profit" else -10.0)


def test_a_season_with_prices_leads_with_profit_margin_and_sell_through() -> None:
    scenario = load("fast-fashion")
    plan = experiments.read_experiment(ROOT / "configs" / "experiments" / "tension.yaml")
    assert leading(scenario) == ("profit", "profit of the season", "high")
    assert plan.kpis_of(scenario)[:2] == ["margin", "sell_through"]
