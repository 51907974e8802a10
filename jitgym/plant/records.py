"""The records of a plant: what each kind of thing is, and where its cells lie.

A field without a comment of its own is a cell of the row that its heading names.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

NONE = -1  # a cell or an index that this record does not have
UNLIMITED = 1e9  # units: no limit on an order or a storage

Row = npt.NDArray[np.float64]  # of a state, of flows, of a tape
Matrix = npt.NDArray[np.float64]
Record = Any  # one element of a record array
Records = npt.NDArray[Any]

# What a channel of the tape holds.
UNIFORM, REPLAYED = 0, 1

ITEM = np.dtype(
    [
        ("stock", "i4"),  # state cell of the youngest age, (ages,)
        ("ages", "i4"),  # periods of shelf life; 1 where it keeps for ever
        ("perishes", "i4"),  # 1 where stock past its last age is waste
        ("storage", "f8"),  # units
        ("sources", "i4"),  # first and last row of `makers`
        ("sources_end", "i4"),
        ("users", "i4"),  # first and last row of `users`
        ("users_end", "i4"),
        # flows, in units a period
        ("requested", "i4"),  # asked for by the sources that consume it
        ("arrived", "i4"),  # good units that entered stock
        ("consumed", "i4"),
        ("served", "i4"),
        ("wasted", "i4"),
        ("on_hand", "i4"),  # stock at Count
    ],
    align=True,
)
SOURCE = np.dtype(
    [
        ("item", "i4"),
        ("center", "i4"),  # or NONE
        ("materials", "i4"),  # first and last row of `materials`
        ("materials_end", "i4"),
        ("outside", "i4"),  # 1 for a supplier: consumes nothing and uses no work center
        ("lot", "f8"),  # units
        ("per_lot", "f8"),  # 1 / lot
        ("minimum", "f8"),  # units
        ("maximum", "f8"),  # units
        ("lot_time", "f8"),  # time of the work center that a lot takes
        ("per_lot_time", "f8"),  # 1 / lot_time, or 0 where it takes none
        ("setup_time", "f8"),
        ("pipeline", "i4"),  # state cell of what was granted this period, (ages,)
        ("ages", "i4"),  # longest lead time; 0: arrives at once
        ("lead_time", "i4"),  # distribution of the lead time of Kaplan (1970), without crossover
        ("crossover", "i4"),  # tape cell of age 1, (ages,); or NONE
        ("hazard", "i4"),  # row of `hazards` for age 1, (ages,)
        ("work", "i4"),  # state cell: time spent on a setup or a lot that is not finished; or NONE
        # flows
        ("asked", "i4"),  # units
        ("allowed", "i4"),  # units, after the limits of order and storage
        ("granted", "i4"),  # units
        ("turn", "i4"),  # place in the sequence of its work center
        ("setups", "i4"),
        ("shipments", "i4"),
        ("received", "i4"),  # good units
        ("defective", "i4"),  # units
        ("in_process", "i4"),  # units at Count
    ],
    align=True,
)
CENTER = np.dtype(
    [
        ("crew", "i4"),  # first and last row of `crew`: its sources
        ("crew_end", "i4"),
        ("time", "i4"),  # distribution of the time available in a period
        ("up", "i4"),  # state cell, 1 up and 0 down; or NONE
        ("setup", "i4"),  # state cell: 1 + the source it is set up for, 0 none; or NONE
        ("fails", "f8"),  # probability a period, or a unit
        ("by_unit", "i4"),
        ("repaired", "f8"),  # probability a period
        ("channel", "i4"),  # tape cell of failure and repair
        # flows, in units of time
        ("available", "i4"),
        ("used", "i4"),
        ("made", "i4"),  # units run in this period
    ],
    align=True,
)
DEMAND = np.dtype(
    [
        ("item", "i4"),
        ("quantity", "i4"),  # distribution
        ("backlog", "i4"),  # state cell, or NONE where unmet demand is lost
        ("last", "i4"),  # report cell: demand of the period before
        ("forecast", "i4"),  # state cell, or NONE
        ("weight", "f8"),  # of the newest observation in the forecast
        # flows, in units
        ("requested", "i4"),
        ("served", "i4"),
        ("at_once", "i4"),  # served in the period of the request
        ("lost", "i4"),
        ("waiting", "i4"),  # backlog at Count
    ],
    align=True,
)
MATERIAL = np.dtype([("item", "i4"), ("source", "i4"), ("quantity", "f8")], align=True)
DISTRIBUTION = np.dtype(
    [
        ("channel", "i4"),  # tape cell, or NONE for a constant
        ("replayed", "i4"),  # 1 where the tape holds the value itself
        ("first", "i4"),  # first row of `values` and `ends`
        ("guide", "i4"),  # first row of `guides`
        ("guides", "f8"),  # how many of them
    ],
    align=True,
)
CHANNEL = np.dtype([("number", "u8"), ("kind", "i4"), ("recorded", "i4")], align=True)
RECORDED = np.dtype([("first", "i4"), ("length", "i4"), ("block", "i4")], align=True)
TOTALS = np.dtype(
    [
        ("demand_squared", "i4"),  # flow cells: second moments, for the bullwhip effect
        ("ordered", "i4"),  # granted by outside suppliers
        ("ordered_squared", "i4"),
    ],
    align=True,
)
PRICE = np.dtype([("term", "i4"), ("flow", "i4"), ("price", "f8")], align=True)


class Plant(NamedTuple):
    """What compiled code knows of a scenario."""

    items: npt.NDArray[Any]  # ITEM, (items,)
    sources: npt.NDArray[Any]  # SOURCE, (sources,)
    centers: npt.NDArray[Any]  # CENTER, (centers,)
    demands: npt.NDArray[Any]  # DEMAND, (demands,)
    materials: npt.NDArray[Any]  # MATERIAL by source
    users: npt.NDArray[Any]  # MATERIAL by item
    makers: npt.NDArray[np.int32]  # sources by item
    crew: npt.NDArray[np.int32]  # sources by center
    distributions: npt.NDArray[Any]  # DISTRIBUTION
    values: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    guides: npt.NDArray[np.int32]
    hazards: npt.NDArray[np.float64]
    channels: npt.NDArray[Any]  # CHANNEL, (channels,)
    recorded: npt.NDArray[Any]  # RECORDED, (recorded demands, splits)
    series: npt.NDArray[np.float64]
    totals: npt.NDArray[Any]  # TOTALS, (1,)
    prices: npt.NDArray[Any]  # PRICE
    initial: npt.NDArray[np.float64]  # the first state, (cells,)
    is_contested: bool  # whether any two sources share a material or a work center
    warm_up: int  # periods
    periods: int  # of an episode
    discount: float  # factor a period; 1 where costs are not discounted
    average: float  # 1 / periods measured where the yardstick is an average, else 1
