"""The gate before a learned policy; rollouts are faked where chance is tested."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import agents
import jitgym
from agents.learned.gate import ERROR, LOOKS, Gate, episodes_of
from jitgym import catalog

SHORT = jitgym.load("lost-sales", **{"horizon.ongoing": 30, "horizon.warm_up": 5})
LONG = jitgym.load("lost-sales")  # 524 episodes per gate


@dataclass
class FakePlant:
    """Costs by name of the policy: the incumbent's are 100 plus noise, the other's differ."""

    apart: Any  # (generator, episodes) -> differences to the incumbent
    seed: int = 0  # of the chance of this plant
    calls: list[tuple[str, str, int, int]] = field(default_factory=list)

    def __call__(self, policy, scenario, episodes, seed, split, *, first):
        self.calls.append((policy, split, first, episodes))
        common = np.random.default_rng([self.seed, first, 0]).normal(100, 30, episodes)
        own = 0.0
        if policy != "incumbent":
            own = self.apart(np.random.default_rng([self.seed, first, 1]), episodes)
        numbers = np.arange(first, first + episodes)
        return pd.DataFrame(
            {"split": split, "seed": seed, "episode": numbers, "cost": common + own}
        )


def gate(apart, seed=0, scenario=LONG) -> Gate:
    return Gate(scenario, "incumbent", 7, rollout=FakePlant(apart, seed))


def rare_losses(generator, n):  # skewness 4: saves a little nearly always, loses much at times
    return generator.gamma(0.25, 4, n) - 1


NULLS = {
    "symmetric": lambda generator, n: generator.normal(0, 1, n),
    "rare losses": rare_losses,
    "rare savings": lambda generator, n: -rare_losses(generator, n),
    "very rare losses": lambda generator, n: (  # skewness 10
        generator.lognormal(0, 1.164, n) - math.exp(1.164**2 / 2)
    ),
}


@pytest.mark.parametrize("null", NULLS)
def test_a_policy_that_is_no_better_passes_no_more_often_than_the_level(null):
    trainings = 400
    wrong = np.array([gate(NULLS[null], seed).judge("other").passed for seed in range(trainings)])
    level = ERROR / 2
    most = trainings * level + 3 * math.sqrt(trainings * level * (1 - level))
    assert wrong.sum() <= most


def test_three_gates_of_a_training_err_together_no_more_often_than_all_may():
    trainings = 300
    errors = 0
    for seed in range(trainings):
        gates = gate(rare_losses, seed)
        errors += any(gates.judge("other").passed for _ in range(3))
    assert errors <= trainings * ERROR + 3 * math.sqrt(trainings * ERROR * (1 - ERROR))


def test_levels_halve_so_that_they_add_up_to_the_error_of_all():
    gates = gate(NULLS["symmetric"])
    levels = [gates.judge("other").level for _ in range(6)]
    assert levels == [ERROR / 2**k for k in range(1, 7)]
    assert sum(levels) < ERROR


def test_a_better_policy_passes_and_is_the_next_incumbent():
    gates = gate(lambda generator, n: generator.normal(-0.5, 1, n))
    verdict = gates.judge("better")
    assert verdict.passed
    assert gates.incumbent == "better"
    assert verdict.difference.high < 0
    assert "better than the incumbent on 524 fresh episodes" in str(verdict)


@pytest.mark.parametrize("worse", [0.5, 0.0, math.nan, math.inf])
def test_a_policy_that_is_not_better_is_refused_and_the_incumbent_stays(worse):
    gates = gate(lambda generator, n: np.full(n, worse))
    verdict = gates.judge("other")
    assert not verdict.passed
    assert gates.incumbent == "incumbent"
    assert str(verdict).startswith("nothing to win was found")


def test_one_episode_without_a_cost_is_enough_to_refuse():
    def apart(generator, n):
        found = generator.normal(-0.5, 1, n)
        found[3] = math.nan  # left out, the policy would look better
        return found

    assert not gate(apart).judge("other").passed


def test_every_gate_uses_episodes_that_no_look_and_no_gate_has_used():
    gates = gate(lambda generator, n: generator.normal(-0.5, 1, n))
    gates.look("a")
    gates.judge("a")
    gates.look("b")
    gates.judge("b")
    gates.judge("c")
    looks = {call for call in gates.rollout.calls if call[2] == 0}
    assert {(first, n) for _, _, first, n in looks} == {(0, LOOKS)}
    ranges = sorted({(first, n) for _, _, first, n in gates.rollout.calls if first > 0})
    assert ranges == [(64, 524), (588, 524), (1112, 524)]
    assert {split for _, split, _, _ in gates.rollout.calls} == {"validate"}


def test_a_look_follows_the_incumbent():
    gates = gate(lambda generator, n: generator.normal(-0.5, 1, n))
    assert gates.look("a").mean == pytest.approx(-0.5, abs=0.5)
    gates.judge("a")
    assert gates.look("a").mean == 0  # to itself


def test_a_saving_of_the_detectable_size_is_found_four_times_in_five():
    detectable = gate(NULLS["symmetric"]).judge("other").detectable

    def saves(generator, n):
        return generator.normal(-detectable, 1, n)

    trainings = 200
    found = sum(gate(saves, seed).judge("other").passed for seed in range(trainings))
    assert found / trainings == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / trainings))


def test_a_refusal_says_what_could_have_been_detected():
    verdict = gate(NULLS["symmetric"]).judge("other")
    assert str(verdict) == (
        "nothing to win was found; the check could have detected a saving of "
        f"{verdict.detectable:.3g} ({verdict.detectable / verdict.incumbent_cost:.2%})"
    ).replace("%)", " %)")


@pytest.mark.parametrize("apart", [NULLS["rare losses"], lambda generator, n: np.full(n, math.nan)])
def test_a_resumed_training_counts_on(apart):
    gates = gate(apart)
    gates.judge("a")
    data = json.loads(json.dumps(gates.as_dict(), allow_nan=False))
    resumed = Gate.from_dict(LONG, gates.incumbent, data, gates.rollout)
    assert (resumed.number, resumed.next_episode, resumed.seed) == (1, 588, 7)
    assert repr(resumed.verdicts) == repr(gates.verdicts)
    assert repr(resumed.judge("b")) == repr(gates.judge("b"))


@pytest.mark.parametrize("name", catalog.names())
def test_episodes_of_a_gate_follow_from_the_scenario(name):
    scenario = jitgym.load(name)
    episodes, periods = episodes_of(scenario), scenario.horizon.periods
    assert 64 <= episodes <= 4096
    assert episodes * periods <= max(2**22, 64 * periods)
    assert episodes >= 256 or periods > 2**14


def test_real_policies_pass_and_are_refused():
    good = agents.make("base-stock", SHORT)
    bad = agents.make("base-stock", SHORT, level=0)
    gates = Gate(SHORT, bad, seed=0)
    assert gates.look(good).high < 0
    assert gates.judge(good).passed
    assert gates.incumbent is good
    assert not gates.judge(bad).passed
    assert gates.incumbent is good
    assert gates.periods == 2 * 4096 * 30
