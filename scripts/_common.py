"""The parts that scripts share: options, and errors in one message.

A script is a function whose parameters are its options: `run(main)` calls it with the command line.
Standard output holds only the result; all other messages go to standard error. Exit codes:

    0    done
    1    done and printed, but not as wanted: no policy reaches the target (tune.py), or a figure is
         outside its tolerance (validate.py)
    2    wrong input, or a file cannot be written: one message says what to do
    130  after Ctrl-C
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import _interrupt
import tyro
from tyro.conf import Positional, UseAppendAction, arg

import jitgym
from jitgym import ScenarioError, documents

ROOT = Path(__file__).resolve().parents[1]

ScenarioName = Annotated[
    Positional[str], arg(metavar="SCENARIO", help="a catalog name, or the path of a YAML file")
]
Given = Annotated[
    UseAppendAction[tuple[tuple[str, ...], ...]],
    arg(
        name="set",
        metavar="NAME=VALUE...",
        help="change the scenario: short names of parameters or dotted paths, such as penalty=19",
    ),
]
Seed = Annotated[int, arg(help="the seed of all random numbers")]
Episodes = Annotated[
    int, arg(help="number of episodes, of the split `test`, on which each policy is evaluated")
]
Out = Annotated[
    Path | None,
    arg(metavar="DIR", help="the folder of the run; by default runs/SCRIPT-SCENARIO-TIME"),
]
Resume = Annotated[
    bool,
    tyro.conf.FlagCreatePairsOff,
    arg(help="continue the training in --out where it stopped"),
]
Json = Annotated[
    bool,
    tyro.conf.FlagCreatePairsOff,
    arg(name="json", help="print one JSON object instead of a table"),
]


def run(main: Callable[..., None]) -> None:
    """Call a script's main function with the options of the command line."""
    _interrupt.as_usual()
    try:
        tyro.cli(main)
        sys.stdout.flush()
    except ScenarioError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        _close_output()  # the reader has closed the pipe
        raise SystemExit(141) from None
    except OSError as error:
        _close_output()
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"{where}{error.strerror or error}; nothing more was written", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt as interrupt:
        print(f"\n{interrupt or 'interrupted'}", file=sys.stderr)
        raise SystemExit(130) from None


def _close_output() -> None:
    """Drop the rest of standard output if it cannot be written; otherwise the exit fails too."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def scenario(name: str, given: Iterable[Iterable[str]] = ()) -> jitgym.Scenario:
    """Load a scenario, changed by `--set`, and print its cautions. Raises ScenarioError."""
    pairs = [assignment("--set", text) for text in chain.from_iterable(given)]
    names = [each for each, _ in pairs]
    for each in names:
        expect(names.count(each) == 1, f"--set {each} is given twice; expected it once")
    found = jitgym.load(name, **dict(pairs))
    for caution in found.cautions:
        print(f"{found.file}: {caution}", file=sys.stderr)
    return found


def assignment(option: str, text: str) -> tuple[str, Any]:
    """Return the name and the value of an option NAME=VALUE. Raises ScenarioError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ScenarioError(f"{option} {text}: is not an assignment; expected NAME=VALUE")
    return name, documents.value(value, f"{option} {documents.cut(text)}")


def listed(option: str, text: str) -> tuple[str, Any]:
    """Return the name and the value of an option NAME=VALUE or NAME=VALUE,VALUE,..."""
    name, equals, value = text.partition("=")
    if not equals or "," not in value:
        return assignment(option, text)
    return assignment(option, f"{name}=[{value.strip().removeprefix('[').removesuffix(']')}]")


def expect_sample(seed: int, episodes: int) -> None:
    """Raise ScenarioError if the seed or the number of episodes is not valid."""
    expect(0 <= seed < 2**62, f"--seed is {seed}; expected a whole number from 0 to 2^62")
    expect(episodes >= 2, f"--episodes is {episodes}; expected at least 2, for an interval")


def expect(holds: bool, message: str) -> None:
    """Raise ScenarioError with this message unless a condition on an option holds."""
    if not holds:
        raise ScenarioError(message)
