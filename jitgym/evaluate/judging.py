"""Judge your own model: a model that acts on observations becomes a policy to evaluate.

    observation = encode(view)      action = model.predict(observation)      asked = decode(action)

The encodings are those of the environment, so the policy asks for exactly the same quantities as
the model in the environment.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.control import Printed, View
from jitgym.control.decoding import ask
from jitgym.control.encodings import CONTROLS, DEFAULT_CONTROL, Control, ObservationEncoding
from jitgym.envs import VectorPlant
from jitgym.envs.spaces import Spaces
from jitgym.errors import ScenarioError
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

Array = npt.NDArray[np.float64]
Observations = npt.NDArray[np.float32]  # (batch, entries)
State = tuple[npt.NDArray[Any], ...]  # state of a recurrent model, each (layers, batch, units)
Predict = Callable[[Observations, State | None, npt.NDArray[np.bool_]], tuple[Any, State | None]]
"""(observations, state, whether each episode begins) -> (actions, state), for a batch."""


def net_policy(
    model: Any,
    scenario: Scenario | str | Path,
    control: Control = DEFAULT_CONTROL,
    *,
    name: str | None = None,
) -> NetPolicy:
    """Return a policy that acts like a model in the environment of a scenario.

    Parameters
    ----------
    model
        An object with `predict(observation)`, such as a model of stable-baselines3. It gets a batch
        of observations, (batch, entries), and `deterministic=True` if it takes that, and returns
        the actions, or (actions, state). Or a plain function of one observation, (entries,), or of
        a batch of them; both are tried to find out which one.
    scenario
        The plant that the model acts in: a Scenario, a catalog name, or a path.
    control
        The control of the environment that the model was trained in.
    name
        Its name in tables; by default the name of its class or function.

    Raises
    ------
    jitgym.ScenarioError
        If the control is unknown, the model was made for other spaces, or its actions have a wrong
        shape.
    TypeError
        If the model has no `predict` and is not a function.
    """
    spaces = Spaces(lay_out(load(scenario)), control)
    predict = getattr(model, "predict", None)
    if not callable(predict) and not callable(model):
        raise TypeError(
            f"{model!r} has no predict and is not a function; expected an object with "
            "predict(observation), such as a model of stable-baselines3, or a function of the "
            "observation"
        )
    named: str = name or getattr(model, "__name__", "") or type(model).__name__
    _expect_spaces(model, spaces, named)
    if callable(predict):
        return NetPolicy(named, spaces, model, OfModel.of(predict))
    return NetPolicy(named, spaces, model, OfFunction.of(model, spaces, named))


@dataclass(frozen=True, eq=False)
class NetPolicy(Printed):
    """A model that acts on observations, for the plants of one layout.

    The memory of a recurrent model holds whether the episode has begun, and the model's state.
    """

    name: str  # its name in tables
    spaces: Spaces  # spaces of the plant under the control of its actions
    model: Any
    predict: Predict
    rule: None = field(default=None, init=False)

    @property
    def control(self) -> Control:
        """The meaning of its actions."""
        return self.spaces.control

    @property
    def layout(self) -> Layout:
        """The layout of the plant that it was made for."""
        return self.spaces.layout

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters as given, for tables and files."""
        return {"control": self.control}

    @cached_property
    def observation_encoding(self) -> ObservationEncoding:
        """The encoding of observations."""
        return ObservationEncoding(self.layout)

    def start(self, batch: int) -> Array:
        """Return its memory before an episode, (batch, width); the width is 0 without a state."""
        return np.zeros((batch, 1 + self._width if self._width else 0))

    def act(self, view: View, memory: Array) -> Array:
        """Return what it asks for, (batch, sources) in units; the memory keeps its state."""
        observations = self.observation_encoding.encode(view)
        begins = np.ones(len(observations), dtype=np.bool_)
        state = None
        if self._width:
            begins = memory[:, 0] == 0.0
            state = None if begins.all() else self._unpacked(memory[:, 1:])
        actions, after = self.predict(observations, state, begins)
        if after is not None and self._width:
            memory[:, 0], memory[:, 1:] = 1.0, self._packed(after, len(observations))
        try:
            return ask(self.spaces.action_encoding, actions, view)
        except ValueError as error:
            raise ScenarioError(f"{self.name}: {error}") from None

    @cached_property
    def _shapes(self) -> list[tuple[int, int, np.dtype[Any]]]:
        """Layers, units and type of each array of a recurrent model's state, found by one call."""
        if not getattr(self.predict, "is_recurrent", False):
            return []
        batch = 3
        shown = np.zeros((batch, len(self.spaces.observation_entries)), dtype=np.float32)
        _, state = self.predict(shown, None, np.ones(batch, dtype=np.bool_))
        arrays = [np.asarray(array) for array in state or ()]
        for array in arrays:
            if array.ndim != 3 or array.shape[1] != batch:
                raise ScenarioError(
                    f"{self.name}: its state has an array of shape {array.shape} for a batch of "
                    f"{batch}; expected (layers, {batch}, units), as in recurrent models of "
                    "stable-baselines3"
                )
        return [(array.shape[0], array.shape[2], array.dtype) for array in arrays]

    @cached_property
    def _width(self) -> int:
        return sum(layers * units for layers, units, _ in self._shapes)

    def _packed(self, state: State, batch: int) -> Array:
        rows = [np.asarray(array).swapaxes(0, 1).reshape(batch, -1) for array in state]
        return np.concatenate(rows, axis=1).astype(np.float64)

    def _unpacked(self, memory: Array) -> State:
        arrays, first = [], 0
        for layers, units, kind in self._shapes:
            rows = memory[:, first : first + layers * units].reshape(-1, layers, units)
            arrays.append(np.ascontiguousarray(rows.swapaxes(0, 1).astype(kind)))
            first += layers * units
        return tuple(arrays)


