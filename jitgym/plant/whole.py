"""The functions of `jitgym.units` for compiled code, and whole lots of a source."""

from __future__ import annotations

from jitgym import units

from .jit import kernel
from .records import Record

whole = kernel(units.whole)
whole_units = kernel(units.whole_units)
whole_up = kernel(units.whole_up)
at_least = kernel(units.at_least)
is_some = kernel(units.is_some)


@kernel
def whole_lots(source: Record, quantity: float) -> float:
    """Return a quantity rounded down to whole lots of a source, in units."""
    if source.lot == 1.0:
        return whole_units(quantity)
    return whole(quantity * source.per_lot) * source.lot
