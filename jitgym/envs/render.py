"""What `render` shows of a plant.

ansi        a board in text (`board`)
human       the same, printed after each reset and step
rgb_array   a board of cards, as a picture (`picture`)
"""

from __future__ import annotations

from jitgym.errors import ScenarioError
from jitgym.plant import Layout

from .board import board
from .engine import Engine
from .picture import Moment, Picture, picture

MODES = ("ansi", "rgb_array", "human")


def expect_mode(mode: object, modes: tuple[str, ...] = MODES) -> None:
    """Raise ScenarioError if there is no such render mode."""
    if mode is not None and (not isinstance(mode, str) or mode not in modes):
        known = ", ".join(repr(known) for known in modes)
        raise ScenarioError(f"render_mode {mode!r} is unknown; expected None or one of {known}")


def moment_of(engine: Engine, row: int, sources: int, has_run: bool) -> Moment:
    """Return what there is to show of a plant; `has_run`: it has run a period of its episode."""
    period = int(engine.period[row])
    state = engine.state[row].copy()
    if not has_run:
        return Moment(state, period)
    asked, granted = engine.asked[row, :sources].copy(), engine.granted[row].copy()
    return Moment(state, period, asked, granted, float(engine.cost[row]))


def render(layout: Layout, moment: Moment, mode: str | None) -> str | Picture | None:
    """Return what a render mode shows of a moment."""
    if mode == "rgb_array":
        return picture(layout, moment)
    return text(layout, moment) if mode == "ansi" else None


def text(layout: Layout, moment: Moment) -> str:
    """Return the board of a moment as text."""
    return board(layout, moment.state, moment.period, moment.asked, moment.granted, moment.cost)
