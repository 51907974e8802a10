"""Rules of the architecture beyond the import contracts in pyproject.toml (`lint-imports`)."""

import ast
import graphlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import agents
import jitgym

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
SLOW_TO_IMPORT = [
    "matplotlib",
    "pandas",
    "sb3_contrib",
    "scipy.stats",
    "stable_baselines3",
    "torch",
]


@pytest.fixture(scope="module")
def loaded_by_jitgym(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of the modules that `import jitgym` loads in a new process."""
    program = "import jitgym, json, sys; print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-W", "error", "-c", program]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    return set(json.loads(subprocess.check_output(command, text=True, cwd=elsewhere)))


@pytest.mark.parametrize("module", SLOW_TO_IMPORT)
def test_importing_jitgym_loads_no_slow_package(loaded_by_jitgym: set[str], module: str) -> None:
    assert "jitgym" in loaded_by_jitgym
    assert module not in loaded_by_jitgym


def test_the_imported_agents_lie_beside_jitgym() -> None:
    """`agents` is a generic name, and another package in site-packages may have it as well."""
    assert Path(agents.__file__).parent.parent == Path(jitgym.__file__).parent.parent


def test_torch_is_pinned_exactly() -> None:
    assert "torch==2.13.0" in PYPROJECT["project"]["dependencies"]


def test_constraints_are_exact_and_name_no_build_of_one_machine() -> None:
    for requirement in CONSTRAINTS:
        assert re.fullmatch(r"==[\d.]+", str(requirement.specifier)), f"{requirement}"


def test_constraints_pin_all_that_an_installation_brings() -> None:
    pinned = {canonicalize_name(requirement.name) for requirement in CONSTRAINTS}
    seen: set[tuple[str, str]] = set()
    waiting = [("jitgym", ""), ("jitgym", "dev")]
    while waiting:
        name, extra = waiting.pop()
        for requirement in map(Requirement, requires(name) or []):
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            # What a pinned package pins itself (as torch pins its CUDA libraries) needs no line
            # here.
            needed = canonicalize_name(requirement.name)
            assert needed in pinned or "==" in str(requirement.specifier), f"{needed}, for {name}"
            if needed in pinned:
                more = {(needed, each) for each in {"", *requirement.extras}} - seen
                seen |= more
                waiting += more


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    """This covers direct and indirect imports, and imports for types only."""
    graph = grimp.build_graph("jitgym", "agents")
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = graphlib.TopologicalSorter(imported)
    order.prepare()  # raises CycleError, which names the circle


MOST_POSITIONAL = 8


def test_no_function_outside_machine_code_takes_more_than_eight_positional_arguments() -> None:
    """Only a compiled entry point takes many arrays; other functions take a record instead."""
    long = []
    for folder in ("jitgym", "agents", "scripts"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.FunctionDef):
                    continue
                taken = len(node.args.posonlyargs) + len(node.args.args)
                decorators = {ast.unparse(each) for each in node.decorator_list}
                if taken > MOST_POSITIONAL and not decorators & {"compiled", "kernel", "jit"}:
                    long.append(f"{file.name}: {node.name} takes {taken}")
    assert long == []


def test_the_closed_loop_of_policy_and_plant_is_written_once() -> None:
    """Only `closed_loop` steps an engine for a policy; environments step it for their callers."""
    steps = [
        str(file.relative_to(ROOT))
        for folder in ("jitgym/evaluate", "agents")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "engine.step(" in file.read_text(encoding="utf-8")
    ]
    assert steps == ["jitgym/evaluate/closed_loop.py"]


def test_only_the_renderer_of_tables_draws_tables() -> None:
    """Tables are data elsewhere: `jitgym.report.tables` prints them and writes Markdown."""
    drawing = [
        str(file.relative_to(ROOT))
        for folder in ("jitgym", "agents", "scripts")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"rich\.table|\|-{3}|\| ---", file.read_text(encoding="utf-8"))
    ]
    assert drawing == ["jitgym/report/tables.py"]
