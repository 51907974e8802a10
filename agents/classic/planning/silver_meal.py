"""Silver-Meal: a lot covers periods for as long as that lowers the cost a period.

    (K + h (r(t+1) + 2 r(t+2) + ... + (n-1) r(t+n-1))) / n   falls with n

K fixed cost of an order, h holding cost a unit and period, r(t) the requirement of a period (Silver
and Meal 1973). Simpler than `wagner_whitin`, and in a rolling plan less nervous: what lies beyond
the first rise does not count. How plan, safety stock and forecast go together: `lot_sizing`.

>>> needs = np.array([[90.0, 120.0, 80.0, 70.0]])  # costs a period 500, 370, 353.3, 370
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
