"""Serial systems with normal demand: the optimal echelon base-stock levels by Clark and Scarf.

The demand over the lead time of a stage is discretized on a fine grid; the recursion is that of the
policy `clark-scarf`, which the tests hold to the exact evaluation of plants. As in the textbook, a
stage covers its lead time, and the transit between stages pays nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...classic.pull.clark_scarf import echelon_base_stock

FINE = 200  # grid points per standard deviation of one period


def normal_serial(row: dict[str, str]) -> dict[str, Any]:
    """Return the optimal cost of a row, which base-stock reaches."""
    mean, deviation = float(row["demand_mean"]), float(row["demand_deviation"])
    local = [float(each) for each in row["holding_upstream_to_downstream"].split()]
    leads = [int(each) for each in row["lead_times_upstream_to_downstream"].split()]
    echelon = np.diff(local, prepend=0.0)
    step = deviation / FINE
    demands = [_normal(lead * mean, deviation * lead**0.5, step) for lead in leads[::-1]]
    levels, cost = echelon_base_stock(
        demands, [float(each) for each in echelon[::-1]], float(row["backorder"]), step=step
    )
    return {
        "classic": cost,
        "ours": cost,
        "exact": cost,
        "parameters": {"echelon levels": levels},
        "note": "the optimum is an echelon base-stock policy: published, classic and ours agree",
    }


def _normal(mean: float, deviation: float, step: float) -> npt.NDArray[np.float64]:
    """Return the mass of a normal distribution on 0, step, 2 step, ..."""
    from scipy.stats import norm  # a slow import, so only here

    most = int((mean + 8 * deviation) / step)
    edges = (np.arange(most + 2) - 0.5) * step
    edges[0] = -np.inf
    mass = np.diff(norm.cdf(edges, mean, deviation))
    return np.asarray(mass / mass.sum())
