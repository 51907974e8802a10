"""Damaged files of a run give one clear error, and no part of them is used."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from jitgym import ScenarioError, exact
from jitgym.evaluate import RunError
from jitgym.exact import OptimalPolicy
from jitgym.plant import lay_out

SMALL = jitgym.load("lost-sales", lead_time=3, penalty=4)

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("solved") / "optimal.npz"
    exact.solve(SMALL).policy.save(path)
    return path


def changed(name: str, by: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {name: by(arrays[name])}


def with_nan(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[3] = np.nan
    return array


ARRAYS: dict[str, Callable[[Arrays], Arrays]] = {
    "without states": lambda arrays: {k: v for k, v in arrays.items() if k != "states"},
    "with something more": lambda arrays: arrays | {"more": np.zeros(3)},
    "nothing": lambda arrays: {},
    "states of another type": changed("states", lambda a: a.astype(np.float32)),
    "states as text": changed("states", lambda a: a.astype(str)),
    "states as objects": changed("states", lambda a: a.astype(object)),
    "states of another shape": changed("states", lambda a: a[:, :1]),
    "states in one row": changed("states", np.ravel),
    "one state, no axis": changed("states", lambda a: a[0, 0]),
    "no states": lambda arrays: arrays | {k: arrays[k][:0] for k in ("states", "asks")},
    "nan in states": changed("states", with_nan),
    "infinite asks": changed("asks", lambda a: a + np.inf),
    "negative asks": changed("asks", lambda a: a - 1),
    "fewer asks": changed("asks", lambda a: a[:-1]),
    "asks of another plant": changed("asks", lambda a: np.hstack([a, a])),
    "key of another type": changed("key", lambda a: a.astype(np.float64)),
    "key out of range": changed("key", lambda a: a + 1000),
    "negative key": changed("key", lambda a: -a - 1),
    "key twice": changed("key", np.zeros_like),
    "cells of another plant": changed("cells", lambda a: a[:-1]),
    "cells as objects": changed("cells", lambda a: a.astype(object)),
}


@pytest.mark.parametrize("change", ARRAYS.values(), ids=ARRAYS)
def test_a_table_with_wrong_arrays_is_refused(
    change: Callable[[Arrays], Arrays], table: Path, tmp_path: Path
) -> None:
    with np.load(table) as file:
        arrays = dict(file)
    np.savez_compressed(tmp_path / "optimal.npz", **change(arrays))
    refused(tmp_path / "optimal.npz")


def of_size(path: Path, shape: tuple[int, ...]) -> None:
    """A small file whose states have this shape and unpack to that many zeros."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    size = min(8 * abs(int(np.prod(shape, dtype=object))), 10_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("key", "states", "asks", "cells"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(size))


BYTES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "its end": lambda path: path.write_bytes(path.read_bytes()[100:]),
    "a flipped byte": lambda path: path.write_bytes(flipped(path.read_bytes())),
    "text": lambda path: path.write_text("a table"),
    "a zip of something else": lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "b"),
    "arrays that are none": lambda path: of_text(path),
    "one array": lambda path: path.write_bytes(bytes_of(np.zeros(3))),
    "a pickle": lambda path: path.write_bytes(b"\x80\x04cos\nsystem\n(S'ls'\ntR."),
    "more than there is": lambda path: of_size(path, (10**12, 10**6)),
    "a wrong shape": lambda path: of_size(path, (10**6, 3)),
    "a negative shape": lambda path: of_size(path, (-1, 3)),
    "missing": Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def bytes_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def of_text(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("key", "states", "asks", "cells"):
            archive.writestr(f"{name}.npy", "no array")


@pytest.mark.parametrize("damage", BYTES.values(), ids=BYTES)
def test_a_damaged_table_is_refused(
    damage: Callable[[Path], object], table: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(table, tmp_path / "optimal.npz"))
    damage(path)
    refused(path)


def refused(path: Path) -> None:
    with pytest.raises(RunError) as caught:
        agents.make("optimal", SMALL, path=path)
    assert isinstance(caught.value, ScenarioError)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_table_of_another_scenario_is_refused(table: Path) -> None:
    assert OptimalPolicy.load(table, lay_out(SMALL)).states.size > 0
    with pytest.raises(RunError, match="made for a plant with other cells than 'lost-sales';"):
        agents.make("optimal", jitgym.load("lost-sales", lead_time=4), path=table)


def test_a_table_of_other_numbers_is_refused(table: Path) -> None:
    """The cells are the same, but the optimum is another one; the length of a run is no matter."""
    longer = SMALL.horizon.periods + 100
    same = jitgym.load(SMALL, **{"horizon.ongoing": longer, "name": "another-name"})
    assert OptimalPolicy.load(table, lay_out(same)).states.size > 0
    for change in ({"penalty": 9}, {"mean": 2.5}):
        with pytest.raises(RunError, match="computed for a plant with other numbers than"):
            agents.make("optimal", jitgym.load(SMALL, **change), path=table)


def test_a_table_is_written_completely_or_not_at_all(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = OptimalPolicy.load(table, lay_out(SMALL))

    def full(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        policy.save(tmp_path / "optimal.npz")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["encoding", "dynamics"])
def test_a_table_of_another_version_is_refused_by_name(
    name: str, table: Path, tmp_path: Path
) -> None:
    with np.load(table) as held:
        arrays = dict(held)
    path = tmp_path / "optimal.npz"
    said = rf"optimal\.npz: it was made with version 0 of {name}, and this is version \d+; expected"
    np.savez_compressed(path, **(arrays | {name: np.array(0)}))
    with pytest.raises(RunError, match=said):
        OptimalPolicy.load(path, lay_out(SMALL))
    np.savez_compressed(path, **{k: v for k, v in arrays.items() if k != name})  # an older file
    with pytest.raises(RunError, match=said):
        OptimalPolicy.load(path, lay_out(SMALL))
    np.savez_compressed(path, **(arrays | {name: np.array("one")}))
    with pytest.raises(RunError, match="a version is not a number"):
        OptimalPolicy.load(path, lay_out(SMALL))
