"""Progress: plain lines if standard error is not a terminal, and nothing for quick steps."""

from __future__ import annotations

import re
import time
from collections.abc import Generator

import pytest

from agents import progress


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.02)
    monkeypatch.setattr(progress, "EVERY", 0.02)


@pytest.mark.usefixtures("hurried")
def test_a_long_task_prints_plain_lines_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.Progress("tune kanban on line", total=5) as bar:
        bar.advance()
        bar.advance("best cost 3")
        time.sleep(0.2)
    out, error = capsys.readouterr()
    assert out == ""
    lines = error.splitlines()
    assert len(lines) >= 2
    assert all(
        re.fullmatch(r"tune kanban on line: \d+ %, \d+ s(, best cost 3)?", line) for line in lines
    )
    assert lines[-1].startswith("tune kanban on line: 40 %, ")
    time.sleep(0.1)
    assert capsys.readouterr().err == ""  # it ends with what it tells of


def test_the_first_line_is_printed_within_two_seconds_and_others_every_five() -> None:
    assert progress.FIRST <= 2
    assert progress.EVERY == 5


def test_a_task_that_is_quick_or_hidden_prints_nothing(
    capsys: pytest.CaptureFixture[str], hurried: None
) -> None:
    with progress.Progress("hidden", shown=False):
        time.sleep(0.1)
    assert list(progress.track([1, 2], "quick", shown=False)) == [1, 2]
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("hurried")
def test_progress_without_a_total_shows_the_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Progress("solve shop"):
        time.sleep(0.1)
    assert re.match(r"solve shop: 0 s\n", capsys.readouterr().err)


@pytest.mark.usefixtures("hurried")
def test_progress_also_ends_after_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="stop"), progress.Progress("fails"):
        raise ValueError("stop")
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_generator_is_run_until_its_result() -> None:
    def steps() -> Generator[None, None, str]:
        yield
        yield
        return "found"

    with progress.Progress("search", total=2, shown=False) as bar:
        assert bar.drive(steps()) == "found"
        assert bar.done == 2
