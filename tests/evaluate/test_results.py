import json
import math
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from jitgym.evaluate import results
from jitgym.evaluate.results import Run, RunError, load_rows, plain, read_record, write_whole

ROWS = pd.DataFrame(
    {
        "scenario": "lost-sales",
        "policy": ["nan", "1"],
        "split": "test",
        "seed": [2**40, 0],
        "episode": [0, 1],
        "cost": [0.1 + 0.2, 1 / 3],
        "fill_rate": [math.nan, 1.0],
    }
)


def run(out=None, resume=False, parent="runs", script="tune", episodes=4):
    configuration = {"episodes": episodes}
    return Run(
        script,
        "lost-sales",
        configuration=configuration,
        seeds={"tune": 0},
        out=out,
        resume=resume,
        parent=parent,
    )


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_the_record_of_a_finished_run_says_how_it_was_made(tmp_path):
    with run(tmp_path / "mine") as one:
        assert read_record(one.folder)["state"] == "running"
        one.save(ROWS)
    record = read_record(tmp_path / "mine")
    assert names(tmp_path / "mine") == ["rows.csv", "run.json"]
    assert record["state"] == "finished"
    assert record["script"] == "tune"
    assert record["scenario"] == "lost-sales"
    assert record["configuration"] == {"episodes": 4}
    assert record["seeds"] == {"tune": 0}
    assert {"python", "jitgym", "numpy", "numba"} <= set(record["versions"])
    assert record["revision"] is None or len(record["revision"].removesuffix("-dirty")) == 40
    assert record["started"] <= record["ended"]
    assert record["seconds"] >= 0
    assert "error" not in record


def test_rows_that_are_stored_and_read_are_equal_to_the_last_bit(tmp_path):
    with run(tmp_path) as one:
        one.save(ROWS)
    pd.testing.assert_frame_equal(load_rows(tmp_path), ROWS, check_exact=True)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("no good"), "failed"),
        (SystemExit(2), "failed"),
        (SystemExit(0), "finished"),
    ],
)
def test_the_record_says_how_the_run_ended(tmp_path, error, state):
    with pytest.raises(type(error)), run(tmp_path):
        raise error
    record = read_record(tmp_path)
    assert record["state"] == state
    assert ("error" in record) == (state == "failed")
    assert names(tmp_path) == ["run.json"]


def test_the_record_of_a_failed_run_keeps_the_message(tmp_path):
    with pytest.raises(ValueError, match="no good"), run(tmp_path):
        raise ValueError("no good")
    assert read_record(tmp_path)["error"] == "ValueError: no good"


def test_an_interrupted_write_leaves_no_file(tmp_path, monkeypatch):
    write = os.replace

    def interrupted(source, target):
        if target.name == "rows.csv":
            raise KeyboardInterrupt
        write(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), run(tmp_path) as one:
        one.save(ROWS)
    assert names(tmp_path) == ["run.json"]
    assert read_record(tmp_path)["state"] == "interrupted"


