"""Policy improvement by simulation: candidates, labels, the session, the headroom check."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agents
import jitgym
from agents.branches import Asking, Herd
from agents.branches.rows import advance_rows
from agents.branches.states import working_rows
from agents.branches.strata import BLOCK, WINDOW, chance_of, draw_strata, rare_channels
from agents.learned import online
from agents.learned.headroom import check, unimproved
from agents.learned.improvement import margins, session
from agents.learned.improvement.candidates import (
    ECONOMIC,
    NOTHING,
    RUN,
    STOP,
    TWICE_MORE,
    vary,
)
from agents.learned.improvement.fit import Data, fitted
from agents.learned.improvement.labels import FAR, FOLLOW, label, picks_of
from agents.learned.improvement.picking import Picking
from agents.learned.registry import find
from agents.learned.session import Problem
from agents.learned.start import Start
from jitgym import ScenarioError
from jitgym.control.net import untrained
from jitgym.evaluate import rollout
from jitgym.plant import SPLITS, episode_keys, lay_out, tape

ROOT = Path(__file__).parents[2]
SHORT = {"horizon": {"ongoing": 120, "warm_up": 20}}
SETTINGS = session.Settings.model_validate(
    find("improve").read_settings().model_dump()
    | {
        "plants": 64,
        "tapes": 2,
        "generations": [0.5, 1.0],
        "episodes": 16,
        "epochs": 8,
        "minibatch": 128,
        "interval": 0.1,
    }
)


def problem_of(
    scenario: Any, policy: str = "base-stock", periods: int = 800_000, **parameters: Any
) -> Problem:
    scenario = jitgym.load(scenario, **SHORT)
    base = agents.make(policy, scenario, **parameters)
    start = Start(base, policy, dict(base.parameters), {}, 0, 0.0)
    return Problem(scenario, lay_out(scenario), start, 3, periods)


def herd_of(problem: Problem, policy: Any, size: int) -> Herd:
    herd, asking = Herd(problem.layout, size, problem.seed), Asking(policy, problem.layout)
    herd.begin(asking, 40)
    herd.follow(asking, 10)
    return herd


def wild(problem: Problem, margin: float = 0.0) -> Picking:
    """A policy whose net picks all sorts of candidates."""
    policy = unimproved(problem)
    herd = herd_of(problem, policy, 32)
    seen = policy.features(herd.state, policy.asking(herd.state, herd.memory.copy()))
    net = untrained(seen.mean(axis=0), seen.std(axis=0) + 0.1, 8, policy.candidates.total, 1)
    last = np.random.default_rng(2).standard_normal(net.last.shape).astype(np.float32)
    return replace(policy, net=net._replace(last=last)).with_margins(
        np.full(policy.candidates.groups, margin)
    )


@pytest.mark.parametrize("of_net", [False, True], ids=["classic", "net"])
@pytest.mark.parametrize("name", ["lost-sales", "kanban-line"])
def test_labels_are_the_differences_of_plants_that_run_alone(name: str, of_net: bool) -> None:
    problem = problem_of(name)
    policy = wild(problem) if of_net else unimproved(problem)
    tapes, cap, states = 2, 30, 3
    herd = herd_of(problem, policy, states)
    found = label(policy, herd, tapes, cap, first=5)
    base = policy.asking(herd.state, herd.memory.copy())
    picked = picks_of(policy, herd.state, base)
    count = policy.candidates.total
    varied, same = np.empty((states, count + 1, base.shape[1])), np.empty((states, count), int)
    vary(policy.candidates, base, picked, varied, same)
    blocks = FAR + BLOCK * (5 + np.arange(states))[:, np.newaxis] + np.arange(tapes)
    keys = episode_keys("train", problem.seed, blocks.ravel())

    def alone(row: int, tape: int, entry: int) -> float:
        plant = problem.layout.plant_in("train")
        state, memory = herd.state[[row]].copy(), np.empty((1, 0))
        cost, total, asked = np.empty(1), 0.0, varied[row, [entry]]
        for t in range(cap):
            advance_rows(
                plant, *working_rows(problem.layout), SPLITS.index("train"),
                keys[[row * tapes + tape]], herd.period[[row]] + t, state, asked, cost,
            )  # fmt: skip
            total += cost[0]
            follows = policy.asks if t + 1 < FOLLOW else policy.asking
            asked = follows(state, memory)
        return total

    for row in range(states):
        for c in range(count):
            if same[row, c] == count:
                assert np.isnan(found.of_tapes[row, :, c]).all()
                continue
            apart = [alone(row, k, c) - alone(row, k, count) for k in range(tapes)]
            assert found.of_tapes[row, :, c] == pytest.approx(apart, abs=1e-6)
    assert np.isfinite(found.difference).any()


@pytest.mark.parametrize(
    "name", ["lost-sales", "kanban-line", "automotive-line", "content-studio", "dual-sourcing"]
)
def test_asks_of_picks_are_those_that_are_simulated(name: str) -> None:
    problem = problem_of(name)
    policy = wild(problem)
    herd = herd_of(problem, policy, 32)
    base = policy.asking(herd.state, herd.memory.copy())
    picked = picks_of(policy, herd.state, base)
    count = policy.candidates.total
    assert np.unique(policy.candidates.kind[picked]).size >= 3
    varied, same = np.empty((32, count + 1, base.shape[1])), np.empty((32, count), int)
    vary(policy.candidates, base, picked, varied, same)
    np.testing.assert_array_equal(policy.asks(herd.state, herd.memory.copy()), varied[:, -1])


def test_candidates_of_a_line_with_setups_and_a_milk_run() -> None:
    policy = unimproved(problem_of("automotive-line"))
    candidates, names = policy.candidates, list(policy.layout.scenario.sources)
    base = np.full((1, policy.layout.asked_cells), 8.0)
    varied = np.empty((1, candidates.total + 1, base.shape[1]))
    vary(
        candidates, base, candidates.first[np.newaxis, :-1].copy(), varied,
        np.empty((1, candidates.total), int),
    )  # fmt: skip
    found = {
        (names[s], kind): dict(zip(names, varied[0, c], strict=False))
        for c, (s, kind) in enumerate(zip(candidates.source, candidates.kind, strict=True))
    }
    usual = dict.fromkeys(names, 8.0)
    assert found["assemble_a", TWICE_MORE] == usual | {"assemble_a": 16.0}
    assert found["cast_a", NOTHING] == usual | {"cast_a": 0.0}
    assert found["cast_a", RUN] == usual | {"cast_a": 12.0, "cast_b": 0.0}
    assert [len(names) for names in (candidates.first, names)] == [5, 8]  # four groups
    assert found["cast_b", STOP] == usual | {"cast_a": 0.0, "cast_b": 0.0}
    assert found["valve_supply", STOP] == usual | {"iron_supply": 0.0, "valve_supply": 0.0}
    assert found["cast_a", ECONOMIC]["cast_a"] > 12.0
    assert ("machine_a", RUN) not in found
    assert ("iron_supply", RUN) not in found


@pytest.mark.parametrize("name", ["lost-sales", "automotive-line"])
def test_infinite_margins_are_the_classic(name: str) -> None:
    problem = problem_of(name)
    policy = wild(problem, np.inf)
    own = rollout(policy, problem.scenario, 4, 1)["cost"]
    start = rollout(problem.start.policy, problem.scenario, 4, 1)["cost"]
    assert own.to_list() == start.to_list()
    other = rollout(wild(problem, 0.0), problem.scenario, 4, 1)["cost"]
    assert (other != start).all()


def test_margins_keep_a_net_that_knows_nothing_from_deciding() -> None:
    policy = wild(problem_of("lost-sales"))
    found, periods = margins.chosen(policy, [0.02, 0.4], 16, 1, 0)
    assert found.tolist() == [[np.inf]]
    assert periods == 16 * 120 * (3 + 2)


def test_costs_of_margins_are_those_of_a_rollout() -> None:
    problem = problem_of("kanban-line")
    policy = wild(problem)
    tried = np.array([[np.inf] * 4, [0.0] * 4, [np.inf, 0.0, np.inf, 0.5]])
    found = margins.costs(policy, tried, 3, 5)
    for row, margin in zip(found, tried, strict=True):
        rows = rollout(policy.with_margins(margin), problem.scenario, 3, 5, "validate")
        assert row.tolist() == pytest.approx(rows["cost"].to_list(), rel=1e-12)


def test_fit_finds_the_cheaper_candidate_of_each_state() -> None:
    policy = unimproved(problem_of("lost-sales"))
    candidates, generator = policy.candidates, np.random.default_rng(0)
    features = generator.standard_normal((2000, 3))
    truth = np.where(features[:, :1] > 0, 1.0, -1.0) * np.linspace(-1, 1, candidates.total)
    difference = truth - truth[:, :1] + generator.standard_normal(truth.shape)
    difference[:, 0] = np.nan
    data = Data.empty(3, candidates)
    data.add(features, np.zeros((2000, 1), np.int64), 40.0 * difference)
    net = fitted(
        data, candidates, hidden=16, epochs=20, minibatch=256, learning_rate=5e-3, clip=3.0, seed=1
    )
    from jitgym.control.net import outputs_of

    sure = np.abs(features[:, 0]) > 0.5
    best = outputs_of(net, features).argmin(axis=1)[sure]
    assert (best == truth.argmin(axis=1)[sure]).mean() > 0.98


def test_improvement_saves_on_lost_sales_and_goes_on_from_a_snapshot_bit_for_bit() -> None:
    problem = problem_of("lost-sales", level=25, periods=1_600_000)
    whole = session.begin(problem, SETTINGS)
    snapshots = []
    while not whole.is_over:
        whole.advance()
        kept = io.BytesIO()
        torch.save(whole.snapshot(), kept)
        snapshots.append((kept, whole.generation))
    policy, stored = whole.candidate()
    cost = rollout(policy, problem.scenario, 64, 1)["cost"].mean()
    assert cost < 0.96 * rollout(problem.start.policy, problem.scenario, 64, 1)["cost"].mean()
    assert whole.figures()["headroom"] > 0.01

    for generation in sorted({of for _, of in snapshots}):
        kept = next(kept for kept, of in snapshots if of == generation)
        kept.seek(0)
        resumed = session.begin(problem, SETTINGS)
        resumed.restore(torch.load(kept, weights_only=True))
        while not resumed.is_over:
            resumed.advance()
        assert resumed.periods == whole.periods
        again = resumed.candidate()[1]
        assert torch.equal(again["margins"], stored["margins"])
        for name, part in stored["net"].items():
            assert torch.equal(again["net"][name], part), name

    found = session.restored(problem, SETTINGS, stored, Path("best.pt"))
    assert rollout(found, problem.scenario, 64, 1)["cost"].mean() == cost


def test_headroom_of_the_optimum_is_not_above_its_noise() -> None:
    scenario = jitgym.load("lost-sales")
    optimum = agents.make("optimal", scenario)
    start = Start(optimum, "optimal", {}, {}, 0, 0.0)
    problem = Problem(scenario, lay_out(scenario), start, 3, 1)
    best = check(problem, plants=32, tapes=16)
    assert best.gain < 3 * best.error + 1e-3
    base = check(problem_of("lost-sales", level=25))
    assert base.gain > 3 * base.error


def test_online_decisions_save_on_lost_sales() -> None:
    problem = problem_of("lost-sales", level=25)
    found = online.measure(problem, episodes=24, periods=100, tapes=8, more=56)
    assert found.difference.high < 0
    assert found.share < -0.02
    assert 0 < found.picks < 0.9


def test_online_decisions_refuse_a_plant_that_hides_something() -> None:
    problem = problem_of("regime-switching", **{})
    scenario = jitgym.load("regime-switching", seen=False)
    hiding = Problem(scenario, lay_out(scenario), problem.start, 0, 1)
    with pytest.raises(ScenarioError, match="hides"):
        online.measure(hiding)


def uniforms(keys: Any, period: int, numbers: Any) -> Any:
    """Return the uniforms of channels in a period, (keys, channels), written in numpy."""
    return np.array([[float(tape.uniform(k, np.uint64(period), n)) for n in numbers] for k in keys])


def test_strata_are_unbiased_and_hold_what_they_say() -> None:
    layout = lay_out(jitgym.load("automotive-line"))
    numbers, chances = rare_channels(layout)
    assert chances.tolist() == [0.002]
    states, tapes, rare = 200, 3, 2
    periods = np.arange(states) % 7
    drawn = draw_strata(layout, "train", 1, FAR, periods, tapes, rare)
    assert np.unique(drawn.keys).size == drawn.keys.size
    assert drawn.weights.sum(axis=1) == pytest.approx(np.ones(states))
    events, other = np.zeros(drawn.keys.shape), np.zeros(drawn.keys.shape)
    ordinary = next(c["number"] for c in layout.plant.channels if c["number"] != numbers[0])
    for e, period in enumerate(periods):
        for t in range(WINDOW):
            u = uniforms(drawn.keys[e], period + t, [numbers[0], ordinary])
            events[e] += u[:, 0] < chances[0]
            other[e] += u[:, 1] / WINDOW
    assert (events[:, :tapes] == 0).all()
    assert (events[:, tapes:] >= 1).all()
    mean = (drawn.weights * events).sum(axis=1)
    plain = WINDOW * chances[0] / tapes  # variance of as many ordinary tapes
    assert mean.mean() == pytest.approx(WINDOW * chances[0], abs=4 * mean.std() / states**0.5)
    assert mean.var() < 0.1 * plain
    mean = (drawn.weights * other).sum(axis=1)
    assert mean.mean() == pytest.approx(0.5, abs=4 * mean.std() / states**0.5)
    assert chance_of(chances) == pytest.approx(1 - 0.998**WINDOW)


def test_plants_without_rare_events_have_ordinary_tapes() -> None:
    layout = lay_out(jitgym.load("kanban-line"))  # a failure in 33 to 100 periods
    plain = draw_strata(layout, "train", 1, 0, np.zeros(3, np.int64), 2, 5)
    assert plain.weights.tolist() == [[0.5, 0.5]] * 3
    expected = episode_keys("train", 1, [0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1])
    np.testing.assert_array_equal(plain.keys.ravel(), expected)


def test_a_learner_whose_every_look_shows_the_start_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def as_begun(session: Any) -> Any:
        return session.problem.start.policy, {}

    monkeypatch.setattr(session.ImproveSession, "candidate", as_begun)
    scenario = jitgym.load("lost-sales", **SHORT)
    found = find("improve").train(scenario, SETTINGS, tmp_path / "run", periods=30_000, seed=1)
    assert found.kept
    assert found.policy.name == "improve"
