"""Machine code on disk: never stale, never required, and announced while it is compiled.

numba checks a cached function only against the file of the outermost function. After a change in a
function that it calls, or in a constant, it would load the old machine code. Here the machine code
of a function lies in a folder named after a digest of everything that it is compiled from: its own
code, that of every function that it calls, and the constants that they read. Changing a comment
does not compile anything, and two clones of one version share their machine code.

If the folder cannot be written to, results are the same, but each process compiles again.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.dispatcher import Dispatcher
from numba.misc.appdirs import AppDirs

KEPT_DIGESTS = 200
"""Most folders of machine code that are kept; the least recently used are removed first."""

SECONDS = {"simulate": 15, "walk": 15, "advance": 5, "inlined": 5}
"""Approximate compile times of the large functions, in seconds on one core of 2024."""

QUIET = "JITGYM_QUIET"
"""An environment variable; if it is set, compilation is not announced."""


def keep(dispatcher: Any, apart: str = "") -> Any:
    """Make a numba dispatcher keep its machine code on disk; return the dispatcher.

    `apart` distinguishes two dispatchers of one function, which must not share machine code.
    """
    dispatcher._cache = KeptCode(dispatcher.py_func, apart)
    return dispatcher


class KeptCode:
    """The cache from which numba loads, and to which it saves, machine code of one function.

    The digest is computed on first use, when every function that this one calls is defined.
    """

    def __init__(self, function: FunctionType, apart: str = "") -> None:
        self.function, self.apart = function, apart
        self._inner: Any = None

    @property
    def cache_path(self) -> str | None:
        """The folder of this function's machine code, or None."""
        inner = self._opened()
        return None if inner is None else str(inner.cache_path)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return compiled code for arguments of these types from disk, or None."""
        inner, found = self._opened(), None
        if inner is not None:
            with suppress(OSError, EOFError):
                found = inner.load_overload(signature, target)
        if found is None:
            announce(self.apart or self.function.__name__)
        return found

    def save_overload(self, signature: Any, code: Any) -> None:
        """Save compiled code to disk; if that fails, only this process has it."""
        inner = self._opened()
        if inner is not None:
            with suppress(OSError):
                inner.save_overload(signature, code)

    def flush(self) -> None:
        """Delete the code on disk."""
        inner = self._opened()
        if inner is not None:
            with suppress(OSError):
                inner.flush()

    def enable(self) -> None:
        """Do nothing: the cache is always enabled."""

    def disable(self) -> None:
        """Do nothing: the cache cannot be disabled."""

    def _opened(self) -> Any:
        parent = cache_folder()
        if self._inner is None and parent is not None:
            folder = parent / digest(self.function, self.apart)
            with suppress(OSError):
                self._inner = _cache_in(folder, self.function)
        return self._inner


def _cache_in(folder: Path, function: FunctionType) -> Any:
    class Locator(_CacheLocator):
        """The folder's name identifies the machine code; no other stamp is needed."""

        _py_file = inspect.getfile(function)

        def get_cache_path(self) -> str:
            return str(folder)

        def get_source_stamp(self) -> str:
            return folder.name

        def get_disambiguator(self) -> str:
            return "0"

        @classmethod
        def from_function(cls, function: Any, file: str) -> Any:
            del function, file
            return cls()

    class Implementation(CompileResultCacheImpl):
        _locator_classes: Any = (Locator,)

    class Kept(FunctionCache):
        _impl_class = Implementation

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)  # mark it as recently used, for `_prune`
    kept: Any = Kept
    return kept(function)


def announce(name: str) -> None:
    """Print to standard error that a function is being compiled, and about how long that takes."""
    if os.environ.get(QUIET) or name not in SECONDS:
        return
    with suppress(OSError, ValueError):  # standard error is closed
        print(
            f"jitgym: compiling {name}, once after installation, about {SECONDS[name]} s",
            file=sys.stderr,
            flush=True,
        )


