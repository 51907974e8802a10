"""The environment: one plant with Gymnasium's API, a batch of one on the same engine."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from jitgym.control.encodings import DEFAULT_CONTROL, Control
from jitgym.plant import kpis
from jitgym.scenario import Scenario

from .engine import Engine
from .picture import Picture
from .render import MODES, expect_mode, moment_of, render, text
from .spaces import OfOnePlant

Info = dict[str, Any]


class PlantEnv(OfOnePlant, gymnasium.Env[npt.NDArray[np.float32], Any]):
    """One plant; one step is one period.

    The order of events in a period:

    1. View: the agent sees stock by age, units in process by age, failures, setups, backlog and
       forecast, and asks for a quantity from every source.
    2. Release: limits, materials and work centers decide how much of it is granted.
    3. Start: materials leave stock, and the granted quantity enters the pipeline.
    4. Serve: backorders are served first, then new demand, from the oldest stock.
    5. Age: stock past its shelf life is waste; a share becomes obsolete.
    6. Count: stock, units in process and backlog are counted, the base of costs.
    7. Receive: the pipeline grows a period older; units that are due arrive and are inspected.
    8. Nature: work centers and suppliers fail or recover, regimes move, forecasts are revised.

    Parameters
    ----------
    scenario
        A catalog name, the path of a YAML file, or a Scenario.
    control
        What an action is: 'corrections' (of the orders of the textbook base-stock), 'orders',
        'orders-discrete', 'cards', 'base-stock' or 'orders-priorities'.
    render_mode
        None, 'ansi' (a board in text), 'human' (the same, printed) or 'rgb_array' (a board as a
        picture; see `jitgym.envs.render`).
    **given
        Values for short names or dotted paths of the scenario, such as penalty=19.

    The reward is -cost / `reward_scale`. `info` holds the `cost` in money, the ledger's `terms`,
    and the quantities `asked` and `granted`, (sources,) in units; the last step of an episode adds
    `kpi`.

    Raises
    ------
    ScenarioError
        If the scenario, or a value given for it, is not valid.
    """

    metadata = {"render_modes": [*MODES], "render_fps": 4}  # noqa: RUF012  # as in gymnasium.Env

    def __init__(
        self,
        scenario: str | Scenario = "lost-sales",
        control: Control = DEFAULT_CONTROL,
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        expect_mode(render_mode)
        self.render_mode = render_mode
        self._lay_out(scenario, control, given)
        self.observation_space = self.spaces.observation
        self.action_space = self.spaces.action
        self.engine = Engine(self.layout, 1, self.spaces.action_encoding)
        self._terms = self.layout.terms
        self._sources = len(self.scenario.sources)
        self._terminates = self.scenario.horizon.ends
        self._is_running = self._has_run = False

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[npt.NDArray[np.float32], Info]:
        """Begin an episode.

        A `seed` starts at episode 0 of that seed; without one, the next episode of the current seed
        begins. `options` may hold 'split' ('train', 'tune', 'validate' or 'test'; 'train' until
        another one is given) and 'episode'. A call that raises an error changes nothing.

        Raises
        ------
        ValueError
            If the seed or an option is not valid.
        """
        engine = self.engine
        engine.reset(seed, options, can_mask=False)
        super().reset(seed=None if seed is None else int(seed))
        self._is_running, self._has_run = True, False
        self._print()
        return engine.observe()[0], {}

    def step(self, action: Any) -> tuple[npt.NDArray[np.float32], float, bool, bool, Info]:
        """Run one period.

        Raises
        ------
        ValueError
            If the action has another shape than the space, or is not a valid number or choice.
        gymnasium.error.ResetNeeded
            If no episode has begun, or the episode is over.
        """
        if not self._is_running:
            raise gymnasium.error.ResetNeeded(
                "no episode is running: step was called before the first reset or after the end of "
                "an episode; call reset first"
            )
        engine = self.engine
        engine.step(action)
        self._has_run = True
        self._print()
        ended = engine.ended.item()
        info: Info = {
            "cost": engine.cost.item(),
            "terms": dict(zip(self._terms, engine.terms[0].tolist(), strict=True)),
            "asked": engine.asked[0, : self._sources].copy(),
            "granted": engine.granted[0].copy(),
        }
        if ended:
            info["kpi"] = self._kpis()
            self._is_running = False
        terminated = ended and self._terminates
        reward = engine.reward.item()
        observation = engine.observation[0].copy()
        return observation, reward, terminated, ended and not terminated, info

    def render(self) -> str | Picture | None:
        """Return a board in text, or a picture, (height, width, 3); see `jitgym.envs.render`.

        In the mode `human`, boards are printed as the plant runs, and the result is None.
        """
        moment = moment_of(self.engine, 0, self._sources, self._has_run)
        return render(self.layout, moment, self.render_mode)

    def _print(self) -> None:
        if self.render_mode == "human":
            moment = moment_of(self.engine, 0, self._sources, self._has_run)
            print(text(self.layout, moment), end="\n\n", flush=True)

    def _kpis(self) -> dict[str, float]:
        engine = self.engine
        found = {"cost": float(engine.episode_cost[0])}
        values = kpis(self.layout, engine.sums, engine.measured)
        found |= {k: float(v[0]) for k, v in values.items()}
        return found
