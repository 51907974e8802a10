"""The vector environment: many plants in one compiled step, with Gymnasium's vector API."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from jitgym.control.encodings import DEFAULT_CONTROL, Control
from jitgym.errors import ScenarioError, whole_number
from jitgym.plant import kpis
from jitgym.scenario import Scenario

from .engine import Engine
from .render import expect_mode, moment_of, render
from .spaces import OfOnePlant

Info = dict[str, Any]


MODES = ("ansi", "rgb_array")  # a batch has no one board to print


class VectorPlant(
    OfOnePlant, gymnasium.vector.VectorEnv[npt.NDArray[np.float32], npt.NDArray[Any], Any]
):
    """Many plants of one scenario, stepped together; see `PlantEnv` for the order of events.

    Parameters
    ----------
    scenario
        A catalog name, the path of a YAML file, or a Scenario.
    num_envs
        The number of plants.
    control
        What an action is: 'corrections' (of the orders of the textbook base-stock), 'orders',
        'orders-discrete', 'cards', 'base-stock' or 'orders-priorities'.
    autoreset_mode
        NEXT_STEP (the step after the last one of an episode ignores the action and returns the
        first observation of the next episode) or SAME_STEP (the last step returns that first
        observation; the last observation and info are under 'final_obs' and 'final_info').
    render_mode
        As in `PlantEnv`; `render` returns a tuple, one entry per environment.
    **given
        Values for short names or dotted paths of the scenario, such as penalty=19.

    Environment i after `reset(seed=s)` equals the single environment after `reset(seed=s + i)`, bit
    for bit.
    """

    def __init__(
        self,
        scenario: str | Scenario = "lost-sales",
        num_envs: int = 1,
        control: Control = DEFAULT_CONTROL,
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
        expect_mode(render_mode, MODES)
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

        `seed` may be one number, or a list of one per environment (None keeps its seed); so may the
        option 'episode'. The option 'reset_mask', True or False per environment, chooses the
        environments to reset; all others continue where they are, in the same split.
        """
        engine = self.engine
        engine.reset(seed, options, can_mask=True)
        if seed is not None and not isinstance(seed, list | tuple | np.ndarray):
            super().reset(seed=int(seed))  # Gymnasium's own generator; jitgym does not use it
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
        """Run one period of every plant; raises like `PlantEnv.step`, and then none has moved."""
        engine = self.engine
        if not engine.is_placed:
            raise gymnasium.error.ResetNeeded(
                "step was called before the first reset of every environment; call reset first"
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
        return {name: np.where(ended, value, 0.0) for name, value in found.items()}

    def render(self) -> tuple[Any, ...] | None:
        """Return what `PlantEnv.render` returns, for each environment."""
        if self.render_mode is None:
            return None
        engine = self.engine
        sources = len(self.scenario.sources)
        moments = (
            moment_of(engine, row, sources, bool(engine.period[row] > 0))
            for row in range(self.num_envs)
        )
        return tuple(render(self.layout, moment, self.render_mode) for moment in moments)

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing needs to be closed."""
