"""Environments fit the usual wrappers and learners without a change."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.vector.utils import batch_space
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor

import jitgym
from agents.learned.sb3.vecenv import PlantVecEnv
from jitgym import catalog
from jitgym._register import environment_id
from jitgym.envs import CONTROLS, PlantEnv, VectorPlant
from jitgym.envs.board import quantities
from jitgym.envs.picture import BLACK, COLORS, board_of
from jitgym.plant import lay_out
from tests.envs.test_envs import SHORT, assert_same, random_actions

IDS = [environment_id(name) for name in catalog.names()]
SHORT_HORIZON = {"horizon": {"ongoing": 12, "warm_up": 3}}
ONE = SHORT["lost-sales"]
LINE = SHORT["kanban-line"]
SAME_STEP = gymnasium.vector.AutoresetMode.SAME_STEP


def walk(env: Any, steps: int = 15) -> Any:
    """Step to the end of an episode, as users do, and return the last info."""
    env.reset(seed=3)
    env.action_space.seed(3)
    info: dict[str, Any] = {}
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert np.isfinite(reward)
        assert env.observation_space.contains(observation)
        if terminated or truncated:
            return info
    return info


# --- spaces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("name", SHORT)
def test_every_scenario_has_valid_spaces_under_every_control(name: str, control: str) -> None:
    env = PlantEnv(SHORT[name], control=control)
    entries = len(env.action_entries)
    kind = type(env.action_space)
    if control != "orders-discrete":
        assert kind is spaces.Box
        assert env.action_space.dtype == np.float32
        assert (env.action_space.low == -1).all()
        assert (env.action_space.high == 1).all()
    elif entries == 1:
        assert kind is spaces.Discrete
        assert env.action_space.start == 0
        assert 2 <= env.action_space.n <= 128
    else:
        assert kind is spaces.MultiDiscrete
        assert (env.action_space.nvec >= 2).all()
        assert (env.action_space.nvec <= 128).all()
    assert env.action_space.shape == env.spaces.action_encoding.shape
    assert "kpi" in walk(env)


def test_one_source_has_plain_numbers_as_discrete_actions() -> None:
    env, twin = (PlantEnv(ONE, control="orders-discrete") for _ in range(2))
    assert env.action_space == spaces.Discrete(11)
    env.reset(seed=2)
    twin.reset(seed=2)
    for one, other in ((3, np.int64(3)), (0, np.array(0)), (10, np.array([10])), (4, 4.0)):
        assert_same(env.step(one), twin.step(other))
    envs = VectorPlant(ONE, num_envs=3, control="orders-discrete")
    assert envs.action_space == batch_space(env.action_space, 3)
    assert envs.action_space == spaces.MultiDiscrete([11, 11, 11])
    envs.reset(seed=2)
    asked = envs.step(np.array([3, 0, 10]))[-1]["asked"]
    assert asked.tolist() == [[3], [0], [10]]


# --- pictures -------------------------------------------------------------------------------------


def test_a_picture_shows_stock_units_in_process_and_backlog() -> None:
    """The bars of stock have the length that the state says, and all colors occur."""
    env = PlantEnv(LINE, render_mode="rgb_array")
    env.reset(seed=0)
    seen, sizes = set(), set()
    board = board_of(env.layout)
    for action in (*random_actions(env.action_space, 3, 1)[:, 0], *[np.full(4, -1.0)] * 6):
        env.step(action)
        shown = env.render()
        sizes.add(shown.shape)
        for card in board.cards:
            stock = quantities(env.layout, env.engine.state[0], card.item)["stock"]
            inside = shown[card.y : card.y + card.height, card.x : card.x + 208]
            green = (inside == COLORS["stock"]).all(axis=2).sum(axis=1).max()
            share = min(stock / card.most, 1.0)
            assert abs(green - 194 * share) <= 4  # a cap of three pixels
            if stock > card.most:
                assert (inside == BLACK).all(axis=2).any()
        seen |= {what for what, color in COLORS.items() if (shown == color).all(axis=2).any()}
    assert seen == set(COLORS)
    assert sizes == {(board.height, board.width, 3)}


@pytest.mark.parametrize("name", catalog.names())
def test_no_card_of_a_board_meets_another_or_leaves_the_picture(name: str) -> None:
    board = board_of(lay_out(jitgym.load(name)))
    assert board.width % 2 == board.height % 2 == 0  # as encoders of videos want it
    for k, card in enumerate(board.cards):
        assert card.x + 208 <= board.width
        assert card.y + card.height <= board.height
        for other in board.cards[:k]:
            assert card.x != other.x or card.y >= other.y + other.height


def test_what_is_down_is_red() -> None:
    env = PlantEnv("automotive-line", render_mode="rgb_array")
    env.reset(seed=0)
    before = (env.render() == COLORS["backlog"]).all(axis=2).sum()
    env.engine.state[0, int(env.layout.plant.ups_and_downs[0]["cell"])] = 0.0
    assert (env.render() == COLORS["backlog"]).all(axis=2).sum() > before


def test_the_mode_human_prints_a_board_after_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    env = gymnasium.make("jitgym/KanbanLine-v0", render_mode="human")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    printed = capsys.readouterr().out
    assert printed.count("on order") == 2
    assert "cost" in printed


def test_a_video_is_recorded(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env = gymnasium.make("jitgym/KanbanLine-v0", render_mode="rgb_array")
    env = wrappers.RecordVideo(env, str(tmp_path / "videos"), video_length=5, disable_logger=True)
    env.reset(seed=0)
    for _ in range(6):
        env.step(env.action_space.sample())
    env.close()
    assert [path.suffix for path in (tmp_path / "videos").iterdir()] == [".mp4"]


def test_a_window_shows_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = wrappers.HumanRendering(gymnasium.make("jitgym/KanbanLine-v0", render_mode="rgb_array"))
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()


def test_a_vector_environment_renders_each_of_its_plants() -> None:
    for mode in ("rgb_array", "ansi"):
        envs = gymnasium.make_vec("jitgym/KanbanLine-v0", num_envs=2, render_mode=mode)
        env = gymnasium.make("jitgym/KanbanLine-v0", render_mode=mode)
        envs.reset(seed=5)
        for k in range(2):
            env.reset(seed=5 + k)
            assert_same(envs.render()[k], env.render())
    assert gymnasium.make_vec("jitgym/KanbanLine-v0", num_envs=2).render() is None


# --- Gymnasium's wrappers -------------------------------------------------------------------------


def where_box(wrapper: Any, env: gymnasium.Env, *given: Any) -> gymnasium.Env:
    return wrapper(env, *given) if isinstance(env.action_space, spaces.Box) else env


WRAPPED: dict[str, Callable[[gymnasium.Env], gymnasium.Env]] = {
    "TimeLimit": lambda env: wrappers.TimeLimit(env, 5),
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "NormalizeObservation": wrappers.NormalizeObservation,
    "NormalizeReward": wrappers.NormalizeReward,
    "FlattenObservation": wrappers.FlattenObservation,
    "TransformReward": lambda env: wrappers.TransformReward(env, lambda reward: 0.1 * reward),
    "PassiveEnvChecker": wrappers.PassiveEnvChecker,
    "OrderEnforcing": wrappers.OrderEnforcing,
    "Autoreset": wrappers.Autoreset,
    "FrameStack": lambda env: wrappers.FrameStackObservation(env, 3),
    "TimeAware": lambda env: wrappers.TimeAwareObservation(wrappers.TimeLimit(env, 5)),
    "RescaleAction": lambda env: where_box(
        wrappers.RescaleAction, env, np.float32(0), np.float32(1)
    ),
    "ClipAction": lambda env: where_box(wrappers.ClipAction, env),
    "RenderCollection": wrappers.RenderCollection,
    "AddRenderObservation": lambda env: wrappers.AddRenderObservation(env, render_only=True),
}


@pytest.mark.filterwarnings("ignore:.*Box observation space.*:UserWarning")  # a stack of frames
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("name", WRAPPED)
def test_the_wrappers_of_gymnasium_work(name: str, control: str) -> None:
    for scenario in (ONE, LINE):
        walk(WRAPPED[name](PlantEnv(scenario, control=control, render_mode="rgb_array")))


@pytest.mark.parametrize("control", CONTROLS)
def test_the_vector_environments_of_gymnasium_work(control: str) -> None:
    for scenario in (ONE, LINE):
        make = partial(PlantEnv, scenario, control=control)
        ours = VectorPlant(scenario, num_envs=2, control=control)
        theirs: list[Any] = [SyncVectorEnv([make] * 2)]
        if control in ("orders", "orders-discrete"):
            theirs.append(AsyncVectorEnv([make] * 2))
        ours.action_space.seed(0)
        actions = [ours.action_space.sample() for _ in range(14)]
        outcomes = [ours.reset(seed=8)[0], *(ours.step(action)[:4] for action in actions)]
        for envs in theirs:
            assert envs.action_space == ours.action_space
            found = [envs.reset(seed=8)[0], *(envs.step(action)[:4] for action in actions)]
            assert_same(tuple(found), tuple(outcomes))
            envs.close()
    vector = wrappers.vector.RecordEpisodeStatistics(VectorPlant(ONE, num_envs=2, control=control))
    vector.reset(seed=1)
    ended = [vector.step(vector.action_space.sample())[-1].get("episode") for _ in range(14)]
    assert any(episode is not None for episode in ended)


# --- stable-baselines3 ----------------------------------------------------------------------------

LEARNERS: dict[type[BaseAlgorithm], dict[str, Any]] = {
    PPO: {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    A2C: {"n_steps": 8},
    DQN: {"learning_starts": 8, "buffer_size": 100, "train_freq": 8},
    SAC: {"learning_starts": 8, "buffer_size": 100, "train_freq": 8, "batch_size": 8},
    TD3: {"learning_starts": 8, "buffer_size": 100, "train_freq": 8, "batch_size": 8},
}


def takes(learner: type[BaseAlgorithm], space: gymnasium.Space) -> bool:
    if learner is DQN:
        return isinstance(space, spaces.Discrete)
    return learner in (PPO, A2C) or isinstance(space, spaces.Box)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("learner", LEARNERS)
def test_learners_of_stable_baselines_train_under_every_control(learner: Any, control: str) -> None:
    """With the environments that users make: by name, from a class, and the native batch."""
    for scenario in (ONE, LINE):
        space = PlantEnv(scenario, control=control).action_space
        if not takes(learner, space):
            continue
        given = {"scenario": scenario, "control": control}
        native = VectorPlant(scenario, 2, control=control, autoreset_mode=SAME_STEP)
        for envs in (
            make_vec_env("jitgym/Plant-v0", n_envs=2, seed=0, env_kwargs=given),
            make_vec_env(PlantEnv, env_kwargs=given),
            VecMonitor(PlantVecEnv(native)),
        ):
            settings = LEARNERS[learner] | {"device": "cpu", "seed": 0}
            model = learner("MlpPolicy", envs, policy_kwargs={"net_arch": [8]}, **settings)
            model.learn(32)
            observation = envs.reset()
            action, _ = model.predict(observation, deterministic=True)
            envs.step(action)
        plain = PlantEnv(scenario, control=control)
        observation, _ = plain.reset(seed=1)
        plain.step(model.predict(observation)[0])


@pytest.mark.parametrize("name", IDS)
def test_make_vec_env_makes_every_id(name: str) -> None:
    envs = make_vec_env(name, seed=1)
    assert isinstance(envs, DummyVecEnv)
    envs.reset()
    envs.step(envs.action_space.sample()[np.newaxis])
    board = board_of(lay_out(envs.get_attr("scenario")[0]))
    (picture,) = envs.get_images()
    assert picture.shape == (board.height, board.width, 3)


def test_stable_baselines_can_evaluate_record_and_fork() -> None:
    given = {"scenario": ONE, "control": "orders-discrete"}
    kind = {"vec_env_cls": SubprocVecEnv, "vec_env_kwargs": {"start_method": "fork"}}
    forked = make_vec_env("jitgym/Plant-v0", n_envs=2, seed=1, env_kwargs=given, **kind)
    plain = make_vec_env("jitgym/Plant-v0", n_envs=2, seed=1, env_kwargs=given)
    assert_same(forked.reset(), plain.reset())
    for _ in range(12):
        actions = np.array([3, 7])
        ours, theirs = forked.step(actions), plain.step(actions)
        assert_same(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1].astype(np.float32), theirs[1])
        assert_same(ours[2], theirs[2])
    forked.close()
    model = DQN("MlpPolicy", plain, device="cpu", seed=0)
    mean, _ = evaluate_policy(model, plain, n_eval_episodes=2)
    assert np.isfinite(mean)


@pytest.mark.parametrize(
    "store", [copy.copy, copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))]
)
def test_made_and_wrapped_environments_are_stored_and_copied(store: Any) -> None:
    for control in ("orders", "orders-discrete"):
        given = {"scenario": ONE, "control": control, "render_mode": "rgb_array"}
        env = wrappers.RecordEpisodeStatistics(gymnasium.make("jitgym/Plant-v0", **given))
        env.reset(seed=4)
        other = store(env)
        if store is copy.copy:  # shares the plant
            continue
        actions = random_actions(env.action_space, 5, 1)[:, 0]
        for action in actions:
            assert_same(env.step(action)[:4], other.step(action)[:4])
        assert_same(env.render(), other.render())


def test_environments_draw_without_matplotlib(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import gymnasium, jitgym, sys\n"
        "env = gymnasium.make('jitgym/LostSales-v0', render_mode='rgb_array')\n"
        "env.reset(seed=0); env.render()\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(jitgym.__file__).parents[1])
