"""The running average of a net's weights: updates wander, their average much less.

average <- keep x average + (1 - keep) x weights
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from jitgym.control.net import Net


class Average:
    """The average of the weights of a net over its last updates."""

    def __init__(self, net: Net) -> None:
        self.parts: list[npt.NDArray[np.float64]] = [np.array(part, np.float64) for part in net]

    def follow(self, net: Net, keep: float) -> None:
        """Move on by an update; `keep` is the weight of the past."""
        parts: Any = zip(self.parts, net, strict=True)
        for mean, part in parts:
            mean *= keep
            mean += (1.0 - keep) * part

    def net(self, like: Net) -> Net:
        """Return the averaged net, with the types of another one."""
        parts: Any = zip(self.parts, like, strict=True)
        return Net(*(mean.astype(part.dtype) for mean, part in parts))

    def snapshot(self) -> list[torch.Tensor]:
        """Return the parts as tensors."""
        return [torch.from_numpy(part.copy()) for part in self.parts]

    def restore(self, stored: list[torch.Tensor]) -> None:
        """Go on from a snapshot."""
        self.parts = [part.numpy().copy() for part in stored]
