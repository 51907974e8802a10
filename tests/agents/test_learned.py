"""Learned policies: training, the gate at its end, and what is kept, resumed and refused."""

from __future__ import annotations

import importlib
import io
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import agents
import jitgym
from agents.learned import start as starts
from agents.learned import training
from agents.learned.corrections import corrected
from agents.learned.registry import LEARNERS
from jitgym import evaluate
from jitgym.evaluate import RunError, rollout
from jitgym.plant import lay_out

ROOT = Path(__file__).parents[2]
LOST_SALES = jitgym.load("lost-sales", horizon={"ongoing": 300, "warm_up": 50})
PERIODS = 60_000
SMALL = {
    "states": 64,
    "more_states": 128,
    "heavy_tail": 1e9,
    "layers": [16, 16],
    "interval": 0.25,
    "minibatch": 128,
    "average": 0.5,
    "learning_rate": 0.02,
}


def small_config(folder: Path) -> Path:
    learner = LEARNERS["paired-ppo"]
    settings = learner.read_settings().model_copy(update=SMALL)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(settings.model_dump()))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_config(tmp_path_factory.mktemp("config"))


def train(folder: Path, config: Path, **options: Any) -> Any:
    given = {"settings": config, "periods": PERIODS} | options
    return agents.train("paired-ppo", LOST_SALES, folder, **given)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, config: Path) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(folder, config)


def test_a_training_is_better_than_the_classic_that_it_starts_from(
    trained: tuple[Path, Any],
) -> None:
    _, found = trained
    assert found.start.name == "base-stock"
    assert not found.kept
    ours, start = (rollout(p, LOST_SALES, episodes=64) for p in (found.policy, found.start.policy))
    assert evaluate.skew_interval(ours["cost"] - start["cost"]).high < 0
    assert found.periods >= PERIODS


def test_from_scratch_the_net_alone_orders() -> None:
    layout = lay_out(LOST_SALES)
    nothing = starts.find(LOST_SALES, "nothing").policy
    policy = corrected(nothing, layout, np.random.default_rng(0))
    state = np.zeros((1, layout.cells))
    assert policy.asks(state, policy.start(1))[0, 0] == 0.0
    moved = policy.net._replace(last_bias=np.full(1, 4.0, dtype=np.float32))
    asked = policy.with_net(moved).asks(state, policy.start(1))
    assert asked[0, 0] == 5.0  # four steps of 1.25 units


def test_a_start_that_is_no_policy_is_refused(config: Path, tmp_path: Path) -> None:
    with pytest.raises(jitgym.ScenarioError, match="unknown policy 'kanbann'; did you mean"):
        train(tmp_path / "run", config, start="kanbann")
    assert not (tmp_path / "run").exists()


def test_a_loaded_policy_is_the_trained_one(trained: tuple[Path, Any]) -> None:
    folder, found = trained
    policy = agents.make("paired-ppo", LOST_SALES, path=folder)
    ours, theirs = (rollout(each, LOST_SALES, episodes=8) for each in (policy, found.policy))
    assert policy.name == "paired-ppo"
    assert ours["cost"].tolist() == theirs["cost"].tolist()


def test_checkpoints_hold_only_data(trained: tuple[Path, Any]) -> None:
    folder, _ = trained
    assert {"agent.yaml", "best.pt", "last.pt", "tensorboard"} <= {p.name for p in folder.iterdir()}
    record = yaml.safe_load((folder / "agent.yaml").read_text())
    assert record["start"]["name"] == "base-stock"
    for name in ("best.pt", "last.pt"):
        assert isinstance(torch.load(folder / name, weights_only=True), dict)


def weights_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / "best.pt", weights_only=True)["policy"]
    return found


def assert_equal_weights(ours: Path, theirs: Path) -> None:
    one, two = weights_of(ours), weights_of(theirs)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), name


def test_a_training_repeats_to_the_last_bit(
    trained: tuple[Path, Any], config: Path, tmp_path: Path
) -> None:
    train(tmp_path / "again", config)
    assert_equal_weights(tmp_path / "again", trained[0])


