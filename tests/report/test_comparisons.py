import io
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jitgym
from jitgym.evaluate.statistics import skew_interval, skew_paired
from jitgym.plant import headline_kpis, kpis_of
from jitgym.report import tables
from jitgym.report.comparisons import as_json, comparison
from jitgym.report.comparisons import table as drawn

PLANT = jitgym.load("lost-sales")
TUNED = ("base-stock (tuned)", "kanban (tuned)", "EOQ (tuned)")
EPISODES = 256


def rollout(policy, extra, scenario="lost-sales", seed=0, **columns):
    """Rows of a policy that costs `extra` more than the common world, give or take."""
    world = np.random.default_rng(0).normal(5, 0.5, EPISODES)
    own = np.random.default_rng(len(policy)).normal(0, 0.05, EPISODES)
    frame = pd.DataFrame(
        {
            "scenario": scenario,
            "policy": policy,
            "split": "test",
            "seed": seed,
            "episode": range(EPISODES),
            "cost": world + extra + (own if extra else 0),
            "fill_rate": 0.9,
            "average_inventory": 4.5,
            "turnover": 52.0,
        }
    )
    return frame.assign(**columns)


@pytest.fixture
def rows():
    return pd.concat(
        [
            rollout("EOQ (tuned)", 2.0),
            rollout("ppo", -0.2),
            rollout("base-stock (tuned)", 0.0),
            rollout("constant order (textbook)", 4.0, turnover=math.nan),
            rollout("kanban (tuned)", 0.0),
        ]
    )


@pytest.fixture
def table(rows):
    return comparison(rows, TUNED, 4.7, PLANT)


@pytest.fixture(autouse=True)
def _a_pipe_of_the_usual_width(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


def printed(table, notes=(), scenario=PLANT):
    file = io.StringIO()
    tables.show(drawn(table, scenario, notes), file)
    return file.getvalue()


def test_the_policy_with_the_lowest_cost_is_the_first_row(table):
    means = [row.cost.mean for row in table]
    assert means == sorted(means)
    assert table[0].policy == "ppo"


def test_policies_that_coincide_share_a_row(table):
    assert [row.policy for row in table].count("base-stock (tuned) = kanban (tuned)") == 1
    assert len(table) == 4


def test_policies_that_differ_in_one_episode_do_not_coincide(rows):
    last = (rows.policy == "kanban (tuned)") & (rows.episode == EPISODES - 1)
    rows.loc[last, "cost"] += 1e-12
    assert len(comparison(rows, TUNED, None, PLANT)) == 5


def test_the_order_of_rows_does_not_matter(rows, table):
    shuffled = rows.sample(frac=1, random_state=0)
    by_names = {frozenset(row.names): row for row in comparison(shuffled, TUNED, 4.7, PLANT)}
    for row in table:
        other = by_names[frozenset(row.names)]
        assert other.cost.mean == pytest.approx(row.cost.mean)
        assert other.cost.half_width == pytest.approx(row.cost.half_width)


def test_differences_are_paired_with_the_best_tuned_classic(rows, table):
    frames = dict(iter(rows.groupby("policy")))
    ppo, best = table[0], table[1]
    assert best.difference is None
    assert ppo.difference == skew_paired(frames["ppo"], frames["base-stock (tuned)"])
    assert ppo.difference.half_width < ppo.cost.half_width / 5  # what pairing is for
    assert all(row.difference is not None for row in table if row is not best)


def test_without_a_tuned_classic_there_is_no_difference(rows):
    assert all(row.difference is None for row in comparison(rows, [], None, PLANT))


def test_cost_and_gap_are_computed_from_the_rows(rows, table):
    costs = rows[rows.policy == "ppo"].cost
    assert table[0].cost == skew_interval(costs)
    assert table[0].gap == pytest.approx(costs.mean() / 4.7 - 1)
    assert table[0].episodes == EPISODES


def test_without_an_optimum_there_is_no_gap(rows):
    assert all(row.gap is None for row in comparison(rows, TUNED, None, PLANT))


def test_a_gap_to_a_profit_is_also_positive(rows):
    profit = rows.assign(cost=rows.cost - 100)
    assert all(row.gap > 0 for row in comparison(profit, TUNED, -96.0, PLANT))


def test_kpis_are_means_over_the_episodes_that_define_them(rows):
    rows.loc[(rows.policy == "ppo") & (rows.episode > 0), "fill_rate"] = math.nan
    table = comparison(rows, TUNED, None, PLANT)
    assert table[0].kpis["fill_rate"] == 0.9
    assert math.isnan(table[-1].kpis["turnover"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: pd.concat([rows, rollout("ppo", 1, scenario="tandem")]), "2 scenarios"),
        (lambda rows: rows.iloc[:-1], "same tape"),
        (lambda rows: pd.concat([rows, rollout("ppo 2", 1, seed=1)]), "same tape"),
        (lambda rows: pd.concat([rows, rollout("ppo", 1)]), "occurs twice"),
        (lambda rows: rows[rows.policy != "EOQ (tuned)"], r"no rows of EOQ \(tuned\)"),
        (lambda rows: rows.assign(cost=math.nan), "a cost is nan"),
        (lambda rows: rows.iloc[:0], "0 scenarios"),
    ],
    ids=[
        "two scenarios",
        "an episode short",
        "another seed",
        "one policy twice",
        "a classic missing",
        "undefined costs",
        "nothing",
    ],
)
def test_unfair_tables_are_refused(rows, change, message):
    with pytest.raises(ValueError, match=message):
        comparison(change(rows), TUNED, None, PLANT)


