"""The frontier of stock against service: the search, and the comparison of policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

import jitgym
from agents.studies import frontier
from jitgym import evaluate
from jitgym.scenario import Scenario


def line() -> Scenario:
    return jitgym.load("line", stations=2, **{"horizon.ongoing": 300, "horizon.warm_up": 60})


@pytest.fixture(scope="module")
def explored() -> list[frontier.Explored]:
    names = ("kanban", "conwip", "hybrid")
    return [frontier.explore(name, line(), 0.8, 0.98, episodes=8) for name in names]


def test_no_candidate_on_the_frontier_needs_more_stock_for_less_service(
    explored: list[frontier.Explored],
) -> None:
    for each in explored:
        rates, stocks = zip(*(each.found[p] for p in each.frontier(0.8, 0.98)), strict=True)
        assert list(rates) == sorted(rates)
        assert list(stocks) == sorted(stocks)
        inside = [(rate, stock) for rate, stock in each.found.values() if 0.8 <= rate <= 0.98]
        for rate, stock in inside:
            better = [s for r, s in zip(rates, stocks, strict=True) if r > rate - frontier.SAME]
            assert not better or min(better) <= stock


def test_the_frontier_of_hybrid_is_no_worse_than_those_of_kanban_and_conwip(
    explored: list[frontier.Explored],
) -> None:
    kanban, conwip, hybrid = explored
    for simple in (kanban, conwip):
        for point in simple.frontier(0.85, 0.97):
            rate, stock = simple.found[point]
            above = [s for r, s in hybrid.found.values() if r >= rate - 1e-9]
            assert min(above) <= stock + 1e-9


def test_policies_are_compared_at_equal_fill_rates_on_the_same_test_episodes(
    explored: list[frontier.Explored], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier, "FINAL_EPISODES", 32)
    again, rates = frontier.matched(explored, 0.85, 0.97, count=2)
    assert len(rates) == 2
    again = [again[1], again[0], again[2]]  # CONWIP first: it is always there
    groups = [frontier.meet(again, rate, seed=3, episodes=32) for rate in rates]
    for group in groups:
        assert group[0].policy == "conwip"
        assert group[0].more is None
        for meeting in group[1:]:
            assert meeting.more is not None
            assert meeting.more.mean == pytest.approx(meeting.stock - group[0].stock)
    text = frontier.page(groups)
    assert text.count("| conwip |") == 2
    for told in text.splitlines():
        assert not told.startswith("- ") or "compared with conwip at" in told
    assert frontier.meet(again, 0.0, episodes=2) == []


def test_a_candidate_with_more_stock_than_a_higher_fill_rate_needs_is_not_compared(
    explored: list[frontier.Explored],
) -> None:
    found = {(1,): (0.95, 4.0), (2,): (0.9505, 5.0), (3,): (0.98, 6.0), (4,): (0.965, 7.0)}
    kanban = replace(explored[0], found=found)

    assert [kanban.near(rate) for rate in (0.9501, 0.98)] == [(1,), (3,)]
    assert kanban.near(0.965) is None
    assert kanban.near(0.9) is None


def test_the_figures_of_a_frontier_are_those_of_a_rollout(
    explored: list[frontier.Explored],
) -> None:
    kanban = explored[0]
    point = kanban.frontier(0.8, 0.98)[0]
    values = kanban.space.values(point)
    policy = kanban.classic.build("kanban", kanban.layout, values)
    rows = evaluate.rollout(policy, line(), 8, seed=0, split="tune")
    rate, stock = kanban.found[point]
    assert rows["fill_rate"].mean() == pytest.approx(rate)
    assert rows["average_inventory"].mean() == pytest.approx(stock)


def test_the_second_run_of_the_best_candidates_shows_its_progress(
    explored: list[frontier.Explored],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(frontier, "FINAL_EPISODES", 32)
    monkeypatch.setattr("agents.progress.FIRST", 0.0)
    frontier.matched(explored, 0.85, 0.97, count=1, progress=True)
    told = capsys.readouterr()
    assert told.err.startswith("run the best again on ")
    assert told.out == ""
