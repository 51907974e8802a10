"""Proximal policy optimization (Schulman et al. 2017) by stable-baselines3, on the vector env.

    train: a scenario -> a folder (see checkpoint) and a policy;  load: a folder -> a policy

Rewards and observations are normalized by the environment; the learner multiplies rewards by
1 - discount, so that a value has the size of one period's reward, whatever the discount.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import ActorCriticPolicy

from jitgym import ScenarioError
from jitgym.catalog import load as load_scenario
from jitgym.envs import VectorPlant
from jitgym.envs.engine import MOST_SEED
from jitgym.envs.spaces import Spaces
from jitgym.errors import whole_number
from jitgym.evaluate import RunError
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from ..checkpoint import Checkpoint, Stored, described, expect_like, read_tensors, write_tensors
from ..policy import LearnedPolicy, one_thread
from ..settings import Settings, read_settings
from .callbacks import Best, Budget, ProgressBar, Stop, Validation, postponed_interrupt
from .vecenv import PlantVecEnv

__all__ = ["Trained", "load", "read_settings", "train"]

NAME = "ppo"
FOREVER = 1 << 62  # steps; the budget ends training
UPDATES_A_LOG = 10


@dataclass(frozen=True)
class Trained:
    """The result of a training."""

    policy: LearnedPolicy  # the best on the split `validate`
    cost: float  # its cost on the split `validate`
    steps: int  # of all environments together, with earlier sessions
    seconds: float  # with earlier sessions


def train(
    scenario: Scenario | str | Path,
    settings: Settings,
    folder: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    resume: bool = False,
    references: Mapping[str, float] | None = None,
    progress: bool = False,
) -> Trained:
    """Train on the split `train`, and return the policy that was best on the split `validate`.

    Parameters
    ----------
    scenario
        The plant: a Scenario, a catalog name, or a path.
    settings
        Hyperparameters.
    folder
        The folder for checkpoints and TensorBoard's curves.
    steps, minutes
        When to end, with earlier sessions: after this many steps of all environments together, or
        after this time. At least one of them is needed.
    seed
        The seed of weights, exploration and environments.
    resume
        Continue the training in `folder` where it stopped.
    references
        Costs of other policies by name, drawn next to the curve.
    progress
        Show a bar on standard error.

    A run with `steps` can be repeated to the last bit, even if it is interrupted and resumed. A run
    with `minutes` cannot, because the learning rate follows the clock.

    Raises
    ------
    RunError
        If the folder already holds an agent or, with `resume`, does not hold this one.
    ScenarioError
        If the scenario, the seed or the steps are wrong, or neither steps nor minutes are given.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    seed = whole_number("seed", seed, 0, MOST_SEED - settings.environments)
    if steps is not None:
        steps = whole_number("steps", steps, least=1)
    if not (steps or 0) > 0 and not (minutes or 0) > 0:
        raise ScenarioError("neither steps nor minutes are given; expected one of them, above 0")
    scenario = load_scenario(scenario)
    spaces = Spaces(lay_out(scenario), settings.control_for(scenario))
    checkpoint = Checkpoint(Path(folder))
    record = described(NAME, spaces, settings.model_dump(), seed)
    stored = checkpoint.resume(record) if resume else None
    if stored is None:
        checkpoint.begin(record)
    budget = Budget(steps, minutes)
    with one_thread(), postponed_interrupt() as interrupt:
        model = build(spaces, settings, seed, budget)
        best = restore(model, budget, stored, checkpoint.last) if stored else Best()
        model.set_logger(configure(str(checkpoint.folder / "tensorboard"), ["tensorboard"]))

        def keep(is_best: bool) -> None:
            if is_best:
                weights = model.policy.state_dict()
                write_tensors(checkpoint.best, {"policy": weights, "steps": best.steps})
            write_tensors(checkpoint.last, snapshot(model, budget, best))

        stop = Stop(budget, interrupt)
        validation = Validation(
            LearnedPolicy(NAME, spaces, model.policy),
            scenario,
            stop,
            best,
            keep,
            every=settings.validation.every,
            episodes=settings.validation.episodes,
            seed=seed,
            references=references or {},
        )
        with ProgressBar(f"train {NAME} on {scenario.name}", budget, best, shown=progress) as bar:
            callbacks = CallbackList([stop, validation, bar])
            model.learn(FOREVER, callbacks, UPDATES_A_LOG, reset_num_timesteps=stored is None)
        model.logger.close()
    if interrupt.is_set():
        raise KeyboardInterrupt(
            f"interrupted after {validation.last:,} steps; resume goes on from {checkpoint.folder}"
        )
    policy = load(checkpoint.folder, scenario)
    return Trained(policy, best.cost, validation.last, budget.seconds)


