"""The cache of machine code: never stale, never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

import jitgym
from jitgym.plant import jit

PACKAGE = Path(jitgym.__file__).parent

# What base-stock 7 asks for when nothing is there, and where the package came from.
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
    """Run a program in a process of its own, with the package of this folder; its output."""
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
    """A change in a file of inner functions only; the file of their caller stays as it is."""
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    where, asked = run(PROGRAM, package, **home).split()
    assert Path(where).parent == package
    assert asked == "7.0"
    machine_code = sorted((tmp_path / "cache" / "jitgym").rglob("*.nbi"))
    assert len(machine_code) == 1  # the outer function only
    file = package / "control" / "rules.py"
    stamp = file.stat()
    text = file.read_text()
    line = "asked[ask.source] = np.floor(wanted + ROUNDING)"
    assert text.count(line) == 1
    file.write_text(text.replace(line, line.replace("wanted + ", "2.0 * wanted + ")))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # as a checkout may do
    assert run(PROGRAM, package, **home).split()[1] == "14.0"
    file.write_text(text)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    started = time.time()
    assert run(PROGRAM, package, **home).split()[1] == "7.0"
    # And the first version's code was still there: nothing was compiled again.
    assert max(f.stat().st_mtime for f in machine_code) < started


def test_without_a_home_that_can_be_written_to_it_still_imports_and_runs(
    package: Path, tmp_path: Path
) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    unusable = {"HOME": str(no_folder), "XDG_CACHE_HOME": str(no_folder)}
    (tmp_path / "tmp").mkdir()
    found = run(PROGRAM, package, **unusable, TMPDIR=str(tmp_path / "tmp"))
    assert found.split()[1] == "7.0"
    assert list((tmp_path / "tmp").rglob("*.nbi"))  # the fall-back
    assert not list(package.rglob("*.nbi"))


def test_every_file_with_compiled_code_is_in_the_digest(tmp_path: Path, package: Path) -> None:
    digests = {jit.digest(package)}
    files = [file for file in package.rglob("*.py") if "import" in file.read_text()]
    assert {"release.py", "dynamics.py", "rules.py", "engine.py", "loop.py"} <= {
        file.name for file in files
    }
    for file in files:
        file.write_text(file.read_text() + "\n# changed\n")
        digests.add(jit.digest(package))
    assert len(digests) == 1 + len(files)


def test_old_digests_are_pruned_and_the_present_one_never(tmp_path: Path) -> None:
    for age in range(9):
        (tmp_path / f"digest-{age}").mkdir()
        os.utime(tmp_path / f"digest-{age}", (1e9 - age, 1e9 - age))
    jit._prune(tmp_path, keep="digest-8")
    left = {folder.name for folder in tmp_path.iterdir()}
    assert "digest-8" in left
    assert left == {"digest-8", *(f"digest-{age}" for age in range(jit.KEPT_DIGESTS))}


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    open_to_all = tmp_path / "shared"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert not jit._is_private_and_writable(open_to_all)
    assert jit._is_private_and_writable(tmp_path / "own")


def test_machine_code_is_kept_in_its_folder_or_nowhere(tmp_path: Path) -> None:
    def twice(x: float) -> float:
        return 2.0 * x

    (tmp_path / "blocked").touch()
    kept = jit._kept(lambda: numba.njit(twice), tmp_path / "folder")
    not_kept = jit._kept(lambda: numba.njit(twice), tmp_path / "blocked" / "folder")

    assert kept(2.0) == not_kept(2.0) == 4.0
    assert list((tmp_path / "folder").rglob("*.nbc"))
    assert not_kept._cache.cache_path is None


def test_python_cannot_call_what_takes_a_whole_plant() -> None:
    """It is compiled without what lets Python call it: that must say so, not crash."""
    from jitgym.plant import dynamics

    for _ in range(2):
        with pytest.raises(TypeError, match="decide is an inner function"):
            dynamics.decide(None, None, None, None, None)  # type: ignore[arg-type]
