"""Measure steps and plant-periods per second, and compare with hand-written loops.

Each hand-written loop is made for one plant. Run `python scripts/bench.py` on an otherwise idle
machine. It measures on one core, includes tape and observation, and reports the best of several
repetitions. It is a benchmark, not a test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import _common as common
import _handwritten as by_hand
import gymnasium
import numpy as np
import tyro

import agents
import jitgym
from agents.branches import Asking, Herd, Points, branch
from agents.learned.corrections import corrected
from agents.learned.policy import one_thread
from agents.learned.registry import find
from agents.learned.session import Problem
from agents.learned.start import Start
from jitgym.control import Rule, pull_rule
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.plant import Layout, episode_keys, lay_out
from jitgym.plant.tape import channel_number
from jitgym.report import tables as report

BATCH, EPISODES, REPETITIONS = 1024, 256, 5


@dataclass(frozen=True)
class Line:
    """One line of the benchmark's table."""

    what: str
    figure: float  # steps or periods per second; seconds for start-up
    by_hand: float | None  # the same figure of a hand-written loop

    @property
    def share(self) -> float | None:
        """The figure as a share of that of the hand-written loop."""
        return None if self.by_hand is None else self.figure / self.by_hand


def main(
    seconds: Annotated[
        float, tyro.conf.arg(help="duration of each repetition of a measurement")
    ] = 0.5,
    json_: Annotated[bool, tyro.conf.arg(name="json", help="print one JSON object")] = False,
) -> None:
    """Measure start-up, environments, the compiled closed loop and branches with a net."""
    lines = [*start_up(), *environments(seconds), *closed_loops(seconds), *branches(seconds)]
    if json_:
        print(json.dumps({"lines": [line.__dict__ | {"share": line.share} for line in lines]}))
        return
    columns = (
        report.Column("what", importance=report.KEPT, align="left"),
        report.Column("per_second", importance=report.KEPT),
        report.Column("by_hand", "hand-written", form=",.0f", absent=""),
        report.Column("share", form=".2f", absent=""),
    )
    rows = [
        (
            line.what,
            f"{line.figure:.2f} s" if line.figure < 100 else f"{line.figure:,.0f}",
            line.by_hand,
            line.share,
        )
        for line in lines
    ]
    report.show(report.Table(columns, rows, "One core, best of several"))


def start_up() -> list[Line]:
    """Measure the import, and the first step of a second process, with cached machine code."""
    step = "import gymnasium, jitgym; e = gymnasium.make('jitgym/LostSales-v0'); e.reset(seed=0); "
    step += "e.step(e.action_space.sample())"
    subprocess.run([sys.executable, "-c", step], check=True)
    return [
        Line("import jitgym", _fresh("import jitgym"), None),
        Line("second process: import, make, first step", _fresh(step), None),
    ]


def _fresh(code: str) -> float:
    timed = f"import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began)"
    runs = [
        subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True)
        for _ in range(REPETITIONS)
    ]
    return min(float(run.stdout) for run in runs)


def environments(seconds: float) -> list[Line]:
    """Measure steps per second of the single and the vector environment."""
    lost, line = "jitgym/LostSales-v0", "jitgym/KanbanLine-v0"
    return [
        Line(f"{lost}, single", single(lost, seconds), None),
        Line(f"{line}, single", single(line, seconds), None),
        Line(f"{lost}, vector of {BATCH}", vector(lost, seconds), lost_sales_env(seconds)),
        Line(f"{line}, vector of {BATCH}", vector(line, seconds), line_env(seconds)),
    ]


def single(name: str, seconds: float) -> float:
    """Return steps per second through gymnasium.make."""
    env = gymnasium.make(name)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(64)]  # sampling is slower than stepping

    def steps() -> int:
        for k in range(1000):
            _, _, terminated, truncated, _ = env.step(actions[k % 64])
            if terminated or truncated:
                env.reset()
        return 1000

    return rate(steps, seconds)