# ---------------------------------------------------------------- what a function is compiled from


def digest(function: Any, apart: str = "") -> str:
    """Return a digest of everything that a function is compiled from, and of the versions.

    The digest covers its byte code, that of each function it names, and the constants it reads. For
    a name with a value of any other type, it covers the whole file that defines the type.
    """
    seen = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.version} {apart}".encode())
    done: set[int] = set()
    for part in _parts(function, done):
        seen.update(part)
    return f"{getattr(function, '__name__', '')}-{seen.hexdigest()[:20]}"


def _parts(value: Any, done: set[int]) -> Iterator[bytes]:
    if isinstance(value, Dispatcher):
        yield repr(sorted(value.targetoptions.items())).encode()
        value = value.py_func
    if isinstance(value, FunctionType):
        if id(value) in done:
            return
        done.add(id(value))
        yield value.__qualname__.encode()
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        for cell in cells:
            yield from _parts(cell, done)
        for name in value.__annotations__.values():  # where a field of a named tuple lies
            fields = getattr(value.__globals__.get(str(name)), "_fields", ())
            yield repr(fields).encode()
        yield from _parts_of_code(value.__code__, value.__globals__, done)
    elif isinstance(value, np.dtype | np.ndarray | np.generic):
        array = np.asarray(value) if not isinstance(value, np.dtype) else None
        yield repr(value).encode() if array is None else array.tobytes()
    elif isinstance(value, bool | int | float | complex | str | bytes | None):
        yield repr(value).encode()
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _parts(part, done)
    else:
        yield from _stranger(value, done)


def _parts_of_code(code: CodeType, names: dict[str, Any], done: set[int]) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_varnames, code.co_names)).encode()
    docstring = code.co_consts[:1] if code.co_flags & inspect.CO_OPTIMIZED else ()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts_of_code(constant, names, done)
        elif constant not in docstring or not isinstance(constant, str):
            yield repr(constant).encode()
    modules = []
    for name in sorted({i.argval for i in dis.get_instructions(code) if i.opname in _LOADS}):
        value = names.get(name)
        if isinstance(value, ModuleType):
            modules.append(value)
        elif name in names:
            yield name.encode()
            yield from _parts(value, done)
    for module in modules:
        if not module.__name__.startswith(("numpy", "math")):  # covered by their versions
            for name in code.co_names:
                if hasattr(module, name):
                    yield from _parts(getattr(module, name), done)


_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})


def _stranger(value: Any, done: set[int]) -> Iterator[bytes]:
    yield repr(getattr(value, "__qualname__", type(value).__qualname__)).encode()
    kind = value if inspect.isclass(value) or inspect.ismodule(value) else type(value)
    with suppress(TypeError, OSError):
        file = Path(inspect.getfile(kind))
        if id(kind) not in done:
            done.add(id(kind))
            yield file.read_bytes()


# ---------------------------------------------------------------- where the code is kept


@cache
def cache_folder() -> Path | None:
    """Return the folder of machine code: the user's cache, a temporary folder, or None."""
    temporary = Path(tempfile.gettempdir()) / f"jitgym-{os.getuid() if os.name == 'posix' else ''}"
    user_folders: Any = AppDirs
    for parent in (Path(user_folders("jitgym", appauthor=False).user_cache_dir), temporary):
        if _is_private_and_writable(parent):
            _prune(parent)
            return parent
    return None


def _is_private_and_writable(folder: Path) -> bool:
    # Cached machine code is executed: a folder that others can write to is not trusted.
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


def _prune(parent: Path) -> None:
    ages: list[tuple[float, Path]] = []
    for folder in parent.iterdir():
        with suppress(OSError):  # another process may prune at the same time
            if folder.is_dir():
                ages.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(ages, reverse=True)[KEPT_DIGESTS:]:
        shutil.rmtree(folder, ignore_errors=True)
