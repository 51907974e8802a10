"""A trained net as a policy, made by `jitgym.evaluate.net_policy` and run on one thread.

It does not explore: asked = decode(mean or most likely action).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.policies import BasePolicy

from jitgym.control import View
from jitgym.envs.spaces import Spaces
from jitgym.evaluate import NetPolicy
from jitgym.evaluate.judging import OfModel


class LearnedPolicy(NetPolicy):
    """A trained net for the plants of one layout."""

    def __init__(self, name: str, spaces: Spaces, net: BasePolicy) -> None:
        super().__init__(name, spaces, net, OfModel.of(net.predict))

    def act(self, view: View, memory: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what it asks for, (batch, sources) in units."""
        with one_thread():
            return super().act(view, memory)

    @property
    def net(self) -> Any:
        """The trained net."""
        return self.model


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread.

    More threads gain nothing on such small nets, and can take a hundred times as long while other
    programs run.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
