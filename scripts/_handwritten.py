"""Hand-written loops for two plants, with which `bench` compares the generic compiled plant.

Each loop is written for one plant: without records, without release and without named terms. The
tape, the quantile table and one row per plant are the same as in the generic plant, and so are the
costs (`bench` checks this).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from jitgym.plant.tape import uniform

jit: Any = numba.njit(error_model="numpy")


@jit
def draw(u, ends, guides):
    """Return the quantile of u for a distribution on 0, 1, 2, ... by a guide table."""
    k = guides[int(u * guides.size)]
    while ends[k] <= u:
        k += 1
    return float(k)


@jit
def lost_sales_period(row, order, u, ends, guides, holding, penalty):
    """Run one period of a lost-sales item with lead time four; the row is stock and pipeline."""
    demand = draw(u, ends, guides)
    sold = min(row[0], demand)
    row[0] -= sold
    cost = holding * row[0] + penalty * (demand - sold)
    row[0] += row[1]
    row[1], row[2], row[3] = row[2], row[3], order
    return cost


@jit
def lost_sales_env(rows, actions, keys, period, channel, ends, guides, observation, reward):
    """Take one step of a vector environment: actions in [-1, 1], observations in [0, 1]."""
    for e in range(rows.shape[0]):
        row = rows[e]
        order = np.floor((actions[e, 0] + 1.0) * 5.0 + 0.5)
        u = uniform(keys[e], np.uint64(period[e]), channel)
        reward[e] = -lost_sales_period(row, order, u, ends, guides, 1.0, 4.0) / 20.0
        period[e] += 1
        observation[e, 0] = min(row[0] / 60.0, 1.0)
        for k in range(1, 4):
            observation[e, k] = min(row[k] / 10.0, 1.0)


@jit
def lost_sales_base_stock(level, keys, periods, warm_up, channel, ends, guides, costs):
    """Write the mean cost per period of a base-stock policy for each episode."""
    row = np.zeros(4)
    for e in range(keys.size):
        row[:] = 0.0
        total = 0.0
        for t in range(periods):
            order = max(0.0, level - row[0] - row[1] - row[2] - row[3])
            u = uniform(keys[e], np.uint64(t), channel)
            cost = lost_sales_period(row, order, u, ends, guides, 1.0, 4.0)
            if t >= warm_up:
                total += cost
        costs[e] = total / (periods - warm_up)


@jit
def line_period(row, asked, key, period, channels, leads, ends, guides):
    """Run one period of the kanban line; return its cost.

    The row: steel, panel, frame, car; orders from the mill of age 1, 2, 3; whether press, weld and
    assembly are up; backlog.
    """
    t = np.uint64(period)
    mill = np.floor(max(asked[0], 0.0) / 4.0 + 1e-9) * 4.0
    pressed = np.floor(min(max(asked[1], 0.0), row[0], 12.0 * row[7]))
    welded = np.floor(min(max(asked[2], 0.0), row[1], 11.0 * row[8]))
    finished = np.floor(min(max(asked[3], 0.0), row[2], 10.0 * row[9]))
    row[0] -= pressed
    row[1] += pressed - welded
    row[2] += welded - finished
    row[3] += finished
    served = min(row[10], row[3])
    row[10] -= served
    row[3] -= served
    demand = draw(uniform(key, t, channels[0]), ends, guides)
    served = min(demand, row[3])
    row[3] -= served
    row[10] += demand - served
    cost = 0.5 * row[0] + row[1] + 2.0 * row[2] + 4.0 * row[3] + 40.0 * row[10]
    if mill > 0.0:
        cost += 10.0
    u = uniform(key, t, channels[1])
    due = 2 if u < leads[0] else (3 if u < leads[1] else 4)
    arrived = row[6]
    if due <= 3:
        arrived += row[5]
    if due <= 2:
        arrived += row[4]
    row[6] = row[5] if due > 3 else 0.0
    row[5] = row[4] if due > 2 else 0.0
    row[4] = mill
    row[0] += arrived
    for c in range(3):
        fails = 0.02 if c == 0 else (0.03 if c == 1 else 0.01)
        u = uniform(key, t, channels[2 + c])
        if row[7 + c] == 1.0:
            row[7 + c] = 0.0 if u < fails else 1.0
        else:
            row[7 + c] = 1.0 if u < 0.5 else 0.0
    return cost


@jit
def line_begin(row):
    """Write the first state of the kanban line."""
    row[:] = 0.0
    row[0], row[1], row[2], row[3] = 12.0, 10.0, 10.0, 20.0
    row[7] = row[8] = row[9] = 1.0


@jit
def line_kanban(cards, keys, periods, warm_up, channels, leads, ends, guides, costs):
    """Write the mean cost per period of kanban, by card recursion, for each episode."""
    row = np.zeros(11)
    asked = np.zeros(4)
    for e in range(keys.size):
        line_begin(row)
        total = 0.0
        for t in range(periods):
            asked[3] = max(0.0, cards[3] - row[3])
            asked[2] = max(0.0, cards[2] - max(0.0, row[2] - asked[3]))
            asked[1] = max(0.0, cards[1] - max(0.0, row[1] - asked[2]))
            in_process = row[4] + row[5] + row[6]
            asked[0] = max(0.0, cards[0] - in_process - max(0.0, row[0] - asked[1]))
            cost = line_period(row, asked, keys[e], t, channels, leads, ends, guides)
            if t >= warm_up:
                total += cost
        costs[e] = total / (periods - warm_up)


@jit
def line_env(
    rows, actions, keys, period, channels, leads, ends, guides, bounds, observation, reward
):
    """Take one step of a vector environment: actions in [-1, 1], observations in [0, 1]."""
    asked = np.zeros(4)
    for e in range(rows.shape[0]):
        row = rows[e]
        asked[0] = np.floor((actions[e, 0] + 1.0) * 5.0 + 0.5) * 4.0
        for s in range(1, 4):
            asked[s] = np.floor((actions[e, s] + 1.0) * 12.0 + 0.5)
        cost = line_period(row, asked, keys[e], period[e], channels, leads, ends, guides)
        reward[e] = -cost / 320.0
        period[e] += 1
        for k in range(11):
            observation[e, k] = min(row[k] * bounds[k], 1.0)
