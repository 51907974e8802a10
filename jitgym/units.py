"""Whole units: the single tolerance for whole numbers of units or lots, and for "enough" units.

Lots of .1 or .3 have no exact binary number: three lots of .3 are .8999999999999999, and a sum of
14 units may be 13.999999999999996. So a quantity counts as a whole number if the difference is at
most a billionth of a unit or a few of its last bits. It counts as enough if no more is missing.

These functions take numbers and arrays that are at least 0. Compiled code uses them through
`jitgym.plant.whole`.

>>> [float(whole(quantity)) for quantity in (13.999999999999996, 0.9 / 0.3, 0.99999, 1.5e9 / 0.3)]
[14.0, 3.0, 0.0, 5000000000.0]
>>> float(whole_up(3.0000000000000004)), bool(is_whole(1.7 / 0.1)), bool(is_whole(2.5))
(3.0, True, False)
>>> at_least(3 * 0.3, 0.9), at_least(0.89, 0.9), is_some(1e-17)
(True, False, False)
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", float, npt.NDArray[np.float64], npt.NDArray[np.floating[Any]])

TOLERANCE = 1e-9  # units or lots
LAST_BITS = 2.0**-50  # share of a large number: the largest rounding error
MORE, LESS = 1.0 + LAST_BITS, 1.0 - LAST_BITS


def whole(quantity: Number) -> Number:
    """Return a quantity rounded down to a whole number, within tolerance."""
    number: Number = np.floor(quantity * MORE + TOLERANCE)
    return number


def whole_units(quantity: Number) -> Number:
    """Return the same for units that were never divided by a lot; this saves one product."""
    number: Number = np.floor(quantity + TOLERANCE)
    return number


def whole_up(quantity: Number) -> Number:
    """Return a quantity rounded up to a whole number, within tolerance."""
    number: Number = np.ceil(quantity * LESS - TOLERANCE)
    return number


def is_whole(quantity: Number) -> Any:
    """Return whether a quantity is a whole number, within tolerance."""
    return abs(quantity - np.floor(quantity + 0.5)) <= TOLERANCE + LAST_BITS * abs(quantity)


def at_least(quantity: Number, least: Number) -> Any:
    """Return whether a quantity is at least as large as needed, within tolerance."""
    return quantity >= least * LESS - TOLERANCE


def is_some(quantity: Number) -> Any:
    """Return whether a quantity is more than 0: larger than the tolerance."""
    return quantity > TOLERANCE
