"""Episodes in strata: their weights, what they are for, and that they change nothing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import agents
import jitgym
from agents.studies import comparison, coverage
from jitgym import evaluate
from jitgym.evaluate import strata
from jitgym.evaluate.statistics import holm, mean_of, p_value, skew_interval, skew_of, stratified


def test_plants_without_rare_failures_run_the_first_episodes() -> None:
    for name in ("lost-sales", "kanban-line", "online-retail"):
        these = evaluate.sample(name, 64)
        assert these.is_plain
        assert these.numbers.tolist() == list(range(64))
        assert these.weights.tolist() == [1.0] * 64


def test_weights_add_up_and_severe_episodes_are_run_more_often() -> None:
    these = evaluate.sample("automotive-line", 256)
    assert not these.is_plain
    assert these.weights.sum() == pytest.approx(256)
    assert len(set(these.numbers.tolist())) == 256
    assert sorted(these.numbers.tolist()) == these.numbers.tolist()
    found = strata.severity(jitgym.load("automotive-line"), 16_384, 0, "test")
    assert found[these.numbers].mean() > 2 * found.mean()
    weighted = float(np.average(found[these.numbers], weights=these.weights))
    assert weighted == pytest.approx(found.mean(), rel=0.1)


def test_a_larger_sample_holds_the_smaller_one() -> None:
    small, large = (evaluate.sample("automotive-line", n).numbers for n in (64, 256))
    assert set(small.tolist()) <= set(large.tolist())


def test_severity_counts_the_periods_for_which_a_part_is_down() -> None:
    scenario = jitgym.load("automotive-line", valve_disruption={"fails": 0.02, "repaired": 0.25})
    found = strata.severity(scenario, 3, 5, "test")
    # An environment replays the same episodes; the state says whether the supplier is up.
    from jitgym.plant import lay_out

    layout = lay_out(scenario)
    cell = int(layout.plant.ups_and_downs[0]["cell"])
    policy, seen = agents.make("base-stock", scenario), []
    for episode in range(3):
        since = total = 0
        for state in _states(scenario, policy, episode):
            since = 0 if state[cell] == 1.0 else since + 1
            total += since
        seen.append(total)
    assert found.tolist() == seen


def _states(scenario, policy, episode):
    from jitgym.evaluate import closed_loop
    from jitgym.plant import lay_out

    engine = closed_loop.at_start(lay_out(scenario), "test", 5, np.array([episode]))
    decide = closed_loop.deciding(policy, lay_out(scenario), 1)
    for _ in closed_loop.run(engine, decide, engine.plant.periods):
        yield engine.state[0].copy()


def test_rows_in_strata_are_those_of_the_same_episodes() -> None:
    scenario = jitgym.load("automotive-line")
    policy = agents.make("base-stock", scenario)
    these = evaluate.sample(scenario, 64)
    rows = evaluate.sampled(policy, scenario, these)
    k = int(np.argmax(these.numbers < 200))
    number = int(these.numbers[k])
    alone = evaluate.rollout(policy, scenario, 1, first=number)
    assert rows["episode"].iloc[k] == number
    assert rows["cost"].iloc[k] == alone["cost"].iloc[0]


def test_the_weighted_mean_is_unbiased_and_its_interval_far_narrower() -> None:
    scenario = jitgym.load("automotive-line")
    policy = agents.make("base-stock", scenario)
    many = evaluate.rollout(policy, scenario, 2048)
    rows = evaluate.sampled(policy, scenario, evaluate.sample(scenario, 256))
    found, plain = skew_of(rows), skew_interval(many["cost"].head(256))
    assert mean_of(rows) == pytest.approx(found.mean)
    assert found.low < skew_interval(many["cost"]).high
    assert found.high > skew_interval(many["cost"]).low
    assert found.half_width < plain.half_width / 2
    assert rows["cost"].mean() > found.high  # without weights it would be far too large


def test_intervals_cover_in_strata_and_without() -> None:
    [small] = coverage.measure("automotive-line", [64], 1024, 300, tuned=False)
    assert small.strata is not None
    assert min(small.strata) > 0.91
    [plain] = coverage.measure("lost-sales", [64], 512, 300, tuned=False)
    assert plain.strata is None
    assert min(plain.plain) > 0.91


def test_a_stratified_interval_by_hand() -> None:
    values, number = [1.0, 3.0, 10.0, 14.0], [0, 0, 1, 1]
    weights = [1.5, 1.5, 0.5, 0.5]  # shares .75 and .25
    found = stratified(values, number, weights)
    assert found.mean == pytest.approx(0.75 * 2 + 0.25 * 12)
    variance = 0.75**2 * 2 / 2 + 0.25**2 * 8 / 2
    variance += (0.75 * 2.5**2 + 0.25 * 7.5**2) / 16_384
    from scipy import stats

    freedom = variance**2 / ((0.75**2) ** 2 + (0.25**2 * 4) ** 2)
    width = stats.t.ppf(0.975, freedom) * variance**0.5
    assert found.half_width == pytest.approx(width, rel=1e-3)
    unknown = stratified([1.0, 2.0, 3.0], [0, 0, 1], [1.0, 1.0, 1.0])
    assert unknown.mean == 2.0
    assert np.isnan(unknown.half_width)  # one value shows no variance


def test_holm_by_the_textbook() -> None:
    # Holm (1979): of p-values .01, .02, .03 at 5 %, .01 <= .0167, .02 <= .025, .03 <= .05.
    assert holm([0.01, 0.02, 0.03]) == [True, True, True]
    assert holm([0.02, 0.02, 0.03]) == [False, False, False]  # .02 > .05 / 3 stops at once
    assert holm([0.04, 0.01, 0.03]) == [False, True, False]


def test_a_p_value_is_that_of_the_t_test() -> None:
    from scipy import stats

    values = np.array([0.3, -0.1, 0.4, 0.8, 0.2, -0.3])
    found = p_value(lambda level: evaluate.interval(values, level))
    assert found == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, rel=1e-6)
    assert p_value(lambda level: evaluate.interval([0.0, 0.0], level)) == 1.0
    assert p_value(lambda level: evaluate.interval([1.0, 1.0], level)) == 0.0


def test_a_comparison_runs_until_it_is_precise_or_says_what_that_would_take(monkeypatch) -> None:
    scenario = jitgym.load("lost-sales")
    policy = agents.make("base-stock", scenario)
    rows, said = comparison.contest_until(0.004, [policy], scenario, 16)
    assert len(rows) > 16
    assert skew_of(rows).reach <= 0.004 * skew_of(rows).mean
    assert "every interval is within 0.4 %" in said
    monkeypatch.setattr(comparison, "MOST_EPISODES", 32)
    rows, said = comparison.contest_until(0.0001, [policy], scenario, 16)
    assert len(rows) == 32
    assert "would take about" in said
