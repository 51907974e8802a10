"""Other learners of stable-baselines3 and sb3-contrib, through the same environment and gate.

`sac`, `td3`, `a2c`, `dqn` and `recurrent-ppo` learn corrections to the classic beside a shadow
plant (`shadow`). They are here to be compared with: each is tested on two scenarios, without any
promise of what it gains. All of them read the plant alone, and begin at the classic: the last layer
of the actor is 0. `dqn` chooses among a few corrections (`choices_of`).

Their policies run in torch, in batches on one thread, and are slower than a net in machine code.
The last bits of torch's sums may depend on the size of a batch. Trainings resume to the last bit;
the replay buffers of `sac`, `td3` and `dqn` are part of the checkpoint, about 40 MB with 50,000
steps of 100 features.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import numpy as np
import stable_baselines3 as sb3
import torch
from pydantic import Field
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy

from jitgym.control import Policy
from jitgym.control.net import MOST, Net, untrained
from jitgym.distributions import Positive

from ..checkpoint import expect_like
from ..corrections import Array, Corrected, Features, Steps
from ..policy import one_thread
from ..session import Problem, Stored
from ..settings import Budgeted, Count, Share, Width
from .paired import standardized, stored_net
from .shadow import UNBOUNDED, Shadowed, action_space
from .stepping import SteppingSession, as_stored, corrections_of, falling


class Settings(Budgeted):
    """What all of these learners state; configs/agents/*.yaml give the reason for each number."""

    plants: Count  # each has a shadow
    discount: Share  # of the difference, per period
    deviation: Positive  # of the first corrections, in steps; it also measures the reward's scale
    learning_rate: Positive  # at the start; it falls linearly to 0
    layers: Annotated[list[Width], Field(min_length=1)]
    interval: Share  # share of the budget between two looks


class Replaying(Settings):
    """Learners that draw minibatches from what they remember."""

    remembered: Count  # steps, of all plants together
    minibatch: Count
    gradients: Count  # gradient steps after each period of all plants


class Bounded(Replaying):
    """SAC and TD3: actions have bounds."""

    most: Positive  # largest correction, in steps


class Choosing(Replaying):
    """DQN: it tries other actions at random."""

    exploring: Share  # of the periods at first; it falls to a tenth over half of the budget
    renewed: Count  # steps, of all plants together, between two renewals of the target net


class Collecting(Settings):
    """A2C: it trains on what it has just collected."""

    between: Count  # periods of each plant between two updates


class Recurring(Collecting):
    """Recurrent PPO."""

    minibatch: Count
    epochs: Count
    memory: Count  # width of the recurrent layer


@dataclass(frozen=True, eq=False)
class ByModel(Corrected):
    """A classic policy corrected by a net of torch; a recurrent one keeps a memory per plant."""

    model: Any = None  # policy of stable-baselines3
    choices: Array | None = None  # corrections of each action in steps, (actions, sources)

    @cached_property
    def as_data(self) -> None:
        """None: a net of torch does not run in compiled code."""
        return None

    @cached_property
    def remembers(self) -> int:
        """Width of the recurrent layer; 0 if there is none."""
        layer = getattr(self.model, "lstm_actor", None)
        return 0 if layer is None else int(layer.hidden_size)

    def start(self, batch: int) -> Array:
        """Return the memory of the classic, followed by the two states of the recurrent layer."""
        return np.hstack([super().start(batch), np.zeros((batch, 2 * self.remembers))])

    def asks(self, state: Array, memory: Array) -> Array:
        """Return what it asks for, (batch, asked cells)."""
        width = memory.shape[1] - 2 * self.remembers
        own = np.ascontiguousarray(memory[:, :width])
        asked = self.asking(state, own)
        memory[:, :width] = own
        seen = standardized(self.net, self.features(state, asked))
        kept = None
        if self.remembers:
            pair = np.split(memory[:, width:].astype(np.float32), 2, axis=1)
            kept = tuple(np.ascontiguousarray(part)[np.newaxis] for part in pair)
        goes_on = np.zeros(len(seen), dtype=bool)
        with one_thread():
            actions, kept = self.model.predict(seen, kept, goes_on, deterministic=True)
        if self.remembers:
            memory[:, width:] = np.hstack([part[0] for part in kept])
        steps = actions if self.choices is None else self.choices[actions]
        return self.corrected(state, asked, steps)


@dataclass(frozen=True)
class Stock:
    """One of these learners: what its algorithm and its policy are built with."""

    name: str
    Settings: type[Settings]
    algorithm: type[BaseAlgorithm]
    policy: Any  # class of its net
    arguments: Callable[[Any, int], dict[str, Any]]  # of the algorithm, from settings and sources
    net: Callable[[Any], Mapping[str, Any]] = lambda settings: {}  # more arguments of the net
    chooses: bool = False  # whether an action is the number of a choice

    def begin(self, problem: Problem, settings: Any) -> StockSession:
        """Return a new session."""
        return StockSession(self, problem, settings)

    def restored(self, problem: Problem, settings: Any, stored: Stored, path: Path) -> ByModel:
        """Return the policy of stored weights. Raises RunError if they do not fit the plant."""
        start = problem.start.policy
        base = Corrected("corrected", problem.layout, start, _moments(stored, problem, path))
        return self.of(base, settings, stored["policy"], path)

    def of(self, base: Corrected, settings: Any, weights: Stored, path: Path) -> ByModel:
        """Return the policy with these weights."""
        choices = self.choices(base)
        seen = gymnasium.spaces.Box(-MOST, MOST, (base.features.width,), np.float32)
        actions = action_space(base, getattr(settings, "most", UNBOUNDED), choices)
        model = self.policy(seen, actions, lambda _: 0.0, **self.net_arguments(settings))
        expect_like(weights, dict(model.state_dict()), path, "policy")
        model.load_state_dict(weights)
        model.set_training_mode(False)
        return ByModel("corrected", base.layout, base.base, base.net, model=model, choices=choices)

    def choices(self, base: Corrected) -> Array | None:
        """Return the corrections of each action, or None if an action is a correction."""
        return choices_of(base.steps.lot.size) if self.chooses else None

    def net_arguments(self, settings: Any) -> dict[str, Any]:
        """Return the arguments of the net."""
        common = {"net_arch": list(settings.layers), "activation_fn": torch.nn.ReLU}
        return common | dict(self.net(settings))

    def make(self, base: Corrected, settings: Any, seed: int) -> BaseAlgorithm:
        """Return the learner, whose untrained policy is the classic."""
        env = Shadowed(
            base,
            settings.plants,
            seed,
            deviation=settings.deviation,
            most=getattr(settings, "most", UNBOUNDED),
            choices=self.choices(base),
        )
        algorithm: Any = self.algorithm
        model = algorithm(
            self.policy,
            env,
            learning_rate=falling(settings.learning_rate),
            gamma=settings.discount,
            policy_kwargs=self.net_arguments(settings),
            seed=seed % 2**32,
            device="cpu",
            **self.arguments(settings, base.steps.lot.size),
        )
        begin_at_classic(model.policy, settings)
        return model


class StockSession(SteppingSession):
    """A training of one of these learners."""

    def __init__(self, stock: Stock, problem: Problem, settings: Settings) -> None:
        base = corrections_of(problem, hidden=1)  # of this net, only the moments are used
        model = stock.make(base, settings, problem.seed)
        super().__init__(problem, settings, base, model, self._now)
        self.stock = stock

    def _now(self) -> tuple[Policy, Stored]:
        weights = as_stored(copy.deepcopy(dict(self.model.policy.state_dict())))
        policy = self.stock.of(self.base, self.settings, weights, Path())
        moments = stored_net(self.base.net)
        return policy, {"mean": moments["mean"], "gain": moments["gain"], "policy": weights}


def choices_of(sources: int) -> Array:
    """Return the corrections of each action, (actions, sources) in steps; action 0 is "none".

    One source: one or two steps more or less. Several: one step more or less of one source.
    """
    if sources == 1:
        return np.array([[0.0], [1.0], [-1.0], [2.0], [-2.0]])
    single = np.eye(sources)
    return np.concatenate([np.zeros((1, sources)), single, -single])


def begin_at_classic(policy: Any, settings: Settings) -> None:
    """Make the last layers 0, so that the most likely correction is 0 everywhere."""
    last: list[Any]
    if isinstance(policy, SACPolicy):
        last = [policy.actor.mu, policy.actor.log_std]
    elif isinstance(policy, TD3Policy):
        last = [policy.actor.mu[-2], policy.actor_target.mu[-2]]  # tanh is behind it
    elif isinstance(policy, DQNPolicy):
        last = [policy.q_net.q_net[-1], policy.q_net_target.q_net[-1]]
    else:
        last = [policy.action_net]
    with torch.no_grad():
        for layer in last:
            layer.weight.zero_()
            layer.bias.zero_()
        if isinstance(policy, SACPolicy):
            assert isinstance(settings, Bounded)
            last[1].bias.fill_(float(np.log(settings.deviation / settings.most)))


def _moments(stored: Stored, problem: Problem, path: Path) -> Net:
    """Return a net of which only the stored moments of the features are used."""
    steps = Steps.of(problem.layout, problem.start.policy)
    width = Features(problem.layout, steps).width
    known = torch.zeros(width, dtype=torch.float64)
    expect_like(
        {name: part for name, part in stored.items() if name != "policy"},
        {"mean": known, "gain": known},
        path,
        "policy",
    )
    mean, gain = (stored[name].numpy() for name in ("mean", "gain"))
    return untrained(mean, 1.0 / gain, 1, steps.lot.size, 0)


def _replaying(settings: Replaying) -> dict[str, Any]:
    return {
        "buffer_size": settings.remembered,
        "batch_size": settings.minibatch,
        "train_freq": 1,
        "gradient_steps": settings.gradients,
        "learning_starts": 0,  # the classic with small deviations, not random actions
    }


def _noise(settings: Bounded, sources: int) -> dict[str, Any]:
    spread = np.full(sources, settings.deviation / settings.most)
    return {"action_noise": NormalActionNoise(np.zeros(sources), spread)}


def _deviating(settings: Settings) -> dict[str, Any]:
    return {"log_std_init": float(np.log(settings.deviation))}


SAC = Stock("sac", Bounded, sb3.SAC, SACPolicy, lambda s, n: _replaying(s))
TD3 = Stock("td3", Bounded, sb3.TD3, TD3Policy, lambda s, n: _replaying(s) | _noise(s, n))
A2C = Stock(
    "a2c", Collecting, sb3.A2C, ActorCriticPolicy, lambda s, n: {"n_steps": s.between}, _deviating
)
DQN = Stock(
    "dqn",
    Choosing,
    sb3.DQN,
    DQNPolicy,
    lambda s, n: (
        _replaying(s)
        | {
            "exploration_initial_eps": s.exploring,
            "exploration_final_eps": s.exploring / 10,
            "exploration_fraction": 0.5,
            "target_update_interval": s.renewed,
        }
    ),
    chooses=True,
)
RECURRENT_PPO = Stock(
    "recurrent-ppo",
    Recurring,
    RecurrentPPO,
    RecurrentActorCriticPolicy,
    lambda s, n: {"n_steps": s.between, "batch_size": s.minibatch, "n_epochs": s.epochs},
    lambda s: _deviating(s) | {"lstm_hidden_size": s.memory},
)
