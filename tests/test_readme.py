"""The README is correct: its code runs, its files exist, and it fits 80 columns."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import jitgym
from jitgym.plant import KPIS
from jitgym.plant.prices import TERMS
from jitgym.report import glossary

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if not kind for line in text.splitlines()]
TAKES_MINUTES = ("train.py", "--target")


def in_copy(folder: Path) -> dict[str, str]:
    """Make a folder look like a fresh clone, and return the environment of its processes."""
    for name in ("scripts", "examples", "agents", "jitgym", "configs"):
        (folder / name).symlink_to(ROOT / name)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"COLUMNS": "80", "PYTHONPATH": path}


def test_the_readme_fits_80_columns() -> None:
    assert [line for line in README.splitlines() if len(line) > 80] == []


def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    program = "\n".join(text for kind, text in BLOCKS if kind == "python")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=in_copy(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.search(r"\d ± \d", lines[0])
    assert lines[-1].endswith("above the optimum")


@pytest.mark.parametrize(
    "command",
    [
        line
        for line in COMMANDS
        if line.startswith("python ") and not any(word in line for word in TAKES_MINUTES)
    ],
)
def test_a_command_of_the_readme_runs_and_fits_80_columns(command: str, tmp_path: Path) -> None:
    words = shlex.split(command, comments=True)
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=tmp_path,
        env=in_copy(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout


def test_every_script_and_option_of_the_readme_exists() -> None:
    for line in COMMANDS:
        words = shlex.split(line, comments=True)
        if words[:1] != ["python"]:
            continue
        text = (ROOT / words[1]).read_text() + (ROOT / "scripts" / "_common.py").read_text()
        for word in words[2:]:
            if word.startswith("--"):
                assert re.search(rf"\b{word[2:]}\b", text), line
    for name in re.findall(r"^\| `(\w+\.py)", README, flags=re.MULTILINE):
        assert (ROOT / "scripts" / name).is_file()


def test_every_file_that_the_readme_names_is_there() -> None:
    for place in re.findall(r"\]\((docs/[\w.-]+)\)", README):
        assert (ROOT / place).is_file(), place
    for place in re.findall(r"`((?:docs|examples|configs|jitgym)/[\w./-]+\w)/?`", README):
        assert (ROOT / place).exists(), place


def test_the_corner_shop_of_the_readme_is_the_file_to_copy() -> None:
    (shown,) = (text for kind, text in BLOCKS if kind == "yaml" and "corner-shop" in text)
    file = ROOT / "examples" / "corner-shop.yaml"
    assert yaml.safe_load(shown) == yaml.safe_load(file.read_text())


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_example_loads(file: Path) -> None:
    assert jitgym.load(file).cautions == ()


def test_the_glossary_is_up_to_date_with_the_code() -> None:
    """Run `python scripts/document.py` after a change of a KPI or a cost term."""
    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8") == glossary.page()


def test_the_glossary_explains_every_cost_term_and_kpi() -> None:
    text = glossary.page()
    assert set(TERMS) <= set(glossary.COSTS)
    for name in (*TERMS, *KPIS):
        assert f"| `{name}` |" in text
