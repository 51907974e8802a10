"""The cache of machine code: never stale, never required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

import jitgym
from jitgym.plant import jit, machine_code

PACKAGE = Path(jitgym.__file__).parent

# What base-stock 7 asks for without stock, and where the package was imported from.
PROGRAM = """
import jitgym, numpy as np
from jitgym.control import RulePolicy, ViewLayout, pull_rule
from jitgym.plant import lay_out
layout = lay_out(jitgym.load("lost-sales", lead_time=2))
policy = RulePolicy("rule", layout, pull_rule(layout, levels={"supplier": 7.0}))
view = np.zeros((1, len(ViewLayout(layout).cells)))
asked = policy.act(view, policy.start(1))
print(jitgym.__file__, asked[0, 0])
"""


def run(program: str, package: Path, **environment: str) -> str:
    """Run a program in a new process, with the package of this folder; return its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=kept
        | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        | environment,
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(
            PACKAGE, tmp_path / "copy" / "jitgym", ignore=shutil.ignore_patterns("__pycache__")
        )
    )


def test_a_changed_callee_is_never_served_from_a_stale_cache(package: Path, tmp_path: Path) -> None:
    """Only a file of inner functions changes; the file of their caller stays the same."""
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    where, asked = run(PROGRAM, package, **home).split()
    assert Path(where).parent == package
    assert asked == "7.0"
    machine_code = sorted((tmp_path / "cache" / "jitgym").rglob("*.nbi"))
    assert len(machine_code) == 1  # the outer function only
    file = package / "control" / "rules.py"
    stamp = file.stat()
    text = file.read_text()
    line = "asked[ask.source] = whole_units(wanted)"
    assert text.count(line) == 1
    file.write_text(text.replace(line, line.replace("(wanted", "(2.0 * wanted")))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # a checkout may keep the time stamp
    assert run(PROGRAM, package, **home).split()[1] == "14.0"
    file.write_text(text)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    started = time.time()
    assert run(PROGRAM, package, **home).split()[1] == "7.0"
    # The code of the first version was kept: nothing was compiled again.
    assert max(f.stat().st_mtime for f in machine_code) < started


def test_jitgym_runs_without_a_home_that_can_be_written_to(package: Path, tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    unusable = {"HOME": str(no_folder), "XDG_CACHE_HOME": str(no_folder)}
    (tmp_path / "tmp").mkdir()
    found = run(PROGRAM, package, **unusable, TMPDIR=str(tmp_path / "tmp"))
    assert found.split()[1] == "7.0"
    assert list((tmp_path / "tmp").rglob("*.nbi"))  # the temporary folder that is used instead
    assert not list(package.rglob("*.nbi"))


MODULE = """
from typing import NamedTuple
import numba, constants
from constants import LIMIT

class Pair(NamedTuple):
    first: float
    second: float

@numba.njit
def inner(x: float) -> float:
    "Docstring."
    return x + constants.FACTOR

def outer(pair: Pair) -> float:
    if pair.first > LIMIT:
        return 0.0
    return inner(pair.second)
"""


def digest_of(text: str, constants: str = "FACTOR, LIMIT = 2.0, 9") -> str:
    """Return the digest of `outer` in a module with this text, beside a module of constants."""
    other = ModuleType("constants")
    exec(constants, other.__dict__)
    module = ModuleType("outer_module")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "constants", other)
        patch.setitem(sys.modules, "outer_module", module)
        exec(compile(text, "outer_module.py", "exec"), module.__dict__)
        return machine_code.digest(module.outer)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return inner(", "return 2.0 * inner("),
        ("return x + ", "return x - "),
        ("> LIMIT", ">= LIMIT"),
        ("@numba.njit\n", "@numba.njit(fastmath=True)\n"),
        ("first: float\n    second: float", "second: float\n    first: float"),
    ],
)
def test_the_digest_changes_with_everything_that_the_result_depends_on(old: str, new: str) -> None:
    assert MODULE.count(old) == 1
    assert digest_of(MODULE) != digest_of(MODULE.replace(old, new))


def test_the_digest_changes_with_a_constant_of_any_module() -> None:
    digests = {
        digest_of(MODULE, f"FACTOR, LIMIT = {pair}") for pair in ("2.0, 9", "2.5, 9", "2.0, 8")
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [('"Docstring."', '"Another one."'), ("import numba", "\n# More.\nimport numba")],
)
def test_comments_and_docstrings_do_not_change_the_digest(old: str, new: str) -> None:
    assert digest_of(MODULE) == digest_of(MODULE.replace(old, new))


def test_the_least_recently_used_machine_code_is_pruned(tmp_path: Path) -> None:
    for age in range(machine_code.KEPT_DIGESTS + 3):
        (tmp_path / f"digest-{age}").mkdir()
        os.utime(tmp_path / f"digest-{age}", (1e9 - age, 1e9 - age))
    machine_code._prune(tmp_path)
    left = {folder.name for folder in tmp_path.iterdir()}
    assert left == {f"digest-{age}" for age in range(machine_code.KEPT_DIGESTS)}


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    open_to_all = tmp_path / "shared"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert not machine_code._is_private_and_writable(open_to_all)
    assert machine_code._is_private_and_writable(tmp_path / "own")


def test_machine_code_is_stored_only_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder cannot be made, or the disk is full when code is written to it."""

    def twice(x: float) -> float:
        return 2.0 * x

    def kept_in(folder: Path) -> float:
        monkeypatch.setattr(machine_code, "cache_folder", lambda: folder)
        return machine_code.keep(numba.njit(twice))(2.0)

    (tmp_path / "blocked").touch()
    assert kept_in(tmp_path / "folder") == 4.0
    assert list((tmp_path / "folder").rglob("*.nbc"))
    assert kept_in(tmp_path / "blocked" / "folder") == 4.0

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    assert kept_in(tmp_path / "full") == 4.0
    assert not list((tmp_path / "full").rglob("*.nbc"))


def test_compiling_is_announced_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    machine_code.announce("simulate")
    machine_code.announce("a small function")
    assert capsys.readouterr().err.startswith("jitgym: compiling simulate, once after installation")


def test_python_calls_an_inner_function_but_not_one_that_takes_a_whole_plant() -> None:
    """An inner function is compiled only as a part of its callers; a call says so."""
    from jitgym.plant import draws, dynamics

    assert draws.binomial(0.5, 4.0, 1.0) == 4.0
    for _ in range(2):
        with pytest.raises(TypeError, match="decide is an inner function"):
            dynamics.decide(None, None, None, None, None)  # type: ignore[arg-type]


def test_an_inner_function_is_translated_but_no_machine_code_is_made_of_it() -> None:
    @jit.kernel
    def twice(x: float) -> float:
        return 2.0 * x

    @jit.not_kept
    def outer(x: float) -> float:
        return twice(x) + 1.0

    assert outer(3.0) == 7.0
    assert twice.nopython_signatures  # type: ignore[attr-defined]
    address = next(iter(twice.overloads.values())).entry_point  # type: ignore[attr-defined]
    assert not callable(address)
    assert twice(3.0) == 6.0
