"""A refused call leaves an environment unchanged: its next steps equal those of an undisturbed
environment, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

from agents.learned.sb3.vecenv import PlantVecEnv
from jitgym.catalog import load
from jitgym.envs import CONTROLS, PlantEnv, VectorPlant
from jitgym.evaluate import rollout
from jitgym.plant import lay_out
from tests.envs.test_envs import WORKSHOP, assert_same, random_actions

ENVS = 3
STEPS = 12  # past the end of an episode
SAME_STEP = gymnasium.vector.AutoresetMode.SAME_STEP
ONE_ITEM = load("lost-sales", **{"horizon.ongoing": 9, "horizon.warm_up": 3})

STATES = np.zeros((ENVS, lay_out(WORKSHOP).cells))

RESETS: dict[str, dict[str, Any]] = {
    "a negative seed": {"seed": -1},
    "a seed beyond 64 bits": {"seed": 2**63},
    "a seed far beyond": {"seed": 2**200},
    "a fraction as seed": {"seed": 1.5},
    "a whole float as seed": {"seed": 3.0},
    "a truth value as seed": {"seed": True},
    "a text as seed": {"seed": "7"},
    "an unknown option": {"options": {"splits": "test"}},
    "an unknown option beside a good one": {"options": {"split": "test", "epoch": 1}},
    "an unknown split": {"options": {"split": "testing"}},
    "a split that is no text": {"options": {"split": ["test"]}},
    "no split": {"options": {"split": None}},
    "a fraction as episode": {"options": {"episode": 1.5}},
    "a negative episode beside a good split": {"options": {"split": "test", "episode": -1}},
    "an episode that no other can follow": {"options": {"episode": 2**63 - 1}},
    "a text as episode": {"options": {"episode": "1"}},
    "a truth value as episode": {"options": {"episode": True}},
    "episodes in rows": {"options": {"episode": [[1, 2], [3, 4], [5, 6]]}},
    "a good seed beside a wrong option": {"seed": 5, "options": {"episode": 1.5}},
    "a good option beside a wrong seed": {"seed": -5, "options": {"split": "test"}},
    "options that are no dict": {"options": [("split", "test")]},
    "options that are a text": {"options": "test"},
    "a text as state": {"options": {"state": "full"}},
    "a state of another width": {"options": {"state": np.zeros(3)}},
    "a number as state": {"options": {"state": 5.0}},
    "a state that is no number": {"options": {"state": STATES * np.nan}},
    "an infinite state": {"options": {"state": STATES + np.inf}},
    "a negative state": {"options": {"state": STATES - 1.0}},
    "a setup for no source": {"options": {"state": STATES + 9.0}},
    "half a breakdown": {"options": {"state": STATES + 0.5}},
    "a good state beside a wrong split": {"options": {"state": STATES, "split": "testing"}},
    "a wrong state beside a good split": {"options": {"state": -STATES - 1.0, "split": "test"}},
}
RESETS_OF_A_VECTOR: dict[str, dict[str, Any]] = {
    "a last seed beyond 64 bits": {"seed": 2**63 - 1},
    "too few states": {"options": {"state": STATES[:2]}},
    "one state for all": {"options": {"state": STATES[0]}},
    "states in layers": {"options": {"state": STATES[np.newaxis]}},
    "too few seeds": {"seed": [1, 2]},
    "a fraction among seeds": {"seed": [1, 2.5, 3]},
    "a negative seed among seeds": {"seed": [1, 2, -3]},
    "seeds of floats": {"seed": np.array([1.0, 2.0, 3.0])},
    "too few episodes": {"options": {"episode": [1, 2]}},
    "a fraction among episodes": {"options": {"episode": [1, 2.5, 3]}},
    "a mask of numbers": {"options": {"reset_mask": [0, 2, 1]}},
    "a mask of numbers as an array": {"options": {"reset_mask": np.array([1, 0, 1])}},
    "a mask that is too short": {"options": {"reset_mask": np.array([True, False])}},
    "a mask that is too long": {"options": {"reset_mask": np.ones(4, dtype=bool)}},
    "a mask in rows": {"options": {"reset_mask": np.ones((3, 1), dtype=bool)}},
    "one truth value as mask": {"options": {"reset_mask": True}},
    "a text as mask": {"options": {"reset_mask": "all"}},
    "another split for some only": {
        "options": {"split": "test", "reset_mask": np.array([True, False, True])}
    },
}
ACTIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "not a number": lambda action: np.full(action.shape, np.nan),
    "infinite": lambda action: np.full(action.shape, np.inf),
    "nothing": lambda action: None,
    "a text": lambda action: "order",
    "texts": lambda action: np.full(action.shape, "1"),
    "complex": lambda action: action + 1j,
    "one entry too many": lambda action: np.zeros((*action.shape, 2)),
    "no entry": lambda action: np.zeros((0,)),
    "rows of different lengths": lambda action: [[1, 2], [3]],
}
ACTIONS_OF_CHOICES: dict[str, Callable[[np.ndarray], Any]] = {
    "a fraction": lambda action: action + 0.5,
    "below nothing": lambda action: action * 0 - 1,
    "beyond the last": lambda action: action * 0 + 1000,
}


def assert_undisturbed(env: Any, twin: Any, actions: np.ndarray) -> None:
    for action in actions:
        ours, theirs = env.step(action), twin.step(action)
        assert_same(ours, theirs)
        if not isinstance(env, VectorPlant) and (ours[2] or ours[3]):
            assert_same(env.reset(), twin.reset())


def made(kind: type, scenario: Any, control: str) -> tuple[Any, Any, np.ndarray]:
    """Return an environment, its undisturbed twin, and actions."""
    batch = {"num_envs": ENVS} if kind is VectorPlant else {}
    env, twin = (kind(scenario, control=control, **batch) for _ in range(2))
    space = env.single_action_space if batch else env.action_space
    actions = random_actions(space, STEPS, ENVS if batch else 1)
    return env, twin, actions if batch else actions[:, 0]


def wrong_resets(kind: type) -> dict[str, dict[str, Any]]:
    if kind is VectorPlant:
        return RESETS | RESETS_OF_A_VECTOR
    return RESETS | {
        "a mask": {"options": {"reset_mask": np.array([True])}},
        "a list of seeds": {"seed": [[1]]},
        "episodes of a vector": {"options": {"episode": [1, 2]}},
        "states of a vector": {"options": {"state": STATES}},
    }


@pytest.mark.parametrize("kind", [PlantEnv, VectorPlant])
def test_a_refused_reset_changes_nothing(kind: type) -> None:
    env, twin, actions = made(kind, WORKSHOP, "orders")
    wrong = wrong_resets(kind)
    for what, call in wrong.items():  # before the first episode
        if what == "another split for some only":  # accepted: no plant is in a split yet
            continue
        with pytest.raises(ValueError, match="expected"):
            raise AssertionError(f"{what} was accepted: {env.reset(**call)}")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(actions[0])
    assert_same(env.reset(seed=11), twin.reset(seed=11))
    for k, (what, call) in enumerate(wrong.items()):
        with pytest.raises(ValueError, match="expected"):
            raise AssertionError(f"{what} was accepted: {env.reset(**call)}")
        assert_undisturbed(env, twin, actions[: 1 + k % 4])
        if k % 5 == 0:
            assert_same(env.reset(), twin.reset())  # the next episode of the same seed and split
        assert env.np_random_seed == twin.np_random_seed
    assert_undisturbed(env, twin, actions)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("scenario", [WORKSHOP, ONE_ITEM], ids=["workshop", "one-item"])
@pytest.mark.parametrize("kind", [PlantEnv, VectorPlant])
def test_a_refused_step_changes_nothing(kind: type, scenario: Any, control: str) -> None:
    env, twin, actions = made(kind, scenario, control)
    assert_same(env.reset(seed=11), twin.reset(seed=11))
    wrong = ACTIONS | (ACTIONS_OF_CHOICES if control == "orders-discrete" else {})
    for what, spoil in wrong.items():
        with pytest.raises(ValueError, match=r"expected|inhomogeneous"):
            raise AssertionError(f"{what} was accepted: {env.step(spoil(actions[0]))}")
        assert_undisturbed(env, twin, actions[:3])
    assert_undisturbed(env, twin, actions)


def test_one_wrong_row_changes_no_other_row() -> None:
    env, twin, actions = made(VectorPlant, WORKSHOP, "orders")
    assert_same(env.reset(seed=11), twin.reset(seed=11))
    for row in range(ENVS):
        spoiled = actions[0].copy()
        spoiled[row, 1] = np.nan
        with pytest.raises(ValueError, match=f"row {row} is"):
            env.step(spoiled)
        assert_undisturbed(env, twin, actions[:2])


@pytest.mark.parametrize(
    "given",
    [
        *({"num_envs": wrong} for wrong in (2.5, 2.0, 0, -1, "3", True, None, [2])),
        *({"control": wrong} for wrong in ("order", "asked", None, 3, ["orders"])),
        *({"render_mode": wrong} for wrong in ("person", "rgb", 1, ["ansi"])),
        *({"autoreset_mode": wrong} for wrong in ("Sometimes", "Disabled", 1)),
        *({"penalty": wrong} for wrong in (-1, "much", float("nan"))),
        {"no_such_parameter": 1},
    ],
)
def test_make_vec_refuses_wrong_arguments(given: dict[str, Any]) -> None:
    given = {"num_envs": 2} | given
    with pytest.raises(ValueError, match="expected"):
        gymnasium.make_vec("jitgym/LostSales-v0", **given)


@pytest.mark.parametrize("kind", [PlantEnv, VectorPlant])
@pytest.mark.parametrize(
    "name",
    ["scenario", "layout", "spaces", "engine", "reward_scale", "observation_names"],
)
def test_scenario_and_control_of_an_environment_cannot_be_replaced(kind: type, name: str) -> None:
    env, twin, actions = made(kind, WORKSHOP, "orders")
    assert_same(env.reset(seed=11), twin.reset(seed=11))
    with pytest.raises(
        AttributeError, match=f"the {name} of an environment is fixed; expected a new"
    ):
        setattr(env, name, getattr(kind("lost-sales"), name))
    env.mark = 7  # the caller may set anything else
    assert_undisturbed(env, twin, actions)


@pytest.mark.parametrize("kind", [PlantEnv, VectorPlant])
def test_the_largest_seeds_and_episodes_work_like_any_other(kind: type) -> None:
    env, _, actions = made(kind, WORKSHOP, "orders")
    most = 2**63 - 1 if kind is PlantEnv else 2**63 - ENVS
    first, _ = env.reset(seed=most, options={"episode": 2**62})
    env.step(actions[0])
    env.reset()
    env.step(actions[0])
    assert_same(env.reset(seed=most, options={"episode": 2**62})[0], first)


def test_numpy_numbers_are_accepted_as_numbers() -> None:
    env = PlantEnv(WORKSHOP)
    assert_same(env.reset(seed=np.int64(4)), PlantEnv(WORKSHOP).reset(seed=4))
    envs = VectorPlant(WORKSHOP, num_envs=np.int32(2))
    observation, _ = envs.reset(seed=np.array([4, 4]), options={"episode": np.uint8(1)})
    assert_same(observation[0], env.reset(options={"episode": 1})[0])


def test_a_step_after_the_end_of_an_episode_is_refused() -> None:
    env, twin, actions = made(PlantEnv, WORKSHOP, "orders")
    env.reset(seed=1)
    twin.reset(seed=1)
    ended = False
    while not ended:
        *_, terminated, truncated, _ = env.step(actions[0])
        twin.step(actions[0])
        ended = terminated or truncated
    for _ in range(2):
        with pytest.raises(gymnasium.error.ResetNeeded, match="call reset first"):
            env.step(actions[0])
    assert_same(env.reset(), twin.reset())
    assert_undisturbed(env, twin, actions)


def test_environments_that_a_mask_left_out_must_be_reset_before_a_step() -> None:
    envs, twin = VectorPlant(WORKSHOP, num_envs=2), VectorPlant(WORKSHOP, num_envs=2)
    twin.reset(seed=[3, 4])
    envs.reset(seed=[3, None], options={"reset_mask": [True, False]})
    actions = random_actions(envs.single_action_space, STEPS, 2)
    with pytest.raises(gymnasium.error.ResetNeeded, match="every environment"):
        envs.step(actions[0])
    envs.reset(seed=[None, 4], options={"reset_mask": [False, True]})
    assert_undisturbed(envs, twin, actions)


def test_a_refused_call_of_the_adapter_changes_nothing() -> None:
    """Arguments that stable-baselines3 keeps for the next reset must not spoil that reset."""
    ours, twin = (
        PlantVecEnv(VectorPlant(WORKSHOP, ENVS, autoreset_mode=SAME_STEP)) for _ in range(2)
    )
    for environments in (ours, twin):
        environments.seed(3)
    assert_same(ours.reset(), twin.reset())
    actions = random_actions(ours.action_space, STEPS, ENVS)
    wrong: list[Callable[[], Any]] = [
        lambda: (ours.seed(-1), ours.reset()),
        lambda: (ours.seed(2**63), ours.reset()),
        lambda: (ours.set_options({"split": "testing"}), ours.reset()),
        lambda: (ours.set_options([{"split": "test"}, {}, {}]), ours.reset()),
        lambda: ours.set_attr("mark", 1, indices=[0]),
        lambda: ours.set_attr("mark", 1, indices=7),
        lambda: ours.set_attr("scenario", ONE_ITEM),
        lambda: ours.step(actions[0] * np.nan),
        lambda: ours.get_attr("reward_scale", indices=9),
        lambda: ours.env_method("reset", indices=[1]),
    ]
    for k, call in enumerate(wrong):
        with pytest.raises((ValueError, AttributeError), match=r"expected"):
            raise AssertionError(f"call {k} was accepted: {call()}")
        for action in actions[: 1 + k % 3]:
            for one, other in zip(ours.step(action), twin.step(action), strict=True):
                if isinstance(one, np.ndarray):
                    assert_same(one, other)
        assert_same(ours.reset(), twin.reset())


@pytest.mark.parametrize(
    "call",
    [
        {"episodes": 2.5},
        {"episodes": 0},
        {"episodes": True},
        {"seed": 1.5},
        {"seed": -1},
        {"seed": 2**63},
        {"split": "testing"},
        {"split": None},
    ],
)
def test_a_rollout_names_the_argument_that_it_refuses(call: dict[str, Any]) -> None:
    def nothing(view: np.ndarray) -> np.ndarray:
        return np.zeros((len(view), len(WORKSHOP.sources)))

    with pytest.raises(ValueError, match=f"{next(iter(call))} .*; expected"):
        rollout(nothing, WORKSHOP, **({"episodes": 2} | call))
