"""TensorBoard's curves of a training, written from the first second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from jitgym.control import Policy
from jitgym.evaluate import Interval

from .gate import Verdict
from .session import Problem


class Tracker:
    """Writes what a training finds; use it as a context."""

    def __init__(self, folder: Path, problem: Problem) -> None:
        self.folder, self.problem = folder, problem

    def __enter__(self) -> Tracker:
        self.writer = SummaryWriter(str(self.folder))
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.close()

    def look(
        self, policy: Policy, difference: Interval, figures: Mapping[str, float], periods: int
    ) -> None:
        """Write the paired difference to the start, and what the learner tells of itself."""
        band = {"low": difference.low, "high": difference.high, "mean": difference.mean}
        for name, value in band.items():
            self._scalar(f"difference/{name}", value, periods)
        for name, value in figures.items():
            self._scalar(f"learner/{name}", value, periods)
        self.writer.flush()

    def verdict(self, verdict: Verdict, periods: int) -> None:
        """Write the verdict of a gate."""
        self.writer.add_text("gate", str(verdict), periods)
        self.writer.flush()

    def _scalar(self, name: str, value: float, periods: int) -> None:
        if math.isfinite(value):
            self.writer.add_scalar(name, value, periods)