def vector(name: str, seconds: float) -> float:
    """Return steps per second of the vector environment."""
    envs = gymnasium.make_vec(name, num_envs=BATCH)
    envs.reset(seed=0)
    actions = [envs.action_space.sample() for _ in range(8)]

    def steps() -> int:
        for k in range(8):
            envs.step(actions[k])
        return 8 * BATCH

    return rate(steps, seconds)


def rate(work: Callable[[], int], seconds: float) -> float:
    """Return the work done per second: the best of several repetitions."""
    best = 0.0
    work()
    for _ in range(REPETITIONS):
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            done += work()
        best = max(best, done / (time.perf_counter() - began))
    return best


def lost_sales_env(seconds: float) -> float:
    """Return steps per second of the hand-written vector loop for lost sales."""
    layout = lay_out(jitgym.load("lost-sales"))
    ends, guides = tables(layout, "customers")
    channel = channel_number("customers.quantity")
    keys, period = episode_keys("train", 0, np.arange(BATCH)), np.zeros(BATCH, dtype=np.int64)
    rows = np.zeros((BATCH, 4))
    actions = np.random.default_rng(0).uniform(-1, 1, (8, BATCH, 1)).astype(np.float32)

    def steps() -> int:
        for k in range(8):
            seen, reward = np.empty((BATCH, 4), dtype=np.float32), np.empty(BATCH)
            by_hand.lost_sales_env(
                rows, actions[k], keys, period, channel, ends, guides, seen, reward
            )
        return 8 * BATCH

    return rate(steps, seconds)


def line_env(seconds: float) -> float:
    """Return steps per second of the hand-written vector loop for the kanban line."""
    layout = lay_out(jitgym.load("kanban-line"))
    ends, guides = tables(layout, "customers")
    keys, period = episode_keys("train", 0, np.arange(BATCH)), np.zeros(BATCH, dtype=np.int64)
    rows, bounds = np.zeros((BATCH, 11)), np.full(11, 1 / 120)
    for row in rows:
        by_hand.line_begin(row)
    actions = np.random.default_rng(0).uniform(-1, 1, (8, BATCH, 4)).astype(np.float32)

    def steps() -> int:
        for k in range(8):
            seen, reward = np.empty((BATCH, 11), dtype=np.float32), np.empty(BATCH)
            by_hand.line_env(
                rows, actions[k], keys, period, *line_tables(ends, guides), bounds, seen, reward
            )
        return 8 * BATCH

    return rate(steps, seconds)


def closed_loops(seconds: float) -> list[Line]:
    """Measure plant-periods per second of classic policies in the compiled loop."""
    lost = lay_out(jitgym.load("lost-sales"))
    line = lay_out(jitgym.load("kanban-line"))
    level, cards = pull_rule(lost, levels=LEVEL), pull_rule(line, cards=CARDS)
    return [
        *closed_loop("lost-sales, base-stock", lost, level, lost_sales_loop, seconds),
        *closed_loop("kanban-line, kanban", line, cards, line_loop, seconds),
    ]


def closed_loop(
    what: str, layout: Layout, rule: Rule, loop: Callable[[Layout, Any, Any], None], seconds: float
) -> list[Line]:
    """Measure a rule in the compiled and the hand-written loop, after checking that they agree.

    By default the compiled loop freezes a plant that runs for long. The program that all plants
    share, which runs until then, is measured too.
    """
    keys, costs = episode_keys("test", 0, np.arange(EPISODES)), np.zeros(EPISODES)
    periods = EPISODES * layout.plant.periods

    def as_called() -> int:
        run_rules(layout, rule, keys, "test", flows=False)
        return periods

    def frozen() -> int:
        run_rules(layout, rule, keys, "test", flows=False, is_frozen=True)
        return periods

    def generic() -> int:
        run_rules(layout, rule, keys, "test", flows=False, is_frozen=False)
        return periods

    def hand() -> int:
        loop(layout, keys, costs)
        return periods

    hand()
    if not np.allclose(run_rules(layout, rule, keys, "test").cost[0], costs, rtol=1e-9):
        raise SystemExit(f"{what}: the hand-written loop and the plant disagree")
    best = rate(hand, seconds)
    return [
        Line(f"{what}, compiled loop as called", rate(as_called, seconds), best),
        Line(f"{what}, compiled loop, frozen", rate(frozen, seconds), best),
        Line(f"{what}, compiled loop, never frozen", rate(generic, seconds), best),
    ]


