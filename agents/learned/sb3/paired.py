"""PPO of stable-baselines3 whose rollouts are paired branches.

    advantage = -(cost of a branch that deviates - cost of the branch that does not)

From states of a herd that follows the policy, three branches start: the mean action, and one
deviation of it with both signs. Afterwards all follow the mean policy on the same tape, until their
states are equal (`agents.branches`). The difference of their costs is the advantage of the
deviation: no critic, no discount, no horizon (vine sampling, Schulman et al. 2015, section 5.2).

The noise scale, the number of states at which the gradient of the cost is as large as its own noise
(McCandlish et al. 2018), is measured at the classic and reported. Where differences have a heavy
tail, updates are larger and nothing is clipped: the mean is made by rare backlogs, and whatever
clips, clips exactly those.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import numpy as np
import torch
from pydantic import Field
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv

from jitgym.control import Policy
from jitgym.control.net import MOST, Net, untrained
from jitgym.distributions import Positive

from ...branches import Asking, Herd, Points, branch
from ..averaging import Average
from ..checkpoint import expect_like
from ..corrections import Corrected, Features, Steps
from ..session import Problem, Stored
from ..settings import Budgeted, Count, Share, Width

Tensor = torch.Tensor

WARM_UP = 300  # periods between the first and the last plant of a herd at the start
MOMENTS = 8  # times that features are read for their moments, a few periods apart


class Settings(Budgeted):
    """Hyperparameters; configs/agents/paired-ppo.yaml gives the reason for each number."""

    states: Count  # of an update
    more_states: Count  # of an update in heavy tails
    heavy_tail: (
        Positive  # root mean square over median of differences from which nothing is clipped
    )
    between: Count  # periods that the herd runs between two updates
    deviation: Positive  # first standard deviation of the deviations, in steps
    last_deviation: Positive
    together: Count  # numbers that deviate together
    cap: Count  # periods after which a pair is stopped
    learning_rate: Positive  # at the start, over the number of sources; it falls linearly to 0
    more_rate: Positive  # the same for larger updates
    epochs: Count
    minibatch: Count
    clip: Positive
    gradient: Positive  # largest norm of a gradient
    average: Annotated[float, Field(ge=0, lt=1)]  # weight of the past in the average of the weights
    layers: Annotated[list[Width], Field(min_length=2, max_length=2)]
    interval: Share  # share of the budget between two looks


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
        latent = self.mlp_extractor.policy_net(features)
        mean = self.action_net(latent)
        spread = self.log_std.exp()
        deviates = ~torch.isnan(actions)
        z = torch.where(deviates, (torch.nan_to_num(actions) - mean) / spread, 0.0)
        log_probability = (-0.5 * z**2 - torch.where(deviates, self.log_std, 0.0)).sum(dim=1)
        return torch.zeros(len(mean)), log_probability, None


class PairedPPO(PPO):
    """PPO that collects paired branches instead of steps."""

    def bind(self, base: Corrected, herd: Herd, settings: Settings, seed: int) -> None:
        """Say what the branches start from."""
        self.base, self.herd, self.settings = base, herd, settings
        self.noise = np.random.default_rng([seed, 1])
        self.scale = 0.0  # root mean square of differences, in money
        self.periods = 0
        self.unmet = 0.0
        head: Any = self.policy.action_net
        with torch.no_grad():
            head.weight.zero_()
            head.bias.zero_()
        self.policy.log_std.requires_grad_(False)
        self.set_logger(configure(None, []))
        self._callback = Nothing()
        self._callback.init_callback(self)

    def update(self, used: float) -> None:
        """Run one update; `used` is the share of the budget that is used, 0 to 1."""
        self._current_progress_remaining = 1.0 - used
        self.collect_rollouts(self.env, self._callback, self.rollout_buffer, self.n_steps)
        self.train()

    def collect_rollouts(
        self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Fill the buffer with deviations of both signs and their advantages."""
        settings = self.settings
        used = 1.0 - self._current_progress_remaining
        spread = settings.deviation * (1.0 - used) + settings.last_deviation * used
        self.policy.log_std.fill_(float(np.log(spread)))
        policy = self.corrected()
        herd = self.herd
        asking = Asking(policy, policy.layout)
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
        points = Points(state, memory, herd.keys, herd.period, policy.corrected(state, asked, mean))
        of = np.repeat(np.arange(count), 2)
        run = branch(asking, points, varied[order], of, cap=settings.cap)
        self.periods += run.periods
        self.unmet = run.unmet
        difference = np.empty(2 * count)
        difference[order] = run.difference
        size = float(np.sqrt((difference**2).mean()))
        self.scale = size if self.scale == 0.0 else 0.95 * self.scale + 0.05 * size
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
        buffer.advantages[:] = (-difference / max(self.scale, 1e-12)).reshape(2, count)
        buffer.full = True
        self.num_timesteps += 2 * count
        return True

    def corrected(self) -> Corrected:
        """Return the policy with the net as it is now."""
        return self.base.with_net(self.net())

    def net(self) -> Net:
        """Return the net as data."""
        return net_of(self.policy, self.base.net)


