"""Watch a policy run a plant, period by period, as a board in the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import _common as common
import numpy as np
from rich.console import Console
from tyro.conf import FlagCreatePairsOff, arg

import agents
from jitgym.envs.picture import Picture, picture
from jitgym.envs.render import moment_of, text
from jitgym.evaluate import closed_loop
from jitgym.plant import lay_out

SAVE = "write the boards as a picture that moves (.gif), or the last one (.png); no pause then"
POLICY = "a classic by name, or the folder of a training"


def main(
    scenario: common.ScenarioName,
    *,
    policy: Annotated[str, arg(help=POLICY)] = "base-stock",
    tuned: Annotated[
        bool, FlagCreatePairsOff, arg(help="a classic tuned by simulation, not by the textbook")
    ] = False,
    periods: Annotated[int, arg(help="periods to watch")] = 20,
    pause: Annotated[float, arg(help="seconds between two periods")] = 0.5,
    save: Annotated[Path | None, arg(metavar="FILE", help=SAVE)] = None,
    seed: common.Seed = 0,
    given: common.Given = (),
) -> None:
    """Show stock, orders, backlog and what is down after every period of episode 0 of `test`.

    On a terminal the board stays in its place; elsewhere the boards follow one another.
    """
    plant = common.scenario(scenario, given)
    common.expect(periods >= 1, f"--periods is {periods}; expected at least 1")
    common.expect(0 <= pause <= 3600, f"--pause is {pause:g}; expected seconds from 0 to 3600")
    common.expect(
        save is None or save.suffix in (".gif", ".png"),
        f"--save is {save}; expected a file that ends in .gif or .png",
    )
    common.expect(seed >= 0, f"--seed is {seed}; expected at least 0")
    if Path(policy).is_dir():
        chosen = agents.make("learned", plant, path=policy)
    else:
        agents.expect_name(policy)
        chosen = (agents.tune if tuned else agents.make)(policy, plant)
    layout, console = lay_out(plant), Console()
    engine = closed_loop.at_start(layout, "test", seed, np.zeros(1, dtype=np.int64))
    decide = closed_loop.deciding(chosen, layout, 1)
    last = min(periods, engine.plant.periods)
    total, sources, pictures = 0.0, len(plant.sources), []
    print(f"{chosen.name} on {plant.title or plant.name}; one period: {plant.period}")
    for period in closed_loop.run(engine, decide, last):
        cost = float(engine.cost[0])
        total += cost
        moment = moment_of(engine, 0, sources, True)
        if save is not None:
            pictures.append(picture(layout, moment))
            continue
        shown = text(layout, moment)
        if console.is_terminal:
            console.clear()
        print(f"{shown}\nmean cost so far {total / (period + 1):,.4g}\n", flush=True)
        if period + 1 < last:
            time.sleep(pause)
    if save is not None:
        write(pictures, save)
        print(f"mean cost {total / last:,.4g}; the boards of {last} periods: {save}")


def write(pictures: Sequence[Picture], path: Path) -> None:
    """Write pictures of the same size as one that moves, or the last of them."""
    from PIL import Image

    frames = [Image.fromarray(each).quantize(32) for each in pictures]
    if path.suffix == ".png":
        frames[-1].save(path, optimize=True)
        return
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=400, loop=0)


if __name__ == "__main__":
    common.run(main)