def branches(seconds: float) -> list[Line]:
    """Measure plant-periods per second of paired branches that follow a net beside a classic."""
    plants = (
        ("lost-sales", "base-stock"),
        ("kanban-line", "extended-kanban"),
        ("content-studio", "conwip-hot"),
    )
    lines = [
        Line(f"{name}, branches with a net", paired(name, base, seconds), None)
        for name, base in plants
    ]
    return [*lines, Line("lost-sales, slopes along paths, net included", slopes(seconds), None)]


def slopes(seconds: float) -> float:
    """Return periods of paths per second of the learner `hindsight`, with its updates."""
    scenario, learner = jitgym.load("lost-sales"), find("hindsight")
    start = Start(agents.make("base-stock", scenario), "base-stock", {}, {}, 0, 0.0)
    settings = learner.read_settings().model_copy(update={"interval": 1e-9})  # one update each
    with one_thread():
        problem = Problem(scenario, lay_out(scenario), start, 0, settings.periods)
        session = learner.module.begin(problem, settings)

        def update() -> int:
            before = session.periods
            session.advance()
            return int(session.periods - before)

        return rate(update, seconds)


def paired(name: str, base: str, seconds: float) -> float:
    """Return plant-periods per second of pairs that deviate by a step of one source."""
    layout = lay_out(jitgym.load(name))
    policy = corrected(agents.make(base, layout.scenario), layout, np.random.default_rng(0))
    asking, herd = Asking(policy, layout), Herd(layout, BATCH, seed=0)
    herd.begin(asking, stagger=100)
    asked = asking(herd.state, herd.memory)
    points = Points(herd.state.copy(), herd.memory, herd.keys, herd.period, asked)
    outputs = np.zeros((2 * BATCH, layout.plant.sources.size))
    rows = np.arange(2 * BATCH)
    outputs[rows, rows // 2 % outputs.shape[1]] = np.where(rows % 2, 1.0, -1.0)
    of = rows // 2
    varied = policy.corrected(points.state[of], asked[of], outputs)
    return rate(lambda: branch(asking, points, varied, of).periods, seconds)


LEVEL = {"supplier": 25.0}
CARDS = {"mill": 60.0, "pressing": 20.0, "welding": 20.0, "finishing": 30.0}


def lost_sales_loop(layout: Layout, keys: Any, costs: Any) -> None:
    """Run base-stock 25 in the hand-written loop."""
    ends, guides = tables(layout, "customers")
    plant = layout.plant
    channel = channel_number("customers.quantity")
    by_hand.lost_sales_base_stock(
        25.0, keys, plant.periods, plant.warm_up, channel, ends, guides, costs
    )


def line_loop(layout: Layout, keys: Any, costs: Any) -> None:
    """Run kanban in the hand-written loop."""
    plant = layout.plant
    rest = line_tables(*tables(layout, "customers"))
    cards = np.array(list(CARDS.values()))
    by_hand.line_kanban(cards, keys, plant.periods, plant.warm_up, *rest, costs)


def line_tables(ends: Any, guides: Any) -> tuple[Any, ...]:
    """Return channels, lead time hazards and demand tables of the kanban line."""
    names = ["customers.quantity", "mill.lead_time"]
    names += [f"{center}.breakdown" for center in ("press", "weld", "assembly")]
    channels = np.array([channel_number(name) for name in names])
    return channels, np.array([0.5, 0.6]), ends, guides


def tables(layout: Layout, demand: str) -> tuple[Any, Any]:
    """Return ends and guides of a demand on 0, 1, 2, ..., as in the generic plant."""
    plant = layout.plant
    number = list(layout.scenario.demands).index(demand)
    record = plant.distributions[plant.demands[number]["quantity"]]
    guides = plant.guides[record["guide"] : record["guide"] + int(record["guides"])]
    return plant.ends[record["first"] :].copy(), guides - record["first"]


if __name__ == "__main__":
    common.run(main)
