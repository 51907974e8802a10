"""Train a policy for each row of the table with random lead times, and store the weights.

    python benchmarks/lost_sales_specialists/train.py --workers 2

It takes about ten minutes on two cores. Weights that are there are kept, so that a second run goes
on where the first was stopped. The same row gives the same weights, on any number of workers.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np

from agents.learned.policy import one_thread
from agents.progress import Progress
from agents.studies import records
from agents.studies.records import lost_sales, specialists
from agents.tuning.search import tune
from jitgym.documents import whole

TABLE = "lost_sales_random_lead_times"
PLACE = Path(__file__).resolve().parent


def train(row: dict[str, str]) -> dict[str, Any]:
    """Return the weights of a row, by their names in the file."""
    drawn = lost_sales.law_of(row)
    scenario = lost_sales.scenario_of(row, drawn)
    with one_thread():
        found = specialists.trained(scenario, tune("base-stock", scenario, 0), specialists.LONG)
    key = specialists.key_of(row, drawn)
    return {f"{key} {name}": part for name, part in found.net._asdict().items()}


def main() -> None:
    """Train the rows whose weights are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    path = PLACE / "weights.npz"
    known: dict[str, Any] = {}
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            known = {name: stored[name] for name in stored.files}
    rows = records.read_rows(records.find(TABLE), PLACE.parent / TABLE / "table.csv")
    missing = [
        row
        for row in rows
        if f"{specialists.key_of(row, lost_sales.law_of(row))} mean" not in known
    ]
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    jobs = (joblib.delayed(train)(row) for row in missing)
    found = joblib.Parallel(n_jobs=workers, backend="loky", return_as="generator")(jobs)
    with Progress("specialists", len(missing)) as bar:
        for weights in found:
            known |= weights
            with whole(path) as unfinished, unfinished.open("wb") as file:
                np.savez_compressed(file, **known)
            bar.advance()


if __name__ == "__main__":
    main()
