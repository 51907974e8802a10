"""Callbacks between two updates: stop, validate, write checkpoints, show progress.

stable-baselines3 calls `_on_rollout_start` after an update and before the next step. Weights,
environments and random numbers are consistent only there, so all callbacks act there.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import TensorBoardOutputFormat

from jitgym.evaluate import rollout
from jitgym.plant import kpis_of, lay_out
from jitgym.scenario import Scenario

from ...progress import Progress
from ..policy import LearnedPolicy

LAYOUT = {"cost": {"beside the tuned classics": ["Multiline", ["cost/total", "reference/.*"]]}}
"""TensorBoard's tab of custom scalars: the cost and the reference lines in one chart."""


@dataclass
class Budget:
    """How long to train, with earlier sessions; the limit that is reached first counts."""

    steps: int | None  # of all environments together; None: no limit
    minutes: float | None  # wall time; None: no limit
    earlier: float = 0.0  # seconds of earlier sessions
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self.earlier + time.monotonic() - self.began

    def share(self, steps: int) -> float:
        """Return the share of the budget that is used after this many steps, 0 to 1."""
        of_steps = steps / self.steps if self.steps else 0.0
        of_time = self.seconds / (60.0 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(of_steps, of_time))


class Interrupt(threading.Event):
    """Set by the first Ctrl-C, so that training ends between two updates."""


@contextmanager
def postponed_interrupt() -> Iterator[Interrupt]:
    """Let the first Ctrl-C only set a flag; the second one interrupts at once, as usual."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # only the main thread gets signals
        return
    usual = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        interrupt.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, usual)


class Stop(BaseCallback):
    """Ends training between two updates, once the budget is used or the user interrupts."""

    def __init__(self, budget: Budget, interrupt: Interrupt) -> None:
        super().__init__()
        self.budget, self.interrupt = budget, interrupt
        self.is_over = False

    def _on_rollout_start(self) -> None:
        used_up = self.budget.share(self.num_timesteps) >= 1.0
        self.is_over = used_up or self.interrupt.is_set()

    def _on_step(self) -> bool:
        return not self.is_over  # the last step is dropped; checkpoints were written before it


@dataclass
class Best:
    """The policy with the lowest cost on the split `validate`."""

    cost: float = float("inf")
    steps: int = 0


class Validation(BaseCallback):
    """Evaluates the policy without exploration on the split `validate`, regularly and at the end.

    It logs `cost/total`, the ledger's terms under `cost/`, KPIs under `kpi/`, and the costs of
    other policies as constant lines under `reference/`. Then it calls `keep` with whether this
    policy is the best so far.
    """

    def __init__(
        self,
        policy: LearnedPolicy,
        scenario: Scenario,
        stop: Stop,
        best: Best,
        keep: Callable[[bool], None],
        *,
        every: int,
        episodes: int,
        seed: int,
        references: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.policy, self.scenario = policy, scenario
        self.stop, self.best, self.keep = stop, best, keep
        self.every, self.episodes, self.seed = every, episodes, seed
        self.references = references
        self.last = 0

    def _on_training_start(self) -> None:
        self.last = self.num_timesteps
        for output in self.logger.output_formats:
            if isinstance(output, TensorBoardOutputFormat):
                output.writer.add_custom_scalars(LAYOUT)

    def _on_rollout_start(self) -> None:
        is_due = self.num_timesteps // self.every > self.last // self.every
        if is_due or self.stop.is_over:
            self.last = self.num_timesteps
            self._validate()

    def _on_step(self) -> bool:
        return True

    def _validate(self) -> None:
        rows = rollout(self.policy, self.scenario, self.episodes, self.seed, split="validate")
        self._log(rows)
        cost = float(rows["cost"].mean())
        is_best = cost < self.best.cost
        if is_best:
            self.best.cost, self.best.steps = cost, self.num_timesteps
        self.keep(is_best)

    def _log(self, rows: pd.DataFrame) -> None:
        figures = {"cost/total": rows["cost"].mean()}
        figures |= {f"cost/{term}": rows[term].mean() for term in lay_out(self.scenario).terms}
        figures |= {f"kpi/{name}": rows[name].mean() for name in kpis_of(self.scenario)}
        figures |= {f"reference/{name}": cost for name, cost in self.references.items()}
        for name, figure in figures.items():
            if np.isfinite(figure):
                self.logger.record(name, float(figure))
        self.logger.dump(self.num_timesteps)


class ProgressBar(BaseCallback):
    """Shows on standard error how much of the budget is used up, and the best cost so far."""

    def __init__(self, title: str, budget: Budget, best: Best, shown: bool) -> None:
        super().__init__()
        self.budget, self.best = budget, best
        self.bar = Progress(title, total=1.0, shown=shown)

    def __enter__(self) -> ProgressBar:
        self.bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.__exit__(*error)

    def _on_rollout_start(self) -> None:
        steps = f"{self.num_timesteps:,} steps"
        best = f", best cost {self.best.cost:.6g}" if self.best.steps else ""
        self.bar.update(self.budget.share(self.num_timesteps), steps + best)

    def _on_step(self) -> bool:
        return True
