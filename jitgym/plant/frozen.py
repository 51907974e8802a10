"""Frozen mode: machine code for one plant, whose arrays are constants of the program.

The source is the same as that of the generic program, and so is every result, bit for bit. The
compiler sees each count, cell and price, removes what this plant never does and unrolls the
remaining loops. Rows that only one period needs stay in registers, and flows that nothing reads are
never written. This makes a plant 1.25 to 6 times as fast (small plants gain most), and costs 0.25
to 1 second of compiling per plant and process. The code that all plants share is translated once
per version of the package (about ten seconds) and kept on disk. The program of one plant is not
kept: numba's cache does not notice when the arrays change.

A plant that runs for long is frozen automatically, unless it is large or too many others have been
frozen: see `program_that_pays`.
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
"""Plant-periods x sources of the generic program after which freezing pays off."""

LARGEST = 2000
"""Most cells of the rows of a plant that is frozen automatically; larger ones gain little."""

MOST = 200
"""Most programs made automatically in a process; each takes five megabytes, never freed."""

UNROLLED, USUAL = 3000, 300
"""Most instructions of an unrolled loop: here, and elsewhere (LLVM's default at -O3)."""


class Call(NamedTuple):
    """A call of a compiled function, split into the parts that freezing treats differently."""

    function: Callable[..., Any]  # a `compiled` function
    constants: tuple[Any, ...]  # first arguments: tuples of arrays and numbers, arrays, or numbers
    rows: tuple[int, ...]  # sizes of the next arguments: working rows of float64, first zeros
    arguments: tuple[Any, ...]  # other arguments; a program takes a tuple of these types

    @property
    def digest(self) -> bytes:
        """The digest of everything that a program is compiled from: all but the arguments."""
        seen = hashlib.sha256(self.function.__qualname__.encode())
        for constant in (*self.constants, self.rows):
            for part in constant if isinstance(constant, tuple) else (constant,):
                array = np.asarray(part)
                # The padding between the fields of a record is arbitrary, so its bytes cannot be
                # used.
                content = repr(array.tolist()).encode() if array.dtype.names else array.tobytes()
                seen.update(repr((array.shape, array.dtype.str)).encode() + content)
        return seen.digest()


def program_that_pays(call: Call, work: float) -> Program | None:
    """Return the frozen program once compilation pays off, else None.

    `work` (plant-periods x sources) is added to what this call has done before; compilation pays
    off above `REPAID`. Return None also if the disk fails: a frozen program only saves time.
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
    """Return a compiled function with fixed first arguments; it takes a tuple of the others."""
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
    if not inner.overloads:  # code on disk must not depend on how loops are unrolled here
        trial: Any = not_kept(with_constants)
        trial.compile((given,))
    program: Any = not_kept(with_constants)
    with _unrolling_more():
        program.compile((given,))
    put_together: Program = program
    return put_together


@cache
def _inner(function: Any) -> Any:
    # All plants share one: inner code is translated once, and only linked for each plant.
    return compiled_to_inline(function.py_func)


@contextmanager
def _unrolling_more() -> Iterator[None]:
    # Loops over a plant's few sources, items and demands must be unrolled so that constants reach
    # their bodies. LLVM does not unroll bodies this long by default, and its threshold is set for
    # the whole process, so a lock keeps others from compiling meanwhile.
    from llvmlite.binding import set_option  # type: ignore[import-untyped]

    with global_compiler_lock:
        set_option("jitgym", f"-unroll-threshold={UNROLLED}")
        try:
            yield
        finally:
            set_option("jitgym", f"-unroll-threshold={USUAL}")