def net_of(policy: Any, like: Net) -> Net:
    """Return the actor of a policy with two hidden layers as data, with the moments of a net."""
    hidden = policy.mlp_extractor.policy_net

    def plain(weights: Tensor) -> Any:
        return np.ascontiguousarray(weights.detach().numpy().T).copy()

    return like._replace(
        first=plain(hidden[0].weight), first_bias=plain(hidden[0].bias),
        second=plain(hidden[2].weight), second_bias=plain(hidden[2].bias),
        last=plain(policy.action_net.weight), last_bias=plain(policy.action_net.bias),
    )  # fmt: skip


def standardized(net: Net, features: Any) -> Any:
    """Return features as the net reads them, (batch, features)."""
    return np.clip((features - net.mean) * net.gain, -MOST, MOST).astype(np.float32)


def outputs(net: Net, inputs: Any) -> Any:
    """Return the outputs of a net for standardized inputs, in numpy."""
    one = np.maximum(inputs @ net.first + net.first_bias, 0.0)
    two = np.maximum(one @ net.second + net.second_bias, 0.0)
    return np.asarray(two @ net.last + net.last_bias, dtype=np.float64)


class Nothing(BaseCallback):
    """A callback that does nothing."""

    def _on_step(self) -> bool:
        return True


@dataclass(frozen=True)
class Noise:
    """What pairs at the classic show."""

    scale: float  # states at which the gradient is as large as its noise
    tail: float  # root mean square of the differences over the median of those that are not 0
    unmet: float  # share of the pairs that were stopped at the cap
    periods: int


def make(base: Corrected, herd: Herd, settings: Settings, heavy: bool, seed: int) -> PairedPPO:
    """Return the learner, whose untrained policy is the classic."""
    rate = (settings.more_rate if heavy else settings.learning_rate) / base.steps.lot.size
    model = PairedPPO(
        DeviatingPolicy,
        Shell(herd.size, base.features.width, base.steps.lot.size),
        learning_rate=lambda rest: rate * rest,
        n_steps=2,
        batch_size=2 * herd.size if heavy else min(settings.minibatch, 2 * herd.size),
        n_epochs=1 if heavy else settings.epochs,
        clip_range=1e6 if heavy else settings.clip,
        normalize_advantage=False,
        ent_coef=0.0,
        vf_coef=0.0,
        max_grad_norm=1e9 if heavy else settings.gradient,
        policy_kwargs={
            "net_arch": {"pi": list(settings.layers), "vf": []},
            "activation_fn": torch.nn.ReLU,
        },
        seed=seed % 2**32,
        device="cpu",  # such small nets lose more time on the way to a GPU than they gain
    )
    model.bind(base, herd, settings, seed)
    return model


def classic_with_net(problem: Problem, herd: Herd, hidden: int) -> Corrected:
    """Return the start with an untrained net, whose features are standardized on the herd."""
    base, layout = problem.start.policy, problem.layout
    asking, steps = Asking(base, layout), Steps.of(layout, base)
    features = Features(layout, steps)
    seen = []
    for _ in range(MOMENTS):
        herd.follow(asking, 4)
        seen.append(features(herd.state, asking(herd.state, herd.memory.copy())))
    shown = np.concatenate(seen)
    deviation = shown.std(axis=0)
    deviation = np.where(deviation < 1e-9, features.usual, deviation)  # if it never moved
    net = untrained(shown.mean(axis=0), deviation, hidden, steps.lot.size, problem.seed)
    return Corrected("corrected", layout, base, net)


