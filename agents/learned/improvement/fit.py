"""The fit: a regression of the paired differences on the features of a state.

    y(candidate) - mean of y  ~  d(candidate) - mean of d,
    d = clip(difference / scale of the group, -3, 3),      means over the candidates of a state

The outputs y are expected costs up to a constant per group; only their differences are fitted, to
every candidate that was simulated, with equal weights. They are taken to the mean, and not to the
picked candidate: else the noise of that one alone would count in all of them. The scale of a group
is the root mean square of its differences. Regression of the advantage, and not a classification of
the winners: where candidates are nearly as good as each other, which of them wins is noise, and
counts little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jitgym.control.net import MOST, Net, untrained

from ..policy import one_thread
from .candidates import Candidates, Places

Array = npt.NDArray[np.float64]


@dataclass
class Data:
    """The labels of all generations."""

    features: npt.NDArray[np.float32]  # (states, features)
    picked: Places  # (states, groups)
    difference: npt.NDArray[np.float32]  # in money, nan where a candidate changes nothing

    @classmethod
    def empty(cls, features: int, candidates: Candidates) -> Data:
        """Return data without states."""
        return cls(
            np.empty((0, features), dtype=np.float32),
            np.empty((0, candidates.groups), dtype=np.int64),
            np.empty((0, candidates.total), dtype=np.float32),
        )

    @property
    def states(self) -> int:
        """Number of states."""
        return int(self.features.shape[0])

    def add(self, features: Array, picked: Places, difference: Array) -> None:
        """Add labels, row by row a state."""
        self.features = np.concatenate([self.features, features.astype(np.float32)])
        self.picked = np.concatenate([self.picked, picked])
        self.difference = np.concatenate([self.difference, difference.astype(np.float32)])


def scales(data: Data, candidates: Candidates) -> Array:
    """Return the root mean square of the differences of each group, in money, (groups,)."""
    found = np.ones(candidates.groups)
    for j in range(found.size):
        own = data.difference[:, candidates.first[j] : candidates.first[j + 1]]
        known = own[np.isfinite(own)].astype(np.float64)
        if known.size and (size := float(np.sqrt((known**2).mean()))) > 0.0:
            found[j] = size
    return found


@one_thread()
def fitted(
    data: Data,
    candidates: Candidates,
    *,
    hidden: int,
    epochs: int,
    minibatch: int,
    learning_rate: float,
    clip: float,
    seed: int,
) -> Net:
    """Return the net that is fitted to the labels; it depends on the data and the seed alone."""
    owner = candidates.owner
    scale = scales(data, candidates)[owner]
    mean = data.features.mean(axis=0, dtype=np.float64)
    deviation = data.features.std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-9] = 1.0  # a feature that never moved: as it is
    net = untrained(mean, deviation, hidden, candidates.total, seed)
    inputs = np.clip((data.features - net.mean) * net.gain, -MOST, MOST).astype(np.float32)
    wanted = np.clip(data.difference / scale, -clip, clip).astype(np.float32)
    known = np.isfinite(wanted)
    known[np.arange(data.states)[:, np.newaxis], data.picked] = True  # at a difference of 0
    wanted[~np.isfinite(wanted)] = 0.0
    x, y = torch.from_numpy(inputs), torch.from_numpy(wanted)
    mask = torch.from_numpy(known.astype(np.float32))
    member = torch.from_numpy(np.eye(candidates.groups, dtype=np.float32)[owner])
    where = torch.from_numpy(owner)
    weights = [torch.from_numpy(np.array(part)).requires_grad_() for part in net[2:]]
    batches = max(-(-data.states // minibatch), 1)
    optimizer = torch.optim.Adam(weights, lr=learning_rate)
    total, done = epochs * batches, 0
    order = np.random.default_rng([seed, 5])
    for _ in range(epochs):
        shuffled = torch.from_numpy(order.permutation(data.states))
        for some in shuffled.tensor_split(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * (1.0 - done / total)
            first, first_bias, second, second_bias, last, last_bias = weights
            one = torch.relu(x[some] @ first + first_bias)
            two = torch.relu(one @ second + second_bias)
            outputs = two @ last + last_bias
            counts = mask[some]
            apart = (outputs - y[some]) * counts
            mean = apart @ member / (counts @ member).clamp(min=1.0)
            loss = (((apart - mean[:, where]) * counts) ** 2).sum() / counts.sum().clamp(min=1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
    return Net(net.mean, net.gain, *(part.detach().numpy() for part in weights))
