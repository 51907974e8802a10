"""The one decorator of compiled code, its switches and its cache.

`kernel` marks an inner function: always inlined, never cached by itself (`separate`: called, not
inlined). `compiled` marks an outer function, the only kind that Python calls; its machine code is
kept on disk.

Two switches matter. `_nrt=False`: the plant is a namedtuple of arrays, and each stage call would
count references on every one of them (a factor of twenty); without the runtime an allocation in
compiled code is a compile error, which is welcome. `forceinline=True`: stages are small.

numba stamps a cached function with the file of the outermost function only, so a change in a
callee's file, or in a constant, would bring back the old machine code. Here the cache lies in a
folder named after a digest of the whole package and numba's version: other source, other folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.misc.appdirs import AppDirs

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).resolve().parents[1]
KEPT_DIGESTS = (
    4  # folders of older sources that stay, so that two checkouts do not evict each other
)


def kernel(function: Function) -> Function:
    """Compile an inner function: inlined into its caller, without allocation."""
    return _inner(function, forceinline=True)


def separate(function: Function) -> Function:
    """Compile an inner function that is called: where it is large and seldom needed.

    Inlining it would cost more in compilation than it gains.
    """
    return _inner(function)


def _inner(function: Function, **switches: bool) -> Function:
    """Compile an inner function; of one that takes a whole plant Python sees nothing.

    What lets Python call it would be a third of all compilation.
    """
    if "Plant" not in function.__annotations__.values():
        inner: Function = _njit(**switches)(function)
        return inner

    def refuse(*_: Any) -> None:
        raise TypeError(f"{function.__name__} is an inner function: only compiled code calls it")

    dispatcher: Any = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **switches)(function)
    dispatcher._insert = lambda *_: None  # machine code for Python to call: there is none
    dispatcher._compile_for_args = refuse
    hidden: Function = dispatcher
    return hidden


def compiled(function: Function) -> Function:
    """Compile an outer function and keep its machine code on disk."""
    outer: Function = _kept(lambda: _njit(nogil=True)(function), cache_folder())
    return outer


def compiled_to_inline(function: Function) -> Function:
    """Compile an inner function that is large, and keep it on disk: what is put together anew.

    It lies in a folder of its own: to numba it is the same function as the outer one it comes from.
    """
    folder = cache_folder()
    inner: Function = _kept(
        lambda: _njit(forceinline=True)(function), folder and folder / "inlined"
    )
    return inner


def _kept(made: Callable[[], Any], folder: Path | None) -> Any:
    """Return a dispatcher that keeps its machine code in a folder, and nowhere else."""
    if folder is None:
        return made()
    dispatcher = made()
    try:
        with _numba_cache_in(folder):
            dispatcher.enable_caching()
    except RuntimeError:  # no folder will do, not even one that numba would look for by itself
        return made()
    # Where the folder fails, numba takes one beside the source: that one gives old code back.
    if not Path(dispatcher._cache.cache_path).is_relative_to(folder):
        return made()
    return dispatcher


def not_kept(function: Function) -> Function:
    """Compile an outer function for this process only."""
    outer: Function = _njit(nogil=True)(function)
    return outer


def _njit(**switches: bool) -> Any:
    # Of private and untyped parts of numba, these switches and the cache's folder: only here.
    njit: Any = numba.njit
    return njit(_nrt=False, error_model="numpy", **switches)


def stack_rows(sizes: tuple[int, ...]) -> Callable[..., Any]:
    """Return a function for compiled code that makes rows of float64, zeros of these fixed sizes.

    They lie on the stack of whoever calls it, once a call of that: nothing outside can see them, so
    that the compiler keeps them in registers as far as places are constants, and never writes what
    nobody reads.
    """
    import llvmlite.ir  # type: ignore[import-untyped]
    import numba.core.cgutils
    import numba.extending
    import numba.np.arrayobj

    ir: Any = llvmlite.ir
    types: Any = numba.core.types
    cgutils: Any = numba.core.cgutils
    arrayobj: Any = numba.np.arrayobj
    intrinsic: Any = numba.extending.intrinsic
    of_row = types.Array(types.float64, 1, "C")

    def made(context: Any, builder: Any, size: int) -> Any:
        kind = ir.ArrayType(ir.DoubleType(), max(size, 1))
        cells = cgutils.alloca_once(builder, kind, zfill=True)
        width = context.get_constant(types.intp, 8)
        row = arrayobj.make_array(of_row)(context, builder)
        arrayobj.populate_array(
            row,
            data=builder.bitcast(cells, ir.DoubleType().as_pointer()),
            shape=[context.get_constant(types.intp, size)],
            strides=[width],
            itemsize=width,
            meminfo=None,
        )
        return row._getvalue()

    def rows(_: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, __: Any) -> Any:
            parts = [made(context, builder, size) for size in sizes]
            return context.make_tuple(builder, signature.return_type, parts)

        return types.UniTuple(of_row, len(sizes))(), code

    compiled_rows: Callable[..., Any] = intrinsic(rows)
    return compiled_rows


def entry(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return the machine code of a compiled function for arguments of these types.

    It checks almost nothing, and costs a tenth of a call through numba's dispatcher: whoever binds
    it promises to call it with arrays of the same dtype, dimension and contiguity.
    """
    dispatcher: Any = function
    typeof: Any = numba.typeof
    signature = tuple(typeof(argument) for argument in arguments)
    dispatcher.compile(signature)
    machine_code: Callable[..., Any] = dispatcher.overloads[signature].entry_point
    return machine_code


@cache
def cache_folder() -> Path | None:
    """Return the folder of machine code: the user's cache, else a private one, else none."""
    name = digest(PACKAGE)
    temporary = Path(tempfile.gettempdir()) / f"jitgym-{os.getuid() if os.name == 'posix' else ''}"
    user_folders: Any = AppDirs
    for parent in (Path(user_folders("jitgym", appauthor=False).user_cache_dir), temporary):
        if _is_private_and_writable(parent):
            _prune(parent, keep=name)
            return parent / name
    return None


def digest(package: Path) -> str:
    """Digest of every Python file of a package, and of numba's version."""
    seen = hashlib.sha256(numba.__version__.encode())
    for file in sorted(package.rglob("*.py")):
        seen.update(str(file.relative_to(package)).encode())
        seen.update(file.read_bytes())
    return seen.hexdigest()[:20]


def _is_private_and_writable(folder: Path) -> bool:
    # Cached machine code is run: a folder that somebody else may write to is not trusted.
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix":
            found = folder.stat()
            others_may_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if found.st_uid != os.getuid() or others_may_write:
                return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _prune(parent: Path, keep: str) -> None:
    ages: list[tuple[float, Path]] = []
    for folder in parent.iterdir():
        with suppress(OSError):  # another process may prune at the same time
            if folder.is_dir() and folder.name != keep:
                ages.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(ages, reverse=True)[KEPT_DIGESTS:]:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _numba_cache_in(folder: Path) -> Iterator[None]:
    config: Any = numba.config
    previous = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = previous
