"""The tape: all randomness of an episode, as uniforms that are addressed by name and not stored.

    u(split, seed, episode, period, channel) in [0, 1)

An episode has a key, mixed from its split, seed and episode number. A channel has a number, derived
from its *name*, so that adding an item to a scenario does not change the draws of the others. A
draw is 53 bits of the finalizer of splitmix64 (Steele, Lea and Flood 2014), applied to key + period
x golden ratio + channel: each channel of each episode follows the generator's single cycle from its
own start. Draws can be computed in any order, on any machine, so results do not depend on the size
of a batch.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from jitgym.distributions import SPLITS

from .jit import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
THIRTY, TWENTY_SEVEN, THIRTY_ONE, ELEVEN = (np.uint64(n) for n in (30, 27, 31, 11))
TO_UNIT = 2.0**-53


@kernel
def mix(x: np.uint64) -> np.uint64:
    """Return the finalizer of splitmix64, a bijection whose outputs appear independent."""
    x = (x ^ (x >> THIRTY)) * FIRST
    x = (x ^ (x >> TWENTY_SEVEN)) * SECOND
    return x ^ (x >> THIRTY_ONE)


@kernel
def uniform(key: np.uint64, period: np.uint64, channel: np.uint64) -> float:
    """Return the uniform of a channel in a period of the episode with this key."""
    return np.float64(mix(key + period * GOLDEN + channel) >> ELEVEN) * TO_UNIT


def episode_keys(
    split: str, seeds: npt.ArrayLike, episodes: npt.ArrayLike
) -> npt.NDArray[np.uint64]:
    """Return the keys, (n,), of episodes of a split ('train', 'tune', 'validate' or 'test').

    `seeds` and `episodes` are numbers from 0, or arrays of them, (n,), that broadcast.

    Raises
    ------
    ValueError
        If the split is unknown or a seed is negative.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; expected one of {', '.join(SPLITS)}")
    seeds, episodes = np.atleast_1d(seeds), np.atleast_1d(episodes)
    if seeds.min() < 0:
        raise ValueError(f"seed {seeds.min()} is negative; expected a whole number from 0")
    world = _mix_array(channel_number(split) + _mix_array(seeds.astype(np.uint64) + GOLDEN))
    return _mix_array(world + _mix_array(episodes.astype(np.uint64) + FIRST))


def uniforms(
    keys: npt.NDArray[np.uint64], period: int, channel: np.uint64
) -> npt.NDArray[np.float64]:
    """Return the uniforms of a channel in a period of the episodes with these keys, (n,)."""
    with np.errstate(over="ignore"):
        start = np.uint64(period) * GOLDEN + channel
    drawn = _mix_array(keys + start) >> ELEVEN
    return np.asarray(drawn.astype(np.float64) * TO_UNIT)


def channel_number(name: str) -> np.uint64:
    """Return the number of a channel: 64 bits of a digest of its name."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mix_array(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # The same as `mix`, in numpy: keys are needed before anything is compiled.
    x = (x ^ (x >> THIRTY)) * FIRST
    x = (x ^ (x >> TWENTY_SEVEN)) * SECOND
    return x ^ (x >> THIRTY_ONE)
