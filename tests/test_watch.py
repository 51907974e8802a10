"""`scripts/watch.py`: boards in the terminal, or as a picture that moves."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.calls import call


def test_a_policy_is_watched_period_by_period(tmp_path: Path) -> None:
    done = call(tmp_path, "watch", "kanban-line", "--policy", "kanban", "--periods", "3",
                "--pause", "0")  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.count("on order") == 3
    assert "mean cost so far" in done.stdout


def test_boards_are_saved_as_a_picture_that_moves(tmp_path: Path) -> None:
    for name in ("board.gif", "board.png"):
        done = call(tmp_path, "watch", "kanban-line", "--periods", "4", "--save", name)
        assert done.returncode == 0
    with Image.open(tmp_path / "board.gif") as moving, Image.open(tmp_path / "board.png") as still:
        assert moving.n_frames == 4
        assert moving.size == still.size


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    done = call(tmp_path, "watch", "kanban-line", "--save", "board.txt")
    assert done.returncode == 2
    assert "ends in .gif or .png" in done.stderr
    assert not (tmp_path / "board.txt").exists()