def load(folder: str | Path, scenario: Scenario | str | Path) -> LearnedPolicy:
    """Return the best policy of a training, for a scenario with the same observation and action.

    Raises RunError if the folder holds no policy, or one that was trained for other entries.
    """
    checkpoint = Checkpoint(Path(folder))
    record, meaning = checkpoint.read(), checkpoint.read_record()
    if record.agent != NAME:
        raise RunError(f"{checkpoint.record}: its agent is {record.agent!r}; expected {NAME!r}")
    spaces = Spaces(lay_out(load_scenario(scenario)), record.control)
    expected = described(NAME, spaces, {}, 0)
    changed = [name for name in ("observation", "action") if meaning[name] != expected[name]]
    if changed:
        raise RunError(
            f"{checkpoint.folder}: its agent was trained with another {' and '.join(changed)} than "
            f"{spaces.layout.scenario.name} has; expected the scenario of its training"
        )
    net = ActorCriticPolicy(
        spaces.observation, spaces.action, lambda _: 0.0, **policy_arguments(record.settings)
    )
    stored = read_tensors(checkpoint.best)
    expect_like(stored, {"policy": net.state_dict(), "steps": 0}, checkpoint.best)
    net.load_state_dict(stored["policy"])
    return LearnedPolicy(NAME, spaces, net)


def build(spaces: Spaces, settings: Settings, seed: int, budget: Budget) -> stable_baselines3.PPO:
    """Return an untrained learner; its learning rate falls as the budget is used."""
    same_step = gymnasium.vector.AutoresetMode.SAME_STEP
    plants = VectorPlant(
        spaces.layout.scenario, settings.environments, spaces.control, autoreset_mode=same_step
    )
    environments = PlantVecEnv(plants, gain=1.0 - settings.discount)
    model = stable_baselines3.PPO(
        ActorCriticPolicy,
        environments,
        n_steps=settings.periods,
        batch_size=settings.minibatch,
        n_epochs=settings.epochs,
        gamma=settings.discount,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip,
        ent_coef=settings.entropy_bonus,
        policy_kwargs=policy_arguments(settings),
        seed=seed % 2**32,
        device="cpu",  # such small nets lose more time on the way to a GPU than they gain
    )
    model.lr_schedule = lambda _: settings.learning_rate * (1.0 - budget.share(model.num_timesteps))
    # Environment i has the seed first + i; `first` is drawn, so no two trainings share a world.
    first = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(2))
    environments.seed(first)
    return model


def environments_of(model: stable_baselines3.PPO) -> PlantVecEnv:
    """Return the environments of a learner that `build` made."""
    assert isinstance(model.env, PlantVecEnv)
    return model.env


def policy_arguments(settings: Settings) -> dict[str, Any]:
    """Return the arguments with which stable-baselines3 builds the net."""
    return {"net_arch": settings.layers, "log_std_init": float(np.log(settings.deviation))}


def snapshot(model: stable_baselines3.PPO, budget: Budget, best: Best) -> Stored:
    """Return the whole state of the training, as tensors and plain numbers."""
    name, keys, *rest = np.random.get_state()
    return {
        "steps": model.num_timesteps,
        "updates": model._n_updates,
        "seconds": budget.seconds,
        "best": {"cost": best.cost, "steps": best.steps},
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "environments": environments_of(model).snapshot(),
        "observation": torch.from_numpy(model._last_obs),
        "starts": torch.from_numpy(model._last_episode_starts),
        "torch": torch.get_rng_state(),
        "numpy": {"name": name, "keys": torch.from_numpy(keys), "rest": rest},
    }


def restore(model: stable_baselines3.PPO, budget: Budget, stored: Stored, path: Path) -> Best:
    """Restore a learner from a snapshot, and return the record of the best policy.

    Raises RunError, and changes nothing, if the snapshot stored at `path` does not fit the learner.
    """
    _expect_snapshot(model, budget, stored, path)
    model.num_timesteps, model._n_updates = stored["steps"], stored["updates"]
    budget.earlier = stored["seconds"]
    model.policy.load_state_dict(stored["policy"])
    model.policy.optimizer.load_state_dict(stored["optimizer"])
    environments_of(model).restore(stored["environments"])
    model._last_obs = stored["observation"].numpy()
    model._last_episode_starts = stored["starts"].numpy()
    torch.set_rng_state(stored["torch"])
    numpys = stored["numpy"]
    np.random.set_state((numpys["name"], numpys["keys"].numpy(), *numpys["rest"]))
    return Best(**stored["best"])


def _expect_snapshot(
    model: stable_baselines3.PPO, budget: Budget, stored: Stored, path: Path
) -> None:
    """Raise RunError unless a snapshot fits this learner, is whole, and has finite numbers."""
    model._last_obs = environments_of(model).reset()
    model._last_episode_starts = np.ones(environments_of(model).num_envs, dtype=bool)
    known = snapshot(model, budget, Best())
    known["best"] = {"cost": 0.0, "steps": 0}
    # After its first step Adam has a state of its own: two tensors for each weight.
    weights = [
        weight for group in model.policy.optimizer.param_groups for weight in group["params"]
    ]
    found = stored.get("optimizer")
    if isinstance(found, Mapping) and found.get("state"):
        one = {"step": torch.tensor(0.0)}
        known["optimizer"]["state"] = {
            k: one | {"exp_avg": weight.detach(), "exp_avg_sq": weight.detach()}
            for k, weight in enumerate(weights)
        }
    expect_like(stored, known, path)
