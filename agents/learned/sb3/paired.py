"""PPO of stable-baselines3 whose rollouts are paired branches.

    advantage = -(cost of a branch that deviates - cost of the branch that does not)

From states of a herd that follows the policy, three branches start: the mean action, and one
deviation of it with both signs. Afterwards all follow the mean policy on the same tape, until their
states are equal (`agents.branches`). The difference of their costs is the advantage of the
deviation: no critic, no discount, no horizon (vine sampling, Schulman et al. 2015, section 5.2).
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv

from jitgym.control.net import MOST, Net

from ...branches import Asking, Herd, branch
from ..corrections import Corrected

Tensor = torch.Tensor


class Shell(VecEnv):
    """The spaces of the branches, for stable-baselines3; nothing is ever stepped through it."""

    def __init__(self, count: int, features: int, outputs: int) -> None:
        inputs = gymnasium.spaces.Box(-MOST, MOST, (features,), np.float32)
        actions = gymnasium.spaces.Box(-100.0, 100.0, (outputs,), np.float32)
        super().__init__(count, inputs, actions)

    def reset(self) -> Any:
        """Return observations of 0."""
        return np.zeros((self.num_envs, *self.observation_space.shape), np.float32)  # type: ignore[misc]

    def step_async(self, actions: Any) -> None:
        """Do nothing."""

    def step_wait(self) -> Any:
        """Refuse: the branches are not steps."""
        raise RuntimeError("paired branches take no steps")

    def close(self) -> None:
        """Do nothing."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return None for every attribute."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Do nothing."""

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list:
        """Do nothing."""
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Return False for each."""
        return [False] * self.num_envs


class DeviatingPolicy(ActorCriticPolicy):
    """A net whose actions deviate in a few entries only; the others are nan and do not count."""

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return values (0), the log-probabilities of the entries that deviate, and no entropy."""
        features = self.extract_features(obs)
        latent = self.mlp_extractor.forward_actor(features)
        mean = self.action_net(latent)
        spread = self.log_std.exp()
        deviates = ~torch.isnan(actions)
        z = torch.where(deviates, (torch.nan_to_num(actions) - mean) / spread, 0.0)
        log_probability = (-0.5 * z**2 - torch.where(deviates, self.log_std, 0.0)).sum(dim=1)
        return torch.zeros(len(mean)), log_probability, None


class PairedPPO(PPO):
    """PPO that collects paired branches instead of steps."""

    def bind(self, base: Corrected, herd: Herd, settings: Any, heavy: bool, seed: int) -> None:
        """Say what the branches start from."""
        self.base, self.herd, self.settings, self.heavy = base, herd, settings, heavy
        self.noise = np.random.default_rng([seed, 1])
        self.scale = 0.0
        self.periods = 0
        self.unmet = 0.0
        self.difference = 0.0
        with torch.no_grad():
            self.policy.action_net.weight.zero_()
            self.policy.action_net.bias.zero_()
        self.policy.log_std.requires_grad_(False)

    def collect_rollouts(
        self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Fill the buffer with deviations of both signs and their advantages."""
        settings = self.settings
        callback.on_rollout_start()
        used = 1.0 - self._current_progress_remaining
        spread = settings.deviation * (1.0 - used) + settings.last_deviation * used
        self.policy.log_std.fill_(float(np.log(spread)))
        policy = self.corrected()
        herd, layout = self.herd, policy.layout
        asking = Asking(policy, layout)
        herd.follow(asking, settings.between)
        self.periods += settings.between * herd.size
        state, memory = herd.state, herd.memory.copy()
        asked = policy.asking(state, memory)
        features = policy.features(state, asked)
        inputs = standardized(policy.net, features)
        mean = outputs(policy.net, inputs)
        count, width = mean.shape
        noise = spread * self.noise.standard_normal((count, width))
        if width > settings.together:
            places = self.noise.random((count, width)).argsort(axis=1)
            noise[places >= settings.together] = 0.0
        both = [mean + noise, mean - noise]
        varied = np.concatenate([policy.corrected(state, asked, each) for each in both])
        order = np.arange(2 * count).reshape(2, count).T.ravel()  # by incumbent
        run = branch(
            layout, asking, state, memory, herd.keys, herd.period,
            policy.corrected(state, asked, mean), varied[order],
            np.repeat(np.arange(count), 2), cap=settings.cap,
        )  # fmt: skip
        self.periods += run.periods
        self.unmet = run.unmet
        difference = np.empty(2 * count)
        difference[order] = run.difference
        size = float(np.sqrt((difference**2).mean()))
        self.scale = size if self.scale == 0.0 else 0.95 * self.scale + 0.05 * size
        advantage = -difference / max(self.scale, 1e-12)
        self.difference = size
        actions = np.stack(both).astype(np.float32)
        actions[:, noise == 0.0] = np.nan
        with torch.no_grad():
            _, known, _ = self.policy.evaluate_actions(
                torch.as_tensor(np.concatenate([inputs, inputs])),
                torch.as_tensor(actions.reshape(2 * count, width)),
            )
        buffer = rollout_buffer
        buffer.reset()
        buffer.observations[:] = inputs
        buffer.actions[:] = actions
        buffer.log_probs[:] = known.numpy().reshape(2, count)
        buffer.advantages[:] = advantage.reshape(2, count)
        buffer.full = True
        self.num_timesteps += 2 * count
        callback.update_locals(locals())
        return bool(callback.on_step())

    def corrected(self) -> Corrected:
        """Return the policy with the net as it is now."""
        return self.base.with_net(self.net())

    def net(self) -> Net:
        """Return the net as data."""
        first, second = self.policy.mlp_extractor.policy_net[0], self.policy.mlp_extractor.policy_net[2]
        last = self.policy.action_net

        def plain(weights: Tensor) -> Any:
            return np.ascontiguousarray(weights.detach().numpy().T)

        return self.base.net._replace(
            first=plain(first.weight), first_bias=plain(first.bias),
            second=plain(second.weight), second_bias=plain(second.bias),
            last=plain(last.weight), last_bias=plain(last.bias),
        )  # fmt: skip


