"""The tuner: what holds for every tuning, and what it finds if the best is known."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic import CLASSICS
from agents.classic.base.declaration import Classic
from agents.classic.base.declaration import parameter as sized
from agents.tuning.search import FINAL_EPISODES, FRESH, bottoms, search, together
from agents.tuning.space import Space, moves_of, roles
from agents.tuning.trial import FINALISTS, SAMPLE, Trial, mean_costs
from jitgym import ScenarioError, evaluate
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.scenarios import brief
from tests.tables import published

TUNED = [
    (name, scenario)
    for scenario in ("lost-sales", "kanban-line", "recorded-retail")
    for name, classic in CLASSICS.items()
    if not agents.why_not(name, scenario)
    and (not (classic.base or classic.is_slow) or scenario == "lost-sales")  # it takes its time
]


@pytest.mark.parametrize(("name", "scenario"), TUNED)
def test_a_tuned_policy_is_no_worse_than_the_textbook_on_fresh_episodes(
    name: str, scenario: str
) -> None:
    plant = brief(scenario, 40)
    policy = agents.tune(name, plant, seed=3, episodes=4)
    tuning = policy.tuning
    assert tuning.cost <= tuning.textbook_cost
    assert tuning.textbook == agents.make(name, plant).parameters
    assert policy.name == f"{name} (tuned)"
    # The record agrees with a rollout on the same episodes.
    again = evaluate.rollout(policy, plant, 4 * FINAL_EPISODES, seed=3 + FRESH, split="tune")
    assert again["cost"].mean() == pytest.approx(tuning.cost, rel=1e-12)
    same = agents.make(name, plant, **policy.parameters)
    rows = evaluate.rollout(same, plant, 4 * FINAL_EPISODES, seed=3 + FRESH, split="tune")
    np.testing.assert_array_equal(rows["cost"], again["cost"])


@pytest.mark.parametrize("name", ["base-stock", "smoothed"])
def test_the_same_seed_gives_the_same_tuned_parameters(name: str) -> None:
    first, again, other = (
        agents.tune(name, brief("kanban-line", 60), seed=seed, episodes=4) for seed in (5, 5, 6)
    )
    untimed = [dataclasses.replace(p.tuning, seconds=0) for p in (first, again, other)]
    assert first.parameters == again.parameters
    assert untimed[0] == untimed[1] != untimed[2]


def test_the_record_counts_every_simulated_period() -> None:
    plant = brief("lost-sales", 50)
    tuning = agents.tune("base-stock", plant, episodes=6).tuning
    finalists = {FINALISTS, FINALISTS + 1}  # the textbook's may be one of the best
    assert tuning.periods in {
        50 * 6 * (tuning.candidates + FINAL_EPISODES * count) for count in finalists
    }
    assert tuning.seconds > 0
    assert json.loads(json.dumps(dataclasses.asdict(tuning)))["seed"] == 0


@pytest.mark.parametrize("name", ["eoq", "smoothed"])
def test_tuning_never_sees_the_test_split(name: str) -> None:
    """Scenarios that differ only in their test weeks get the same parameters."""
    plant = brief("recorded-retail", 20)
    path = "demands.customers.quantity.splits.test.from"
    other = jitgym.load(plant, **{path: datetime.date(2011, 3, 7)})
    textbook = agents.make(name, plant)
    costs = [evaluate.rollout(textbook, s, 2)["cost"].mean() for s in (plant, other)]
    assert costs[0] != costs[1]
    first, second = (agents.tune(name, s, episodes=4) for s in (plant, other))
    assert first.parameters == second.parameters
    assert first.tuning.cost == second.tuning.cost


def test_the_tuner_finds_the_best_level_of_lost_sales() -> None:
    """The best level is 25, which costs 5.197769; 24 and 26 cost 0.3 % more."""
    scenario = jitgym.load("lost-sales", **{"horizon.ongoing": 1000, "horizon.warm_up": 200})
    policy = agents.tune("base-stock", scenario, seed=0)
    assert policy.parameters == {"level": 25}
    cost = evaluate.rollout(policy, scenario, episodes=256, seed=1)["cost"].mean()
    assert cost == pytest.approx(5.197769, rel=0.005)


def test_the_tuner_finds_the_best_cards_of_the_tandem() -> None:
    scenario = jitgym.load("tandem", **{"horizon.ongoing": 10_000, "horizon.warm_up": 1000})
    policy = agents.tune("kanban", scenario, seed=0, episodes=16)
    assert policy.parameters == {"cards": [3, 6]}


# --- the search ---------------------------------------------------------------------------------


def bowl(scenario: Scenario, best: tuple[int, ...], high: int) -> Trial:
    """A trial with a known cost: a bowl with its bottom `best` steps from the textbook's."""
    numbers = len(best)
    levels = sized("levels", "units", 10.0, of="abcdefghij"[:numbers], high=high)

    class Bowl(Trial):
        def run(self, points: Any) -> None:
            for point in points:
                away = np.array(point) - np.array(best)
                self.cost[point] = float(away @ away + 0.9 * abs(away.sum()))

    policy = agents.make("kanban", scenario)
    classic = Classic("bowl", lambda _: "", lambda _: (levels,), lambda *_: policy)
    return Bowl(classic, lay_out(scenario), Space((levels,)), 0, 1)


