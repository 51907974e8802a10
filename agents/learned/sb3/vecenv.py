"""The native vector environment for stable-baselines3, without subprocesses or copies."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

from jitgym.envs import VectorPlant
from jitgym.errors import whole_number

OF_THE_ENGINE = ("state", "sums", "totals", "period", "is_new", "keys", "seed", "episode")


class PlantVecEnv(VecEnv):
    """A `VectorPlant` with the interface of stable-baselines3's `VecEnv`.

    `infos[i]` is empty (the same empty dict every step), except on the step that ends an episode.
    It then holds `terminal_observation`, `TimeLimit.truncated`, and under `episode` the return `r`,
    the length `l`, the seconds `t` since the environment was made, and the KPIs. The plants are one
    batch, so attributes and methods belong to the whole batch. Rewards, but not `r`, are multiplied
    by `gain`.
    """

    def __init__(self, plants: VectorPlant, gain: float = 1.0) -> None:
        if plants.autoreset_mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                "stable-baselines3 resets in the same step; expected autoreset_mode SAME_STEP"
            )
        self.plants, self.gain = plants, gain
        super().__init__(
            plants.num_envs, plants.single_observation_space, plants.single_action_space
        )
        self._actions: Any = None
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._began = time.time()
        self._nothing: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]

    def reset(self) -> np.ndarray:
        """Begin new episodes, of the seeds given by `seed` or else the next of the current seeds.

        Seeds and options apply to one reset, even if it refuses them.
        """
        seeds, options = self._seeds, self._options
        self._reset_seeds()
        self._reset_options()
        observation, _ = self.plants.reset(seed=seeds, options=_joined(options))
        self._returns[:], self._lengths[:] = 0.0, 0
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions, (environments, sources)."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Run one period of every plant."""
        observation, reward, terminated, truncated, info = self.plants.step(self._actions)
        self._returns += reward
        self._lengths += 1
        ended = terminated | truncated
        infos = self._ended(ended, truncated & ~terminated, info) if ended.any() else self._nothing
        return observation, (self.gain * reward).astype(np.float32), ended, infos

    def _ended(self, ended: np.ndarray, cut: np.ndarray, info: dict[str, Any]) -> list[dict]:
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        kpis = info["final_info"]["kpi"]
        for row in np.flatnonzero(ended):
            episode = {"r": float(self._returns[row]), "l": int(self._lengths[row])}
            episode["t"] = round(time.time() - self._began, 6)
            infos[row] = {
                "terminal_observation": info["final_obs"][row],
                "TimeLimit.truncated": bool(cut[row]),
                "episode": episode | {name: float(value[row]) for name, value in kpis.items()},
            }
        self._returns[ended], self._lengths[ended] = 0.0, 0
        return infos

    def snapshot(self) -> dict[str, torch.Tensor]:
        """Return the state of every plant: a plant is a row, so this copies the rows."""
        return {name: torch.from_numpy(row.copy()) for name, row in self._rows().items()}

    def restore(self, stored: dict[str, torch.Tensor]) -> None:
        """Restore every plant from a snapshot."""
        self.reset()
        for name, row in self._rows().items():
            row[:] = stored[name].numpy()

    def _rows(self) -> dict[str, np.ndarray]:
        rows = {name: getattr(self.plants.engine, name) for name in OF_THE_ENGINE}
        return rows | {"returns": self._returns, "lengths": self._lengths}

    def close(self) -> None:
        """Close the plants."""
        self.plants.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the batch, once for each environment asked for."""
        return [getattr(self.plants, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the batch. Raises ValueError if only some plants are meant."""
        self._expect_all(indices)
        setattr(self.plants, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list:
        """Call a method of the batch once, and return the result for each plant.

        Raises ValueError if only some plants are meant: a method is called for the whole batch.
        """
        self._expect_all(indices)
        result = getattr(self.plants, method_name)(*args, **kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Return False for each: nothing is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> list[np.ndarray | None]:
        """Return a picture of each plant if they were made with `render_mode="rgb_array"`."""
        shown = self.plants.render() or (None,) * self.num_envs
        return [picture if isinstance(picture, np.ndarray) else None for picture in shown]

    def _expect_all(self, indices: Any) -> None:
        if len(set(self._get_indices(indices))) < self.num_envs:
            raise ValueError(
                f"indices are {indices!r}, but the plants are one batch; expected None (all plants)"
            )

    def _get_indices(self, indices: Any) -> list[int]:
        """Return the plants that are meant; raises ValueError if one does not exist."""
        listed = super()._get_indices(indices)
        most = self.num_envs - 1
        return [whole_number("an index", index, -self.num_envs, most) for index in listed]


def _joined(options: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the options of all plants as those of their batch.

    stable-baselines3 keeps options per plant. Options that are given once are the same object for
    all plants, and a 'state' among them holds the rows of all; else each plant has its own row.
    """
    first = options[0]
    if all(other is first for other in options):
        return first
    plain = [{name: given[name] for name in given if name != "state"} for given in options]
    has_state = {"state" in given for given in options}
    if any(other != plain[0] for other in plain) or len(has_state) > 1:
        raise ValueError(
            "options differ between the plants of one batch; expected the same for all"
        )
    if True in has_state:
        return plain[0] | {"state": [given["state"] for given in options]}
    return plain[0]
