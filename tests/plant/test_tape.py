"""The tape: uniform, uncorrelated, addressed by name, and different for each split."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import stats

from jitgym.catalog import load
from jitgym.plant import SPLITS, episode_keys, lay_out
from jitgym.plant.draws import read_tape
from jitgym.plant.tape import channel_number, uniform
from tests.scenarios import Probe, plant

LEVEL = 1e-3  # probability that a correct tape fails any test of one statistic (Bonferroni)
CHANNELS = ("customers.quantity", "mill.lead_time", "mill.lead_time[1]", "press.breakdown")
SEEDS, EPISODES, PERIODS = 32, 32, 256


@numba.njit
def fill(keys, numbers, draws):
    for e in range(keys.size):
        for t in range(draws.shape[1]):
            for c in range(numbers.size):
                draws[e, t, c] = uniform(keys[e], np.uint64(t), numbers[c])


@pytest.fixture(scope="module")
def draws() -> np.ndarray:
    """Return a million uniforms of the split train, (seeds, episodes, periods, channels)."""
    return drawn("train", SEEDS, EPISODES, PERIODS)


def drawn(split: str, seeds: int, episodes: int, periods: int) -> np.ndarray:
    seed, episode = np.divmod(np.arange(seeds * episodes), episodes)
    numbers = np.array([channel_number(name) for name in CHANNELS])
    filled = np.empty((seeds * episodes, periods, numbers.size))
    fill(episode_keys(split, seed, episode), numbers, filled)
    return filled.reshape(seeds, episodes, periods, numbers.size)


def p_value_of_uniform(cells: np.ndarray, count: int) -> float:
    """Pearson's chi-square test that `cells` hits each of `count` cells equally often."""
    return float(stats.chisquare(np.bincount(cells.ravel(), minlength=count)).pvalue)


def test_a_draw_equals_the_published_splitmix64() -> None:
    # The first outputs of splitmix64 for the state 1234567, the usual check of independent
    # implementations (https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64).
    printed = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    keys = np.array([1234567], dtype=np.uint64)
    filled = np.empty((1, 6, 1))
    fill(keys, np.zeros(1, dtype=np.uint64), filled)
    assert filled[0, 1:, 0].tolist() == [(output >> 11) * 2.0**-53 for output in printed]


def test_draws_lie_in_the_half_open_unit_interval(draws: np.ndarray) -> None:
    assert draws.min() >= 0.0
    assert draws.max() < 1.0


def test_draws_are_uniform_over_all_and_in_each_channel(draws: np.ndarray) -> None:
    samples = [draws, *np.moveaxis(draws, 3, 0)]
    for sample in samples:
        p = p_value_of_uniform((sample * 256).astype(np.int64), 256)
        assert LEVEL / len(samples) < p


def test_the_lowest_bits_of_a_draw_are_uniform_too(draws: np.ndarray) -> None:
    bits = (draws * 2.0**53).astype(np.int64) & 255
    assert p_value_of_uniform(bits, 256) > LEVEL


@pytest.mark.parametrize("axis", [0, 1, 2, 3], ids=["seed", "episode", "period", "channel"])
def test_neighbors_along_an_axis_are_independent(draws: np.ndarray, axis: int) -> None:
    last = draws.shape[axis]
    for lag in (1, 2, 3):
        one = np.take(draws, range(last - lag), axis)
        other = np.take(draws, range(lag, last), axis)
        r = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        # 12 correlations in all; under independence r is normal with variance 1 / n.
        assert abs(r) < stats.norm.isf(LEVEL / 2 / 12) / np.sqrt(one.size)
        # Beyond correlation: each pair of cells of a 16 x 16 grid occurs equally often.
        pairs = (one * 16).astype(np.int64) * 16 + (other * 16).astype(np.int64)
        assert p_value_of_uniform(pairs, 256) > LEVEL / 12


def test_the_mean_over_periods_of_many_episodes_has_the_right_variance(draws: np.ndarray) -> None:
    # A drift along an episode would show here: means of 256 draws have variance 1 / (12 x 256).
    means = draws.mean(axis=2).ravel()
    p = stats.kstest(means, stats.norm(0.5, np.sqrt(1 / 12 / PERIODS)).cdf).pvalue
    assert p > LEVEL


def test_no_seed_of_train_shares_a_draw_with_the_same_seed_of_test() -> None:
    train, test = drawn("train", 64, 8, 64), drawn("test", 64, 8, 64)
    for seed in range(64):
        assert np.intersect1d(train[seed], test[seed]).size == 0
    assert np.intersect1d(train, test).size == 0


