"""What the user sees of a training: TensorBoard's pages, and a log of plain lines.

Both are written from the first second: the figures of the start are there before the learner has
done anything. Steps are simulated periods, also after a resume.

    tensorboard/            the learned policy, look by look
    tensorboard/start       the tuned classic, on the same episodes: a line in the same charts
    tensorboard/textbook    the same classic with textbook parameters, if it is within reach
    tensorboard/optimum     the optimal policy, where the plant is small enough to be solved
    train.log               a line per look

A card appears with the first figure that is not 0, so that no card shows a line at 0 only.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.plugins.histogram.summary_v2 import histogram_pb  # type: ignore[import-untyped]
from tensorboard.plugins.scalar.summary_v2 import scalar_pb  # type: ignore[import-untyped]
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import custom_scalars, hparams

from jitgym.control import Policy
from jitgym.evaluate import Interval
from jitgym.plant import headline_kpis, kpis_of
from jitgym.report import paths, tables
from jitgym.report.paths import SamplePath

from . import references
from .gate import Gate, Verdict
from .references import Reference
from .samples import Sample, sample
from .session import Problem

if TYPE_CHECKING:
    import pandas

Array = npt.NDArray[np.float64]

MOST_HISTOGRAMS = 12  # sources, and items, that have histograms
MOST_CHARTS = 4  # of the overview: as many as a window shows at once
SELDOM = 8  # sample paths and exact gaps after the first: TensorBoard keeps ten pictures of a tag
MOST_BUCKETS = 60  # of a histogram of whole units, one for each number
BUCKETS = 30  # of other histograms
WHERE = "mean over the episodes 0 to 63 of the split `validate`"
TOTAL, GAP, FINAL = "cost/total", "gap/percent", "gate/difference"
MEAN, LOW, HIGH = "difference/mean", "difference/low", "difference/high"
ABOUT = {
    GAP: "Exact cost of the policy over the exact optimum, less 1, in %. Nothing is simulated.",
    FINAL: "Cost of the policy less that of the incumbent, on the fresh episodes of the gate.",
    MEAN: f"Cost of the policy less that of the start, in money, {WHERE}; below 0 is better.",
    LOW: "Lower end of the 95 % interval of the mean difference, in money.",
    HIGH: "Upper end of the 95 % interval of the mean difference, in money.",
}


class Log:
    """A file of plain lines, each with the time; a line is on disk as soon as it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, line: str) -> None:
        """Append a line."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{now}  {line}\n")


class Tracker:
    """Writes what a training finds; use it as a context."""

    def __init__(
        self,
        folder: Path,
        problem: Problem,
        gate: Gate,
        settings: Mapping[str, Mapping[str, Any]],
        log: Log,
        begun: int | None = None,
    ) -> None:
        """Write to `folder`.

        `settings` are those of each learner, by its name; `begun` are the periods so far of a
        training that is resumed.
        """
        self.folder, self.problem, self.gate = folder, problem, gate
        self.settings, self.log, self.begun = settings, log, begun
        self.references: list[Reference] = []
        self.optimum: float | None = None
        self.seldom = 0
        self.end = problem.periods  # where the lines of the references end
        self._runs: dict[str, SummaryWriter] = {}
        self._shown: set[str] = set()
        self._about = dict(ABOUT)
        self._titles = self._kpi_tags()

    def __enter__(self) -> Tracker:
        # What an interrupted training wrote after its last checkpoint is written again. TensorBoard
        # drops it at the second session of a run, so the first one is marked as well.
        purge = 0 if self.begun is None else self.begun + 1
        self.writer = SummaryWriter(str(self.folder), purge_step=purge)
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for writer in (self.writer, *self._runs.values()):
            writer.close()

    def look(
        self,
        policy: Policy,
        difference: Interval,
        figures: Mapping[str, float],
        periods: int,
        best: float = math.nan,
    ) -> None:
        """Write all that is to be seen of a policy; its rows are those of the gate's last look.

        `figures` are what the learner tells of itself, `best` is the lowest difference so far.
        """
        self._difference(difference, periods)
        if self.gate.rows_of_look is not None:
            self._figures(self.writer, self.gate.rows_of_look, periods)
        for name, value in figures.items():
            self._scalar(self.writer, f"learner/{name}", value, periods)
        found = self._sample(policy, periods)
        if (due := self._due(periods)) > self.seldom:
            self.seldom = due
            self._gap(self.writer, policy, periods)
            self._picture(found.path("learned"), periods)
        if periods > self.end:
            self._lines(periods)
        self._flush()
        self.log(
            f"{periods:,} periods: difference {difference.mean:+.4g} "
            f"({difference.low:+.4g} to {difference.high:+.4g}), best {best:+.4g}"
        )

    def verdict(self, verdict: Verdict, periods: int) -> None:
        """Write the verdict of a gate."""
        self.writer.add_text("gate", str(verdict), periods)
        self._scalar(self.writer, FINAL, verdict.difference.mean, periods, always=True)
        self._flush()
        self.log(f"{periods:,} periods, gate {verdict.number}: {verdict}")

    # --- the beginning ----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Write the figures of the start at period 0, then the references and the pages."""
        problem, scenario = self.problem, self.problem.scenario
        rows = self.gate.rows_of_incumbent
        self.references = [references.start(problem, rows)]
        cost = self.references[0].cost
        self._about[TOTAL] = f"{scenario.yardstick}, in money, {WHERE}."
        for term in problem.layout.terms:
            self._about[f"cost/{term}"] = (
                f"This part of the {scenario.yardstick}, in money, {WHERE}."
            )
        if self.begun is None:
            self._difference(Interval(0.0, 0.0, len(rows), 0.95), 0)
            self._figures(self.writer, rows, 0)
            self.starts_path = self._sample(problem.start.policy, 0).path(problem.start.policy.name)
            self._picture(self.starts_path, 0)
            self._flush()
            self.log(
                f"0 periods: starts from {problem.start.policy}; {scenario.yardstick} {cost:.6g}"
            )
        else:
            found = sample(problem.start.policy, problem.layout, problem.seed)
            self.starts_path = found.path(problem.start.policy.name)
            self.seldom = self._due(self.begun)
            self.log(f"resumed after {self.begun:,} periods")
        solution = references.solved(scenario)
        self.references += references.others(problem, cost, solution)
        self.optimum = references.optimum(scenario, solution)
        self._mark(rows)
        if self.begun is not None:
            return
        self._gap(self.writer, problem.start.policy, 0)
        self._lines(0)
        self._lines(self.end)
        self.writer.add_text("about", self._introduction(), 0)
        for summary in hparams(self._hyperparameters(), dict.fromkeys(self._metrics(), 0.0)):
            _add(self.writer, summary, 0)
        _add(self.writer, custom_scalars(self._layout()), 0)
        self._flush()

    def _kpi_tags(self) -> dict[str, str]:
        """Return the tag of each KPI, by the user's names, and note what it says."""
        kpis = kpis_of(self.problem.scenario)
        titles = Counter(each.title for each in kpis.values())
        tags = {}
        for name, each in kpis.items():
            own = each.title if titles[each.title] == 1 else f"{each.title} ({name})"
            tags[name] = "kpi/" + own.replace("/", " per ")
            better = f" {each.better.capitalize()} is better." if each.better else ""
            self._about[tags[name]] = f"{each.unit}; {WHERE}.{better} {each.formula}"
        return tags

    def _introduction(self) -> str:
        """Return the text that says what is trained, in Markdown."""
        scenario, start = self.problem.scenario, self.problem.start
        lines = [
            f"**{' and '.join(self.settings)}** on **{scenario.title or scenario.name}** "
            f"(seed {self.problem.seed}, {self.problem.periods:,} periods). "
            f"The training starts from {start.policy}.",
            "",
        ]
        columns = (
            tables.Column("line", align="left"),
            tables.Column("policy", align="left"),
            tables.Column("cost", scenario.yardstick, form=".6g"),
        )
        rows = [(each.name, each.title, each.cost) for each in self.references]
        lines.append(tables.markdown(tables.Table(columns, rows)))
        if self.optimum is not None:
            lines += ["", f"The exact optimum is {self.optimum:.6g}."]
        lines += ["", f"The lines are measured on the same episodes: {WHERE}."]
        return "\n".join(lines)

    def _hyperparameters(self) -> dict[str, Any]:
        """Return settings, start and seed as numbers and texts."""
        start = self.problem.start
        found: dict[str, Any] = {"start": start.name, "seed": self.problem.seed}
        found["periods"] = self.problem.periods
        found |= {f"start.{name}": _plain(value) for name, value in start.parameters.items()}
        for learner, settings in self.settings.items():
            prefix = f"{learner}." if len(self.settings) > 1 else ""
            found |= {
                f"{prefix}{name}": _plain(value)
                for name, value in settings.items()
                if name != "periods" and value is not None
            }
        return found

    def _metrics(self) -> list[str]:
        """Return the tags that the table of hyperparameters shows."""
        return [FINAL, MEAN, TOTAL, *([GAP] if GAP in self._shown else [])]

    def _layout(self) -> dict[str, dict[str, list[Any]]]:
        """Return the pages of TensorBoard's tab Custom Scalars; the first one is the overview."""
        scenario = self.problem.scenario
        kpis = {name: tag for name, tag in self._titles.items() if tag in self._shown}
        leading = [kpis[name] for name in headline_kpis(scenario) if name in kpis]
        overview: dict[str, list[Any]] = {
            f"{scenario.yardstick}, beside {_listed(each.name for each in self.references)}": [
                "Multiline",
                [_exactly(TOTAL)],
            ],
            "difference to the start, with its 95 % band (below 0 is better)": [
                "Margin",
                [MEAN, LOW, HIGH],
            ],
        }
        has_gap = GAP in self._shown
        charts = [(_title(tag), tag) for tag in leading[: MOST_CHARTS - 2 - has_gap]]
        charts += [("gap to the optimum, exact (%)", GAP)] if has_gap else []
        overview |= {title: ["Multiline", [_exactly(tag)]] for title, tag in charts}
        terms = [f"cost/{term}" for term in self.problem.layout.terms]
        costs = {_title(tag): ["Multiline", [_exactly(tag)]] for tag in terms if tag in self._shown}
        ordered = [*leading, *(tag for tag in kpis.values() if tag not in leading)]
        pages = {
            "overview": overview,
            "costs by term": costs,
            "KPIs": {_title(tag): ["Multiline", [_exactly(tag)]] for tag in ordered},
        }
        return {name: charts for name, charts in pages.items() if charts}

    # --- one look ---------------------------------------------------------------------------------

    def _difference(self, difference: Interval, periods: int) -> None:
        ends = {MEAN: difference.mean, LOW: difference.low, HIGH: difference.high}
        for tag, value in ends.items():
            self._scalar(self.writer, tag, value, periods, always=True)

    def _figures(self, writer: SummaryWriter, rows: pandas.DataFrame, periods: int) -> None:
        """Write costs and KPIs."""
        for tag, value in self._means(rows):
            self._scalar(writer, tag, value, periods)

    def _means(self, rows: pandas.DataFrame) -> Iterator[tuple[str, float]]:
        """Yield tag and mean of each cost and KPI that is defined."""
        columns = {"cost": TOTAL}
        columns |= {term: f"cost/{term}" for term in self.problem.layout.terms}
        columns |= self._titles
        for name, tag in columns.items():
            values = rows[name].to_numpy(dtype=np.float64)
            if (known := values[np.isfinite(values)]).size:
                yield tag, float(known.mean())

    def _mark(self, rows: pandas.DataFrame) -> None:
        """Show the cards of all figures of these rows that are not 0."""
        self._shown.update(tag for tag, value in self._means(rows) if value)

    def _gap(self, writer: SummaryWriter, policy: Policy, periods: int) -> None:
        if self.optimum is None:
            return
        found = references.gap(policy, self.problem.scenario, self.optimum)
        if found is not None:
            self._scalar(writer, GAP, found, periods, always=True)

    def _sample(self, policy: Policy, periods: int) -> Sample:
        """Write histograms of a short run, and return the run."""
        scenario = self.problem.scenario
        found = sample(policy, self.problem.layout, self.problem.seed)
        parts = (
            ("orders asked", found.asked, scenario.sources, "Asked for per period"),
            ("orders granted", found.granted, scenario.sources, "Granted per period"),
            ("stock", found.stock, scenario.items, "Stock less backlog at the start of a period"),
        )
        for kind, values, names, about in parts:
            for k, name in enumerate([*names][:MOST_HISTOGRAMS]):
                tag = f"{kind}/{name}"
                if tag in self._shown or values[..., k].any():
                    self._shown.add(tag)
                    text = f"{about}, in {scenario.unit}; 32 plants, up to 120 periods."
                    each = values[..., k]
                    summary = histogram_pb(tag, each, buckets=_buckets(each), description=text)
                    _add(self.writer, summary, periods)
        return found

    def _due(self, periods: int) -> int:
        """Return how often pictures and exact gaps are due in these periods."""
        return int(SELDOM * periods / self.problem.periods)

    def _picture(self, path: SamplePath, periods: int) -> None:
        """Write the picture of a sample path, beside that of the start."""
        beside = None if path is self.starts_path else self.starts_path
        png = paths.draw(self.problem.scenario, path, beside)
        picture = Summary.Image(encoded_image_string=png)
        picture.width, picture.height = paths.WIDTH, paths.HEIGHT
        value = Summary.Value(tag="sample path", image=picture)
        _add(self.writer, Summary(value=[value]), periods)

    def _lines(self, periods: int) -> None:
        """Draw the line of each reference on to these periods.

        It has two points: charts leave out the extreme five percent of all points. With many points
        on lines that do not move, those of the learned policy would be the extreme ones.
        """
        self.end = max(self.end, periods)
        for each in self.references:
            writer = self._runs.get(each.name)
            if writer is None:
                writer = self._runs[each.name] = SummaryWriter(str(self.folder / each.name))
            if each.rows is None:
                self._scalar(writer, TOTAL, each.cost, periods)
            else:
                self._figures(writer, each.rows, periods)

    # --- writing ----------------------------------------------------------------------------------

    def _scalar(
        self, writer: SummaryWriter, tag: str, value: float, periods: int, *, always: bool = False
    ) -> None:
        """Write a number, unless it is not finite, or 0 from the beginning until now."""
        if not math.isfinite(value) or not (value or always or tag in self._shown):
            return
        self._shown.add(tag)
        summary = scalar_pb(tag, value, description=self._about.get(tag))
        _add(writer, summary, periods)

    def _flush(self) -> None:
        for writer in (self.writer, *self._runs.values()):
            writer.flush()


def _add(writer: SummaryWriter, summary: Any, periods: int) -> None:
    writer._get_file_writer().add_summary(summary, periods)


def _buckets(values: Array) -> int:
    """Return the number of buckets of a histogram: one for each whole number, if that is few."""
    numbers = int(values.max() - values.min()) + 1
    is_whole = bool((values == np.rint(values)).all())
    return numbers if is_whole and numbers <= MOST_BUCKETS else BUCKETS


def _plain(value: Any) -> float | str:
    """Return a setting as the table of hyperparameters takes it."""
    return float(value) if isinstance(value, int | float) else str(value)


def _exactly(tag: str) -> str:
    """Return a tag as the regular expression that TensorBoard expects."""
    return f"^{re.escape(tag)}$"


def _title(tag: str) -> str:
    return tag.split("/", 1)[1].replace("_", " ")


def _listed(names: Iterator[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
