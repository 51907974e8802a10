"""Frozen mode: machine code for one plant, whose arrays are constants of the program.

The source is the same, and so is every result, bit for bit. The compiler sees each count, cell and
price, drops what this plant never does and unrolls the rest; rows that only one period needs lie in
registers, and flows that nobody reads are never written. That costs some seconds of compiling in
each process and about one for each further plant, so it is for long evaluations and has to be asked
for. Nothing is kept on disk: numba's cache would not see that the arrays are others.

Loops over a plant's few sources, items and demands must be unrolled for that, which LLVM does not
do with bodies as long as these unless it is told to, once and for the whole process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .jit import kernel, not_kept, stack_rows

_known: dict[bytes, Callable[..., Any]] = {}


UNROLLED = 3000
"""Instructions that a loop may come to when it is unrolled; ten times as many as usual."""


def frozen(
    function: Callable[..., Any], constants: tuple[Any, ...], rows: tuple[int, ...]
) -> Callable[..., Any]:
    """Return a compiled function whose first arguments are fixed.

    Parameters
    ----------
    function
        A `compiled` function.
    constants
        Its first arguments: tuples of arrays and numbers, or numbers.
    rows
        Sizes of its next ones: rows of float64 to work in, zeros at first.
    """
    key = _digest(function.__qualname__, (*constants, rows))
    if key not in _known:
        _unroll_more()
        inner, made = _inner(function), stack_rows(rows)

        def with_constants(*rest: Any) -> Any:
            return inner(*constants, *made(), *rest)

        _known[key] = not_kept(with_constants)
    return _known[key]


@cache
def _inner(function: Any) -> Callable[..., Any]:
    # One for all plants: what is inside is translated once, and only put together for each.
    inner: Callable[..., Any] = kernel(function.py_func)
    return inner


@cache
def _unroll_more() -> None:
    from llvmlite.binding import set_option  # type: ignore[import-untyped]

    set_option("jitgym", f"-unroll-threshold={UNROLLED}")


def _digest(name: str, constants: tuple[Any, ...]) -> bytes:
    seen = hashlib.sha256(name.encode())
    for constant in constants:
        for part in constant if isinstance(constant, tuple) else (constant,):
            array = np.asarray(part)
            # Between the fields of a record lies whatever was in memory.
            content = repr(array.tolist()).encode() if array.dtype.names else array.tobytes()
            seen.update(repr(array.shape).encode() + content)
    return seen.digest()
