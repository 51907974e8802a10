"""Frozen mode: machine code for one plant, whose arrays are constants of the program.

The source is the same, and so is every result, bit for bit. The compiler sees each count, cell and
price, drops what this plant never does and unrolls the rest; rows that only one period needs lie in
registers, and flows that nobody reads are never written. That makes one and a quarter to six times
the speed, the more the smaller the plant is, and costs a quarter of a second to a second of
compiling for each plant in each process. What all plants have in common is translated before, once
for a version of the package (some ten seconds), and kept on disk; what is put together for one
plant is not: numba's cache would not see that the arrays are others.

A plant that is run for long is frozen by itself, unless it is large or too many others have been:
see `program_that_pays`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core.compiler_lock import global_compiler_lock

from .jit import compiled_to_inline, not_kept, stack_rows

Program = Callable[[tuple[Any, ...]], Any]

_known: dict[bytes, Program] = {}
_done: Counter[bytes] = Counter()

REPAID = 20e6
"""Plant-periods x sources of the generic program after which freezing would have repaid itself."""

LARGEST = 2000
"""Cells of the rows beyond which a plant is not frozen by itself: little gained, long compiling."""

MOST = 200
"""Programs in a process beyond which none is made by itself: five megabytes each, never freed."""

UNROLLED, USUAL = 3000, 300
"""Instructions that a loop may come to when it is unrolled: here, and otherwise (LLVM's at -O3)."""


class Call(NamedTuple):
    """A call of a compiled function, in the parts that freezing tells apart."""

    function: Callable[..., Any]  # a `compiled` one
    constants: tuple[Any, ...]  # its first arguments: tuples of arrays and numbers, arrays, numbers
    rows: tuple[int, ...]  # sizes of its next ones: rows of float64 to work in, zeros at first
    arguments: tuple[Any, ...]  # the others; a program takes a tuple of their types

    @property
    def digest(self) -> bytes:
        """Digest of what a program is made of: all but the arguments."""
        seen = hashlib.sha256(self.function.__qualname__.encode())
        for constant in (*self.constants, self.rows):
            for part in constant if isinstance(constant, tuple) else (constant,):
                array = np.asarray(part)
                # Between the fields of a record lies whatever was in memory.
                content = repr(array.tolist()).encode() if array.dtype.names else array.tobytes()
                seen.update(repr((array.shape, array.dtype.str)).encode() + content)
        return seen.digest()


def program_that_pays(call: Call, work: float) -> Program | None:
    """Return the frozen program if it pays by now; `work` (plant-periods x sources) is counted.

    It pays once as much was to be done as would have repaid the compiling. None also where the disk
    that it would be kept on fails: it is no more than a way to go faster.
    """
    key = call.digest
    _done[key] += int(work)
    if key not in _known:
        if _done[key] < REPAID or sum(call.rows) > LARGEST or len(_known) >= MOST:
            return None
        try:
            return frozen(call)
        except OSError:
            return None
    return _known[key]


def frozen(call: Call) -> Program:
    """Return a compiled function whose first arguments are fixed; it takes a tuple of the rest."""
    key = call.digest
    with global_compiler_lock:
        if key not in _known:
            _known[key] = _put_together(call)
    return _known[key]


def _put_together(call: Call) -> Program:
    constants, made, inner = call.constants, stack_rows(call.rows), _inner(call.function)

    def with_constants(rest: Any) -> Any:
        return inner(*constants, *made(), *rest)

    typeof: Any = numba.typeof
    given = typeof(call.arguments)
    if not inner.overloads:  # what is kept on disk must not depend on how loops are unrolled here
        trial: Any = not_kept(with_constants)
        trial.compile((given,))
    program: Any = not_kept(with_constants)
    with _unrolling_more():
        program.compile((given,))
    put_together: Program = program
    return put_together


@cache
def _inner(function: Any) -> Any:
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