def test_the_splits_of_a_seed_are_uncorrelated() -> None:
    worlds = [drawn(split, 16, 4, 64).ravel() for split in SPLITS]
    r = np.corrcoef(worlds)[np.triu_indices(len(SPLITS), 1)]
    assert np.abs(r).max() < stats.norm.isf(LEVEL / 2 / r.size) / np.sqrt(worlds[0].size)


def test_every_episode_of_every_seed_and_split_has_a_key_of_its_own() -> None:
    seed, episode = np.divmod(np.arange(250_000), 500)
    keys = np.concatenate([episode_keys(split, seed, episode) for split in SPLITS])
    assert np.unique(keys).size == keys.size


def test_neighboring_keys_share_no_part_of_the_cycle() -> None:
    # Sequences of 1,000 periods from these starts would overlap if their counters met.
    seed, episode = np.divmod(np.arange(400), 20)
    golden = np.uint64(0x9E3779B97F4A7C15)
    keys = np.concatenate([episode_keys(split, seed, episode) for split in ("train", "test")])
    numbers = np.array([channel_number(name) for name in CHANNELS])
    walks = keys[:, None, None] + np.arange(200, dtype=np.uint64)[:, None] * golden + numbers
    assert np.unique(walks).size == walks.size


def test_one_key_alone_is_the_same_as_in_an_array() -> None:
    seeds, episodes = np.array([0, 3, 3, 2**40]), np.array([5, 0, 1, 7])
    together = episode_keys("tune", seeds, episodes)
    alone = [episode_keys("tune", s, e)[0] for s, e in zip(seeds, episodes, strict=True)]
    assert together.tolist() == alone


def test_a_tape_row_holds_the_single_draws_of_its_channels() -> None:
    world = lay_out(load("kanban-line")).plant
    key = episode_keys("validate", 8, 3)[0]
    row, single = np.empty(world.channels.size), np.empty((1, 20, world.channels.size))
    fill(np.array([key]), world.channels["number"].copy(), single)

    @numba.njit
    def read(plant, key, period, row):
        read_tape(plant, key, 2, period, row)

    for period in (19, 0, 7):  # any period, in any order
        read(world, key, period, row)
        assert row.tolist() == single[0, period].tolist()


@pytest.mark.parametrize(("split", "seed"), [("training", 0), ("train", -1)])
def test_an_unknown_split_and_a_negative_seed_are_refused(split: str, seed: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        episode_keys(split, seed, 0)


LINE = {
    "items": {"steel": {}, "car": {"initial_stock": 9}},
    "work_centers": {
        "press": {
            "time": {"distribution": "uniform", "low": 2, "high": 9},
            "breakdown": {"fails": 0.3, "repaired": 0.5},
        }
    },
    "sources": {
        "mill": {"makes": "steel", "lead_time": {"distribution": "uniform", "low": 1, "high": 3}},
        "pressing": {"makes": "car", "consumes": {"steel": 1}, "at": "press", "time_per_unit": 1},
    },
    "demands": {
        "customers": {
            "item": "car",
            "quantity": {"distribution": "poisson", "mean": 4},
            "unmet": "backordered",
        }
    },
}


def test_adding_an_item_does_not_change_the_draws_of_the_others() -> None:
    random = {"distribution": "poisson", "mean": 3}
    more = {
        "items": {"paint": {}, **LINE["items"]},
        "work_centers": {"booth": {"time": random}, **LINE["work_centers"]},
        "sources": {
            "shop": {
                "makes": "paint",
                "lead_time": {"distribution": "uniform", "low": 1, "high": 5},
            },
            **LINE["sources"],
        },
        "demands": {
            "painters": {"item": "paint", "quantity": random, "unmet": "lost"},
            **LINE["demands"],
        },
    }
    small, large = Probe(plant(**LINE), seed=5), Probe(plant(**more), seed=5)
    for _ in range(200):
        flows, same = small.step(mill=6, pressing=5), large.step(mill=6, pressing=5, shop=2)
        shared = [name for name in flows if not name.startswith("total.")]
        assert [flows[name] for name in shared] == [same[name] for name in shared]
        assert small["press.up"] == large["press.up"]


def test_no_two_parts_share_a_channel_by_their_names() -> None:
    drawn = {"distribution": "uniform", "low": 2, "high": 9}
    scenario = plant(
        # "clock.time" could be the time of a center or of a clock.
        work_centers={"clock": {"time": drawn}},
        demands={
            "customers": {
                "item": "product",
                "quantity": {"distribution": "event", "rate": 1, "clock": "time"},
                "unmet": "lost",
            },
            "others": {
                "item": "product",
                "quantity": {"distribution": "event", "rate": 1, "clock": "time"},
                "unmet": "lost",
            },
        },
    )
    channels = lay_out(scenario).plant.channels
    assert channels.size == 2  # one of the center, and one for both demands
    assert np.unique(channels["number"]).size == 2
