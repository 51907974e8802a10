"""Silver-Meal: a lot covers one more period as long as this lowers the cost per period.

    (K + h (r(t+1) + 2 r(t+2) + ... + (n-1) r(t+n-1))) / n   falls with n

K is the fixed cost of an order, h the holding cost per unit and period, r(t) the requirement of a
period (Silver and Meal 1973). The method is simpler than `wagner_whitin`, and its rolling plans
change less, because periods after the first rise do not count. `lot_sizing` explains how plan,
safety stock and forecast work together.

>>> needs = np.array([[90.0, 120.0, 80.0, 70.0]])  # costs per period: 500, 370, 353.3, 370
>>> first_lot(needs, fixed=500, holding=2).tolist()
[3]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..base.declaration import Array
from .lot_sizing import rolling


def first_lot(needs: Array, fixed: float, holding: float) -> npt.NDArray[np.intp]:
    """Return how many periods the first lot of each row covers, (batch,)."""
    periods = np.arange(needs.shape[1])
    costs = (fixed + holding * np.cumsum(periods * needs, axis=1)) / (periods + 1)
    rises = np.diff(costs, axis=1, append=np.inf) > 0
    return np.asarray(rises.argmax(axis=1) + 1)


SILVER_MEAL = rolling("silver-meal", first_lot)
