"""Training: the loop that is the same for every learner.

    start -> session, interval by interval -> the best of the looks -> the gate -> a policy

The start is the tuned classic (`start`). After each interval the learner's policy is looked at on
the episodes 0 to 63 of the split `validate`, and a checkpoint is written. At the end the gate runs
the best candidate against the start on fresh episodes of `validate`: only if it is better there
does it replace the start. Otherwise the result *is* the start. Several learners may be tried one
after the other (`Plan`); the gate keeps count, so that all of them together err in 2.5 % at most.

The budget is counted in simulated periods, never by the clock, so that a training repeats to the
last bit. `minutes` only stops it early, between two intervals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jitgym import ScenarioError
from jitgym.catalog import load as load_scenario
from jitgym.control import Policy, Printed, Rule, View
from jitgym.documents import write_whole
from jitgym.errors import whole_number
from jitgym.evaluate import Interval, RunError
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

from ..progress import Progress
from . import start as starts
from .checkpoint import Checkpoint, described, expect_folder, read_tensors, write_tensors
from .gate import LOOKS, Gate, Verdict
from .headroom import Headroom
from .interrupts import postponed_interrupt
from .policy import one_thread
from .session import Problem, Session, Stored
from .start import Start
from .tracking import Log, Tracker

MOST_SEED = 2**62
KEPT = "start"
"""The name in best.pt of the learner whose policy is the start itself."""


@dataclass(frozen=True)
class Learning:
    """A learner that is tried, and its settings."""

    learner: Any  # of the registry
    settings: Any

    @property
    def name(self) -> str:
        """The name of the learner."""
        return str(self.learner.name)

    @property
    def module(self) -> Any:
        """The code of the learner."""
        return self.learner.module


@dataclass(frozen=True)
class Trained:
    """The result of a training."""

    policy: Policy  # the learned policy, or the start where the gate kept it
    start: Start
    kept: bool  # whether the start was kept
    learner: str  # the learner whose policy passed the gate, or the last that was tried
    verdicts: tuple[Verdict, ...]  # of all gates
    headroom: float | None  # saving that a check found possible, as a share of the start's cost
    periods: int  # simulated: start, training, looks and gates
    seconds: float  # CPU seconds of the training, with earlier sessions, without the start
    notes: tuple[str, ...] = ()  # sentences for a table
    folder: Path | None = None

    @property
    def cost(self) -> float:
        """The mean cost of the last judged policy's incumbent on the gate's episodes."""
        return self.verdicts[-1].incumbent_cost if self.verdicts else float("nan")


@dataclass(frozen=True)
class Named(Printed):
    """A policy under another name."""

    name: str
    policy: Policy
    layout: Layout

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the policy."""
        return dict(getattr(self.policy, "parameters", {}))

    @property
    def rule(self) -> Rule | None:
        """Its compiled rule, or None."""
        return self.policy.rule

    def start(self, batch: int) -> Any:
        """Return its memory."""
        return self.policy.start(batch)

    def act(self, view: View, memory: Any) -> Any:
        """Return what it asks for."""
        return self.policy.act(view, memory)


@dataclass
class Best:
    """The candidate with the lowest cost in the looks of one learner."""

    difference: float = 0.0  # to the start, on the episodes of the looks, in money
    interval: int = -1  # after which it was looked at; -1: there is none yet
    stored: Stored = field(default_factory=dict)


def train(
    learner: Any,
    scenario: Scenario | str | Path,
    settings: Any,
    folder: str | Path,
    *,
    periods: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    start: str = "",
    resume: bool = False,
    progress: bool = False,
) -> Trained:
    """Train a learner of the registry; see `agents.train` for the parameters and exceptions."""
    scenario = load_scenario(scenario)
    seed = whole_number("seed", seed, 0, MOST_SEED)
    if periods is not None:
        periods = whole_number("periods", periods, least=1)
    if minutes is not None and not minutes > 0:
        raise ScenarioError(f"minutes is {minutes}; expected more than 0")
    starts.expect(start, scenario)
    expect_folder(Path(folder), resume)
    checkpoint = Checkpoint(Path(folder))
    layout = lay_out(scenario)
    log = Log(checkpoint.log)
    log(f"{learner.name} on {scenario.name}, seed {seed}: tunes classics to find the start")
    with one_thread(), postponed_interrupt() as interrupt:
        begun = starts.find(scenario, start, progress=progress)
        problem = Problem(scenario, layout, begun, seed, periods or settings.periods_for(scenario))
        if hasattr(learner.module, "choose"):
            learnings, headroom = learner.module.choose(problem, settings)
        else:
            learnings, headroom = [Learning(learner, settings)], None
        listed = {each.name: each.settings.model_dump() for each in learnings}
        record = described(learner.name, layout, begun, listed, seed, periods)
        stored = checkpoint.resume(record) if resume else None
        if stored is None:
            checkpoint.begin(record)
        options = Options(learner.name, minutes, progress, interrupt, headroom)
        return Loop(problem, learnings, checkpoint, options, stored).run()