def standardized(net: Net, features: Any) -> Any:
    """Return features as the net reads them, (batch, features)."""
    return np.clip((features - net.mean) * net.gain, -MOST, MOST).astype(np.float32)


def outputs(net: Net, inputs: Any) -> Any:
    """Return the outputs of a net for standardized inputs, in numpy."""
    one = np.maximum(inputs @ net.first + net.first_bias, 0.0)
    two = np.maximum(one @ net.second + net.second_bias, 0.0)
    return np.asarray(two @ net.last + net.last_bias, dtype=np.float64)


def make(base: Corrected, herd: Herd, settings: Any, heavy: bool, seed: int) -> PairedPPO:
    """Return the learner, whose untrained policy is the classic."""
    width = base.steps.lot.size
    epochs = 1 if heavy else settings.epochs
    model = PairedPPO(
        DeviatingPolicy,
        Shell(herd.size, base.features.width, width),
        learning_rate=lambda rest: settings.learning_rate * rest,
        n_steps=2,
        batch_size=2 * herd.size if heavy else settings.minibatch,
        n_epochs=epochs,
        clip_range=1e6 if heavy else settings.clip,
        normalize_advantage=False,
        ent_coef=0.0,
        vf_coef=0.0,
        max_grad_norm=1e9 if heavy else settings.gradient,
        policy_kwargs={
            "net_arch": {"pi": list(settings.layers), "vf": []},
            "activation_fn": torch.nn.ReLU,
            "optimizer_kwargs": {"eps": 1e-8},
        },
        seed=seed % 2**32,
        device="cpu",
    )
    model.bind(base, herd, settings, heavy, seed)
    return model
