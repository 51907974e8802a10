"""Draws: the uniforms of one period and the values drawn from them, each a quantile of one uniform.

A draw whose distribution depends on the policy (how many of q units are defective) is also a
quantile of one uniform: every policy faces the same world, and the draw is monotone in q.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import kernel
from .records import NONE, REPLAYED, Plant, Record, Row
from .tape import uniform
from .whole import whole


@kernel
def read_tape(plant: Plant, key: np.uint64, split: int, period: int, tape: Row) -> None:
    """Fill the tape row, (channels,), of a period of the episode with this key."""
    for k in range(plant.channels.size):
        channel = plant.channels[k]
        if channel.kind == REPLAYED:
            tape[k] = replay(plant, channel, key, split, period + channel.ahead)
        else:
            tape[k] = uniform(key, np.uint64(period), channel.number)


@kernel
def replay(plant: Plant, channel: Record, key: np.uint64, split: int, period: int) -> float:
    """Return the recorded value of a period: in order, or from moving blocks (Kuensch 1989)."""
    record = plant.recorded[channel.recorded, split]
    if record.block == 0:
        return plant.series[record.first + period % record.length]
    # Each block begins anywhere in the series, with equal probability.
    u = uniform(key, np.uint64(period // record.block), channel.number)
    start = int(u * (record.length - record.block + 1))
    return plant.series[record.first + start + period % record.block]


@kernel
def draw(plant: Plant, which: int, tape: Row) -> float:
    """Return the value of a distribution for this period's uniform."""
    distribution = plant.distributions[which]
    if distribution.channel == NONE:
        return plant.values[distribution.first]
    u = tape[distribution.channel]
    if distribution.replayed:
        return u
    step = plant.guides[distribution.guide + int(u * distribution.guides)]
    while plant.ends[step] <= u:
        step += 1
    return plant.values[step]


@kernel
def binomial(u: float, units: float, chance: float) -> float:
    """Return the quantile at u of a binomial of whole units, each hit with this chance."""
    if units < 1.0 or chance <= 0.0:
        return 0.0
    if chance >= 1.0:
        return units
    k, mass = binomial_tail(units, chance)
    # Go upward by the ratio of neighboring probabilities.
    odds = chance / (1.0 - chance)
    below = mass
    mean = units * chance
    # Rounding may keep the sum below u: stop where the mass beyond the mean is negligible.
    while below <= u and k < units and (k < mean or mass > NOTHING):
        mass *= odds * (units - k) / (k + 1.0)
        k += 1.0
        below += mass
    return k


@kernel
def binomial_tail(units: float, chance: float) -> tuple[float, float]:
    """Return a number in the lower tail and its mass; the mass below it is less than 1e-15."""
    spread = math.sqrt(units * chance * (1.0 - chance))
    k = max(0.0, math.floor(units * chance - TAIL * spread - TAIL))
    mass = math.exp(
        math.lgamma(units + 1.0)
        - math.lgamma(k + 1.0)
        - math.lgamma(units - k + 1.0)
        + k * math.log(chance)
        + (units - k) * math.log1p(-chance)
    )
    return k, mass


@kernel
def share_of(u: float, units: float, chance: float) -> float:
    """Return how many units are hit, each with this chance; a fraction counts by its share."""
    ones = whole(units)
    fraction = max(units - ones, 0.0)
    return min(binomial(u, ones, chance) + fraction * chance, units)


@kernel
def negative_binomial(u: float, size: float, mean: float) -> float:
    """Return the quantile at u of a negative binomial: variance mean + mean^2 / size."""
    if mean <= 0.0:
        return 0.0
    chance = mean / (size + mean)
    k, mass = negative_binomial_tail(size, mean)
    below = mass
    while below <= u and (k < mean or mass > NOTHING):
        mass *= chance * (size + k) / (k + 1.0)
        k += 1.0
        below += mass
    return k


@kernel
def negative_binomial_tail(size: float, mean: float) -> tuple[float, float]:
    """Return a number in the lower tail and its mass; the mass below it is negligible."""
    chance = mean / (size + mean)
    spread = math.sqrt(mean + mean * mean / size)
    k = max(0.0, math.floor(mean - TAIL * spread - TAIL))
    mass = math.exp(
        math.lgamma(size + k)
        - math.lgamma(k + 1.0)
        - math.lgamma(size)
        + k * math.log(chance)
        + size * math.log1p(-chance)
    )
    return k, mass


@kernel
def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@kernel
def normal_quantile(u: float) -> float:
    """Return the standard normal quantile (Wichura 1988, algorithm AS 241, 16 digits)."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * ratio_of(NEAR_TOP, NEAR_BOTTOM, r)
    r = math.sqrt(-math.log(max(u if q < 0.0 else 1.0 - u, 1e-300)))
    if r <= 5.0:
        x = ratio_of(MIDDLE_TOP, MIDDLE_BOTTOM, r - 1.6)
    else:
        x = ratio_of(FAR_TOP, FAR_BOTTOM, r - 5.0)
    return -x if q < 0.0 else x


@kernel
def ratio_of(top: tuple[float, ...], bottom: tuple[float, ...], x: float) -> float:
    """Return the ratio of two polynomials; coefficients start with the highest power."""
    above = below = 0.0
    for k in range(len(top)):
        above = above * x + top[k]
        below = below * x + bottom[k]
    return above / below


NOTHING = 1e-17  # mass that is too small to change a sum near 1
TAIL = 8.0  # standard deviations: no draw lies further below the mean

NEAR_TOP = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
NEAR_BOTTOM = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
MIDDLE_TOP = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
MIDDLE_BOTTOM = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
FAR_TOP = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
FAR_BOTTOM = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)