@pytest.mark.parametrize(
    "best",
    [
        (7,),
        (-10, 33),
        (90, 0, 5),
        (1, 2, 3, 40),
        (20, -9, 3, 1, 5),
        (9, 4, -7, 30, 1, 0, 12),
        (3, -2, 8, 1, -6, 14, 5, -9, 2, 0),
    ],
)
def test_the_search_finds_the_bottom_of_a_bowl(best: tuple[int, ...]) -> None:
    trial = bowl(jitgym.load("lost-sales"), best, high=100)
    rounds = list(search(trial, seed=0))
    assert trial.best(1) == [best]
    assert len(rounds) == 1 + trial.space.halvings  # what the progress bar promises
    assert len(trial.cost) < 1500


def test_many_numbers_move_at_once_to_the_bottoms_of_their_parabolas() -> None:
    wanted = (3, -2, 8, 1, -6, 7, 5, -8)
    trial = bowl(jitgym.load("lost-sales"), wanted, high=100)
    steps = np.full(len(wanted), 8)

    def separable(points: Any) -> None:
        for point in points:
            away = np.array(point) - np.array(wanted)
            trial.cost[point] = 100.0 + float(away @ away)

    trial.run = separable  # type: ignore[method-assign]
    trial.run(trial.space.clipped(np.vstack([np.zeros((1, 8)), 8 * moves_of(8)]).astype(np.int64)))
    found = bottoms(trial, trial.space.origin, steps, np.arange(8))
    assert tuple(found[-1].tolist()) == wanted
    halfway = np.rint(np.array(wanted) / 2).tolist()
    assert found[1].tolist() == halfway
    assert wanted in together(trial, trial.space.origin, steps)


def test_the_first_sample_contains_the_textbook_and_stays_within_bounds() -> None:
    for name in ("eoq", "smoothed"):
        parameters = CLASSICS[name].parameters(jitgym.load("kanban-line"))
        space = Space(parameters)
        sample = space.sample(SAMPLE, seed=1)
        assert sample[0] == space.origin
        assert len(sample) > SAMPLE // 2
        for point in sample:
            values = space.values(point)
            for parameter in parameters:
                assert (values[parameter.name] >= parameter.low).all()
                assert (values[parameter.name] <= parameter.high).all()


def test_the_moves_of_a_search_change_one_or_two_numbers() -> None:
    for numbers in (1, 2, 5):
        moves = moves_of(numbers)
        assert len({tuple(move) for move in moves.tolist()}) == len(moves) == 2 * numbers**2
        assert set(np.abs(moves).sum(axis=1)) <= {1, 2}