@dataclass(frozen=True)
class Options:
    """How a training runs; none of it changes the result, except that `minutes` may stop it."""

    agent: str  # the name that was asked for
    minutes: float | None
    progress: bool
    interrupt: threading.Event
    headroom: Headroom | None  # what a check before the training found


class Loop:
    """The state of a training."""

    def __init__(
        self,
        problem: Problem,
        learnings: list[Learning],
        checkpoint: Checkpoint,
        options: Options,
        stored: Stored | None,
    ) -> None:
        self.problem, self.learnings, self.checkpoint = problem, learnings, checkpoint
        self.options, minutes = options, options.minutes
        self.ends = None if minutes is None else time.monotonic() + 60.0 * minutes
        self.began = time.process_time()
        self.earlier, self.phase, self.intervals, self.periods = 0.0, 0, 0, 0
        self.best, self.looks = Best(), 0
        self.curve: list[list[float]] = []  # periods, CPU seconds, difference, its low and high end
        self.figures: dict[str, float] = {}
        self.gate = Gate(problem.scenario, problem.start.policy, problem.seed)
        self.session: Session | None = None
        self._looked: tuple[Policy, Interval] | None = (
            None  # the last candidate, to look at it once
        )
        if stored is not None:
            self._restore(stored)

    @property
    def seconds(self) -> float:
        """CPU seconds so far, with earlier sessions."""
        return self.earlier + time.process_time() - self.began

    @property
    def is_stopped(self) -> bool:
        """Whether the user interrupted, or the time is over."""
        late = self.ends is not None and time.monotonic() > self.ends
        return late or self.options.interrupt.is_set()

    def run(self) -> Trained:
        """Try the learners one after the other until one passes the gate."""
        title = f"train {self.options.agent} on {self.problem.scenario.name}"
        tracker = self._tracker()
        with Progress(title, total=1.0, shown=self.options.progress) as bar, tracker:
            while self.phase < len(self.learnings):
                learning = self.learnings[self.phase]
                session = self._session(learning)
                while not session.is_over and not self.is_stopped:
                    session.advance()
                    self._look(learning, session, tracker)
                    done = min(1.0, session.periods / self.problem.periods)
                    bar.update((self.phase + done) / len(self.learnings), self._line(learning))
                if self.options.interrupt.is_set():
                    raise KeyboardInterrupt(
                        f"interrupted after {session.periods:,} periods; resume goes on from "
                        f"{self.checkpoint.folder}"
                    )
                self.periods += session.periods
                bar.update((self.phase + 1) / len(self.learnings), "the gate")
                passed = self._judge(learning)
                tracker.verdict(self.gate.verdicts[-1], self.periods)
                if passed:
                    break
                self.phase, self.session, self.best = self.phase + 1, None, Best()
                if self.is_stopped:
                    break
        return self._result()

    def _tracker(self) -> Tracker:
        settings = {each.name: each.settings.model_dump() for each in self.learnings}
        begun = None if self.session is None else self.periods + self.session.periods
        folder, log = self.checkpoint.folder / "tensorboard", Log(self.checkpoint.log)
        return Tracker(folder, self.problem, self.gate, settings, log, begun)

    def _learner(self, name: str) -> Any:
        return next(each.learner for each in self.learnings if each.name == name)

    def _session(self, learning: Learning) -> Session:
        if self.session is None:
            self.session = learning.module.begin(self.problem, learning.settings)
            self.intervals = 0
        return self.session

    def _look(self, learning: Learning, session: Session, tracker: Tracker) -> None:
        policy, stored = session.candidate()
        if self._looked is None or self._looked[0] is not policy:
            self._looked = policy, self.gate.look(policy)
        look = self._looked[1]
        self.intervals += 1
        self.looks += 1
        found = bool(stored)  # before the first fit the candidate is the start, which needs no gate
        if found and (self.best.interval < 0 or look.mean < self.best.difference):
            self.best = Best(look.mean, self.intervals, stored)
        self.figures = session.figures()
        done = float(self.periods + session.periods)
        self.curve.append([done, self.seconds, look.mean, look.low, look.high])
        write_whole(self.checkpoint.curve, _as_csv(self.curve))
        periods, best = self.periods + session.periods, self.best.difference
        tracker.look(policy, look, self.figures, periods, best)
        write_tensors(self.checkpoint.last, self._snapshot(session))

    def _line(self, learning: Learning) -> str:
        found = f", best {self.best.difference:+.4g}" if self.best.interval >= 0 else ""
        done = 0 if self.session is None else self.session.periods
        return f"{learning.name}, {done:,} periods{found}"

    def _judge(self, learning: Learning) -> bool:
        """Ask the gate about the best candidate, and keep the policy if it passes."""
        problem = self.problem
        policy = problem.start.policy
        if self.best.interval >= 0:
            policy = learning.module.restored(
                problem, learning.settings, self.best.stored, self.checkpoint.last
            )
        verdict = self.gate.judge(policy)
        name, stored = (learning.name, self.best.stored) if verdict.passed else (KEPT, {})
        found = {"learner": name, "tried": learning.name, "policy": stored}
        write_tensors(self.checkpoint.best, found)
        return verdict.passed

    def _result(self) -> Trained:
        folder = self.checkpoint.folder
        kept = self.gate.passed == 0
        learner = self.learnings[min(self.phase, len(self.learnings) - 1)].name
        policy = load(folder, self.problem.scenario, self._learner)
        length, _ = self.problem.scenario.horizon.of_split("validate")
        measured = self.periods + len(self.gate.verdicts) * self.gate.periods
        measured += (self.looks + 1) * LOOKS * length
        checked, notes = self.options.headroom, [str(each) for each in self.gate.verdicts]
        if checked is not None:
            measured += checked.periods
            notes.append(str(checked))
        return Trained(
            policy=policy,
            start=self.problem.start,
            kept=kept,
            learner=learner,
            verdicts=tuple(self.gate.verdicts),
            headroom=self.figures.get("headroom") if checked is None else checked.gain,
            periods=int(measured + self.problem.start.periods),
            seconds=self.seconds,
            notes=tuple(notes),
            folder=folder,
        )

    def _snapshot(self, session: Session) -> Stored:
        return {
            "phase": self.phase,
            "intervals": self.intervals,
            "periods": self.periods,
            "looks": self.looks,
            "seconds": self.seconds,
            "curve": [list(map(float, line)) for line in self.curve],
            "best": {
                "difference": self.best.difference,
                "interval": self.best.interval,
                "stored": self.best.stored,
            },
            "gate": self.gate.as_dict(),
            "session": session.snapshot(),
        }

    def _restore(self, stored: Stored) -> None:
        path = self.checkpoint.last
        try:
            self.phase = int(stored["phase"])
            learning = self.learnings[self.phase]
            session = self._session(learning)
            session.restore(stored["session"])
            self.intervals, self.periods = int(stored["intervals"]), int(stored["periods"])
            self.looks = int(stored["looks"])
            self.earlier = float(stored["seconds"])
            self.curve = [[float(x) for x in line] for line in stored["curve"]]
            self.best = Best(**stored["best"])
            self.gate = Gate.from_dict(
                self.problem.scenario, self.problem.start.policy, stored["gate"]
            )
        except RunError as error:
            raise RunError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
            raise RunError(f"{path}: does not fit this training ({error!r})") from None