def test_a_training_that_is_interrupted_after_each_interval_equals_an_uninterrupted_one(
    trained: tuple[Path, Any], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "resumed"
    usual = training.Loop._look

    def look(self: Any, *arguments: Any) -> None:
        usual(self, *arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training.Loop, "_look", look)
    for round_ in range(3):
        with pytest.raises(KeyboardInterrupt, match="resume goes on from"):
            train(folder, config, resume=round_ > 0)
    monkeypatch.undo()
    train(folder, config, resume=True)
    assert_equal_weights(folder, trained[0])


def test_a_training_that_is_killed_loses_at_most_one_interval(
    trained: tuple[Path, Any], config: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    program = (
        "import sys, jitgym, agents\n"
        "s = jitgym.load('lost-sales', horizon={'ongoing': 300, 'warm_up': 50})\n"
        "agents.train('paired-ppo', s, sys.argv[1], settings=sys.argv[2], "
        f"periods={PERIODS}, resume=len(sys.argv) > 3)\n"
    )
    arguments = [sys.executable, "-c", program, str(folder), str(config)]
    with subprocess.Popen(arguments, cwd=ROOT) as process:
        while not (folder / "last.pt").is_file() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
    train(folder, config, resume=True)
    assert_equal_weights(folder, trained[0])


def test_a_policy_that_is_no_better_is_not_kept(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse(self: Any) -> Any:  # orders more than the classic in every state
        policy, _ = usual(self)
        net = policy.net._replace(
            last=np.zeros_like(policy.net.last), last_bias=np.full(1, 2.0, np.float32)
        )
        return policy.with_net(net), paired.stored_net(net)

    from agents.learned.sb3 import paired

    usual = paired.PairedSession.candidate
    monkeypatch.setattr(paired.PairedSession, "candidate", worse)
    # The looks favor it, so only the gate stands between it and the user.
    monkeypatch.setattr(training.Gate, "look", lambda *_: evaluate.Interval(-1.0, 0.1, 64, 0.95))
    found = train(tmp_path / "worse", config)
    assert found.kept
    assert found.policy.name == "paired-ppo"
    assert "nothing to win was found" in found.notes[0]
    ours, start = (rollout(p, LOST_SALES, episodes=8) for p in (found.policy, found.start.policy))
    assert ours["cost"].tolist() == start["cost"].tolist()


def test_a_training_does_not_begin_in_the_folder_of_another(
    trained: tuple[Path, Any], config: Path
) -> None:
    folder, _ = trained
    with pytest.raises(RunError, match="expected --resume, or a new folder"):
        train(folder, config)
    with pytest.raises(RunError, match="another seed; expected the same"):
        train(folder, config, seed=1, resume=True)


def test_an_agent_is_refused_where_its_entries_mean_something_else(
    trained: tuple[Path, Any],
) -> None:
    folder, _ = trained
    with pytest.raises(RunError, match="trained with another observation than lost-sales has"):
        agents.make("paired-ppo", jitgym.load("lost-sales", lead_time=2), path=folder)


def test_a_file_that_is_not_a_checkpoint_is_refused(config: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"agent\.yaml: no such file"):
        agents.make("paired-ppo", LOST_SALES, path=tmp_path)
    with pytest.raises(RunError, match=r"last\.pt: no such file"):
        train(tmp_path, config, resume=True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs:", "epoch:", "unknown key"),
        ("layers: [64, 64]", "layers: [64]", "at least 2 entries"),
    ],
)
def test_wrong_hyperparameters_are_refused_with_their_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = LEARNERS["paired-ppo"].config.read_text()
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    with pytest.raises(jitgym.ScenarioError, match=r"mine\.yaml, line \d+: .*" + said):
        LEARNERS["paired-ppo"].read_settings(tmp_path / "mine.yaml")


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_has_settings_that_state_its_budget(name: str) -> None:
    assert LEARNERS[name].read_settings().periods > 0


def test_importing_agents_loads_no_torch() -> None:
    program = "import agents, sys; print({'torch', 'stable_baselines3'} & set(sys.modules))"
    output = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT)
    assert output.strip() == "set()"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """scripts/train.py as a person runs it."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    module = importlib.import_module("train")

    def call(*options: object) -> None:
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, options)])
        module.common.run(module.main)

    return call


KEYS = {"policy", "start", "start_cost", "cost", "interval", "difference", "difference_interval"}
KEYS |= {"gap", "kept", "headroom", "periods", "seconds"}


def test_the_training_script_prints_one_json_object_and_keeps_its_run(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    out = tmp_path / "run"
    options = ("--agent", "paired-ppo", "--periods", PERIODS, "--episodes", 16)
    options += ("--config", config, "--out", out, "--json", "--set", "lead_time=2", "penalty=9")
    script("lost-sales", *options)
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= KEYS
    low, high = found["interval"]
    assert low < found["cost"] < high
    assert found["difference"] == pytest.approx(found["cost"] - found["start_cost"])
    assert 0 <= found["gap"] < 0.1
    record = json.loads((out / "run.json").read_text())
    assert record["state"] == "finished"
    assert record["configuration"]["settings"]["layers"] == [16, 16]
    assert (out / "rows.csv").read_text().count("\n") == 1 + 2 * 16


def test_two_workers_train_what_one_trains(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    options = ("--agent", "paired-ppo", "--periods", 20_000, "--episodes", 8, "--json")
    options += ("--config", config, "--seeds", 2, "--set", "lead_time=1")
    found = []
    for workers in (1, 2):
        out = tmp_path / f"with-{workers}"
        script("lost-sales", *options, "--workers", workers, "--out", out)
        found.append(json.loads(capsys.readouterr().out))
    one, two = found
    assert [run["cost"] for run in one["runs"]] == [run["cost"] for run in two["runs"]]
    assert one["over_seeds_interval"] == two["over_seeds_interval"]
    for seed in (0, 1):
        assert_equal_weights(*(tmp_path / f"with-{w}" / f"paired-ppo-seed-{seed}" for w in (1, 2)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--episodes", 0], "--episodes is 0; expected at least 2"),
        (["--minutes", 0], "--minutes is 0.0; expected more than 0"),
        (["--periods", 0], "--periods is 0; expected at least 1"),
        (["--agent", "pp"], "unknown learner 'pp'"),
    ],
)
def test_the_training_script_reports_wrong_input_in_one_message(
    script: Any, options: list[object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        script("lost-sales", *options)
    assert ended.value.code == 2
    output, told = capsys.readouterr()
    assert output == ""
    assert said in told
    assert told.count("\n") == 1


def rewritten(name: str, change: Any) -> Any:
    """A damage: what a file of tensors holds, changed."""

    def damage(folder: Path) -> None:
        stored = torch.load(folder / name, weights_only=True)
        kept = change(stored)
        torch.save(kept if isinstance(kept, list | dict) else stored, folder / name)

    return damage


def record(change: Any) -> Any:
    """A damage: what agent.yaml says, changed."""

    def damage(folder: Path) -> None:
        data = yaml.safe_load((folder / "agent.yaml").read_text())
        change(data)
        (folder / "agent.yaml").write_text(yaml.safe_dump(data))

    return damage


def content(name: str, change: Any) -> Any:
    """A damage: the bytes of a file, changed."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def last_layer(stored: Any) -> Any:
    return stored["policy"]["last"]


def compressed(content: bytes) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    return packed.getvalue()


def settings(**changes: Any) -> Any:
    return record(lambda data: data["learners"]["paired-ppo"].update(changes))


DAMAGES = {
    "no record": lambda folder: (folder / "agent.yaml").unlink(),
    "an empty record": content("agent.yaml", lambda _: b""),
    "a binary record": content("agent.yaml", lambda _: b"\x00\xff\x89"),
    "a record that is a list": content("agent.yaml", lambda _: b"[1, 2]"),
    "a record cut in half": content("agent.yaml", lambda old: old[: len(old) // 2]),
    "a record without start": record(lambda data: data.pop("start")),
    "an unknown start": record(lambda data: data["start"].update(name="something")),
    "a start with other parameters": record(lambda data: data["start"].update(parameters={"x": 1})),
    "a record without observation": record(lambda data: data.pop("observation")),
    "layers in words": settings(layers="many"),
    "layers beyond all memory": settings(layers=[10**12, 4]),
    "other layers": settings(layers=[8, 8]),
    "entries of another kind": record(lambda data: data.update(observation=3)),
    "another learner": record(lambda data: data.update(learners={"dqn": {}})),
    "no weights": lambda folder: (folder / "best.pt").unlink(),
    "a folder in place of weights": lambda folder: (
        (folder / "best.pt").unlink(),
        (folder / "best.pt").mkdir(),
    ),
    "empty weights": content("best.pt", lambda _: b""),
    "weights cut in half": content("best.pt", lambda old: old[: len(old) // 2]),
    "weights without their beginning": content("best.pt", lambda old: old[64:]),
    "text as weights": content("best.pt", lambda _: b"weights"),
    "a pickle": content("best.pt", lambda _: b"\x80\x04cos\nsystem\n(S'ls'\ntR."),
    "compressed weights": content("best.pt", compressed),
    "a list of weights": rewritten("best.pt", lambda stored: [stored]),
    "weights without policy": rewritten("best.pt", lambda stored: {"learner": "paired-ppo"}),
    "a number as policy": rewritten("best.pt", lambda stored: stored.update(policy=3)),
    "a weight less": rewritten("best.pt", lambda stored: stored["policy"].popitem()),
    "a weight of another shape": rewritten(
        "best.pt", lambda stored: stored["policy"].update(last=last_layer(stored)[:3])
    ),
    "a weight of another type": rewritten(
        "best.pt", lambda stored: stored["policy"].update(last=last_layer(stored).double())
    ),
    "a number as weight": rewritten("best.pt", lambda stored: stored["policy"].update(last=3.0)),
    "nan weights": rewritten("best.pt", lambda stored: last_layer(stored).fill_(float("nan"))),
}


@pytest.fixture
def stored(trained: tuple[Path, Any], tmp_path: Path) -> Path:
    """The folder of a trained agent, to be damaged."""
    return Path(shutil.copytree(trained[0], tmp_path / "agent"))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_agent_is_refused_with_its_file(damage: Any, stored: Path) -> None:
    damage(stored)
    with pytest.raises(RunError) as caught:
        agents.make("paired-ppo", LOST_SALES, path=stored)
    assert str(caught.value).startswith(str(stored))
    assert "\n" not in str(caught.value)


def weight(stored: Any) -> Any:
    return stored["session"]["policy"]["action_net.weight"]


RESUMED = {
    "empty": content("last.pt", lambda _: b""),
    "cut": content("last.pt", lambda old: old[: len(old) // 2]),
    "without periods": rewritten("last.pt", lambda stored: stored.pop("periods")),
    "periods in words": rewritten("last.pt", lambda stored: stored.update(periods="many")),
    "an optimizer of nothing": rewritten(
        "last.pt", lambda stored: stored["session"].update(optimizer={})
    ),
    "fewer plants": rewritten(
        "last.pt",
        lambda stored: stored["session"]["herd"].update(
            state=stored["session"]["herd"]["state"][:3]
        ),
    ),
    "nan states": rewritten(
        "last.pt", lambda stored: stored["session"]["herd"]["state"].fill_(float("nan"))
    ),
    "other random numbers": rewritten(
        "last.pt", lambda stored: stored["session"].update(torch=stored["session"]["torch"][:8])
    ),
    "nan weights": rewritten("last.pt", lambda stored: weight(stored).fill_(float("nan"))),
}


@pytest.mark.parametrize("damage", RESUMED.values(), ids=RESUMED)
def test_a_training_is_not_resumed_from_a_damaged_checkpoint(
    damage: Any, stored: Path, config: Path
) -> None:
    damage(stored)
    with pytest.raises(RunError) as caught:
        train(stored, config, resume=True)
    assert str(caught.value).startswith(str(stored / "last.pt"))
    assert "\n" not in str(caught.value)


def test_nothing_clips_the_rare_backlog_where_differences_have_a_heavy_tail(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.branches import Branches
    from agents.learned.registry import find
    from agents.learned.sb3 import paired
    from agents.learned.session import Problem
    from agents.learned.start import Start, made
    from jitgym.plant import lay_out

    settings = find("paired-ppo").read_settings(config).model_copy(update={"heavy_tail": 2.0})
    start = Start(made("base-stock", LOST_SALES, {"level": 25}), "base-stock", {}, {}, 0, 0.0)
    session = paired.begin(Problem(LOST_SALES, lay_out(LOST_SALES), start, 0, PERIODS), settings)
    model = session.model
    assert session.is_heavy
    assert (model.n_epochs, model.batch_size) == (1, 2 * model.herd.size)
    assert model.max_grad_norm > 1e6
    assert model.clip_range(1.0) > 1e3

    def rare(asking: Any, points: Any, varied: Any, of: Any, **_: Any) -> Branches:
        found = np.ones(of.size)
        found[3] = 1e5  # one backlog outweighs all other pairs
        return Branches(found, np.ones(of.size, dtype=np.bool_), 1)

    monkeypatch.setattr(paired, "branch", rare)
    model._current_progress_remaining = 1.0
    model.collect_rollouts(model.env, model._callback, model.rollout_buffer, 2)
    advantages = np.abs(model.rollout_buffer.advantages)
    assert advantages.max() / advantages.min() == pytest.approx(1e5)


def test_a_constant_correction_is_the_mean_of_the_corrections() -> None:
    from agents.branches import Asking, Herd
    from agents.learned.corrections import corrected, retuned
    from jitgym.plant import lay_out

    layout = lay_out(LOST_SALES)
    policy = corrected(agents.make("base-stock", LOST_SALES), layout, np.random.default_rng(0))
    last = np.full_like(policy.net.last, 0.02)
    policy = policy.with_net(policy.net._replace(last=last))
    herd = Herd(layout, 64, seed=0)
    herd.begin(Asking(policy, layout), 30)
    constant = retuned(policy, herd.state, herd.memory)
    level = agents.make("base-stock", LOST_SALES).parameters["level"]
    moved = round(float(constant.net.last_bias[0] * policy.steps.step[0]))
    assert moved != 0
    same = agents.make("base-stock", LOST_SALES, level=level + moved)
    ours, theirs = (rollout(p, LOST_SALES, episodes=4)["cost"].tolist() for p in (constant, same))
    assert ours == theirs