def measured(base: Corrected, herd: Herd, settings: Settings, seed: int) -> Noise:
    """Measure the noise of the gradient at the classic, on one pair of branches per plant."""
    asking = base.asking
    state, memory = herd.state, herd.memory.copy()
    asked = asking(state, memory)
    features = standardized(base.net, base.features(state, asked))
    hidden = np.maximum(features @ base.net.first + base.net.first_bias, 0.0)
    hidden = np.maximum(hidden @ base.net.second + base.net.second_bias, 0.0)
    count, width = herd.size, base.steps.lot.size
    noise = few(np.random.default_rng([seed, 2]).standard_normal((count, width)), settings, seed)
    varied = np.empty((2 * count, asked.shape[1]))
    varied[::2] = base.corrected(state, asked, settings.deviation * noise)
    varied[1::2] = base.corrected(state, asked, -settings.deviation * noise)
    points = Points(state, memory, herd.keys, herd.period, asked)
    run = branch(asking, points, varied, np.repeat(np.arange(count), 2), cap=settings.cap)
    apart = run.difference[::2] - run.difference[1::2]
    size = np.sqrt((apart**2).mean())
    usual = np.median(np.abs(apart[apart != 0.0])) if apart.any() else 1.0
    pull = noise * (apart / max(size, 1e-12))[:, np.newaxis]  # gradient of the last layer's outputs
    gradient = hidden.T @ pull / count
    whole = float(((hidden**2).sum(axis=1) * (pull**2).sum(axis=1)).mean())
    squared = float((gradient**2).sum())
    true = max(squared - whole / count, 1e-12 * max(whole, 1e-300))  # without its own noise
    return Noise(whole / true, float(size / usual), run.unmet, run.periods)


def at_the_classic(problem: Problem, settings: Settings) -> tuple[Corrected, Herd, Noise]:
    """Return the untrained policy, a herd that follows the classic, and the noise there."""
    herd = Herd(problem.layout, settings.more_states, problem.seed)
    herd.begin(Asking(problem.start.policy, problem.layout), WARM_UP)
    base = classic_with_net(problem, herd, settings.layers[0])
    return base, herd, measured(base, herd, settings, problem.seed)


def few(noise: Any, settings: Settings, seed: int) -> Any:
    """Return noise in which only a few numbers of each row deviate."""
    if noise.shape[1] > settings.together:
        places = np.random.default_rng([seed, 3]).random(noise.shape).argsort(axis=1)
        noise = np.where(places < settings.together, noise, 0.0)
    return noise