def test_json_holds_every_figure_and_null_for_undefined_ones(rows):
    table = comparison(rows, TUNED, None, PLANT)
    found = json.loads(json.dumps(as_json(table), allow_nan=False))["policies"]
    assert [entry["policy"] for entry in found] == [row.policy for row in table]
    assert found[0]["cost"] == table[0].cost.mean
    assert found[0]["interval"] == [table[0].cost.low, table[0].cost.high]
    assert found[0]["difference"] == table[0].difference.mean
    assert found[0]["gap"] is None
    assert found[1]["difference"] is None
    assert found[1]["difference_interval"] is None
    assert found[-1]["turnover"] is None
    assert found[0]["episodes"] == EPISODES


def test_a_pipe_gets_plain_whole_lines_of_at_most_100_columns(table, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    long_name = "order-up-to on a smoothed forecast (textbook)"
    table = (*table, replace(table[-1], names=(long_name, "constant order (tuned)")))
    text = printed(
        table, notes=["One demand path: the interval covers the supplier's chance only."]
    )
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert "…" not in text
    for name in ("ppo", "base-stock (tuned)", "constant order"):
        assert name in text
    assert "the supplier's chance only" in text


def test_the_text_says_na_for_undefined_figures(table):
    line = next(line for line in printed(table).splitlines() if "constant order" in line)
    assert line.split()[-4:-2] == ["4.50", "n/a"]  # inventory, turns, and the gap in two words
    assert "nan" not in printed(table)


def test_figures_have_as_many_digits_as_their_intervals_allow(rows):
    lines = printed(comparison(rows, TUNED, 4.7, PLANT)).splitlines()
    ppo = next(line for line in lines if line.split()[:1] == ["ppo"])
    cost = skew_interval(rows[rows.policy == "ppo"].cost)
    assert f"{cost.mean:.3f} ± {cost.reach:.3f}" in ppo
    assert "-0.1990 ± 0.0063" in ppo


def test_a_policy_that_fails_does_not_reduce_the_digits_of_the_others(rows):
    is_constant = rows.policy == "constant order (textbook)"
    failing = rows.assign(cost=rows.cost.where(~is_constant, rows.cost * 1e5))
    lines = printed(comparison(failing, TUNED, None, PLANT)).splitlines()
    ppo = next(line for line in lines if line.split()[:1] == ["ppo"])
    constant = next(line for line in lines if "constant order" in line)
    cost = skew_interval(rows[rows.policy == "ppo"].cost)
    assert f"{cost.mean:.3f} ± {cost.reach:.3f}" in ppo
    assert "." not in constant.split("±")[0]


def test_wide_figures_are_not_cut_off(rows):
    dear = rows.assign(cost=rows.cost * 1e5, average_inventory=123456.0)
    text = printed(comparison(dear, TUNED, None, PLANT))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert "123456.00" in text


def test_one_episode_has_no_half_width(rows):
    text = printed(comparison(rows[rows.episode == 0], TUNED, None, PLANT))
    assert "± n/a" in text
    assert "nan" not in text


def test_certain_costs_have_readable_figures(rows):
    text = printed(comparison(rows.assign(cost=rows.policy.str.len() / 3.0), TUNED, None, PLANT))
    assert "1.00000 ± 0.00000" in text


def test_names_and_notes_are_text_and_not_markup(table):
    odd = (replace(table[0], names=("base-stock [red]",)), *table[1:])
    titled = PLANT.model_copy(update={"title": "lost-sales [blue]"})
    text = printed(odd, notes=["levels=[1, 2] [/bold]"], scenario=titled)
    for words in ("[red]", "levels=[1, 2] [/bold]", "lost-sales [blue]"):
        assert words in text


def test_the_yardstick_names_the_column(table):
    discounted = PLANT.model_copy(update={"discount": 0.9})
    assert "discounted cost" in " ".join(printed(table, scenario=discounted).split())


SPEAKING = ("automotive-line", "print-on-demand", "fast-fashion", "content-studio")


def spoken(name, extra, policy="kanban (tuned)"):
    """Rows of a scenario that has words of its own, with a value for each of its KPIs."""
    scenario = jitgym.load(name)
    frame = rollout(policy, extra, scenario=name)
    values = {kpi: 0.25 for kpi in headline_kpis(scenario)}
    return scenario, frame.assign(**values | {"profit": 400_000 - frame.cost})


@pytest.mark.parametrize("name", SPEAKING)
def test_a_scenario_is_compared_by_its_own_kpis_in_its_own_words(name):
    scenario, rows = spoken(name, 0.0)
    whole = drawn(comparison(rows, ["kanban (tuned)"], None, scenario), scenario)
    headings = [column.title for column in whole.columns]
    for kpi in scenario.words:
        assert any(scenario.words[kpi] in heading for heading in headings), kpi
    assert {column.name for column in whole.columns} >= set(headline_kpis(scenario))
    assert "turns" not in " ".join(headings)
    (row,) = as_json(comparison(rows, ["kanban (tuned)"], None, scenario))["policies"]
    assert {kpi: row[kpi] for kpi in headline_kpis(scenario) if kpi != "profit"} == {
        kpi: 0.25 for kpi in headline_kpis(scenario) if kpi != "profit"
    }


def test_a_plant_that_is_judged_by_its_profit_leads_with_it_in_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    scenario, best = spoken("fast-fashion", 0.0)
    _, worse = spoken("fast-fashion", 2.0, "EOQ (tuned)")
    names = ["kanban (tuned)", "EOQ (tuned)"]
    compared = comparison(pd.concat([worse, best]), names, None, scenario)
    text = printed(compared, scenario=scenario)
    assert max(map(len, text.splitlines())) <= 80
    first = next(line for line in text.splitlines() if line.startswith("kanban"))
    assert first.split()[2] == f"{best.profit.mean():.0f}"
    assert "cost" not in text.split("±: ")[0]
    heading = " ".join(text.split())
    for word in ("sell-through", "margin"):
        assert word in heading.split("Columns left out")[0]
    ahead = compared[1].leading_difference
    assert ahead.mean == pytest.approx(-compared[1].difference.mean)
    whole = drawn(compared, scenario)
    assert [column.name for column in whole.columns][:3] == ["policy", "profit", "difference"]


def test_every_scenario_of_the_catalog_has_a_table_whose_kpis_it_knows():
    for name in jitgym.catalog.names():
        scenario = jitgym.load(name)
        columns = drawn((), scenario).columns
        known = {"policy", "cost", "difference", "gap", *kpis_of(scenario)}
        assert {column.name for column in columns} <= known


def test_a_difference_that_is_not_chance_has_a_mark(rows, table):
    sure = [row for row in table if row.differs]
    assert table[0] in sure  # .2 below, to within .006
    text = printed(table)
    assert "*: differs from the reference (Holm over" in text
    noisy = rows.assign(cost=rows.cost.where(rows.policy != "ppo", _noisy(rows)))
    ppo = next(r for r in comparison(noisy, TUNED, 4.7, PLANT) if r.names == ("ppo",))
    assert not ppo.differs
    assert ppo.p_value > 0.05


def _noisy(rows):
    """Return the costs of base-stock with noise of mean 0."""
    base = rows[rows.policy == "base-stock (tuned)"].cost.to_numpy()
    noise = np.random.default_rng(0).normal(size=base.size)
    noise -= noise.mean()
    return np.tile(base + noise, len(rows) // base.size)
