"""A net as data: a small network that reads features of the state, run row by row in machine code.

    x = clip((features - mean) / deviation, -6, 6)
    outputs = relu(relu(x W1 + b1) W2 + b2) W3 + b3

The features are the entries of the observation in natural units, followed by what a classic policy
asks in this state, in steps. Every sum is added up in a fixed order, so that the outputs for a
state do not depend on the other rows of a batch. An output of 0 leaves the classic policy as it is:
a net whose last layer is 0 *is* the classic policy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import UNLIMITED, Matrix, Plant

from .rules import CARDS, LEVEL, Rule, ask_by_rule

Numbers = npt.NDArray[np.float32]

MOST = 6.0
"""Standardized features are clipped at plus and minus this, so that no state is far outside."""


class Net(NamedTuple):
    """A network with two hidden layers; row i of the weights holds those of input i."""

    mean: npt.NDArray[np.float64]  # of each feature, (features,)
    gain: npt.NDArray[np.float64]  # 1 / standard deviation of each feature, (features,)
    first: Numbers  # (features, hidden)
    first_bias: Numbers  # (hidden,)
    second: Numbers  # (hidden, hidden)
    second_bias: Numbers  # (hidden,)
    last: Numbers  # (hidden, outputs)
    last_bias: Numbers  # (outputs,)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.last.shape[1])


def untrained(mean: Matrix, deviation: Matrix, hidden: int, outputs: int, seed: int) -> Net:
    """Return a net with random hidden layers (He et al. 2015) and a last layer of 0."""
    generator = np.random.default_rng(seed)

    def drawn(inputs: int, width: int) -> Numbers:
        spread = np.sqrt(2.0 / max(inputs, 1))
        return np.asarray(spread * generator.standard_normal((inputs, width)), dtype=np.float32)

    def none(*shape: int) -> Numbers:
        return np.zeros(shape, dtype=np.float32)

    features = mean.size
    return Net(
        mean.astype(np.float64),
        1.0 / deviation.astype(np.float64),
        drawn(features, hidden),
        none(hidden),
        drawn(hidden, hidden),
        none(hidden),
        none(hidden, outputs),
        none(outputs),
    )


@kernel
def layer(
    inputs: Numbers, weights: Numbers, bias: Numbers, outputs: Numbers, is_last: bool
) -> None:
    """Write one layer's outputs of a row; inputs that are 0 cost nothing."""
    for j in range(outputs.size):
        outputs[j] = bias[j]
    for i in range(inputs.size):
        x = inputs[i]
        if x != np.float32(0.0):
            row = weights[i]
            for j in range(outputs.size):
                outputs[j] += x * row[j]
    if not is_last:
        for j in range(outputs.size):
            outputs[j] = max(outputs[j], np.float32(0.0))


@kernel
def standardize(net: Net, features: npt.NDArray[np.float64], inputs: Numbers) -> None:
    """Write the standardized and clipped features of a row, (features,)."""
    for k in range(inputs.size):
        x = (features[k] - net.mean[k]) * net.gain[k]
        inputs[k] = np.float32(min(max(x, -MOST), MOST))


@compiled
def think(
    net: Net, features: Matrix, inputs: Numbers, one: Numbers, two: Numbers, outputs: Numbers
) -> None:
    """Write the outputs of a batch, (batch, outputs); `inputs`, `one`, `two` are working rows."""
    for e in range(features.shape[0]):
        standardize(net, features[e], inputs)
        layer(inputs, net.first, net.first_bias, one, False)
        layer(one, net.second, net.second_bias, two, False)
        layer(two, net.last, net.last_bias, outputs[e], True)


def outputs_of(net: Net, features: Matrix) -> Numbers:
    """Return the outputs for a batch, (batch, features) -> (batch, outputs)."""
    outputs = np.empty((features.shape[0], net.outputs), dtype=np.float32)
    one, two = np.empty_like(net.first_bias), np.empty_like(net.second_bias)
    think(net, features, np.empty(net.mean.size, dtype=np.float32), one, two, outputs)
    return outputs


@compiled
def ask_corrected(
    plant: Plant, rule: Rule, numbers: Matrix, corrections: Matrix, state: Matrix, asked: Matrix
) -> None:
    """Write what a rule asks for if its levels and cards are moved, (batch, asked cells).

    `corrections` are in units, (batch, sources); they move the level and the cards of a source. A
    source that has neither is not corrected. `numbers` is a working matrix, (asks, 6).
    """
    for e in range(state.shape[0]):
        for k in range(numbers.shape[0]):
            for column in range(numbers.shape[1]):
                numbers[k, column] = rule.numbers[0, k, column]
            correction = corrections[e, rule.asks[k].source]
            for column in (CARDS, LEVEL):
                if numbers[k, column] < UNLIMITED:
                    numbers[k, column] += correction
        ask_by_rule(
            plant,
            rule.asks,
            rule.cells,
            rule.weights[0],
            numbers,
            rule.gates,
            rule.thresholds[0],
            state[e],
            asked[e],
        )
