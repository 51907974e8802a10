"""The vector environment: many plants in one compiled step, under one Gymnasium vector API."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from jitgym.plant import kpis, lay_out
from jitgym.scenario import Scenario, load

from .encodings import Control
from .engine import SATURATED, Engine, read_options
from .spaces import Spaces

Info = dict[str, Any]


class VectorPlant(gymnasium.vector.VectorEnv[npt.NDArray[np.float32], npt.NDArray[Any], Any]):
    """Many plants of one scenario, stepped together. The order of events is `PlantEnv`'s.

    Parameters
    ----------
    scenario
        Catalog name, path of a YAML file, or a Scenario.
    num_envs
        How many.
    control
        What an action is: 'orders', 'orders-discrete', 'cards' or 'base-stock'.
    autoreset_mode
        NEXT_STEP (the step after an episode's last ignores the action and returns the first
        observation of the next) or SAME_STEP (the last step returns it, and the last observation
        and info under 'final_obs' and 'final_info').
    **given
        Short names or dotted paths of the scenario, such as penalty=19.

    Environment i of `reset(seed=s)` is the single environment of `reset(seed=s + i)`, bit for bit.
    """

    def __init__(
        self,
        scenario: str | Scenario = "lost-sales",
        num_envs: int = 1,
        control: Control = "orders",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        mode = AutoresetMode(autoreset_mode)
        if mode == AutoresetMode.DISABLED:
            raise ValueError("autoreset_mode is DISABLED; expected NEXT_STEP or SAME_STEP")
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; expected at least 1")
        if render_mode is not None:
            raise ValueError("a vector environment renders nothing; expected render_mode=None")
        self.metadata = {"autoreset_mode": mode, "render_modes": []}
        self.render_mode = None
        self.autoreset_mode = mode
        self.num_envs = num_envs
        self.scenario = load(scenario, **given)
        self.layout = lay_out(self.scenario)
        self.spaces = Spaces(self.layout, control)
        self.single_observation_space = self.spaces.observation
        self.single_action_space = self.spaces.action
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_names = self.spaces.observation_names
        self.observation_entries = self.spaces.observation_entries
        self.action_entries = self.spaces.action_entries
        self.reward_scale = self.scenario.reward_scale
        self.engine = Engine(self.layout, num_envs, self.spaces.action_encoding)
        self._is_placed = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: Info | None = None
    ) -> tuple[npt.NDArray[np.float32], Info]:
        """Begin new episodes; see `PlantEnv.reset`. `options['reset_mask']` chooses the rows."""
        options = dict(options or {})
        engine = self.engine
        rows = options.pop("reset_mask", None)
        rows = np.ones(self.num_envs, dtype=np.bool_) if rows is None else np.asarray(rows)
        episode, split = read_options(options, engine.split)
        engine.split = split
        seeds, is_given = self._seeds(seed)
        engine.episode[rows] = np.where(is_given, 0, engine.episode + 1)[rows]
        engine.seed[rows] = seeds[rows]
        if episode is not None:
            engine.episode[rows] = episode
        engine.place(rows)
        self._is_placed = True
        return engine.observe(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        Info,
    ]:
        """Run one period of every plant."""
        if not self._is_placed:
            raise gymnasium.error.ResetNeeded("step before the first reset; expected reset")
        engine = self.engine
        engine.step(actions)
        info: Info = {
            "cost": engine.cost.copy(),
            "terms": dict(zip(self.layout.terms, engine.terms.T.copy(), strict=True)),
            "asked": engine.asked[:, : len(self.scenario.sources)].copy(),
            "granted": engine.granted.copy(),
        }
        ended = engine.ended.copy()
        observation = engine.observation.copy()
        if ended.any():
            info["kpi"], info["_kpi"] = self._kpis(ended), ended.copy()
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                observation, info = self._begin_next(observation, info)
            else:
                engine.next_episode(ended)
                engine.is_new[ended] = True
        nothing = np.zeros(self.num_envs, dtype=np.bool_)
        if self.scenario.horizon.ends:
            return observation, engine.reward.copy(), ended, nothing, info
        return observation, engine.reward.copy(), nothing, ended, info

    def _begin_next(
        self, observation: npt.NDArray[np.float32], info: Info
    ) -> tuple[npt.NDArray[np.float32], Info]:
        engine = self.engine
        ended = engine.ended.copy()
        final = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(ended):
            final[row] = observation[row].copy()
        for name in ("cost", "terms", "asked", "granted"):
            info[f"_{name}"] = ended.copy()
        kept = {name: info[name] for name in ("cost", "terms", "asked", "granted")}
        engine.next_episode(ended)
        shown: Info = {"final_obs": final, "_final_obs": ended.copy()}
        shown |= {"final_info": info, "_final_info": ended.copy()}
        return engine.observe(), kept | shown

    def _kpis(self, ended: npt.NDArray[np.bool_]) -> Info:
        engine = self.engine
        found = kpis(self.layout, engine.sums, engine.measured)
        found["cost"] = engine.episode_cost
        found["saturated"] = engine.totals[:, SATURATED] / (engine.width * engine.plant.periods)
        return {name: np.where(ended, value, 0.0) for name, value in found.items()}

    def _seeds(
        self, seed: int | list[int | None] | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the seed of each row, and whether it is new; else the present one stays."""
        every = np.ones(self.num_envs, dtype=np.bool_)
        if seed is None and not self._is_placed:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        if isinstance(seed, (int, np.integer)):
            return int(seed) + np.arange(self.num_envs), every
        if seed is None:
            return self.engine.seed.copy(), ~every
        if len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds for {self.num_envs} environments")
        present = self.engine.seed
        if not self._is_placed:
            present = np.random.SeedSequence().generate_state(self.num_envs).astype(np.int64)
        seeds = [p if s is None else s for s, p in zip(seed, present, strict=True)]
        is_given = [s is not None or not self._is_placed for s in seed]
        return np.array(seeds, np.int64), np.array(is_given)

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""
