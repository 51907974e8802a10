"""The environment: one plant under Gymnasium's API, a batch of one on the same engine."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from jitgym.control import ViewLayout
from jitgym.plant import kpis, lay_out
from jitgym.scenario import Scenario, load

from .encodings import Control
from .engine import SATURATED, Engine, read_options
from .spaces import Spaces

Info = dict[str, Any]
ONE = np.ones(1, dtype=np.bool_)


class PlantEnv(gymnasium.Env[npt.NDArray[np.float32], Any]):
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
        What an action is: 'orders', 'orders-discrete', 'cards' or 'base-stock'.
    render_mode
        None, or 'ansi': the view as text.
    **given
        Short names or dotted paths of the scenario, such as penalty=19.

    The reward is -cost / `reward_scale`; `info` holds the `cost` in money, the ledger's `terms`,
    and what was `asked` and `granted`, (sources,) in units; an episode's last step adds `kpi`.

    Raises
    ------
    ScenarioError
        If the scenario, or what is given for it, is wrong.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012  # as in gymnasium.Env

    def __init__(
        self,
        scenario: str | Scenario = "lost-sales",
        control: Control = "orders",
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode {render_mode!r} is unknown; expected None or 'ansi'")
        self.render_mode = render_mode
        self.scenario = load(scenario, **given)
        self.layout = lay_out(self.scenario)
        self.spaces = Spaces(self.layout, control)
        self.observation_space = self.spaces.observation
        self.action_space = self.spaces.action
        self.observation_names = self.spaces.observation_names
        self.observation_entries = self.spaces.observation_entries
        self.action_entries = self.spaces.action_entries
        self.reward_scale = self.scenario.reward_scale
        self.engine = Engine(self.layout, 1, self.spaces.action_encoding)
        self._terms = self.layout.terms
        self._sources = len(self.scenario.sources)
        self._terminates = self.scenario.horizon.ends
        self._is_placed = False

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[npt.NDArray[np.float32], Info]:
        """Begin an episode.

        `seed` starts at episode 0 of that seed; without one the next episode of the present seed
        begins. `options` may hold 'split' ('train', 'tune', 'validate' or 'test'; 'train' until
        another is given) and 'episode'.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        engine = self.engine
        episode, split = read_options(options, engine.split)
        engine.split = split
        if seed is not None:
            engine.seed[0], engine.episode[0] = seed, 0
        elif self._is_placed:
            engine.episode[0] += 1
        else:
            engine.seed[0] = int(np.random.SeedSequence().generate_state(1)[0])
        if episode is not None:
            engine.episode[0] = episode
        engine.place(ONE)
        self._is_placed = True
        return engine.observe()[0], {}

    def step(self, action: Any) -> tuple[npt.NDArray[np.float32], float, bool, bool, Info]:
        """Run one period."""
        if not self._is_placed:
            raise gymnasium.error.ResetNeeded("step before the first reset; expected reset")
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
        terminated = ended and self._terminates
        reward = engine.reward.item()
        observation = engine.observation[0].copy()
        return observation, reward, terminated, ended and not terminated, info

    def render(self) -> str | None:
        """Return the view as text, one cell a line."""
        if self.render_mode is None:
            return None
        view = ViewLayout(self.layout)
        state = self.engine.state[0]
        lines = [f"{cell.name:<32} {state[cell.column]:>10g} {cell.of.unit}" for cell in view.cells]
        return "\n".join([f"period {int(self.engine.period[0])}", *lines])

    def _kpis(self) -> dict[str, float]:
        engine = self.engine
        found = {"cost": float(engine.episode_cost[0])}
        values = kpis(self.layout, engine.sums, engine.measured)
        found |= {k: float(v[0]) for k, v in values.items()}
        shown = engine.width * engine.plant.periods
        found["saturated"] = float(engine.totals[0, SATURATED]) / shown
        return found