@dataclass(frozen=True)
class OfModel:
    """A model's `predict`, called with the arguments of stable-baselines3 that it takes."""

    predict: Callable[..., Any]
    is_recurrent: bool  # whether it takes a state
    is_told: bool  # whether it takes `deterministic`

    @classmethod
    def of(cls, predict: Callable[..., Any]) -> OfModel:
        """Return the call that fits the signature of `predict`."""
        try:
            taken = inspect.signature(predict).parameters
        except ValueError:  # compiled code without a signature
            return cls(predict, is_recurrent=False, is_told=False)
        return cls(predict, {"state", "episode_start"} <= taken.keys(), "deterministic" in taken)

    def __call__(
        self, observations: Observations, state: State | None, begins: npt.NDArray[np.bool_]
    ) -> tuple[Any, State | None]:
        """Return the actions of a batch, and the state if there is one."""
        given: dict[str, Any] = {"deterministic": True} if self.is_told else {}
        if self.is_recurrent:
            given |= {"state": state, "episode_start": begins}
        found = self.predict(observations, **given)
        return found if isinstance(found, tuple) and len(found) == 2 else (found, None)


@dataclass(frozen=True)
class OfFunction:
    """A plain function of one observation, or of a batch of them."""

    function: Callable[[Any], Any]
    takes_batch: bool

    @classmethod
    def of(cls, function: Callable[[Any], Any], spaces: Spaces, name: str) -> OfFunction:
        """Try both ways and return the one that works. Raises ScenarioError if neither does."""
        encoding = spaces.action_encoding
        shown = _observations(spaces)
        batch, entries = shown.shape
        found: list[Array] = []
        faults: list[Exception] = []
        for kind in (cls(function, takes_batch=True), cls(function, takes_batch=False)):
            try:
                found.append(encoding.checked(kind(shown.copy())[0], batch))
            except Exception as error:  # the function may raise anything for an unexpected input
                faults.append(error)
            else:
                chosen = kind
        if not found:
            shape = encoding.shape
            raise ScenarioError(
                f"{name} does not return actions of the control {spaces.control!r}: {faults[-1]}; "
                f"expected a function of one observation, {(entries,)} -> {shape}, or of a batch "
                f"of them, {('batch', entries)} -> {('batch', *shape)}"
            ) from faults[-1]
        if len(found) == 1:
            return chosen
        if not np.allclose(found[0], found[1], atol=1e-4):
            raise ScenarioError(
                f"{name} returns other actions for a batch of observations than for each of them; "
                "expected the same actions, or a function that accepts only one of the two"
            )
        return cls(function, takes_batch=True)

    def __call__(self, observations: Observations, *unused: object) -> tuple[Any, None]:
        """Return the actions of a batch; there is no state."""
        if self.takes_batch:
            return self.function(observations), None
        return np.array([np.asarray(self.function(row)) for row in observations]), None


def _observations(spaces: Spaces) -> Observations:
    """Return some observations of a plant that acts at random, (batch, entries).

    There are more of them than entries, so that no batch looks like a single observation.
    """
    batch = 2 + max(len(spaces.observation_entries), len(spaces.action_entries))
    plants = VectorPlant(spaces.layout.scenario, batch, spaces.control)
    plants.action_space.seed(0)
    observations, _ = plants.reset(seed=0)
    for _ in range(min(5, spaces.layout.plant.periods - 1)):
        observations, *_ = plants.step(plants.action_space.sample())
    return observations


def _expect_spaces(model: Any, spaces: Spaces, name: str) -> None:
    """Raise ScenarioError if the spaces of a model differ from these spaces."""
    scenario = spaces.layout.scenario
    sees = getattr(model, "observation_space", None)
    if sees is not None and getattr(sees, "shape", None) != spaces.observation.shape:
        raise ScenarioError(
            f"{name} observes {sees}, but {scenario.name} has {spaces.observation}; expected a "
            "model trained in an environment of this scenario"
        )
    acts = getattr(model, "action_space", None)
    if acts is not None and acts != spaces.action:
        fitting = [
            repr(control) for control in CONTROLS if Spaces(spaces.layout, control).action == acts
        ]
        expected = f"control={' or '.join(fitting)}" if fitting else "a model of this scenario"
        raise ScenarioError(
            f"{name} acts in {acts}, but the control {spaces.control!r} of {scenario.name} has "
            f"{spaces.action}; expected {expected}"
        )
