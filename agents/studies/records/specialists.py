"""Policies for single rows of lost sales, which `hindsight` trains from the tuned base-stock.

A row whose policy lies in the repository (benchmarks/lost_sales_specialists/weights.npz) is judged
at once; any other row is trained first, in less time. The weights are arrays of numbers, named
after the row: demand, mean, penalty in holding costs, and the law of the lead time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control.net import Net
from jitgym.evaluate import RunError
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from jitgym.stored import UNREADABLE, reason

from ...learned.corrections import Corrected, Features, Steps
from ...tuning.search import TunedPolicy, tune

PLACE = Path(__file__).resolve().parents[3] / "benchmarks" / "lost_sales_specialists"
STORED = PLACE / "weights.npz"
PERIODS = 4_000_000  # of a training for a row whose weights are not stored
LONG = 8_000_000  # of a training whose weights are stored
STEPS = {"paths": 32, "learning_rate": 0.004}
"""Beside configs/agents/hindsight.yaml: more and larger updates for the same periods. They were
looked at on episodes that do not judge the policies (`lost_sales.JUDGED`)."""


def key_of(row: Mapping[str, str], law: npt.NDArray[np.float64]) -> str:
    """Return the name of a row's weights."""
    penalty = float(row["penalty"]) / float(row["holding"])
    chances = " ".join(f"{each:g}" for each in law)
    return f"{row['demand']} {float(row['mean']):g} {penalty:g}: {chances}"


@cache
def _stored(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name]) for name in stored.files}
    except UNREADABLE as error:
        raise RunError(f"{path}: holds no weights of specialists ({reason(error)})") from None


def policy_of(scenario: Scenario, key: str, path: Path = STORED) -> tuple[TunedPolicy, Corrected]:
    """Return the tuned base-stock policy of a row, and the policy that is trained from it.

    Raises RunError if stored weights do not fit the plant.
    """
    from ...learned.policy import one_thread

    with one_thread():
        classic = tune("base-stock", scenario, 0)
        stored = _stored(path)
        if f"{key} mean" not in stored:
            return classic, trained(scenario, classic, PERIODS)
    net = Net(*(stored[f"{key} {part}"] for part in Net._fields))
    layout = lay_out(scenario)
    width = Features(layout, Steps.of(layout, classic)).width
    fits = net.mean.shape == net.gain.shape == (width,) and net.first.shape[0] == width
    if not fits or not all(np.isfinite(part).all() for part in net):
        raise RunError(f"{path}: the weights of {key!r} do not fit its plant")
    return classic, Corrected("specialist", layout, classic, net)


def trained(scenario: Scenario, classic: TunedPolicy, periods: int) -> Corrected:
    """Return the policy that `hindsight` trains from a base-stock policy."""
    from ...learned.hindsight.session import HindsightSession
    from ...learned.registry import find
    from ...learned.session import Problem
    from ...learned.start import Start

    start = Start(classic, "base-stock", classic.parameters, {}, 0, 0.0)
    settings = find("hindsight").read_settings().model_copy(update=STEPS)
    session = HindsightSession(Problem(scenario, lay_out(scenario), start, 0, periods), settings)
    while not session.is_over:
        session.advance()
    found, _ = session.candidate()
    assert isinstance(found, Corrected)
    return found