@pytest.mark.parametrize("name", ["can-order", "kanban"])  # 24 and 20 numbers
def test_one_group_or_one_number_moves_before_pairs_of_groups_do(name: str) -> None:
    scenario = jitgym.load("online-retail")
    space = Space(CLASSICS[name].parameters(scenario), roles(scenario))
    alone, pairs = space.patterns
    assert sorted([*alone.tolist(), *pairs.tolist()]) == sorted(space.moves.tolist())
    for move in alone:
        moved = np.flatnonzero(move)
        assert len(set(move[moved])) == 1
        is_group = moved.tolist() in [
            np.flatnonzero(space.groups == k).tolist() for k in range(space.groups.max() + 1)
        ]
        assert is_group or moved.size == 1


@pytest.mark.parametrize(
    ("name", "scenario", "is_thinned"),
    [("can-order", "automotive-line", True), ("kanban", "kanban-line", False)],
)
def test_many_numbers_of_a_rule_are_searched_coarsely_on_fewer_episodes(
    name: str, scenario: str, is_thinned: bool
) -> None:
    ran: list[tuple[int, int]] = []

    class Counted(Trial):
        def run(self, points: Any) -> None:
            for point in points:
                if point not in self.cost:
                    ran.append((self.episodes, self.layout.cells))
                    self.tried.add(point)
                self.cost[point] = float(np.abs(point).sum())

    plant = brief(scenario, 60)
    layout, classic = lay_out(plant), CLASSICS[name]
    space = Space(classic.parameters(plant), roles(plant))
    list(search(Counted(classic, layout, space, 0, 10), seed=0))
    episodes = [count for count, _ in ran]
    assert set(episodes) == ({4, 10} if is_thinned else {10})
    assert episodes[0] == episodes[-1] == 10  # the starts, and the finest steps
    if is_thinned:
        assert episodes.count(4) > episodes.count(10)


def test_policies_simulated_as_one_batch_cost_the_same_as_one_by_one() -> None:
    plant = brief("kanban-line", 30)
    weights = [0.05, 0.3, 0.9]
    policies = [agents.make("smoothed", plant, weight=weight) for weight in weights]
    together = mean_costs(lay_out(plant), policies, seed=2, episodes=5)
    alone = [
        evaluate.rollout(policy, plant, 5, seed=2, split="tune")["cost"].mean()
        for policy in policies
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert len(set(alone)) == 3


# --- what a user asks for -----------------------------------------------------------------------


def test_progress_is_shown_only_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    agents.tune("constant", brief("lost-sales", 20), episodes=2, progress=True)
    assert capsys.readouterr().out == ""


def test_tuning_on_no_episodes_is_refused() -> None:
    with pytest.raises(ScenarioError, match="episodes is 0; expected a whole number of at least 1"):
        agents.tune("kanban", "lost-sales", episodes=0)


def test_a_tuned_policy_is_refused_on_another_plant() -> None:
    policy = agents.tune("kanban", brief("lost-sales", 20), episodes=2)
    with pytest.raises(ValueError, match="lost-sales"):
        evaluate.rollout(policy, brief("tandem", 20), episodes=2)


def test_costs_are_finite_numbers_of_plain_python() -> None:
    tuning = agents.tune("kanban", brief("lost-sales", 20), episodes=2).tuning
    assert type(tuning.cost) is float
    assert math.isfinite(tuning.cost)


# --- known optima -------------------------------------------------------------------------------


def poisson_rows() -> list[dict[str, str]]:
    return [row for row in published("lost_sales.csv") if row["demand"] == "poisson"]


@pytest.mark.parametrize("row", poisson_rows(), ids=lambda r: f"p{r['penalty']}-L{r['lead_time']}")
def test_capped_base_stock_is_tuned_to_the_exact_best(row: dict[str, str]) -> None:
    given = {"penalty": float(row["penalty"]), "lead_time": int(row["lead_time"])}
    policy = agents.tune("capped-base-stock", jitgym.load("lost-sales", **given), seed=0)
    best = {"level": int(row["capped_level"]), "cap": int(row["capped_order"])}
    assert policy.parameters == best
