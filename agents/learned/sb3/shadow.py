"""Corrections to a classic as an environment, rewarded with the difference to a shadow plant.

    reward = (cost of the shadow - cost of the plant) / scale

Each plant has a shadow: the same plant, in the same period of the same episode, with the same tape,
controlled by the classic alone. What happens to both cancels out, so the reward shows what the
corrections do. With corrections of 0 it is exactly 0. `scale` is the root mean square of this
difference under random corrections, measured once over a counted number of periods.

An action is one correction per source, in steps (`corrections`), or the number of a row of
`choices`. The observation is what the net reads, standardized and clipped; for a critic, the
difference to the shadow's follows behind it. A policy in use has no shadow, so its actor must not
read that half.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from jitgym.control.net import MOST

from ...branches import Herd
from ..corrections import Array, Corrected

STAGGER = 300  # periods between the first and the last plant at the start, as of paired branches
MEASURED = 64  # periods of each plant in which the scale is measured
UNBOUNDED = 100.0  # steps: far more than a correction needs


class Shadowed(VecEnv):
    """Plants and their shadows on the split `train`, for stable-baselines3.

    When an episode ends, plant and shadow begin the next one together. An ongoing plant is then
    truncated (`TimeLimit.truncated`, with `terminal_observation`); a season is terminated.
    """

    def __init__(
        self,
        base: Corrected,
        plants: int,
        seed: int,
        *,
        deviation: float,
        most: float = UNBOUNDED,
        choices: Array | None = None,
        with_shadow: bool = False,
    ) -> None:
        """Begin the episodes under the classic, and measure the scale.

        Parameters
        ----------
        base
            The classic and a net; of the net, only the moments of the features are used.
        plants
            The number of plants; each has a shadow.
        deviation
            The standard deviation of the random corrections that measure the scale, in steps.
        most
            The largest correction, in steps.
        choices
            The corrections of each action, (actions, sources) in steps; None: actions are
            corrections.
        with_shadow
            Whether the difference to the shadow is part of the observation.
        """
        self.base, self.choices, self.with_shadow = base, choices, with_shadow
        layout = base.layout
        self.width = base.features.width
        seen = gymnasium.spaces.Box(
            -MOST, MOST, ((2 if with_shadow else 1) * self.width,), np.float32
        )
        super().__init__(plants, seen, action_space(base, most, choices))
        self.plant, self.shadow = (Herd(layout, plants, seed) for _ in range(2))
        self.shadow.begin(base.asking, STAGGER)
        self.periods = int(self.shadow.period.sum())  # simulated so far, of plants and shadows
        self._reward = np.zeros(plants)
        self._nothing: list[dict[str, Any]] = [{} for _ in range(plants)]
        self.mean = 0.0  # of cost(plant) - cost(shadow) in the last period, in money
        self.scale = 1.0
        self.reset()
        self.scale = self._measured(deviation, seed)
        self.reset()

    def _measured(self, deviation: float, seed: int) -> float:
        """Return the root mean square of the reward under random corrections, in money."""
        noise = np.random.default_rng([seed, 4])
        total, count = 0.0, 0
        for _ in range(MEASURED):
            drawn = deviation * noise.standard_normal((self.num_envs, self.base.steps.lot.size))
            self._run(drawn)
            total += float((self._reward**2).sum())
            count += self.num_envs
            self._begin_next()
            self._ask()
        return float(np.sqrt(total / count)) or 1.0

    def reset(self) -> npt.NDArray[np.float32]:
        """Put every plant into the state of its shadow, and return the observations."""
        self.plant.restore(self.shadow.snapshot())
        self._ask()
        return self._observation(slice(None))

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions: (plants, sources) in steps, or (plants,) rows of `choices`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Run one period of every plant and its shadow."""
        self._run(self._actions if self.choices is None else self.choices[self._actions])
        over = self.plant.period >= self.plant.plant.periods
        infos = self._nothing
        if over.any():
            infos = self._ended(np.flatnonzero(over))
            self._begin_next()
        self._ask()
        rewards = (self._reward / self.scale).astype(np.float32)
        return self._observation(slice(None)), rewards, over, infos

    def _run(self, corrections: npt.NDArray[Any]) -> None:
        asked = self.base.corrected(self.plant.state, self._asked[0], corrections)
        self.plant.run(asked)
        self.shadow.run(self._asked[1])
        self._reward = self.shadow.cost - self.plant.cost
        self.mean = -float(self._reward.mean())
        self.periods += 2 * self.num_envs

    def _begin_next(self) -> None:
        for herd in (self.plant, self.shadow):
            herd.begin_next(self.base.asking)

    def _ended(self, rows: npt.NDArray[np.intp]) -> list[dict[str, Any]]:
        """Return the infos of a step in which the episodes of these rows end."""
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ask, herds = self.base.asking, (self.plant, self.shadow)
        self._asked = tuple(ask(herd.state, herd.memory.copy()) for herd in herds)
        last, is_cut = self._observation(rows), not self.base.layout.scenario.horizon.ends
        for row, seen in zip(rows, last, strict=True):
            infos[row] = {"terminal_observation": seen, "TimeLimit.truncated": is_cut}
        return infos

    def _ask(self) -> None:
        """Ask the classic, once per period, because its memory goes on."""
        herds = (self.plant, self.shadow)
        self._asked = tuple(self.base.asking(herd.state, herd.memory) for herd in herds)

    def _observation(self, rows: Any) -> npt.NDArray[np.float32]:
        """Return what is observed of these rows, (rows, features)."""
        net, asked = self.base.net, self._asked
        own = self.base.features(self.plant.state[rows], asked[0][rows])
        seen = (own - net.mean) * net.gain
        if self.with_shadow:
            other = self.base.features(self.shadow.state[rows], asked[1][rows])
            seen = np.concatenate([seen, (own - other) * net.gain], axis=1)
        return np.clip(seen, -MOST, MOST).astype(np.float32)

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes, as arrays and numbers."""
        return {
            "plant": self.plant.snapshot(),
            "shadow": self.shadow.snapshot(),
            "asked": {"plant": self._asked[0].copy(), "shadow": self._asked[1].copy()},
            "periods": self.periods,
        }

    def restore(self, stored: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        for name, herd in (("plant", self.plant), ("shadow", self.shadow)):
            herd.restore(stored[name] | {"keys": stored[name]["keys"].astype(np.uint64)})
        asked = stored["asked"]
        self._asked = (np.array(asked["plant"]), np.array(asked["shadow"]))
        self.periods = stored["periods"]

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the whole batch, once for each plant asked for."""
        return [getattr(self, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the plants are one batch."""
        raise NotImplementedError("the plants are one batch; no attribute can be set")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list:
        """Refuse: the plants are one batch."""
        raise NotImplementedError("the plants are one batch; no method can be called")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Return False for each: nothing is wrapped."""
        return [False for _ in self._get_indices(indices)]


def action_space(base: Corrected, most: float, choices: Array | None) -> gymnasium.Space[Any]:
    """Return the space of corrections up to `most` steps, or of the numbers of the choices."""
    if choices is not None:
        return gymnasium.spaces.Discrete(len(choices))
    return gymnasium.spaces.Box(-most, most, (base.steps.lot.size,), np.float32)
