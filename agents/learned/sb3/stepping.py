"""A training of any learner of stable-baselines3 that takes steps beside a shadow (`shadow`).

Each update collects steps and trains, by the algorithm's own `collect_rollouts` and `train`. A
snapshot holds all that changes, the replay buffer included, so that every such training resumes to
the last bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from stable_baselines3.common.logger import configure
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from jitgym.control import Policy
from jitgym.evaluate import RunError

from ...branches import Asking, Herd
from ..checkpoint import expect_like
from ..corrections import Corrected
from ..session import Problem, Stored
from .paired import Nothing, classic_with_net, numpy_state, restore_numpy
from .shadow import STAGGER, Shadowed

HERD = 256
"""Plants whose states give the moments of the features."""

COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_episode_num",
    "_current_progress_remaining",
    "exploration_rate",
)
LAST = ("_last_obs", "_last_episode_starts")
BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class Stepping(Protocol):
    """What the session needs of the settings."""

    interval: float  # share of the budget between two looks


class SteppingSession:
    """A training that takes steps; `candidate` makes its policy from the learner `model`."""

    def __init__(
        self,
        problem: Problem,
        settings: Stepping,
        base: Corrected,
        model: Any,
        candidate: Callable[[], tuple[Policy, Stored]],
    ) -> None:
        self.problem, self.settings, self.base, self.model = problem, settings, base, model
        self.candidate = candidate
        assert isinstance(model.env, Shadowed)
        self.env = model.env
        self.updates = 0
        model.set_logger(configure(None, []))
        self._total, self._callback = model._setup_learn(
            max(1, (problem.periods - self.env.periods) // 2), Nothing()
        )

    @property
    def periods(self) -> int:
        """Simulated periods so far, of plants and shadows."""
        return self.env.periods

    @property
    def is_over(self) -> bool:
        """Whether the budget is used."""
        return self.periods >= self.problem.periods

    def advance(self) -> None:
        """Run updates until the next look."""
        target = self.periods + self.settings.interval * self.problem.periods
        while self.periods < min(target, self.problem.periods):
            self._update()
            self.updates += 1

    def _update(self) -> None:
        model, env = self.model, self.env
        model._update_current_progress_remaining(model.num_timesteps, self._total)
        if isinstance(model, OnPolicyAlgorithm):
            model.collect_rollouts(env, self._callback, model.rollout_buffer, model.n_steps)
            model.train()
            return
        model.collect_rollouts(
            env, self._callback, model.train_freq, model.replay_buffer,
            model.action_noise, model.learning_starts,
        )  # fmt: skip
        if model.num_timesteps > model.learning_starts:
            model.train(model.gradient_steps, model.batch_size)

    def figures(self) -> dict[str, float]:
        """Return figures of the training."""
        found = {"reward scale (money)": self.env.scale, "updates": float(self.updates)}
        for name, value in self.model.logger.name_to_value.items():
            if name.startswith("train/") and isinstance(value, float | np.floating):
                found[name.removeprefix("train/")] = float(value)
        return found

    def snapshot(self) -> Stored:
        """Return all that changes."""
        model = self.model
        arrays: Stored = {
            "variables": {name: _variable(model, name) for name in _variables(model)},
            "environments": self.env.snapshot(),
            "last": {name: getattr(model, name) for name in LAST},
            "memory": getattr(model, "_last_lstm_states", None),
            "buffer": {},
        }
        place: Stored = {}
        if isinstance(model, OffPolicyAlgorithm):
            buffer: Any = model.replay_buffer
            filled = buffer.buffer_size if buffer.full else buffer.pos
            arrays["buffer"] = {name: getattr(buffer, name)[:filled] for name in BUFFER}
            place = {"next": buffer.pos, "full": buffer.full}
        return as_stored(copy.deepcopy(arrays)) | {
            "parameters": copy.deepcopy(model.get_parameters()),
            "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
            "place": place,
            "torch": torch.get_rng_state(),
            "numpy": numpy_state(),
            "sampling": generator_state(model.action_space.np_random),
            "updates": self.updates,
        }

    def restore(self, stored: Stored) -> None:
        """Go on from a snapshot. Raises RunError if it does not fit."""
        model = self.model
        self._expect(stored)
        model.set_parameters(stored["parameters"], exact_match=True)
        for name in _variables(model):
            _variable(model, name).data.copy_(stored["variables"][name])
        self.env.restore(as_arrays(stored["environments"]))
        for name, value in {**stored["counters"], **as_arrays(stored["last"])}.items():
            setattr(model, name, value)
        if stored["memory"] is not None:
            kind = type(model._last_lstm_states)
            pairs = (tuple(pair.values()) for pair in stored["memory"].values())
            model._last_lstm_states = kind(*pairs)
        torch.set_rng_state(stored["torch"])
        restore_numpy(stored["numpy"])
        restore_generator(model.action_space.np_random, stored["sampling"])
        self.updates = stored["updates"]
        if isinstance(model, OffPolicyAlgorithm):
            buffer: Any = model.replay_buffer
            for name, rows in as_arrays(stored["buffer"]).items():
                getattr(buffer, name)[: len(rows)] = rows
            buffer.pos, buffer.full = stored["place"]["next"], stored["place"]["full"]

    def _expect(self, stored: Stored) -> None:
        """Raise RunError unless a snapshot has the parts, shapes and types of this training."""
        known = self.snapshot()
        found = dict(stored)
        known["parameters"], found["parameters"] = (
            {name: part for name, part in each["parameters"].items() if "optimizer" not in name}
            for each in (known, stored)
        )
        known["buffer"], found["buffer"] = (
            {name: rows[:0] for name, rows in each["buffer"].items()} for each in (known, stored)
        )
        expect_like(found, known, "session")
        optimizers = {name: stored["parameters"][name] for name in self.model.get_parameters()}
        if not _is_finite([optimizers, stored["buffer"]]):
            raise RunError("session: holds numbers that are not finite; expected finite numbers")


def corrections_of(problem: Problem, hidden: int) -> Corrected:
    """Return the start with an untrained net, whose features are standardized under the classic."""
    herd = Herd(problem.layout, HERD, problem.seed)
    herd.begin(Asking(problem.start.policy, problem.layout), STAGGER)
    return classic_with_net(problem, herd, hidden)


def falling(rate: float) -> Callable[[float], float]:
    """Return a learning rate that falls linearly to 0 with the rest of the budget."""
    return lambda rest: rate * max(rest, 0.0)


def _variables(model: Any) -> list[str]:
    """Return the names of the tensors that are not part of a net, such as SAC's entropy weight."""
    return list(model._get_torch_save_params()[1])


