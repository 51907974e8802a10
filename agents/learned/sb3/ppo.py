"""PPO of stable-baselines3 on corrections to the classic, beside a shadow plant.

    reward = (cost of the shadow - cost of the plant) / scale

The actor reads the plant alone; the critic reads the plant and how it differs from its shadow. The
last layer of the actor begins at 0, so the untrained policy is the classic. The trained actor runs
in machine code (`jitgym.control.net`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import MlpExtractor

from jitgym.control import Policy
from jitgym.distributions import Positive

from ..averaging import Average
from ..corrections import Corrected
from ..session import Problem, Stored
from ..settings import Budgeted, Count, Share, Width
from . import paired
from .paired import net_of, stored_net
from .shadow import Shadowed
from .stepping import SteppingSession, corrections_of, falling

FOLLOWS = 9  # after this many updates the average keeps half of its past


class Settings(Budgeted):
    """Hyperparameters; configs/agents/ppo.yaml gives the reason for each number."""

    plants: Count  # each has a shadow
    between: Count  # periods of each plant between two updates
    discount: Share  # of the difference, per period
    gae_lambda: Share
    deviation: Positive  # first standard deviation of the corrections, in steps
    learning_rate: Positive  # at the start; it falls linearly to 0
    epochs: Count
    minibatch: Count
    clip: Positive
    gradient: Positive  # largest norm of a gradient
    average: Annotated[float, Field(ge=0, lt=1)]  # weight of the past in the average of the weights
    layers: Annotated[list[Width], Field(min_length=2, max_length=2)]
    interval: Share  # share of the budget between two looks


class Halves(MlpExtractor):
    """Hidden layers of an actor that reads the first features only, and of a critic of all."""

    def __init__(self, both: int, seen: int, layers: list[int], activation: Any) -> None:
        super().__init__(both, layers, activation, "cpu")
        self.seen = seen
        self.policy_net = MlpExtractor(seen, layers, activation, "cpu").policy_net

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        """Return the actor's last hidden layer."""
        return super().forward_actor(features[:, : self.seen])


class BesideShadow(ActorCriticPolicy):
    """An actor of the plant, and a critic of the plant and its difference to the shadow."""

    action_net: torch.nn.Linear

    def _build_mlp_extractor(self) -> None:
        both, layers = self.features_dim, self.net_arch
        assert isinstance(layers, list)
        self.mlp_extractor = Halves(both, both // 2, layers, self.activation_fn)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        with torch.no_grad():
            self.action_net.weight.zero_()
            self.action_net.bias.zero_()


class Session(SteppingSession):
    """A training of PPO."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        base = corrections_of(problem, settings.layers[0])
        super().__init__(problem, settings, base, make(base, settings, problem.seed), self._now)
        self.keep = settings.average
        self.average = Average(net_of(self.model.policy, base.net))

    def _update(self) -> None:
        super()._update()
        follows = self.updates / (self.updates + FOLLOWS)  # the first updates count less
        self.average.follow(net_of(self.model.policy, self.base.net), min(self.keep, follows))

    def _now(self) -> tuple[Policy, Stored]:
        """Return the policy with the averaged weights."""
        net = self.average.net(self.base.net)
        return self.base.with_net(net), stored_net(net)

    def snapshot(self) -> Stored:
        """Return all that changes."""
        return super().snapshot() | {"average": self.average.snapshot()}

    def restore(self, stored: Stored) -> None:
        """Go on from a snapshot. Raises RunError if it does not fit."""
        super().restore(stored)
        self.average.restore(stored["average"])

    def figures(self) -> dict[str, float]:
        """Return figures of the training."""
        deviation = float(np.exp(self.model.policy.log_std.detach().numpy()).mean())
        return super().figures() | {"deviation (steps)": deviation}


def make(base: Corrected, settings: Settings, seed: int) -> PPO:
    """Return the learner, whose untrained policy is the classic."""
    env = Shadowed(base, settings.plants, seed, deviation=settings.deviation, with_shadow=True)
    return PPO(
        BesideShadow,
        env,
        learning_rate=falling(settings.learning_rate),
        n_steps=settings.between,
        batch_size=min(settings.minibatch, settings.plants * settings.between),
        n_epochs=settings.epochs,
        gamma=settings.discount,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip,
        ent_coef=0.0,
        max_grad_norm=settings.gradient,
        policy_kwargs={
            "net_arch": list(settings.layers),
            "activation_fn": torch.nn.ReLU,
            "log_std_init": float(np.log(settings.deviation)),
        },
        seed=seed % 2**32,
        device="cpu",  # such small nets lose more time on the way to a GPU than they gain
    )


def begin(problem: Problem, settings: Settings) -> Session:
    """Return a new session."""
    return Session(problem, settings)


def restored(problem: Problem, settings: Any, stored: Stored, path: Path) -> Corrected:
    """Return the policy of a stored net. Raises RunError if it does not fit the plant."""
    return paired.restored(problem, settings, stored, path)
