"""What a user sees of a training: TensorBoard's pages and the log."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar.metadata import CONFIG_SUMMARY_TAG
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
from tensorboard.util.tensor_util import make_ndarray

import agents
import jitgym
from agents import learned
from agents.learned import references, samples, tracking, training
from agents.learned.gate import LOOKS, Gate
from agents.learned.session import Problem
from agents.learned.start import Start
from agents.learned.tracking import Log, Tracker
from jitgym.evaluate import rollout
from jitgym.exact import solve
from jitgym.plant import lay_out
from jitgym.report import paths

PERIODS = 60_000
# Short episodes, and a horizon on which 64 looks take no time.
LOST_SALES = jitgym.load("lost-sales", **{"horizon.ongoing": 200, "horizon.warm_up": 20})
LEARNER = learned.find("paired-ppo")
SETTINGS = LEARNER.read_settings().model_copy(
    update={"states": 64, "more_states": 64, "interval": 0.25, "layers": [8, 8]}
)


def start_of(scenario: jitgym.Scenario, name: str = "base-stock", **parameters: float) -> Start:
    policy = agents.make(name, scenario, **parameters)
    return Start(policy, name, dict(policy.parameters), {}, 0, 0.0)


class Events:
    """The events of one run."""

    def __init__(self, folder: Path) -> None:
        self.read = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()

    def steps(self, tag: str) -> list[int]:
        return [event.step for event in self.read.Tensors(tag)]

    def values(self, tag: str) -> list[float]:
        return [float(make_ndarray(event.tensor_proto)) for event in self.read.Tensors(tag)]

    @property
    def by_plugin(self) -> dict[str, list[str]]:
        names = ("scalars", "histograms", "images", "text")
        known = self.read.summary_metadata.items()
        return {
            name: [tag for tag, about in known if about.plugin_data.plugin_name == name]
            for name in names
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training with a tiny budget, from a start that is not tuned."""
    place = tmp_path_factory.mktemp("training") / "run"
    with pytest.MonkeyPatch.context() as patch:
        found = start_of(LOST_SALES, level=25)
        patch.setattr(training.starts, "find", lambda *given, **options: found)
        LEARNER.train(LOST_SALES, SETTINGS, place, periods=PERIODS)
    return place


@pytest.fixture(scope="module")
def events(folder: Path) -> Events:
    return Events(folder / "tensorboard")


def test_figures_of_the_start_are_there_before_the_learner_has_done_anything(events):
    rows = rollout(start_of(LOST_SALES, level=25).policy, LOST_SALES, LOOKS, 0, "validate")
    for tag, column in {
        "cost/total": "cost",
        "cost/holding": "holding",
        "cost/shortage": "shortage",
        "kpi/fill rate": "fill_rate",
        "kpi/average inventory": "average_inventory",
    }.items():
        assert events.steps(tag)[0] == 0
        assert events.values(tag)[0] == pytest.approx(rows[column].mean(), rel=1e-6)
    assert events.values("difference/mean")[0] == 0


def test_every_look_has_costs_kpis_difference_histograms_and_text(events):
    tags = events.by_plugin
    looks = events.steps("difference/mean")
    assert len(looks) >= 4
    assert looks == sorted(set(looks))
    for tag in ("cost/total", "cost/holding", "kpi/fill rate", "difference/low"):
        assert events.steps(tag) == looks
    for tag in ("orders asked/supplier", "orders granted/supplier", "stock/product"):
        assert tag in tags["histograms"]
        assert events.steps(tag) == looks
    assert tags["images"] == ["sample path"]
    assert events.steps("sample path")[0] == 0
    assert {"about/text_summary", "gate/text_summary"} == set(tags["text"])
    assert "gate/difference" in tags["scalars"]


def test_total_is_the_sum_of_the_terms_at_every_look(events):
    parts = [events.values(f"cost/{term}") for term in ("holding", "shortage")]
    assert np.sum(parts, axis=0) == pytest.approx(events.values("cost/total"), rel=1e-5)


def test_the_band_encloses_the_difference(events):
    low, mean, high = (events.values(f"difference/{end}") for end in ("low", "mean", "high"))
    assert all(a <= b <= c for a, b, c in zip(low, mean, high, strict=True))


def test_the_gap_is_exact(events):
    base = start_of(LOST_SALES, level=25).policy
    gap = references.gap(base, LOST_SALES, solve(LOST_SALES).cost)
    assert gap is not None
    assert gap > 5
    assert events.values(tracking.GAP)[0] == pytest.approx(gap, rel=1e-5)
    assert events.steps(tracking.GAP)[-1] == events.steps("difference/mean")[-1]


@pytest.mark.parametrize("run", ["", "start", "textbook", "optimum"])
def test_no_card_shows_a_line_at_0_only(folder, run):
    found = Events(folder / "tensorboard" / run)
    tags = found.by_plugin["scalars"]
    assert tags
    assert [tag for tag in tags if not any(found.values(tag))] == []


def test_references_are_lines_beside_the_learned_policy(folder, events):
    for run in ("start", "textbook", "optimum"):
        line = Events(folder / "tensorboard" / run)
        assert line.steps("cost/total")[:2] == [0, PERIODS]
        assert len(set(line.values("cost/total"))) == 1
        assert line.values("cost/total")[0] <= 1.5 * events.values("cost/total")[0]


