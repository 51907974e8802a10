"""The adapter of the vector environment for stable-baselines3, and models of it as policies."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import jitgym
from agents.learned.policy import LearnedPolicy
from agents.learned.sb3.vecenv import PlantVecEnv
from jitgym.envs import CONTROLS, Control, PlantEnv, VectorPlant
from jitgym.envs.spaces import Spaces
from jitgym.evaluate import rollout
from jitgym.plant import lay_out

SHORT = {"horizon": {"ongoing": 30, "warm_up": 10}}
SAME_STEP = gymnasium.vector.AutoresetMode.SAME_STEP


def adapter(scenario: Any, number: int, control: Control = "orders") -> PlantVecEnv:
    return PlantVecEnv(VectorPlant(scenario, number, control, autoreset_mode=SAME_STEP))


@pytest.mark.parametrize("control", CONTROLS)
def test_the_adapter_behaves_as_single_environments_in_dummy_vec_env(control: Control) -> None:
    scenario = jitgym.load("kanban-line", **SHORT)
    theirs = DummyVecEnv([lambda: Monitor(PlantEnv(scenario, control)) for _ in range(3)])
    ours = adapter(scenario, 3, control)
    assert theirs.seed(5) == ours.seed(5)
    ours.action_space.seed(1)
    np.testing.assert_array_equal(theirs.reset(), ours.reset())
    for _ in range(65):
        actions = np.array([ours.action_space.sample() for _ in range(3)])
        for a, b in zip(theirs.step(actions), ours.step(actions), strict=True):
            if not isinstance(a, np.ndarray):
                assert_infos_agree(a, b)
                continue
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def assert_infos_agree(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    for a, b in zip(theirs, ours, strict=True):
        assert ("episode" in a) == ("episode" in b)
        if "episode" in a:
            assert b["TimeLimit.truncated"] is a["TimeLimit.truncated"] is True
            np.testing.assert_array_equal(a["terminal_observation"], b["terminal_observation"])
            assert b["episode"]["l"] == a["episode"]["l"]
            assert b["episode"]["r"] == pytest.approx(a["episode"]["r"], abs=1e-5)
            assert {n: b["episode"][n] for n in a["kpi"]} == pytest.approx(a["kpi"], nan_ok=True)


def test_the_adapter_answers_the_calls_of_stable_baselines() -> None:
    environments = adapter("lost-sales", 4)
    assert environments.get_attr("render_mode") == [None] * 4
    assert environments.get_attr("reward_scale", indices=[0, 2]) == [20.0, 20.0]
    assert environments.env_is_wrapped(Monitor) == [False] * 4
    assert not environments.has_attr("nothing of this name")
    environments.set_attr("mark", 7)
    assert environments.get_attr("mark", 1) == [7]
    assert environments.seed(3) == [3, 4, 5, 6]
    monitored = VecMonitor(environments)
    assert monitored.reset().shape == (4, 4)
    environments.set_options({"split": "validate"})
    environments.reset()
    assert environments.plants.engine.split == "validate"


def test_the_adapter_refuses_environments_that_reset_a_step_later() -> None:
    with pytest.raises(ValueError, match="SAME_STEP"):
        PlantVecEnv(VectorPlant("lost-sales", 2))


@pytest.mark.parametrize("control", CONTROLS)
def test_a_learned_policy_asks_for_the_same_as_its_net_in_the_environment(control: Control) -> None:
    scenario = jitgym.load("kanban-line", **SHORT)
    spaces = Spaces(lay_out(scenario), control)
    policy = LearnedPolicy("ppo", spaces, decided_net(spaces))
    rows = rollout(policy, scenario, episodes=6, seed=4)

    plants = VectorPlant(scenario, 6, control)
    for row in range(6):
        options = {"split": "test", "episode": row, "reset_mask": np.arange(6) == row}
        observation, _ = plants.reset(seed=[4] * 6, options=options)
    asked = []
    for _ in range(scenario.horizon.periods):
        action, _ = policy.net.predict(observation, deterministic=True)
        observation, _, _, _, info = plants.step(action)
        asked.append(info["asked"])
    assert np.unique(asked).size > 5  # it does something
    assert rows["cost"].to_list() == info["kpi"]["cost"].tolist()
    assert rows["fill_rate"].to_list() == info["kpi"]["fill_rate"].tolist()


def decided_net(spaces: Spaces) -> ActorCriticPolicy:
    """A net with weights so large that its actions differ from state to state."""
    torch.manual_seed(1)
    net = ActorCriticPolicy(spaces.observation, spaces.action, lambda _: 0.0)
    with torch.no_grad():
        for weights in net.parameters():
            weights.copy_(torch.randn_like(weights))
    return net
