"""A net as a policy: encode -> net -> decode.

    observation = clip(cell / bound, 0, 1)          asked = decode(mean or most likely action)

No exploration. The encodings are the environment's own, so the policy asks for exactly what the
same net gets when it acts in the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.policies import BasePolicy

from jitgym.control import View
from jitgym.envs import Control, ObservationEncoding, ask
from jitgym.envs.spaces import Spaces
from jitgym.plant import Layout


@dataclass(frozen=True)
class LearnedPolicy:
    """A trained net for the plants of one layout."""

    name: str  # what tables call it
    spaces: Spaces  # of the plant, under the control that it was trained with
    net: BasePolicy
    rule: None = None

    @cached_property
    def observation_encoding(self) -> ObservationEncoding:
        """How a view is encoded."""
        return ObservationEncoding(self.layout)

    @property
    def control(self) -> Control:
        """What its actions are."""
        return self.spaces.control

    @property
    def layout(self) -> Layout:
        """The plant that it was made for."""
        return self.spaces.layout

    def start(self, batch: int) -> npt.NDArray[np.float64]:
        """Return no memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what it asks for, (batch, sources) in units."""
        observation = self.observation_encoding.encode(view)
        with one_thread():
            action, _ = self.net.predict(observation, deterministic=True)
        return ask(self.spaces.action_encoding, action, view)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread.

    On nets this small more threads gain nothing; where other programs run they cost a hundredfold.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