def test_a_policy_out_of_reach_is_no_reference():
    problem = Problem(LOST_SALES, lay_out(LOST_SALES), start_of(LOST_SALES, level=25), 0, PERIODS)
    textbook = rollout(agents.make("base-stock", LOST_SALES), LOST_SALES, LOOKS, 0, "validate")
    cost = float(textbook["cost"].mean())
    near, far = (references.others(problem, cost / times, None) for times in (1.4, 1.6))
    assert [each.name for each in near] == ["textbook"]
    assert far == []


def layout_of(events: Events) -> layout_pb2.Layout:
    (event,) = events.read.Tensors(CONFIG_SUMMARY_TAG)
    return layout_pb2.Layout.FromString(make_ndarray(event.tensor_proto).item())


def test_the_first_page_shows_cost_difference_with_band_and_fill_rate(events):
    overview = layout_of(events).category[0]
    assert overview.title == "overview"
    several = [chart.multiline.tag[0] for chart in overview.chart if chart.multiline.tag]
    assert re.fullmatch(several[0], "cost/total")
    assert any(re.fullmatch(tag, "kpi/fill rate") for tag in several)
    (band,) = (chart.margin.series[0] for chart in overview.chart if chart.margin.series)
    ends = (band.value, band.lower, band.upper)
    assert ends == ("difference/mean", "difference/low", "difference/high")


def test_every_chart_of_the_pages_has_data(events):
    tags = events.by_plugin["scalars"]
    for page in layout_of(events).category:
        for chart in page.chart:
            for wanted in chart.multiline.tag:
                assert [tag for tag in tags if re.fullmatch(wanted, tag)], chart.title


def test_hyperparameters_say_settings_start_and_seed(events):
    content = events.read.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
    found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert found["start"].string_value == "base-stock"
    assert found["start.level"].number_value == 25
    assert found["seed"].number_value == 0
    assert found["states"].number_value == 64


def test_the_log_has_a_line_per_look_with_period_difference_and_best(folder, events):
    lines = (folder / "train.log").read_text().splitlines()
    assert "tunes classics to find the start" in lines[0]
    assert "0 periods: starts from base-stock" in lines[1]
    looks = [line for line in lines if "difference" in line]
    assert len(looks) == len(events.steps("difference/mean")) - 1
    assert all(re.search(r"[\d,]+ periods: difference .* best ", line) for line in looks)
    assert "gate 1: " in lines[-1]


def test_curves_go_on_after_a_resume_and_hold_nothing_twice(tmp_path):
    problem = Problem(LOST_SALES, lay_out(LOST_SALES), start_of(LOST_SALES, level=25), 0, 1000)
    other = agents.make("base-stock", LOST_SALES, level=26)

    def run(steps: list[int], begun: int | None = None) -> None:
        gate = Gate(LOST_SALES, problem.start.policy, 0)
        with Tracker(tmp_path, problem, gate, {"x": {}}, Log(tmp_path / "log"), begun) as tracker:
            for step in steps:
                tracker.look(other, gate.look(other), {}, step)

    run([100, 200])  # killed after the look at 200, before its checkpoint
    run([200, 300], begun=100)
    found = Events(tmp_path)
    for tag in ("cost/total", "difference/mean", "stock/product"):
        assert found.steps(tag) == [0, 100, 200, 300]
    assert Events(tmp_path / "start").steps("cost/total") == [0, 1000]
    assert "resumed after 100 periods" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", ["lost-sales", "kanban-line", "content-studio"])
def test_a_sample_shows_what_rollouts_do(name):
    scenario = jitgym.load(name)
    policy = agents.make("base-stock", scenario)
    found = samples.sample(policy, lay_out(scenario), 0)
    assert found.stock.shape[0] == found.granted.shape[0] <= samples.PERIODS
    assert (found.granted <= found.asked + 1e-9).all()
    again = samples.sample(policy, lay_out(scenario), 0)
    assert (again.stock == found.stock).all()
    picture = paths.draw(scenario, found.path("one"), again.path("two"))
    assert picture.startswith(b"\x89PNG")


def test_sample_stock_is_the_stock_of_the_state():
    scenario = jitgym.load("lost-sales", **{"horizon.ongoing": 60, "horizon.warm_up": 0})
    found = samples.sample(agents.make("constant", scenario, order=0), lay_out(scenario), 0)
    stock = found.stock[:, :, 0]
    assert found.first == 0
    assert stock.shape == (60, samples.PLANTS)
    assert (np.diff(stock, axis=0) <= 0).all()  # nothing ever arrives
    assert not found.asked.any()


def test_a_card_appears_with_the_first_figure_that_is_not_0(tmp_path):
    problem = Problem(LOST_SALES, lay_out(LOST_SALES), start_of(LOST_SALES, level=25), 0, 1000)
    gate = Gate(LOST_SALES, problem.start.policy, 0)
    policy = problem.start.policy
    with Tracker(tmp_path, problem, gate, {"x": {}}, Log(tmp_path / "log")) as tracker:
        for step, value in enumerate([0.0, 2.0, 0.0, math.nan], start=1):
            figures = {"late": value, "never": 0.0}
            tracker.look(policy, gate.look(policy), figures, step)
    found = Events(tmp_path)
    assert found.steps("learner/late") == [2, 3]
    assert "learner/never" not in found.by_plugin["scalars"]
