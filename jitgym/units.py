"""Whole units: the one tolerance wherever whole numbers of units or lots, or "enough", are meant.

Lots of .1 or .3 have no exact number in binary: three lots of .3 are .8999999999999999, and 14
units that were added up may be 13.999999999999996. A quantity counts as the whole number that it
misses by a billionth of a unit or by its last bits, and as enough where no more is missing.

These functions take numbers and arrays from 0 up. Compiled code uses them through
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
LAST_BITS = 2.0**-50  # share of a large number that rounding may have cost
MORE, LESS = 1.0 + LAST_BITS, 1.0 - LAST_BITS


def whole(quantity: Number) -> Number:
    """Return a quantity rounded down to a whole number; what misses one by rounding is that one."""
    number: Number = np.floor(quantity * MORE + TOLERANCE)
    return number


def whole_units(quantity: Number) -> Number:
    """Return the same of units that were never divided by a lot: one product less to wait for."""
    number: Number = np.floor(quantity + TOLERANCE)
    return number


def whole_up(quantity: Number) -> Number:
    """Return a quantity rounded up to a whole number; what exceeds one by rounding is that one."""
    number: Number = np.ceil(quantity * LESS - TOLERANCE)
    return number


def is_whole(quantity: Number) -> Any:
    """Return whether a quantity is a whole number, but for rounding."""
    return abs(quantity - np.floor(quantity + 0.5)) <= TOLERANCE + LAST_BITS * abs(quantity)


def at_least(quantity: Number, least: Number) -> Any:
    """Return whether a quantity reaches what is needed, but for rounding."""
    return quantity >= least * LESS - TOLERANCE


def is_some(quantity: Number) -> Any:
    """Return whether there is any of a quantity: more than rounding leaves behind."""
    return quantity > TOLERANCE
