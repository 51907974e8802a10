"""Frozen mode: machine code for one plant, whose arrays are constants of the program.

The source is the same, and so is every result, bit for bit. The compiler sees each count, cell and
price, drops what this plant never does and unrolls the rest; rows that only one period needs lie in
registers, and flows that nobody reads are never written. That makes one and a quarter to six times
the speed, the more the smaller the plant is, and costs a quarter of a second to a second of
compiling for each plant in each process: what all plants have in common is translated once and kept
on disk. So a plant that is run for long is frozen by itself, as `pays` says.

What is put together for one plant is not kept: numba's cache would not see that the arrays are
others.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core.compiler_lock import global_compiler_lock

from .jit import compiled_to_inline, not_kept, stack_rows

_known: dict[bytes, Any] = {}
_done: Counter[bytes] = Counter()

REPAID = 20e6
"""Plant-periods x sources of the generic program after which freezing would have repaid itself."""

UNROLLED, USUAL = 3000, 300
"""Instructions that a loop may come to when it is unrolled: here, and otherwise (LLVM's own)."""


def pays(function: Callable[..., Any], constants: tuple[Any, ...], work: float) -> bool:
    """Whether to freeze this now, and count the work that comes: plant-periods x sources.

    It pays once as much was to be done as would have repaid the compiling, which is never far from
    the best that could be had by knowing what is still to come.
    """
    key = _digest(function, constants)
    _done[key] += int(work)
    return _done[key] >= REPAID


def frozen(
    function: Callable[..., Any],
    constants: tuple[Any, ...],
    rows: tuple[int, ...],
    arguments: tuple[Any, ...],
) -> Callable[[tuple[Any, ...]], Any]:
    """Return a compiled function whose first arguments are fixed; it takes a tuple of the others.

    Parameters
    ----------
    function
        A `compiled` function.
    constants
        Its first arguments: tuples of arrays and numbers, arrays, or numbers.
    rows
        Sizes of its next ones: rows of float64 to work in, zeros at first.
    arguments
        The others; what is returned is called with arguments of their types.
    """
    key = _digest(function, (*constants, rows))
    if key not in _known:
        inner, made = _inner(function), stack_rows(rows)

        def with_constants(rest: Any) -> Any:
            return inner(*constants, *made(), *rest)

        program: Any = not_kept(with_constants)
        typeof: Any = numba.typeof
        with _unrolling_more():
            program.compile((typeof(arguments),))
        _known[key] = program
    known: Callable[[tuple[Any, ...]], Any] = _known[key]
    return known


@cache
def _inner(function: Any) -> Callable[..., Any]:
    # One for all plants: what is inside is translated once, and only put together for each.
    return compiled_to_inline(function.py_func)


@contextmanager
def _unrolling_more() -> Iterator[None]:
    # Loops over a plant's few sources, items and demands are unrolled, or constants would not reach
    # what is inside. LLVM does not do that with bodies as long as these unless it is told to, and
    # can be told only for the whole process: so nobody else compiles meanwhile.
    from llvmlite.binding import set_option  # type: ignore[import-untyped]

    with global_compiler_lock:
        set_option("jitgym", f"-unroll-threshold={UNROLLED}")
        try:
            yield
        finally:
            set_option("jitgym", f"-unroll-threshold={USUAL}")


def _digest(function: Callable[..., Any], constants: tuple[Any, ...]) -> bytes:
    seen = hashlib.sha256(function.__qualname__.encode())
    for constant in constants:
        for part in constant if isinstance(constant, tuple) else (constant,):
            array = np.asarray(part)
            # Between the fields of a record lies whatever was in memory.
            content = repr(array.tolist()).encode() if array.dtype.names else array.tobytes()
            seen.update(repr(array.shape).encode() + content)
    return seen.digest()
