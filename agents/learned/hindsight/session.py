"""The learner `hindsight`: a net descends the slope of the cost of a tape, along its path.

    correction = step x net(features),     weights <- Adam(weights, slope of a window's cost)

Paths of the plant with tiny lots (`twin`) follow the corrected classic for a window of periods.
Then the slope of their cost is carried backward, period by period: through the plant by the twin,
through the net by its derivative. At the end of the window stock has a price, else it would be let
run out: the mean slope in the middle of the windows before. The policy that is judged orders whole
lots. A period of a path counts once in the budget, with all of its slopes.

Hindsight suits plants whose flows are nearly real and whose cost has no jumps; others are refused
(`twin.why_not`). Glasserman and Tayur (1995) say when the slope of a path is that of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.control.net import MOST
from jitgym.control.policy import ask_batch
from jitgym.distributions import Positive

from ...branches import Asking, Herd
from ..checkpoint import expect_like
from ..corrections import rule_of
from ..sb3.paired import classic_with_net, restored, stored_net
from ..session import Problem, Stored
from ..settings import Budgeted, Count, Share, Width
from .twin import Twin, why_not

__all__ = ["HindsightSession", "Settings", "begin", "restored"]

Array = npt.NDArray[np.float64]
Tensor = torch.Tensor  # its products run on one thread, so that they have the same bits anywhere

WARM_UP = 300  # periods between the first and the last path at the start
WEIGHTS = ("first", "first_bias", "second", "second_bias", "last", "last_bias")


class Settings(Budgeted):
    """Hyperparameters; configs/agents/hindsight.yaml gives the reason for each number."""

    paths: Count
    window: Count  # periods
    learning_rate: Positive  # at the start; it falls to 0 like a cosine
    gradient: Positive  # largest norm of a gradient
    price: Share  # weight of the newest window in the price of stock at the end of a window
    average: Annotated[float, Field(ge=0, lt=1)]  # weight of the past in the average of the weights
    layers: Annotated[list[Width], Field(min_length=2, max_length=2)]
    interval: Share  # share of the budget between two looks


@dataclass(frozen=True)
class Moment:
    """A period of a window, before it is run."""

    state: Array  # (paths, cells)
    keys: npt.NDArray[np.uint64]
    period: npt.NDArray[np.int64]
    inputs: Tensor  # (paths, features)
    one: Tensor  # (paths, hidden)
    two: Tensor
    units: Array  # corrections, (paths, sources)
    over: npt.NDArray[np.bool_]  # whether the episode ends with it


class HindsightSession:
    """A training by slopes along paths."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.settings = problem, settings
        rule = rule_of(problem.start.policy)
        layout = problem.layout
        reason = why_not(layout, rule)
        if reason or rule is None:
            raise ScenarioError(
                f"hindsight does not suit {problem.scenario.name}: {reason}; expected a plant "
                "whose cost has a slope in every order. Use ppo or improve"
            )
        asking = Asking(problem.start.policy, layout)
        self.herd = Herd(layout, settings.paths, problem.seed)
        self.herd.begin(asking, WARM_UP)
        self.base = classic_with_net(problem, self.herd, settings.layers[0])
        self.twin = Twin(layout, self.herd.plant, rule, self.herd.split)
        self.herd.plant = self.twin.plant
        drawn = {name: np.array(getattr(self.base.net, name)) for name in WEIGHTS}
        self.weights = {name: torch.from_numpy(part) for name, part in drawn.items()}
        self.adam = torch.optim.Adam(self.weights.values(), lr=settings.learning_rate)
        self.average = {name: part.astype(np.float64) for name, part in drawn.items()}
        self.price = np.zeros(int(layout.plant.initial.size))
        self.updates, self.periods, self.norm, self.cost = 0, 0, 0.0, 0.0
        entries = self.base.features.entries
        self._cells = np.array([e.column if e.column < self.price.size else -1 for e in entries])
        self._plain = np.isin(self._cells, self.twin.cells)

    @property
    def is_over(self) -> bool:
        """Whether the budget is used."""
        return self.periods >= self.problem.periods

    def advance(self) -> None:
        """Run updates until the next look."""
        target = self.periods + self.settings.interval * self.problem.periods
        while self.periods < min(target, self.problem.periods):
            self._update()

    def _update(self) -> None:
        settings = self.settings
        moments, costs = self._forward()
        slopes = self._backward(moments)
        count = settings.paths * settings.window
        for name, part in self.weights.items():
            part.grad = slopes[name] / count
        self.norm = float(torch.nn.utils.clip_grad_norm_(self.weights.values(), settings.gradient))
        used = min(1.0, self.periods / self.problem.periods)
        for group in self.adam.param_groups:
            group["lr"] = settings.learning_rate * 0.5 * (1.0 + np.cos(np.pi * used))
        self.adam.step()
        self.updates += 1
        self.periods += count
        self.cost = float(costs.mean())
        for name, part in self.weights.items():
            mean = self.average[name]
            mean *= settings.average
            mean += (1.0 - settings.average) * part.numpy()

    def _forward(self) -> tuple[list[Moment], Array]:
        """Run a window, and return what each period began with, and the costs of all."""
        herd, net = self.herd, self.weights
        base, step = self.base, self.base.steps.step
        gain, mean = base.net.gain, base.net.mean
        asked = np.zeros((herd.size, self.problem.layout.asked_cells))
        asking = Asking(self.problem.start.policy, self.problem.layout)
        moments, costs = [], np.empty((self.settings.window, herd.size))
        for t in range(self.settings.window):
            ask_batch(self.twin.plant, self.twin.rule, herd.state, asked)
            features = (base.features(herd.state, asked) - mean) * gain
            inputs = torch.from_numpy(np.clip(features, -MOST, MOST).astype(np.float32))
            one = torch.addmm(net["first_bias"], inputs, net["first"]).relu_()
            two = torch.addmm(net["second_bias"], one, net["second"]).relu_()
            units = torch.addmm(net["last_bias"], two, net["last"]).numpy() * step
            begun = herd.state.copy(), herd.keys.copy(), herd.period.copy()
            self.twin.forward(herd.keys, herd.period, units, herd.state, costs[t])
            herd.period += 1
            over = herd.begin_next(asking)
            moments.append(Moment(*begun, inputs, one, two, units, over))
        return moments, costs

    def _backward(self, moments: list[Moment]) -> dict[str, Tensor]:
        """Return the sums over all paths of the slopes of the cost in the weights."""
        net, step, gain = self.weights, self.base.steps.step, self.base.net.gain
        sums = {name: torch.zeros_like(part) for name, part in net.items()}
        discount, entries = self.twin.plant.discount, self._cells.size
        later = np.tile(self.price, (self.settings.paths, 1))
        columns = self._cells[self._plain]
        for t in range(len(moments) - 1, -1, -1):
            at = moments[t]
            later[at.over] = 0.0
            later *= discount
            base, slopes = self.twin.in_corrections(at.keys, at.period, at.units, at.state, later)
            out = torch.from_numpy((slopes * step).astype(np.float32))
            sums["last"].addmm_(at.two.T, out)
            sums["last_bias"] += out.sum(dim=0)
            two = (out @ net["last"].T) * (at.two > 0)
            sums["second"].addmm_(at.one.T, two)
            sums["second_bias"] += two.sum(dim=0)
            one = (two @ net["second"].T) * (at.one > 0)
            sums["first"].addmm_(at.inputs.T, one)
            sums["first_bias"] += one.sum(dim=0)
            inside = (at.inputs.abs() < MOST).numpy()
            features = (one @ net["first"].T).numpy().astype(np.float64) * inside * gain
            before = self.twin.in_states(
                at.keys, at.period, at.units, at.state, later, base,
                np.ascontiguousarray(features[:, entries:] / step),
            )  # fmt: skip
            for cell, slope in zip(columns, features[:, :entries][:, self._plain].T, strict=True):
                before[:, cell] += slope
            later = before
            if t == len(moments) // 2:
                weight = self.settings.price if self.updates else 1.0
                self.price += weight * (later.mean(axis=0) - self.price)
        return sums

    def candidate(self) -> tuple[Policy, Stored]:
        """Return the policy with the averaged weights."""
        like = self.base.net
        parts = {n: mean.astype(getattr(like, n).dtype) for n, mean in self.average.items()}
        net = like._replace(**parts)
        return self.base.with_net(net), stored_net(net)

    def figures(self) -> dict[str, float]:
        """Return figures of the training."""
        return {
            "cost of the windows": self.cost,
            "norm of the gradient": self.norm,
            "updates": float(self.updates),
        }

    def snapshot(self) -> Stored:
        """Return all that changes."""
        herd = self.herd.snapshot()
        herd["keys"] = herd["keys"].astype(np.int64)
        return {
            "weights": {name: part.clone() for name, part in self.weights.items()},
            "adam": self.adam.state_dict(),
            "average": {name: torch.from_numpy(part.copy()) for name, part in self.average.items()},
            "herd": {name: torch.from_numpy(part) for name, part in herd.items()},
            "price": torch.from_numpy(self.price.copy()),
            "updates": self.updates,
            "periods": self.periods,
            "norm": self.norm,
            "cost": self.cost,
        }

    def restore(self, stored: Stored) -> None:
        """Go on from a snapshot. Raises RunError if it does not fit."""
        known = self.snapshot()
        state = {
            k: {"step": torch.tensor(0.0), "exp_avg": part, "exp_avg_sq": part}
            for k, part in enumerate(self.weights.values())
        }
        expect_like(stored, known | {"adam": known["adam"] | {"state": state}}, "session")
        for name, part in stored["weights"].items():
            self.weights[name].copy_(part)
        self.adam.load_state_dict(stored["adam"])
        self.average = {name: part.numpy().copy() for name, part in stored["average"].items()}
        herd = {name: part.numpy() for name, part in stored["herd"].items()}
        herd["keys"] = herd["keys"].astype(np.uint64)
        self.herd.restore(herd)
        self.price = stored["price"].numpy().copy()
        self.updates, self.periods = stored["updates"], stored["periods"]
        self.norm, self.cost = stored["norm"], stored["cost"]


def begin(problem: Problem, settings: Settings) -> HindsightSession:
    """Return a new session. Raises ScenarioError if the plant does not suit."""
    return HindsightSession(problem, settings)
