"""Judge your own: a model has the same costs in a rollout as in the environment."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

import jitgym
from jitgym import exact
from jitgym.control import Policy
from jitgym.envs import CONTROLS, Control, PlantEnv
from jitgym.evaluate import net_policy, rollout
from jitgym.plant import KPIS, lay_out

HORIZON = {"horizon": {"ongoing": 12, "warm_up": 3}}
ONE = jitgym.load("lost-sales", **HORIZON)
LINE = jitgym.load("kanban-line", **HORIZON)
EPISODES = 3


def stepped(model: Any, scenario: Any, control: Control) -> list[dict[str, float]]:
    """Return costs and KPIs of episodes in which a function of one observation acts."""
    env = PlantEnv(scenario, control=control)
    found = []
    for episode in range(EPISODES):
        observation, _ = env.reset(seed=7, options={"split": "test", "episode": episode})
        ended = False
        terms = []
        while not ended:
            observation, _, terminated, truncated, info = env.step(model(observation))
            ended = terminated or truncated
            terms.append(info["terms"])
        measured = terms[scenario.horizon.warm_up :]
        found.append(
            info["kpi"] | {name: np.mean([t[name] for t in measured]) for name in terms[0]}
        )
    return found


def assert_rows_are_those_of_the_environment(
    policy: Any, model: Any, scenario: Any, control: Control
) -> None:
    rows = rollout(policy, scenario, episodes=EPISODES, seed=7).to_dict("records")
    assert any(row["cost"] != rows[0]["cost"] for row in rows)
    for row, episode in zip(rows, stepped(model, scenario, control), strict=True):
        for name in ("cost", *KPIS):
            np.testing.assert_array_equal(row[name], episode[name])
        for name in lay_out(scenario).terms:
            assert row[name] == pytest.approx(episode[name])


@pytest.mark.parametrize("scenario", [ONE, LINE], ids=["one-item", "line"])
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("learner", [PPO, A2C, DQN, SAC, TD3])
def test_a_model_of_stable_baselines_is_judged_as_it_acts_in_the_environment(
    learner: Any, control: Control, scenario: Any
) -> None:
    env = PlantEnv(scenario, control=control)
    is_one_choice = isinstance(env.action_space, gymnasium.spaces.Discrete)
    if learner is DQN and not is_one_choice:
        return
    if learner in (SAC, TD3) and control == "orders-discrete":
        return
    model = learner("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, device="cpu", seed=1)

    def acts(observation: np.ndarray) -> Any:
        return model.predict(observation, deterministic=True)[0]

    policy = net_policy(model, scenario, control=control)
    assert isinstance(policy, Policy)
    assert policy.name == learner.__name__
    assert repr(policy) == f"{learner.__name__} on {scenario.name}: control {control}"
    assert_rows_are_those_of_the_environment(policy, acts, scenario, control)


def weights(scenario: Any, control: Control) -> np.ndarray:
    env = PlantEnv(scenario, control=control)
    shape = (len(env.observation_names), len(env.action_entries))
    return np.random.default_rng(0).normal(0, 3, shape).astype(np.float32)


@pytest.mark.parametrize("scenario", [ONE, LINE], ids=["one-item", "line"])
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("kind", ["one", "batch", "either", "predict", "sklearn"])
def test_any_function_of_the_observation_is_judged(
    kind: str, control: Control, scenario: Any
) -> None:
    env = PlantEnv(scenario, control=control)
    numbers = weights(scenario, control)
    choices = env.spaces.action_encoding.choices

    def acts(observation: np.ndarray) -> Any:
        """A learned matrix, for one observation or several."""
        values = np.tanh(np.einsum("...i,ij->...j", observation.astype(float), numbers))
        if control == "orders-discrete":
            values = np.round((values + 1) / 2 * (choices - 1)).astype(int)
            return values[..., 0] if len(choices) == 1 else values
        return values

    def of_one(observation: np.ndarray) -> Any:
        assert observation.ndim == 1
        return acts(observation)

    def of_batch(observations: np.ndarray) -> Any:
        assert observations.ndim == 2
        return acts(observations)

    class Model:
        def predict(self, observation: np.ndarray, deterministic: bool = False) -> Any:
            assert deterministic
            return acts(observation), None

    class Regression:
        def predict(self, X: np.ndarray) -> Any:
            return of_batch(X)

    models = {
        "one": of_one,
        "batch": of_batch,
        "either": acts,
        "predict": Model(),
        "sklearn": Regression(),
    }
    policy = net_policy(models[kind], scenario, control=control)
    assert_rows_are_those_of_the_environment(policy, acts, scenario, control)


class Recurrent:
    """Counts its steps in a state of the shape of sb3-contrib's recurrent models: (layers, batch,
    units)."""

    def predict(
        self,
        observation: np.ndarray,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        batch = len(observation)
        if state is None:
            state = (np.full((2, batch, 3), 5, np.float32), np.zeros((1, batch, 1), np.float32))
        counts, seen = (array.copy() for array in state)
        assert counts.shape == (2, batch, 3)
        assert episode_start is not None
        assert (counts[0, :, 0] == 5).all() == episode_start.all()
        counts += np.arange(6, dtype=np.float32).reshape(2, 1, 3) + 1
        seen[0, :, 0] += observation.sum(axis=1)
        action = np.sin(counts[1, :, 2] + seen[0, :, 0])
        return action[:, np.newaxis], (counts, seen)


def test_a_recurrent_model_keeps_its_state() -> None:
    model, memory = Recurrent(), {"state": None, "steps": 0}

    def acts(observation: np.ndarray) -> np.ndarray:
        starts = memory["steps"] % 12 == 0
        state = None if starts else memory["state"]
        action, memory["state"] = model.predict(
            observation[np.newaxis], state=state, episode_start=np.array([starts])
        )
        memory["steps"] += 1
        return action[0]

    policy = net_policy(model, ONE, control="orders")
    assert policy.start(4).shape == (4, 1 + 6 + 1)
    assert_rows_are_those_of_the_environment(policy, acts, ONE, "orders")
    with pytest.raises(exact.NotFinite, match="memory"):
        exact.evaluate(policy, ONE)


def test_a_judged_model_is_evaluated_exactly_and_stored() -> None:
    rows = rollout(net_policy(Linear(), "lost-sales"), "lost-sales", episodes=256)
    value = exact.evaluate(net_policy(Linear(), "lost-sales"), "lost-sales")
    assert rows["cost"].mean() == pytest.approx(value.cost, rel=0.03)
    again = pickle.loads(pickle.dumps(net_policy(Linear(), ONE)))
    first = rollout(net_policy(Linear(), ONE), ONE, episodes=2)
    assert rollout(again, ONE, episodes=2)["cost"].tolist() == first["cost"].tolist()


class Linear:
    def predict(self, observation: np.ndarray) -> np.ndarray:
        return 0.5 - observation.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("model", "control", "says"),
    [
        (lambda o: np.zeros(3), "orders", r"shape \(\d+, 3\); expected .*\(4,\) -> \(1,\)"),
        (lambda o: np.zeros((2, 2)), "orders", r"does not return actions of the control 'orders'"),
        (lambda o: "much", "orders", r"shape \(\d+,\); expected"),
        (lambda o: np.nan, "orders", r"orders.* expected"),
        (lambda o: np.full((len(o), 1), np.nan), "orders", r"expected a function"),
        (lambda o: 11, "orders-discrete", r"whole numbers from 0 to 10"),
        (
            lambda o: 0.5,
            "orders-discrete",
            r"an action is \[0.5\]; expected whole numbers from 0 to 10",
        ),
        (lambda: 0, "orders", r"expected a function of one observation"),
        (lambda o: o.reshape(-1, 4)[:, :1] - o.mean(), "order", r"control 'order' is unknown"),
    ],
)
def test_a_function_that_returns_no_actions_is_refused(model: Any, control: str, says: str) -> None:
    with pytest.raises(jitgym.ScenarioError, match=says):
        net_policy(model, ONE, control=control)


def test_a_function_that_mixes_the_rows_of_a_batch_is_refused() -> None:
    def mixes(observation: np.ndarray) -> np.ndarray:
        return observation[..., :1] - observation.max()

    with pytest.raises(jitgym.ScenarioError, match="other actions for a batch"):
        net_policy(mixes, ONE)


class Shaped:
    def __init__(self, action: Any) -> None:
        self.action = action

    def predict(self, observation: np.ndarray) -> Any:
        return self.action(len(observation))


WRONG_ACTIONS = {
    "an entry too many": lambda n: np.zeros((n, 2)),
    "one row": lambda n: np.zeros(1),
    "a row too many": lambda n: np.zeros((n + 1, 1)),
    "rows for columns": lambda n: np.zeros((1, n)),
    "infinite": lambda n: np.full((n, 1), np.inf),
    "texts": lambda n: np.full((n, 1), "a"),
    "nothing": lambda n: None,
}


@pytest.mark.parametrize("what", WRONG_ACTIONS)
def test_actions_of_a_wrong_shape_are_refused_with_their_shape(what: str) -> None:
    policy = net_policy(Shaped(WRONG_ACTIONS[what]), ONE)
    with pytest.raises(jitgym.ScenarioError, match=r"Shaped: .*; expected"):
        rollout(policy, ONE, episodes=2)


def test_a_model_of_other_spaces_is_refused_and_the_control_that_fits_is_named() -> None:
    settings: dict[str, Any] = {"policy_kwargs": {"net_arch": [4]}, "device": "cpu"}
    model = DQN("MlpPolicy", PlantEnv(ONE, control="orders-discrete"), **settings)
    with pytest.raises(jitgym.ScenarioError, match="expected control='orders-discrete'"):
        net_policy(model, ONE)
    with pytest.raises(jitgym.ScenarioError, match="trained in an environment of this scenario"):
        net_policy(model, LINE, control="orders-discrete")
    with pytest.raises(TypeError, match="no predict and is not a function"):
        net_policy(7, ONE)
    with pytest.raises(TypeError, match=r"expected evaluate\.net_policy\(model, scenario"):
        rollout(model, ONE)


def test_a_model_has_the_name_that_it_is_given() -> None:
    def order_a_little(observation: np.ndarray) -> float:
        return np.array([-0.5])

    assert net_policy(order_a_little, ONE).name == "order_a_little"
    policy = net_policy(order_a_little, ONE, name="a little")
    assert rollout(policy, ONE, episodes=1)["policy"].tolist() == ["a little"]
