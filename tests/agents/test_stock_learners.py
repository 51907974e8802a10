"""Learners of stable-baselines3 that take steps beside a shadow plant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agents
import jitgym
from agents.branches import Herd
from agents.learned import registry, start
from agents.learned.checkpoint import read_tensors, write_tensors
from agents.learned.corrections import Corrected
from agents.learned.policy import one_thread
from agents.learned.sb3.paired import standardized
from agents.learned.sb3.shadow import STAGGER, Shadowed
from agents.learned.sb3.stepping import corrections_of
from agents.learned.sb3.stock import choices_of
from agents.learned.session import Problem, Stored
from agents.learned.start import Start, made
from jitgym import documents
from jitgym.control.net import outputs_of
from jitgym.evaluate import RunError, rollout
from jitgym.plant import lay_out

LEARNERS = ("ppo", "sac", "td3", "a2c", "dqn", "recurrent-ppo")
SCENARIOS = ("lost-sales", "kanban-line")
SHORT = {"horizon.ongoing": 40, "horizon.warm_up": 5}
TINY = {
    "plants": 8,
    "between": 8,
    "minibatch": 16,
    "epochs": 1,
    "gradients": 1,
    "remembered": 200,
    "renewed": 16,
    "interval": 0.5,
}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    with one_thread():
        yield


def problem_of(name: str, periods: int = 2500, **changes: Any) -> Problem:
    scenario = jitgym.load(name, **changes)
    policy = made("base-stock", scenario, {})
    begun_from = Start(policy, "base-stock", {}, {}, 0, 0.0)
    return Problem(scenario, lay_out(scenario), begun_from, 1, periods)


def begun(learner: str, problem: Problem, **changes: Any) -> Any:
    found = registry.find(learner)
    settings = found.read_settings()
    tiny = {name: value for name, value in TINY.items() if hasattr(settings, name)}
    return found.module.begin(problem, settings.model_copy(update=tiny | changes))


def environment(name: str = "kanban-line", plants: int = 8, **options: Any) -> Shadowed:
    changes = {} if name == "beer-game" else SHORT
    base = corrections_of(problem_of(name, **changes), hidden=4)
    return Shadowed(base, plants, 1, deviation=0.5, **options)


def corrections(env: Shadowed, periods: int) -> np.ndarray:
    drawn = np.random.default_rng(7).normal(
        0, 1, (periods, env.num_envs, env.action_space.shape[0])
    )
    return drawn.astype(np.float32)


@pytest.mark.parametrize("name", ["lost-sales", "kanban-line", "beer-game"])
def test_without_corrections_the_plant_costs_what_its_shadow_costs(name: str) -> None:
    env = environment(name, with_shadow=True)
    nothing = np.zeros((env.num_envs, env.action_space.shape[0]), np.float32)
    for _ in range(60):  # longer than an episode
        seen, rewards, _, _ = env.step(nothing)
        assert (rewards == 0.0).all()
        assert (seen[:, env.width :] == 0.0).all()


@pytest.mark.parametrize("name", ["lost-sales", "kanban-line", "beer-game"])
def test_rewards_add_up_to_what_the_plant_saves_beside_its_shadow(name: str) -> None:
    env = environment(name)
    base = env.base
    alone, classic = (Herd(base.layout, env.num_envs, 1) for _ in range(2))
    alone.restore(env.plant.snapshot())
    classic.restore(env.shadow.snapshot())
    total, saved = 0.0, 0.0
    for drawn in corrections(env, 90):  # over the end of at least one episode
        total += env.step(drawn)[1].astype(np.float64).sum()
        asked = base.asking(alone.state, alone.memory)
        alone.run(base.corrected(alone.state, asked, drawn))
        alone.begin_next(base.asking)
        saved += classic.follow(base.asking, 1).sum() - alone.cost.sum()
    assert saved != 0.0
    assert env.scale * total == pytest.approx(saved, rel=1e-5)
    assert np.array_equal(env.plant.state, alone.state)
    assert np.array_equal(env.shadow.state, classic.state)


@pytest.mark.parametrize(("name", "is_cut"), [("kanban-line", True), ("beer-game", False)])
def test_ongoing_plants_are_truncated_and_seasons_terminate(name: str, is_cut: bool) -> None:
    env = environment(name)
    ended = 0
    for drawn in corrections(env, 50):
        before = env.plant.period.copy()
        seen, _, over, infos = env.step(drawn)
        assert np.array_equal(env.plant.period, env.shadow.period)
        assert np.array_equal(env.plant.keys, env.shadow.keys)
        assert np.array_equal(over, before + 1 == env.plant.plant.periods)
        for row, info in enumerate(infos):
            assert bool(info) == over[row]
            if info:
                assert info["TimeLimit.truncated"] is is_cut
                assert info["terminal_observation"] in env.observation_space
                assert not np.array_equal(info["terminal_observation"], seen[row])
        ended += over.sum()
    assert ended >= env.num_envs


def test_both_begin_the_next_episode_in_the_same_state() -> None:
    env = environment(with_shadow=True)
    for drawn in corrections(env, 50):
        seen, _, over, _ = env.step(drawn)
        assert (seen[over, env.width :] == 0.0).all()
        if not over.any():
            assert (seen[:, env.width :] != 0.0).any()


def test_plants_are_staggered_within_an_episode() -> None:
    env = environment()
    assert env.plant.plant.periods < STAGGER
    assert len(set(env.plant.period.tolist())) == env.num_envs


def test_environment_resumes_to_the_last_bit() -> None:
    one, two = environment(), environment()
    for drawn in corrections(one, 20):
        one.step(drawn)
    two.restore(one.snapshot())
    for drawn in corrections(one, 30):
        for ours, theirs in zip(one.step(drawn)[:3], two.step(drawn)[:3], strict=True):
            assert np.array_equal(ours, theirs)
    assert one.periods == two.periods


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("learner", LEARNERS)
def test_training_begins_at_the_classic_and_resumes_to_the_last_bit(
    learner: str, name: str, tmp_path: Path
) -> None:
    problem = problem_of(name, **SHORT)
    session = begun(learner, problem)
    policy, _ = session.candidate()
    assert costs(policy, problem) == costs(problem.start.policy, problem)

    session.advance()
    write_tensors(tmp_path / "last.pt", session.snapshot())
    session.advance()
    resumed = begun(learner, problem)
    resumed.restore(read_tensors(tmp_path / "last.pt"))
    resumed.advance()
    assert session.is_over
    assert resumed.periods == session.periods
    assert same(session.snapshot(), resumed.snapshot())

    policy, kept = session.candidate()
    assert same(kept, resumed.candidate()[1])
    if (learner, name) in {("td3", "kanban-line"), ("dqn", "kanban-line")}:  # they learn fast
        assert costs(policy, problem) != costs(problem.start.policy, problem)
    again = registry.find(learner).module.restored(problem, session.settings, kept, Path("best.pt"))
    assert costs(again, problem) == costs(policy, problem)
    assert all(np.isfinite(value) for value in session.figures().values())


@pytest.mark.parametrize("learner", LEARNERS)
def test_learners_train_through_the_gate_and_load_by_name(
    learner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_of("lost-sales", **SHORT)
    monkeypatch.setattr(start, "find", lambda *_, **__: problem.start)
    settings = registry.find(learner).read_settings()
    tiny = {name: value for name, value in TINY.items() if hasattr(settings, name)}
    documents.write(settings.model_dump() | tiny, tmp_path / "tiny.yaml")
    folder = tmp_path / "training"
    trained = agents.train(
        learner, problem.scenario, folder, settings=tmp_path / "tiny.yaml", periods=2500, seed=1
    )
    assert len(trained.verdicts) == 1
    assert trained.kept is not trained.verdicts[0].passed
    loaded = agents.make(learner, problem.scenario, path=folder)
    assert loaded.name == learner
    assert costs(loaded, problem) == costs(trained.policy, problem)
    if trained.kept:
        assert costs(loaded, problem) == costs(problem.start.policy, problem)


@pytest.mark.parametrize("learner", ["ppo", "sac", "recurrent-ppo"])
def test_weights_that_do_not_fit_are_refused_by_name(learner: str) -> None:
    problem, other = problem_of("lost-sales", **SHORT), problem_of("kanban-line", **SHORT)
    session = begun(learner, problem)
    _, kept = session.candidate()
    with pytest.raises(RunError, match=r"best.pt: policy"):
        registry.find(learner).module.restored(other, session.settings, kept, Path("best.pt"))


def test_actor_of_ppo_does_not_read_the_shadow_and_runs_in_machine_code() -> None:
    session = begun("ppo", problem_of("kanban-line", **SHORT), learning_rate=0.01, average=0.0)
    session.advance()
    session.advance()
    policy, _ = session.candidate()
    assert isinstance(policy, Corrected)
    env = session.env
    asked = policy.asking(env.plant.state, env.plant.memory.copy())
    features = policy.features(env.plant.state, asked)
    own = standardized(policy.net, features)
    actor, found = session.model.policy, outputs_of(policy.net, features)
    assert np.abs(found).max() > 1e-3
    for shadow in (np.zeros_like(own), np.ones_like(own)):
        expected, _ = actor.predict(np.hstack([own, shadow]), deterministic=True)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    values = [
        actor.predict_values(torch.as_tensor(np.hstack([own, shadow])))
        for shadow in (np.zeros_like(own), np.ones_like(own))
    ]
    assert not torch.equal(*values)  # the critic does


def test_ppo_saves_on_lost_sales() -> None:
    problem = problem_of("lost-sales", 130_000, **{"horizon.ongoing": 200, "horizon.warm_up": 50})
    session = begun("ppo", problem, plants=64, between=32, minibatch=512, epochs=4, interval=1.0)
    session.advance()
    saved = costs(problem.start.policy, problem, 64) - costs(session.candidate()[0], problem, 64)
    assert saved > 0.02 * costs(problem.start.policy, problem, 64)


@pytest.mark.parametrize("learner", ["ppo", "td3"])
def test_snapshots_that_are_damaged_are_refused(learner: str) -> None:
    session = begun(learner, problem_of("lost-sales", **SHORT))
    session.advance()
    optimizer = next(name for name in session.snapshot()["parameters"] if "optimizer" in name)

    def lose_a_part(stored: Any) -> None:
        del stored["environments"]["shadow"]

    def spoil_weights(stored: Any) -> None:
        next(iter(stored["parameters"]["policy"].values())).fill_(float("nan"))

    def spoil_optimizer(stored: Any) -> None:
        stored["parameters"][optimizer]["state"][0]["exp_avg"].fill_(float("nan"))

    def change_shape(stored: Any) -> None:
        stored["last"]["_last_obs"] = stored["last"]["_last_obs"][:1]

    for damage in (lose_a_part, spoil_weights, spoil_optimizer, change_shape):
        stored = session.snapshot()
        damage(stored)
        with pytest.raises(RunError, match="session"):
            session.restore(stored)


def test_choices_change_one_source_and_begin_with_none() -> None:
    assert choices_of(1).ravel().tolist() == [0, 1, -1, 2, -2]
    several = choices_of(3)
    assert several.shape == (7, 3)
    assert not several[0].any()
    assert (np.abs(several[1:]).sum(axis=1) == 1).all()
    assert len({tuple(row) for row in several}) == 7


def costs(policy: Any, problem: Problem, episodes: int = 4) -> float:
    rows = rollout(policy, problem.scenario, episodes, 1, split="validate")
    return float(rows["cost"].mean())


def same(one: Stored | Any, two: Stored | Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    return bool(one == two)
