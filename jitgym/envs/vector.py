"""The vector environment: many plants in one compiled step, under one Gymnasium vector API."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from jitgym.errors import ScenarioError, whole_number
from jitgym.plant import kpis
from jitgym.scenario import Scenario

from .encodings import Control
from .engine import SATURATED, Engine
from .render import MODES, expect_mode, render
from .spaces import OfOnePlant

Info = dict[str, Any]


class VectorPlant(
    OfOnePlant, gymnasium.vector.VectorEnv[npt.NDArray[np.float32], npt.NDArray[Any], Any]
):
    """Many plants of one scenario, stepped together. The order of events is `PlantEnv`'s.

    Parameters
    ----------
    scenario
        Catalog name, path of a YAML file, or a Scenario.
    num_envs
        How many.
    control
        What an action is: 'orders', 'orders-discrete', 'cards', 'base-stock' or
        'orders-priorities'.
    autoreset_mode
        NEXT_STEP (the step after an episode's last ignores the action and returns the first
        observation of the next) or SAME_STEP (the last step returns it, and the last observation
        and info under 'final_obs' and 'final_info').
    render_mode
        As of `PlantEnv`; `render` returns a tuple, one entry an environment.
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
        modes = {AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP}
        if autoreset_mode not in modes | {mode.value for mode in modes}:
            raise ScenarioError(
                f"autoreset_mode is {autoreset_mode!r}; expected NEXT_STEP or SAME_STEP"
            )
        mode = AutoresetMode(autoreset_mode)
        num_envs = whole_number("num_envs", num_envs, least=1)
        expect_mode(render_mode)
        self.metadata = {"autoreset_mode": mode, "render_modes": [*MODES], "render_fps": 4}
        self.render_mode = render_mode
        self.autoreset_mode = mode
        self.num_envs = num_envs
        self._lay_out(scenario, control, given)
        self.single_observation_space = self.spaces.observation
        self.single_action_space = self.spaces.action
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.engine = Engine(self.layout, num_envs, self.spaces.action_encoding)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: Info | None = None
    ) -> tuple[npt.NDArray[np.float32], Info]:
        """Begin new episodes; see `PlantEnv.reset`.

        `seed` may be one for each environment, some of them None, and so may the option 'episode'.
        The option 'reset_mask', True or False for each, chooses the environments; all others go on
        where they are, in the same split.
        """
        engine = self.engine
        engine.reset(seed, options, can_mask=True)
        if seed is not None and not isinstance(seed, list | tuple | np.ndarray):
            super().reset(seed=int(seed))  # Gymnasium's own generator, which nothing here uses
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
        """Run one period of every plant; raises as `PlantEnv.step`, and then none has moved."""
        engine = self.engine
        if not engine.is_placed:
            raise gymnasium.error.ResetNeeded(
                "a step before the first reset of every environment; expected reset"
            )
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

    def render(self) -> tuple[Any, ...] | None:
        """Return what `PlantEnv.render` does, for each environment."""
        if self.render_mode is None:
            return None
        engine = self.engine
        rows = zip(engine.state, engine.period.tolist(), strict=True)
        return tuple(render(self.layout, state, t, self.render_mode) for state, t in rows)

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""