class PairedSession:
    """A training by paired branches."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.settings = problem, settings
        asking = Asking(problem.start.policy, problem.layout)
        self.base, herd, self.noise = at_the_classic(problem, settings)
        self.is_heavy = self.noise.tail > settings.heavy_tail
        states = settings.more_states if self.is_heavy else settings.states
        if states != herd.size:
            herd = Herd(problem.layout, states, problem.seed)
            herd.begin(asking, WARM_UP)
        self.model = make(self.base, herd, settings, self.is_heavy, problem.seed)
        self.earlier = self.noise.periods
        self.average = Average(self.model.net())
        self.updates = 0

    @property
    def periods(self) -> int:
        """Simulated periods so far."""
        return self.earlier + self.model.periods

    @property
    def share(self) -> float:
        """The share of the budget that is used."""
        return min(1.0, self.periods / self.problem.periods)

    @property
    def is_over(self) -> bool:
        """Whether the budget is used."""
        return self.periods >= self.problem.periods

    def advance(self) -> None:
        """Run updates until the next look."""
        target = self.periods + self.settings.interval * self.problem.periods
        while self.periods < min(target, self.problem.periods):
            self.model.update(self.share)
            self.updates += 1
            self.average.follow(self.model.net(), self.settings.average)

    def candidate(self) -> tuple[Policy, Stored]:
        """Return the policy with the averaged weights."""
        net = self.average.net(self.model.net())
        return self.base.with_net(net), stored_net(net)

    def figures(self) -> dict[str, float]:
        """Return figures of the training."""
        return {
            "noise scale (states)": self.noise.scale,
            "tail of differences": self.noise.tail,
            "unmet pairs": self.model.unmet,
            "root mean square of differences": self.model.scale,
            "updates": float(self.updates),
        }

    def snapshot(self) -> Stored:
        """Return all that changes."""
        model = self.model
        state = model.noise.bit_generator.state["state"]
        return {
            "policy": model.policy.state_dict(),
            "optimizer": model.policy.optimizer.state_dict(),
            "herd": {k: torch.from_numpy(v.astype(np.int64) if v.dtype == np.uint64 else v)
                     for k, v in model.herd.snapshot().items()},
            "average": self.average.snapshot(),
            "noise": {name: str(value) for name, value in state.items()},
            "torch": torch.get_rng_state(),
            "numpy": numpy_state(),
            "scale": model.scale,
            "periods": model.periods,
            "steps": model.num_timesteps,
            "model_updates": model._n_updates,
            "updates": self.updates,
        }  # fmt: skip

    def restore(self, stored: Stored) -> None:
        """Go on from a snapshot. Raises RunError if it does not fit."""
        model = self.model
        expect_like(stored, self._known(), "session")
        model.policy.load_state_dict(stored["policy"])
        model.policy.optimizer.load_state_dict(stored["optimizer"])
        herd = {name: part.numpy() for name, part in stored["herd"].items()}
        herd["keys"] = herd["keys"].astype(np.uint64)
        model.herd.restore(herd)
        self.average.restore(stored["average"])
        generator: Any = model.noise.bit_generator
        state = {name: int(value) for name, value in stored["noise"].items()}
        generator.state = {**generator.state, "state": state}
        torch.set_rng_state(stored["torch"])
        restore_numpy(stored["numpy"])
        model.scale, model.periods = stored["scale"], stored["periods"]
        model.num_timesteps, model._n_updates = stored["steps"], stored["model_updates"]
        self.updates = stored["updates"]

    def _known(self) -> Stored:
        """Return a snapshot like those that are stored, after the first step of Adam."""
        policy: Any = self.model.policy
        trained = {
            id(weight)
            for part in (policy.mlp_extractor.policy_net, policy.action_net)
            for weight in part.parameters()
        }
        groups = policy.optimizer.param_groups
        weights = [weight for group in groups for weight in group["params"]]
        one = {"step": torch.tensor(0.0)}
        state = {
            k: one | {"exp_avg": weight.detach(), "exp_avg_sq": weight.detach()}
            for k, weight in enumerate(weights)
            if id(weight) in trained
        }
        known = self.snapshot()
        return known | {"optimizer": known["optimizer"] | {"state": state}}


def numpy_state() -> Stored:
    """Return the state of numpy's global generator, which stable-baselines3 uses."""
    name, keys, *rest = np.random.get_state()
    return {"name": name, "keys": torch.from_numpy(np.array(keys).astype(np.int64)), "rest": rest}


def restore_numpy(stored: Stored) -> None:
    """Restore the state of numpy's global generator."""
    keys = stored["keys"].numpy().astype(np.uint32)
    np.random.set_state((stored["name"], keys, *stored["rest"]))


def stored_net(net: Net) -> Stored:
    """Return a net as tensors."""
    return {name: torch.from_numpy(np.array(part)) for name, part in net._asdict().items()}


def begin(problem: Problem, settings: Settings) -> PairedSession:
    """Return a new session."""
    return PairedSession(problem, settings)


def restored(problem: Problem, settings: Settings, stored: Stored, path: Path) -> Corrected:
    """Return the policy of a stored net. Raises RunError if it does not fit the plant."""
    base, layout = problem.start.policy, problem.layout
    steps = Steps.of(layout, base)
    width = Features(layout, steps).width
    known = untrained(np.zeros(width), np.ones(width), settings.layers[0], steps.lot.size, 0)
    expect_like(stored, stored_net(known), path, "policy")
    return Corrected("corrected", layout, base, Net(**{k: v.numpy() for k, v in stored.items()}))
