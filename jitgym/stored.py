"""Arrays on disk. A file may be corrupt, so all of it is checked before any of it is used."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.errors import RunError

MOST_BYTES = 4_000_000_000
"""Files whose arrays state a larger total size are not read."""

UNREADABLE = (OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError,
              SyntaxError, TypeError, struct.error, zlib.error, zipfile.BadZipFile)  # fmt: skip
"""The exceptions that the readers of zip files and arrays raise for corrupt bytes."""


def read_arrays(
    path: Path, names: Collection[str], optional: Collection[str] = ()
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a file (.npz), which must hold exactly these names.

    The `optional` ones may be missing, because older files do not have them. Sizes are checked
    before anything is unpacked, and nothing is unpickled. Raises RunError.
    """
    expect_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            held = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            named = set(held) - set(optional)
            if named != set(names) or len(archive.infolist()) != len(held):
                raise RunError(
                    f"{path}: holds {', '.join(sorted(held)) or 'nothing'}; expected the arrays "
                    f"{', '.join(names)}"
                )
            size = sum(member.file_size for member in held.values())
            if size > MOST_BYTES:
                raise RunError(
                    f"{path}: its arrays take {size:,} bytes; expected at most {MOST_BYTES:,}"
                )
            return {name: _array(archive, member) for name, member in held.items()}
    except RunError:
        raise
    except UNREADABLE as error:
        raise RunError(f"{path}: cannot be read as arrays ({reason(error)})") from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds objects, not numbers")
        count = 1
        for extent in shape:
            count *= extent
        if file.tell() + count * dtype.itemsize != member.file_size:
            raise ValueError(f"the size of {member.filename} differs from the one in its header")
    with archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def expect_file(path: Path) -> None:
    """Raise RunError unless the path is an ordinary file."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise RunError(f"{path}: {found}; expected a file")


def reason(error: BaseException) -> str:
    """The first line of the message of an error, or its type."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