def _as_csv(curve: list[list[float]]) -> str:
    lines = ["periods,cpu_seconds,difference,low,high"]
    lines += [",".join(f"{value:.8g}" for value in line) for line in curve]
    return "\n".join(lines) + "\n"


def load(folder: str | Path, scenario: Scenario | str | Path, find: Callable[[str], Any]) -> Policy:
    """Return the policy of a training, for the scenario of its training.

    `find` returns a learner of the registry by its name.

    Raises RunError if the folder holds no policy, or one of another scenario.
    """
    checkpoint = Checkpoint(Path(folder))
    record = checkpoint.read()
    scenario = load_scenario(scenario)
    layout = lay_out(scenario)
    checkpoint.expect_scenario(layout)
    begun = record.start
    try:
        policy = starts.made(begun.name, scenario, begun.parameters)
    except ScenarioError as error:
        raise RunError(f"{checkpoint.record}: start: {error}") from None
    start = Start(policy, begun.name, begun.parameters, {}, 0, 0.0)
    problem = Problem(scenario, layout, start, record.seed, 0)
    stored = read_tensors(checkpoint.best)
    name = stored.get("learner")
    tried = stored.get("tried")
    known = name in (KEPT, *record.learners) and tried in record.learners
    if set(stored) != {"learner", "tried", "policy"} or not known:
        raise RunError(f"{checkpoint.best}: holds no policy of this training")
    found = start.policy
    if name != KEPT:
        learner = find(str(name))
        settings = learner.settings_from(record.learners[str(name)], checkpoint.record)
        found = learner.module.restored(problem, settings, stored["policy"], checkpoint.best)
    label = record.agent if record.agent in record.learners else f"{record.agent} ({tried})"
    return Named(label, found, layout)


def as_tensors(arrays: Any) -> Stored:
    """Return a named tuple of arrays as tensors by name."""
    return {name: torch.from_numpy(np.array(part)) for name, part in arrays._asdict().items()}
