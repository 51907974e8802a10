"""The records of a plant: the data of each thing, and where its cells lie.

A field without a comment is a cell of the row that its heading names.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

NONE = -1  # a cell or an index that this record does not have
PLACE = "u4"  # a cell or a row that each record has; unsigned, so it never counts from the end
WAITS = 12  # classes of waiting time; the last one stands for all longer times
UNLIMITED = np.inf  # units: no limit on an order or a storage

Row = npt.NDArray[np.float64]  # one row of states, flows or the tape
Matrix = npt.NDArray[np.float64]
Record = Any  # one element of a record array
Records = npt.NDArray[Any]

# The kinds of a channel of the tape.
UNIFORM, REPLAYED = 0, 1

ITEM = np.dtype(
    [
        ("stock", PLACE),  # state cell of the youngest age, (ages,)
        ("ages", "i4"),  # periods of shelf life; 1 without a shelf life
        ("perishes", "i4"),  # 1 if stock past its last age is waste
        ("lifo", "i4"),  # 1 if the youngest units are taken first
        ("storage", "f8"),  # units
        ("sources", "i4"),  # first and last row of `makers`
        ("sources_end", "i4"),
        ("users", "i4"),  # first and last row of `users`
        ("users_end", "i4"),
        # flows, in units per period
        ("requested", PLACE),  # requested by the sources that consume it
        ("arrived", PLACE),  # good units that entered stock
        ("consumed", PLACE),
        ("served", PLACE),
        ("wasted", PLACE),
        ("on_hand", PLACE),  # stock at Count
    ],
    align=True,
)
SOURCE = np.dtype(
    [
        ("item", PLACE),
        ("center", "i4"),  # or NONE
        ("materials", "i4"),  # first and last row of `materials`
        ("materials_end", "i4"),
        ("outside", "i4"),  # 1 for a supplier: it consumes nothing and uses no work center
        ("lot", "f8"),  # units
        ("per_lot", "f8"),  # 1 / lot
        ("minimum", "f8"),  # units
        ("maximum", "f8"),  # units
        ("up", "i4"),  # state cell of the supplier, 1 up and 0 down; or NONE
        ("lot_time", "f8"),  # work center time per lot
        ("per_lot_time", "f8"),  # 1 / lot_time, or 0 if a lot takes no time
        ("setup_time", "f8"),
        ("faster_setup", "f8"),  # after the project that shortens the setup
        ("setup_project", "i4"),  # or NONE
        ("pipeline", PLACE),  # state cell of the units granted this period, (ages,)
        ("ages", "i4"),  # longest lead time; 0: orders arrive at once
        ("lead_time", "i4"),  # distribution of the lead time of Kaplan (1970), without crossover
        ("crossover", "i4"),  # tape cell of age 1, (ages,); or NONE
        ("hazard", "i4"),  # row of `hazards` for age 1, (ages,)
        ("faster_lead_time", "i4"),  # distribution, after the project that shortens it
        ("faster_hazard", "i4"),  # row of `hazards`
        ("lead_project", "i4"),  # or NONE
        ("quality", "i4"),  # row of `qualities`, or NONE
        ("partial", "i4"),  # row of `partials`, or NONE
        ("work", "i4"),  # state cell: time spent on an unfinished setup or lot; or NONE
        # flows
        ("asked", PLACE),  # units
        ("allowed", PLACE),  # units, after the limits of orders and storage
        ("granted", PLACE),  # units
        ("turn", PLACE),  # position in the sequence of its work center
        ("setups", PLACE),
        ("shipments", PLACE),
        ("received", PLACE),  # good units
        ("defective", PLACE),  # units
        ("in_process", PLACE),  # units at Count
    ],
    align=True,
)
CENTER = np.dtype(
    [
        ("crew", "i4"),  # first and last row of `crew`: its sources
        ("crew_end", "i4"),
        ("time", "i4"),  # distribution of the time available in a period
        ("up", "i4"),  # state cell, 1 up and 0 down; or NONE
        ("setup", "i4"),  # state cell: 1 + the source it is set up for, 0 for none; or NONE
        ("overtime", "f8"),  # time beyond the regular time
        # flows, in units of time
        ("planned", PLACE),  # time without overtime, up or down
        ("regular", PLACE),  # time without overtime, 0 while down
        ("available", PLACE),
        ("used", PLACE),
        ("over", "i4"),  # time used beyond the regular time
        ("made", PLACE),  # units made in this period
    ],
    align=True,
)
DEMAND = np.dtype(
    [
        ("item", PLACE),
        ("quantity", "i4"),  # distribution; with phases or regimes, that of the first
        ("phases", "i4"),  # phases of its pattern; 1 without a pattern
        ("phase_rows", "i4"),  # row of `numbers`: distribution of each phase or regime; or NONE
        ("regime", "i4"),  # state cell: number of the regime; or NONE
        ("life", "i4"),  # row of `lives`, or NONE
        ("revealed", "i4"),  # row of `revealed`, or NONE
        ("stream", "i4"),  # row of `parts`, or NONE
        ("backlog", "i4"),  # state cell, or NONE if unmet demand is lost
        ("waits", "f8"),  # share of unmet demand that is backordered
        ("waits_channel", "i4"),  # tape cell of the share that waits; or NONE if all or none wait
        ("last", PLACE),  # report cell: demand of the previous period
        ("short", PLACE),  # report cell: 1 after a stockout in this replenishment cycle
        ("queue", "i4"),  # report cell: units that have waited 1, 2, ... periods, (WAITS,); or NONE
        ("waited", "i4"),  # flow: units served after 0, 1, ... periods, (WAITS,); or NONE
        ("left_after", "i4"),  # flow: total periods that customers who left had waited; or NONE
        # flows, in units
        ("requested", PLACE),
        ("served", PLACE),
        ("at_once", PLACE),  # served in the period of the request
        ("orders", PLACE),  # 1 in a period with a request
        ("in_full", PLACE),  # 1 if all of it was served at once
        ("ready", PLACE),  # 1 if stock was left at Count
        ("cycles", PLACE),  # replenishment cycles that end because goods arrive in stock
        ("full_cycles", PLACE),  # those of them without a stockout
        ("lost", PLACE),
        ("waiting", PLACE),  # backlog at Count
    ],
    align=True,
)
MATERIAL = np.dtype([("item", PLACE), ("source", PLACE), ("quantity", "f8")], align=True)
DISTRIBUTION = np.dtype(
    [
        ("channel", "i4"),  # tape cell, or NONE for a constant
        ("replayed", "i4"),  # 1 if the tape holds the value itself
        ("first", "i4"),  # first row of `values` and `ends`
        ("guide", "i4"),  # first row of `guides`
        ("guides", "f8"),  # number of guides
    ],
    align=True,
)
CHANNEL = np.dtype(
    # ahead: periods, for a replayed channel
    [("number", "u8"), ("kind", "i4"), ("recorded", "i4"), ("ahead", "i4")],
    align=True,
)
RECORDED = np.dtype([("first", "i4"), ("length", "i4"), ("block", "i4")], align=True)
TOTALS = np.dtype(
    [
        ("demand_squared", PLACE),  # flow cells: second moments for the bullwhip effect
        ("ordered", PLACE),  # granted by outside suppliers
        ("ordered_squared", PLACE),
        ("asked", PLACE),  # asked from outside suppliers
        ("asked_squared", PLACE),
    ],
    align=True,
)
# A plant has the records below only if its scenario uses the feature: a stage loops over them.
UP_DOWN = np.dtype(  # a work center or a supplier that fails and recovers
    [
        ("cell", PLACE),  # state cell, 1 up and 0 down
        ("fails", "f8"),  # probability per period, or per unit
        ("fails_after", "f8"),  # after the project that reduces it
        ("project", "i4"),  # or NONE
        ("made", "i4"),  # flow cell of the units that may each cause a failure; or NONE: per period
        ("repaired", "f8"),  # probability per period
        ("channel", PLACE),
    ],
    align=True,
)
QUALITY = np.dtype(
    [
        ("defects", "f8"),  # probability per unit, in control
        ("defects_after", "f8"),  # after the project that reduces it
        ("project", "i4"),  # or NONE
        ("drifts", "f8"),  # probability per unit that the process goes out of control
        ("drifted", "f8"),  # probability per unit of a defect, out of control
        ("escapes", "f8"),  # probability that inspection misses a defect
        ("by_product", "i4"),  # item, or NONE: scrap
        ("channel", "i4"),  # tape cells: drift, defects, defects out of control, escapes
        ("escaped", "i4"),  # flow: defects that inspection missed, units
        ("scrapped", "i4"),  # flow: units scrapped
    ],
    align=True,
)
PARTIAL = np.dtype(
    [
        ("share", "i4"),  # distribution of the share that ships
        ("waiting", "i4"),  # state cell: units that ship later; or NONE: the rest is cancelled
        ("cancelled", "i4"),  # flow, units
        ("shipped", "i4"),  # flow, units
    ],
    align=True,
)
OBSOLESCENCE = np.dtype(
    [("item", "i4"), ("chance", "f8"), ("channel", "i4"), ("obsolete", "i4")], align=True
)
SALVAGE = np.dtype([("item", "i4"), ("salvaged", "i4")], align=True)
ABANDONMENT = np.dtype(
    [("demand", "i4"), ("chance", "f8"), ("channel", "i4"), ("abandoned", "i4")], align=True
)
COMMITMENT = np.dtype(
    [
        ("source", "i4"),
        ("quantity", "f8"),  # units in `every` periods
        ("every", "i4"),  # periods
        ("owed", "i4"),  # state cell: units still to be ordered
        ("shortfall", "i4"),  # flow, units
    ],
    align=True,
)
CARRIER = np.dtype(
    [
        ("loads", "i4"),  # first and last row of `loads`: its sources
        ("loads_end", "i4"),
        ("capacity", "f8"),  # units per trip
        ("trips", "i4"),  # flow
    ],
    align=True,
)
PROJECT = np.dtype(
    [
        ("progress", "i4"),  # state cell: 0 before it begins, then periods, at most `periods` + 1
        ("periods", "i4"),  # of the training
        ("center", "i4"),  # the center that is slower meanwhile; or NONE
        ("slowed_by", "f8"),  # share of its time
        ("begun", "i4"),  # flow, 1 in the period that begins it
    ],
    align=True,
)
SAVING = np.dtype(  # a fixed cost that a project reduces: once done, its flow also enters `reduced`
    [("project", "i4"), ("flow", "i4"), ("reduced", "i4")], align=True
)
REGIME = np.dtype(
    [("demand", "i4"), ("count", "i4"), ("chances", "i4"), ("channel", "i4")], align=True
)
LIFE = np.dtype(
    [
        ("sold", "i4"),  # state cell: demand so far, units
        ("shape", "f8"),  # of the gamma distribution of the level
        ("rate", "f8"),
        ("first", "i4"),  # period of the first share
        ("count", "i4"),  # number of shares
        ("shares", "i4"),  # row of `numbers`
        ("channel", "i4"),
    ],
    align=True,
)
REVEALED = np.dtype(
    [
        ("demand", "i4"),
        ("leads", "i4"),  # number of forecasts: of this period's demand, the next one's, ...
        ("latent", "i4"),  # state cell, hidden: the revealed part of each, (leads,)
        ("forecast", "i4"),  # state cell, (leads,)
        ("weights", "i4"),  # row of `numbers`: root of the share revealed at each lead, (leads,)
        ("rests", "i4"),  # row of `numbers`: root of the share not revealed yet, (leads,)
        ("ends", "i4"),  # row of `numbers`: normal quantiles of the distribution's ends
        ("count", "i4"),  # number of its steps
        ("channel", "i4"),  # tape cell of the news of each lead, (leads - 1,)
        ("rest_channel", "i4"),
    ],
    align=True,
)
SMOOTHING = np.dtype(
    [
        ("demand", "i4"),
        ("method", "i4"),
        ("weight", "f8"),  # weight of the newest observation
        ("forecast", "i4"),  # state cell
        # state cell, hidden: smoothed demand size, then smoothed interval or probability
        ("size", "i4"),
        ("next", "i4"),  # tape cell of the future demand, for an oracle
    ],
    align=True,
)
EXPONENTIAL, CROSTON, TSB, ORACLE = range(4)
PART = np.dtype(  # one demand's part of a stream
    [("demand", "i4"), ("share", "f8"), ("channel", "i4"), ("first", "i4"), ("stream", "i4")],
    align=True,
)
PRICE = np.dtype([("term", PLACE), ("flow", PLACE), ("price", "f8")], align=True)


class Plant(NamedTuple):
    """A scenario as compiled code sees it."""

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
    ups_and_downs: npt.NDArray[Any]  # UP_DOWN
    qualities: npt.NDArray[Any]  # QUALITY
    partials: npt.NDArray[Any]  # PARTIAL
    obsolescence: npt.NDArray[Any]  # OBSOLESCENCE
    salvage: npt.NDArray[Any]  # SALVAGE
    abandonment: npt.NDArray[Any]  # ABANDONMENT
    commitments: npt.NDArray[Any]  # COMMITMENT
    carriers: npt.NDArray[Any]  # CARRIER
    loads: npt.NDArray[np.int32]  # sources by carrier
    projects: npt.NDArray[Any]  # PROJECT
    savings: npt.NDArray[Any]  # SAVING
    regimes: npt.NDArray[Any]  # REGIME
    lives: npt.NDArray[Any]  # LIFE
    revealed: npt.NDArray[Any]  # REVEALED
    smoothing: npt.NDArray[Any]  # SMOOTHING
    parts: npt.NDArray[Any]  # PART, the parts of one stream together
    numbers: npt.NDArray[np.float64]  # rows that the records above point to
    initial: npt.NDArray[np.float64]  # the first state, (cells,)
    clock: int  # state cell of the period or of its phase; or NONE
    cycle: int  # periods after which the clock starts again; 0: never, as in a season
    is_contested: bool  # whether any two sources share a material or a work center
    warm_up: int  # periods
    periods: int  # of an episode
    discount: float  # factor per period; 1 if costs are not discounted
    average: float  # 1 / measured periods if the yardstick is an average, else 1
    first_phases: int  # an episode begins at one of so many phases of the clock; 1: at the first
