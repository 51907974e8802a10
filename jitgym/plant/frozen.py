"""Frozen mode: machine code for one plant, whose arrays are constants of the program.

The source is the same, and so is every result, bit for bit. The compiler sees each count, cell and
price, drops what this plant never does and unrolls the rest. That costs some seconds of compiling
in each process and about one for each further plant, so it is for long evaluations and has to be
asked for. Nothing is kept on disk: numba's cache would not see that the arrays are others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .jit import kernel, not_kept

_known: dict[bytes, Callable[..., Any]] = {}


def frozen(function: Callable[..., Any], *constants: tuple[Any, ...]) -> Callable[..., Any]:
    """Return a compiled function whose first arguments, tuples of arrays and numbers, are fixed."""
    key = _digest(function.__qualname__, constants)
    if key not in _known:
        inner = _inner(function)

        def with_constants(*rest: Any) -> Any:
            return inner(*constants, *rest)

        _known[key] = not_kept(with_constants)
    return _known[key]


@cache
def _inner(function: Any) -> Callable[..., Any]:
    # One for all plants: what is inside is translated once, and only put together for each.
    inner: Callable[..., Any] = kernel(function.py_func)
    return inner


def _digest(name: str, constants: tuple[tuple[Any, ...], ...]) -> bytes:
    seen = hashlib.sha256(name.encode())
    for part in (part for constant in constants for part in constant):
        seen.update(repr(np.shape(part)).encode() + np.asarray(part).tobytes())
    return seen.digest()