def _variable(model: Any, name: str) -> Any:
    found: Any = model
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _is_finite(data: Any) -> bool:
    """Return whether all tensors of nested data are finite."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        return all(map(_is_finite, data))
    return not isinstance(data, torch.Tensor) or bool(torch.isfinite(data).all())


def generator_state(generator: np.random.Generator) -> Stored:
    """Return the state of a generator; its numbers have 128 bits, so they are text."""
    state: Any = generator.bit_generator.state
    numbers = {name: str(value) for name, value in state["state"].items()}
    return {"numbers": numbers, "rest": [int(state["has_uint32"]), int(state["uinteger"])]}


def restore_generator(generator: np.random.Generator, stored: Stored) -> None:
    """Restore the state of a generator."""
    bits: Any = generator.bit_generator
    has, value = stored["rest"]
    numbers = {name: int(number) for name, number in stored["numbers"].items()}
    parts = {"state": numbers, "has_uint32": has, "uinteger": value}
    bits.state = bits.state | parts


def as_stored(data: Any) -> Any:
    """Return nested data with tensors in place of arrays, and numbered parts in place of lists."""
    if isinstance(data, dict):
        return {name: as_stored(part) for name, part in data.items()}
    if isinstance(data, list | tuple):
        return {str(k): as_stored(part) for k, part in enumerate(data)}
    if isinstance(data, np.ndarray):
        return torch.from_numpy(data.astype(np.int64) if data.dtype == np.uint64 else data)
    return data.detach() if isinstance(data, torch.Tensor) else data


def as_arrays(data: Any) -> Any:
    """Return nested data with arrays in place of tensors."""
    if isinstance(data, dict):
        return {name: as_arrays(part) for name, part in data.items()}
    return data.numpy().copy() if isinstance(data, torch.Tensor) else data
