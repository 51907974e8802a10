"""The environment: one plant under Gymnasium's API, a batch of one on the same engine."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from jitgym.plant import kpis
from jitgym.scenario import Scenario

from .encodings import Control
from .engine import SATURATED, Engine
from .render import MODES, Picture, expect_mode, render
from .spaces import OfOnePlant

Info = dict[str, Any]


class PlantEnv(OfOnePlant, gymnasium.Env[npt.NDArray[np.float32], Any]):
    """One plant, one step a period.

    The order of events in a period:

    1. View: the agent sees stock by age, in process by age, what is up or set up, backlog and
       forecast, and asks for a quantity from every source.
    2. Release: asked becomes granted: limits, materials, work centers.
    3. Start: materials leave stock, the granted quantity enters the pipeline.
    4. Serve: backorders first, then new demand, from the oldest stock.
    5. Age: stock past its shelf life is waste; a share becomes obsolete.
    6. Count: stock, in process and backlog, the base of costs.
    7. Receive: the pipeline grows a period older; what is due arrives and is inspected.
    8. Nature: work centers and suppliers fail or recover, regimes move, forecasts are revised.

    Parameters
    ----------
    scenario
        Catalog name, path of a YAML file, or a Scenario.
    control
        What an action is: 'orders', 'orders-discrete', 'cards', 'base-stock' or
        'orders-priorities'.
    render_mode
        None; 'ansi': the view as text; 'rgb_array': a small picture (`jitgym.envs.render`).
    **given
        Short names or dotted paths of the scenario, such as penalty=19.

    The reward is -cost / `reward_scale`; `info` holds the `cost` in money, the ledger's `terms`,
    and what was `asked` and `granted`, (sources,) in units; an episode's last step adds `kpi`.

    Raises
    ------
    ScenarioError
        If the scenario, or what is given for it, is wrong.
    """

    metadata = {"render_modes": [*MODES], "render_fps": 4}  # noqa: RUF012  # as in gymnasium.Env

    def __init__(
        self,
        scenario: str | Scenario = "lost-sales",
        control: Control = "orders",
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
        self._is_running = False

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[npt.NDArray[np.float32], Info]:
        """Begin an episode.

        `seed` starts at episode 0 of that seed; without one the next episode of the present seed
        begins. `options` may hold 'split' ('train', 'tune', 'validate' or 'test'; 'train' until
        another is given) and 'episode'. A call that raises changes nothing.

        Raises
        ------
        ValueError
            If the seed or an option makes no sense.
        """
        engine = self.engine
        engine.reset(seed, options, can_mask=False)
        super().reset(seed=None if seed is None else int(seed))
        self._is_running = True
        return engine.observe()[0], {}

    def step(self, action: Any) -> tuple[npt.NDArray[np.float32], float, bool, bool, Info]:
        """Run one period.

        Raises
        ------
        ValueError
            If the action has another shape than the space's, or is no number or no choice there.
        gymnasium.error.ResetNeeded
            If no episode has begun, or it is over.
        """
        if not self._is_running:
            raise gymnasium.error.ResetNeeded(
                "a step before the first reset, or after the end of an episode; expected reset"
            )
        engine = self.engine
        engine.step(action)
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
        """Return the view as text, or a picture, (height, width, 3); see `jitgym.envs.render`."""
        engine = self.engine
        return render(self.layout, engine.state[0], int(engine.period[0]), self.render_mode)

    def _kpis(self) -> dict[str, float]:
        engine = self.engine
        found = {"cost": float(engine.episode_cost[0])}
        values = kpis(self.layout, engine.sums, engine.measured)
        found |= {k: float(v[0]) for k, v in values.items()}
        shown = engine.width * engine.plant.periods
        found["saturated"] = float(engine.totals[0, SATURATED]) / shown
        return found
