"""A net as data: a small network that reads features of the state, run row by row in machine code.

    x = clip((features - mean) / deviation, -6, 6)
    outputs = relu(relu(x W1 + b1) W2 + b2) W3 + b3

The features are the entries of the observation in natural units, followed by what a classic policy
asks in this state, in steps. Every sum is added up in a fixed order, so that the outputs for a
state do not depend on the other rows of a batch. An output of 0 leaves the classic policy as it is:
a net whose last layer is 0 *is* the classic policy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant.jit import compiled, kernel, separate
from jitgym.plant.records import UNLIMITED, Matrix, Plant, Records, Row

from .encodings import CATEGORY, COSINE, SINE
from .rules import CARDS, LEVEL, Rule, ask_by_rule

Places = npt.NDArray[np.int64]
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
    inputs: Numbers,
    weights: Numbers,
    bias: Numbers,
    places: Places,
    outputs: Numbers,
    is_last: bool,
) -> None:
    """Write one layer's outputs of a row.

    Inputs of 0 are left out, and the others are taken four at a time, so that the outputs are read
    and written a quarter as often. `places` is a working row, (inputs,).
    """
    for j in range(outputs.size):
        outputs[j] = bias[j]
    count = 0
    for i in range(inputs.size):
        if inputs[i] != np.float32(0.0):
            places[count] = i
            count += 1
    k = 0
    while k + 3 < count:
        a, b, c, d = places[k], places[k + 1], places[k + 2], places[k + 3]
        p, q, r, s = inputs[a], inputs[b], inputs[c], inputs[d]
        one, two, three, four = weights[a], weights[b], weights[c], weights[d]
        for j in range(outputs.size):
            outputs[j] += (p * one[j] + q * two[j]) + (r * three[j] + s * four[j])
        k += 4
    while k < count:
        x, row = inputs[places[k]], weights[places[k]]
        for j in range(outputs.size):
            outputs[j] += x * row[j]
        k += 1
    if not is_last:
        for j in range(outputs.size):
            outputs[j] = max(outputs[j], np.float32(0.0))


@kernel
def standardize(net: Net, features: npt.NDArray[np.float64], inputs: Numbers) -> None:
    """Write the standardized and clipped features of a row, (features,)."""
    for k in range(inputs.size):
        x = (features[k] - net.mean[k]) * net.gain[k]
        inputs[k] = np.float32(min(max(x, -MOST), MOST))


class Corrector(NamedTuple):
    """A pull rule, the net that corrects it, and working rows: a policy as data."""

    rule: Rule
    net: Net
    entries: Records  # of the observation, ENTRY (entries,)
    lot: Row  # corrections are multiples of it, in units, (sources,)
    step: Row  # correction for an output of 1, in units, (sources,)
    features: Row  # working rows from here on
    inputs: Numbers
    one: Numbers
    two: Numbers
    outputs: Numbers
    places: Places
    numbers: Matrix  # (asks, 6)


def corrector(rule: Rule, net: Net, entries: Records, lot: Row, step: Row) -> Corrector:
    """Return a policy as data."""
    hidden = net.first_bias.size
    width = max(net.mean.size, hidden)
    return Corrector(
        rule=rule,
        net=net,
        entries=entries,
        lot=lot,
        step=step,
        features=np.empty(net.mean.size),
        inputs=np.empty(net.mean.size, dtype=np.float32),
        one=np.empty(hidden, dtype=np.float32),
        two=np.empty(hidden, dtype=np.float32),
        outputs=np.empty(net.outputs, dtype=np.float32),
        places=np.empty(width, dtype=np.int64),
        numbers=np.empty(rule.numbers.shape[1:]),
    )


@kernel
def think_row(net: Net, it: Corrector) -> None:
    """Write the outputs for the features of a row."""
    standardize(net, it.features, it.inputs)
    layer(it.inputs, net.first, net.first_bias, it.places, it.one, False)
    layer(it.one, net.second, net.second_bias, it.places, it.two, False)
    layer(it.two, net.last, net.last_bias, it.places, it.outputs, True)


@kernel
def read_features(entries: Records, asked: Row, it: Corrector, state: Row) -> None:
    """Write the features of a row: entries in natural units, then asks in steps."""
    for k in range(entries.size):
        entry = entries[k]
        value = state[entry.cell]
        if entry.kind == CATEGORY:
            value = 1.0 if value == entry.category else 0.0
        elif entry.kind == SINE:
            value = math.sin(2.0 * math.pi * value * entry.scale)
        elif entry.kind == COSINE:
            value = math.cos(2.0 * math.pi * value * entry.scale)
        it.features[k] = value
    for s in range(it.step.size):
        it.features[entries.size + s] = asked[s] / it.step[s]


@separate
def ask_by_net(plant: Plant, it: Corrector, state: Row, asked: Row) -> None:
    """Write what the corrected rule asks for in this state to `asked`, (asked cells,), in units.

    The corrections move the levels and the cards of a source; one that has neither stays as it is.
    """
    rule, numbers = it.rule, it.numbers
    ask_by_rule(
        plant, rule.asks, rule.cells, rule.weights[0], rule.numbers[0], rule.gates,
        rule.thresholds[0], state, asked,
    )  # fmt: skip
    read_features(it.entries, asked, it, state)
    think_row(it.net, it)
    is_moved = False
    for k in range(numbers.shape[0]):
        for column in range(numbers.shape[1]):
            numbers[k, column] = rule.numbers[0, k, column]
        s = rule.asks[k].source
        moved = math.floor(it.outputs[s] * (it.step[s] / it.lot[s]) + 0.5) * it.lot[s]
        if moved != 0.0:
            is_moved = True
            for column in (CARDS, LEVEL):
                if numbers[k, column] < UNLIMITED:
                    numbers[k, column] += moved
    if is_moved:
        ask_by_rule(
            plant, rule.asks, rule.cells, rule.weights[0], numbers, rule.gates,
            rule.thresholds[0], state, asked,
        )  # fmt: skip


@compiled
def ask_batch_by_net(plant: Plant, it: Corrector, state: Matrix, asked: Matrix) -> None:
    """Write what the corrected rule asks for in each state, (batch, asked cells)."""
    for e in range(state.shape[0]):
        ask_by_net(plant, it, state[e], asked[e])


@compiled
def think(
    net: Net,
    features: Matrix,
    inputs: Numbers,
    one: Numbers,
    two: Numbers,
    places: Places,
    outputs: Numbers,
) -> None:
    """Write the outputs of a batch, (batch, outputs); the arguments before are working rows."""
    for e in range(features.shape[0]):
        standardize(net, features[e], inputs)
        layer(inputs, net.first, net.first_bias, places, one, False)
        layer(one, net.second, net.second_bias, places, two, False)
        layer(two, net.last, net.last_bias, places, outputs[e], True)


def outputs_of(net: Net, features: Matrix) -> Numbers:
    """Return the outputs for a batch, (batch, features) -> (batch, outputs)."""
    outputs = np.empty((features.shape[0], net.outputs), dtype=np.float32)
    one, two = np.empty_like(net.first_bias), np.empty_like(net.second_bias)
    inputs = np.empty(net.mean.size, dtype=np.float32)
    places = np.empty(max(inputs.size, one.size), dtype=np.int64)
    think(net, features, inputs, one, two, places, outputs)
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