def test_an_interrupted_write_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    write_whole(path, "old")

    def interrupted(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["rows.csv"]


def test_every_run_without_the_option_out_has_its_own_folder(tmp_path):
    parent = tmp_path / "runs"
    with run(parent=parent) as one, run(parent=parent) as two, run(parent=parent) as three:
        folders = {one.folder, two.folder, three.folder}
    assert len(folders) == 3
    assert all(folder.parent == parent for folder in folders)
    assert all(folder.name.startswith("tune-lost-sales-2") for folder in folders)


def test_a_scenario_with_any_name_gets_a_folder_with_a_valid_name(tmp_path):
    with Run("compare", "../a b/ü: ?", configuration={}, seeds={}, parent=tmp_path) as one:
        pass
    assert one.folder.parent == tmp_path
    assert one.folder.name.startswith("compare-a-b-2")


@pytest.mark.parametrize("change", [{"episodes": 8}, {"script": "train"}])
def test_a_finished_run_of_another_configuration_is_not_overwritten(tmp_path, change):
    with run(tmp_path) as one:
        one.save(ROWS)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(RunError, match=r"holds a finished run with another (configuration|script)"):
        run(tmp_path, **change).__enter__()
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_a_run_may_be_repeated_in_the_same_folder(tmp_path):
    for _ in range(2):
        with run(tmp_path) as one:
            assert names(tmp_path) == ["run.json"]  # no rows until this run has its own
            one.save(ROWS)
    assert "earlier" not in read_record(tmp_path)


def test_an_unfinished_run_may_be_replaced(tmp_path):
    with pytest.raises(KeyboardInterrupt), run(tmp_path):
        raise KeyboardInterrupt
    with run(tmp_path, episodes=8):
        pass
    assert read_record(tmp_path)["configuration"] == {"episodes": 8}


def test_a_resumed_run_keeps_the_records_of_what_came_before(tmp_path):
    for episodes in (4, 8, 16):
        with run(tmp_path, resume=True, episodes=episodes) as one:
            one.save(ROWS)
    record = read_record(tmp_path)
    assert record["configuration"] == {"episodes": 16}
    assert [each["configuration"]["episodes"] for each in record["earlier"]] == [4, 8]
    assert all("earlier" not in each for each in record["earlier"])


def test_a_resumed_run_keeps_its_rows_until_it_has_new_ones(tmp_path):
    with run(tmp_path) as one:
        one.save(ROWS)
    with pytest.raises(KeyboardInterrupt), run(tmp_path, resume=True):
        raise KeyboardInterrupt
    assert len(load_rows(tmp_path)) == len(ROWS)


def test_files_that_belong_to_no_run_are_left_alone(tmp_path):
    (tmp_path / "rows.csv").write_text("mine")
    with pytest.raises(RunError, match=r"rows\.csv without run\.json"):
        run(tmp_path).__enter__()
    assert (tmp_path / "rows.csv").read_text() == "mine"
    assert names(tmp_path) == ["rows.csv"]


@pytest.mark.parametrize("text", ["not JSON", "[1]", '{"name": "a sprint"}'])
def test_a_record_that_belongs_to_no_run_is_left_alone(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"run\.json: "):
        run(tmp_path).__enter__()
    assert (tmp_path / "run.json").read_text() == text


def test_a_file_in_place_of_the_folder_of_a_run_is_refused(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for options in ({"out": taken}, {"out": taken / "below"}, {"parent": taken}):
        with pytest.raises(RunError, match="the folder of the run cannot be made"):
            run(**options).__enter__()
    assert taken.read_text() == "mine"


def test_missing_rows_are_explained(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        load_rows(tmp_path)
    with pytest.raises(KeyboardInterrupt), run(tmp_path):
        raise KeyboardInterrupt
    with pytest.raises(RunError, match="its run is interrupted"):
        load_rows(tmp_path)


def test_the_versions_of_a_learner_are_recorded_only_where_it_was_used(monkeypatch):
    monkeypatch.setattr(results.sys, "modules", {"torch": None})
    assert "torch" in results.versions()
    monkeypatch.setattr(results.sys, "modules", {})
    assert "torch" not in results.versions()


def test_no_revision_is_recorded_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    assert results.revision() is None


def test_a_configuration_becomes_plain_json():
    @dataclass(frozen=True)
    class Options:
        out: Path
        levels: tuple[int, ...]

    class Part(BaseModel):
        value: float
        day: date

    value = {
        "options": Options(Path("runs"), (1, 2)),
        "part": Part(value=2, day=date(2010, 12, 6)),
        "numbers": [np.int64(3), np.float64(0.5), math.nan, math.inf],
        "array": np.eye(2),
        3: None,
    }
    found = plain(value)
    assert found == {
        "options": {"out": "runs", "levels": [1, 2]},
        "part": {"value": 2.0, "day": "2010-12-06"},
        "numbers": [3, 0.5, None, None],
        "array": [[1.0, 0.0], [0.0, 1.0]],
        "3": None,
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_value_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match="object: this type cannot be written as JSON"):
        Run("tune", "x", configuration={"odd": object()}, seeds={}, out=tmp_path / "new")
    assert names(tmp_path) == []
