"""Learned agents: the adapter, what is kept and resumed, and the policy in and out of the env."""

from __future__ import annotations

import importlib
import io
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import yaml
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import agents
import jitgym
from agents.learned.policy import LearnedPolicy
from agents.learned.sb3 import callbacks, ppo
from agents.learned.sb3.vecenv import PlantVecEnv
from jitgym.envs import CONTROLS, Control, PlantEnv, VectorPlant
from jitgym.envs.spaces import Spaces
from jitgym.evaluate import RunError, rollout
from jitgym.plant import lay_out

ROOT = Path(__file__).parents[2]
SHORT = {"horizon": {"ongoing": 30, "warm_up": 10}}
LOST_SALES = jitgym.load("lost-sales", horizon={"ongoing": 200, "warm_up": 50})
SAME_STEP = gymnasium.vector.AutoresetMode.SAME_STEP
SETTINGS = ppo.read_settings(ROOT / "configs/agents/ppo.yaml")
SMALL = SETTINGS.model_copy(
    update={
        "environments": 32,
        "periods": 32,
        "minibatch": 256,
        "layers": [16],
        "validation": SETTINGS.validation.model_copy(update={"every": 2048, "episodes": 8}),
    }
)


def adapter(scenario: Any, number: int, control: Control = "orders") -> PlantVecEnv:
    return PlantVecEnv(VectorPlant(scenario, number, control, autoreset_mode=SAME_STEP))


@pytest.mark.parametrize("control", CONTROLS)
def test_the_adapter_behaves_as_single_environments_in_dummy_vec_env(control: Control) -> None:
    scenario = jitgym.load("kanban-line", **SHORT)
    theirs = DummyVecEnv([lambda: Monitor(PlantEnv(scenario, control)) for _ in range(3)])
    ours = adapter(scenario, 3, control)
    assert theirs.seed(5) == ours.seed(5)
    ours.action_space.seed(1)
    np.testing.assert_array_equal(theirs.reset(), ours.reset())
    for _ in range(65):
        actions = np.array([ours.action_space.sample() for _ in range(3)])
        for a, b in zip(theirs.step(actions), ours.step(actions), strict=True):
            if not isinstance(a, np.ndarray):
                assert_infos_agree(a, b)
                continue
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def assert_infos_agree(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    for a, b in zip(theirs, ours, strict=True):
        assert ("episode" in a) == ("episode" in b)
        if "episode" in a:
            assert b["TimeLimit.truncated"] is a["TimeLimit.truncated"] is True
            np.testing.assert_array_equal(a["terminal_observation"], b["terminal_observation"])
            assert b["episode"]["l"] == a["episode"]["l"]
            assert b["episode"]["r"] == pytest.approx(a["episode"]["r"], abs=1e-5)
            assert {n: b["episode"][n] for n in a["kpi"]} == pytest.approx(a["kpi"], nan_ok=True)


def test_the_adapter_answers_the_calls_of_stable_baselines() -> None:
    environments = adapter("lost-sales", 4)
    assert environments.get_attr("render_mode") == [None] * 4
    assert environments.get_attr("reward_scale", indices=[0, 2]) == [20.0, 20.0]
    assert environments.env_is_wrapped(Monitor) == [False] * 4
    assert not environments.has_attr("nothing of this name")
    environments.set_attr("mark", 7)
    assert environments.get_attr("mark", 1) == [7]
    assert environments.seed(3) == [3, 4, 5, 6]
    monitored = VecMonitor(environments)
    assert monitored.reset().shape == (4, 4)
    environments.set_options({"split": "validate"})
    environments.reset()
    assert environments.plants.engine.split == "validate"


def test_the_adapter_refuses_environments_that_reset_a_step_later() -> None:
    with pytest.raises(ValueError, match="SAME_STEP"):
        PlantVecEnv(VectorPlant("lost-sales", 2))


@pytest.mark.parametrize("control", CONTROLS)
def test_a_learned_policy_asks_for_the_same_as_its_net_in_the_environment(control: Control) -> None:
    scenario = jitgym.load("kanban-line", **SHORT)
    spaces = Spaces(lay_out(scenario), control)
    policy = LearnedPolicy("ppo", spaces, decided_net(spaces))
    rows = rollout(policy, scenario, episodes=6, seed=4)

    plants = VectorPlant(scenario, 6, control)
    for row in range(6):
        options = {"split": "test", "episode": row, "reset_mask": np.arange(6) == row}
        observation, _ = plants.reset(seed=[4] * 6, options=options)
    asked = []
    for _ in range(scenario.horizon.periods):
        action, _ = policy.net.predict(observation, deterministic=True)
        observation, _, _, _, info = plants.step(action)
        asked.append(info["asked"])
    assert np.unique(asked).size > 5  # it does something
    assert rows["cost"].to_list() == info["kpi"]["cost"].tolist()
    assert rows["fill_rate"].to_list() == info["kpi"]["fill_rate"].tolist()


def decided_net(spaces: Spaces) -> ActorCriticPolicy:
    """A net with weights so large that its actions differ from state to state."""
    torch.manual_seed(1)
    net = ActorCriticPolicy(spaces.observation, spaces.action, lambda _: 0.0)
    with torch.no_grad():
        for weights in net.parameters():
            weights.copy_(torch.randn_like(weights))
    return net


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ppo.Trained]:
    folder = tmp_path_factory.mktemp("trained")
    references = {"base-stock (tuned)": 5.2}
    return folder, ppo.train(LOST_SALES, SMALL, folder, steps=20_000, references=references)


def test_a_training_lowers_the_cost(trained: tuple[Path, ppo.Trained]) -> None:
    _, found = trained
    layout = found.policy.layout
    spaces = Spaces(layout, found.policy.control)
    untrained = LearnedPolicy(
        "untrained", spaces, ppo.build(spaces, SMALL, 0, ppo.Budget(None, None)).policy
    )
    before = rollout(untrained, LOST_SALES, episodes=8)["cost"].mean()
    after = rollout(found.policy, LOST_SALES, episodes=8)["cost"].mean()
    assert after < 0.6 * before
    assert found.steps >= 20_000


def test_a_loaded_policy_is_the_trained_one(trained: tuple[Path, ppo.Trained]) -> None:
    folder, found = trained
    policy = ppo.load(folder, LOST_SALES)
    rows = rollout(policy, LOST_SALES, episodes=8, split="validate")
    assert policy.control == "orders"
    assert rows["cost"].mean() == found.cost


def test_checkpoints_hold_only_data(trained: tuple[Path, ppo.Trained]) -> None:
    folder, _ = trained
    assert {path.name for path in folder.iterdir()} == {
        "agent.yaml", "best.pt", "last.pt", "tensorboard",
    }  # fmt: skip
    record = yaml.safe_load((folder / "agent.yaml").read_text())
    assert record["observation"][0] == {"entry": "product.stock", "unit": "units", "high": 60}
    for name in ("best.pt", "last.pt"):
        assert "policy" in torch.load(folder / name, weights_only=True)


def test_tensorboard_shows_costs_kpis_and_references(trained: tuple[Path, ppo.Trained]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, found = trained
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    shown = set(events.Tags()["scalars"])
    assert {"cost/total", "cost/holding", "kpi/fill_rate", "reference/base-stock (tuned)"} < shown
    assert {"train/loss", "rollout/ep_rew_mean"} < shown
    assert min(event.value for event in events.Scalars("cost/total")) == pytest.approx(found.cost)
    assert "custom_scalars__config__" in events.Tags()["tensors"]


def test_a_training_that_is_interrupted_and_resumed_equals_an_uninterrupted_one(
    trained: tuple[Path, ppo.Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupting(*arguments: Any, **options: Any) -> Any:
        monkeypatch.undo()  # once
        signal.raise_signal(signal.SIGINT)
        return rollout(*arguments, **options)

    monkeypatch.setattr(callbacks, "rollout", interrupting)
    with pytest.raises(KeyboardInterrupt, match="resume goes on from"):
        ppo.train(LOST_SALES, SMALL, tmp_path, steps=20_000)
    assert ppo.Checkpoint(tmp_path).stored()["steps"] < 20_000
    ppo.train(LOST_SALES, SMALL, tmp_path, steps=20_000, resume=True)

    folder, _ = trained
    ours, theirs = (ppo.Checkpoint(path).stored() for path in (tmp_path, folder))
    assert ours["steps"] == theirs["steps"]
    assert ours["best"] == theirs["best"]
    for part in ("policy", "environments"):
        assert ours[part].keys() == theirs[part].keys()
        for name, tensor in ours[part].items():
            assert torch.equal(tensor, theirs[part][name]), name


def test_a_training_does_not_begin_in_the_folder_of_another(
    trained: tuple[Path, ppo.Trained],
) -> None:
    folder, _ = trained
    with pytest.raises(RunError, match="expected --resume, or a new folder"):
        ppo.train(LOST_SALES, SMALL, folder, steps=1)
    with pytest.raises(RunError, match="another seed; expected the same"):
        ppo.train(LOST_SALES, SMALL, folder, steps=30_000, seed=1, resume=True)


def test_an_agent_is_refused_where_its_entries_mean_something_else(
    trained: tuple[Path, ppo.Trained],
) -> None:
    folder, _ = trained
    ppo.load(folder, jitgym.load("lost-sales", penalty=19))
    with pytest.raises(RunError, match="trained with another observation than lost-sales has"):
        ppo.load(folder, jitgym.load("lost-sales", lead_time=2))


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"agent\.yaml: no such file"):
        ppo.load(tmp_path, LOST_SALES)
    with pytest.raises(RunError, match=r"last\.pt: no such file"):
        ppo.train(LOST_SALES, SMALL, tmp_path, steps=1, resume=True)
    (tmp_path / "last.pt").write_bytes(b"no tensors")
    with pytest.raises(RunError, match="cannot be read as a checkpoint"):
        ppo.Checkpoint(tmp_path).stored()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs:", "epoch:", "unknown key"),
        ("control: suited", "control: card", "expected 'suited', 'orders'"),
        ("minibatch: ", "minibatch: 7", "expected a divisor of environments x periods"),
    ],
)
def test_wrong_hyperparameters_are_refused_with_their_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (ROOT / "configs/agents/ppo.yaml").read_text()
    (tmp_path / "ppo.yaml").write_text(text.replace(old, new))
    with pytest.raises(jitgym.ScenarioError, match=r"ppo\.yaml, line \d+: .*" + said):
        ppo.read_settings(tmp_path / "ppo.yaml")


def test_a_training_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(jitgym.ScenarioError, match="neither steps nor minutes"):
        ppo.train(LOST_SALES, SMALL, tmp_path)


def test_importing_agents_loads_no_torch() -> None:
    program = "import agents, sys; print({'torch', 'stable_baselines3'} & set(sys.modules))"
    output = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT)
    assert output.strip() == "set()"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """scripts/train.py as a person runs it, with one classic only, for speed."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    train = importlib.import_module("train")
    monkeypatch.setattr(agents, "names", lambda: ("base-stock",))

    def call(*options: object) -> None:
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, options)])
        train.common.run(train.main)

    return call


def small_config(folder: Path) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL.model_dump()))
    return path


def test_the_training_script_prints_one_json_object_and_keeps_its_run(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ("--episodes", 8, "--config", small_config(tmp_path), "--out", out, "--json")
    options += ("--rivals", "base-stock")
    script("lost-sales", "--steps", 2000, *options)
    found = json.loads(capsys.readouterr().out)
    low, high = found["interval"]
    assert low < found["cost"] < high
    assert found["gap"] == pytest.approx(found["cost"] / 4.7285 - 1)
    assert found["steps"] >= 2000
    assert found["seconds"] > 0
    names = {name for row in found["policies"] for name in row["policy"].split(" = ")}
    assert names == {"base-stock (textbook)", "base-stock (tuned)", "ppo"}
    record = json.loads((out / "run.json").read_text())
    assert record["state"] == "finished"
    assert record["configuration"]["settings"]["layers"] == [16]
    assert (out / "rows.csv").read_text().count("\n") == 1 + 3 * 8

    script("lost-sales", "--steps", 3000, "--resume", *options)
    assert json.loads(capsys.readouterr().out)["steps"] >= 3000


def test_the_training_script_works_where_no_optimum_is_known(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--steps", 1, "--episodes", 8, "--config", small_config(tmp_path), "--json")
    options += ("--out", tmp_path / "run", "--seed", 2**61)
    script("lost-sales", "--set", "penalty=9", "lead_time=2", *options)
    assert json.loads(capsys.readouterr().out)["gap"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--episodes", 0], "--episodes is 0; expected at least 2"),
        (["--minutes", 0], "--minutes is 0.0; expected more than 0"),
        (["--resume"], "no folder is given"),
        (["--resume", "--out", "runs/nowhere"], "last.pt: no such file"),
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
    assert not Path("runs/nowhere").exists()


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


def weight(stored: Any) -> Any:
    return stored["policy"]["action_net.weight"]


def compressed(content: bytes) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    return packed.getvalue()


DAMAGES = {
    "no record": lambda folder: (folder / "agent.yaml").unlink(),
    "an empty record": content("agent.yaml", lambda _: b""),
    "a binary record": content("agent.yaml", lambda _: b"\x00\xff\x89"),
    "a record that is a list": content("agent.yaml", lambda _: b"[1, 2]"),
    "a record cut in half": content("agent.yaml", lambda old: old[: len(old) // 2]),
    "a record without settings": record(lambda data: data.pop("settings")),
    "a record without observation": record(lambda data: data.pop("observation")),
    "another control": record(lambda data: data.update(control="cardz")),
    "a list as the control": record(lambda data: data.update(control=[1])),
    "layers in words": record(lambda data: data["settings"].update(layers="many")),
    "layers beyond all memory": record(lambda data: data["settings"].update(layers=[10**12])),
    "other layers": record(lambda data: data["settings"].update(layers=[8])),
    "entries of another kind": record(lambda data: data.update(observation=3)),
    "another agent": record(lambda data: data.update(agent="dqn")),
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
    "weights without policy": rewritten("best.pt", lambda stored: {"steps": 3}),
    "a number as policy": rewritten("best.pt", lambda stored: stored.update(policy=3)),
    "a weight less": rewritten("best.pt", lambda stored: stored["policy"].popitem()),
    "a weight of another shape": rewritten(
        "best.pt",
        lambda stored: stored["policy"].update({"action_net.weight": weight(stored)[:, :3]}),
    ),
    "a weight of another type": rewritten(
        "best.pt",
        lambda stored: stored["policy"].update({"action_net.weight": weight(stored).double()}),
    ),
    "a number as weight": rewritten(
        "best.pt", lambda stored: stored["policy"].update({"action_net.weight": 3.0})
    ),
    "nan weights": rewritten("best.pt", lambda stored: weight(stored).fill_(float("nan"))),
}


@pytest.fixture
def stored(trained: tuple[Path, ppo.Trained], tmp_path: Path) -> Path:
    """The folder of a trained agent, to be damaged."""
    return Path(shutil.copytree(trained[0], tmp_path / "agent"))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_agent_is_refused_with_its_file(damage: Any, stored: Path) -> None:
    damage(stored)
    with pytest.raises(RunError) as caught:
        agents.make("ppo", LOST_SALES, path=stored)
    assert str(caught.value).startswith(str(stored))
    assert "\n" not in str(caught.value)


RESUMED = {
    "empty": content("last.pt", lambda _: b""),
    "cut": content("last.pt", lambda old: old[: len(old) // 2]),
    "without steps": rewritten("last.pt", lambda stored: stored.pop("steps")),
    "steps in words": rewritten("last.pt", lambda stored: stored.update(steps="many")),
    "an optimizer of nothing": rewritten("last.pt", lambda stored: stored.update(optimizer={})),
    "fewer environments": rewritten(
        "last.pt", lambda stored: stored.update(starts=stored["starts"][:3])
    ),
    "nan states": rewritten(
        "last.pt", lambda stored: stored["environments"]["state"].fill_(float("nan"))
    ),
    "other random numbers": rewritten(
        "last.pt", lambda stored: stored.update(torch=stored["torch"][:8])
    ),
    "nan weights": rewritten("last.pt", lambda stored: weight(stored).fill_(float("nan"))),
}


@pytest.mark.parametrize("damage", RESUMED.values(), ids=RESUMED)
def test_a_training_is_not_resumed_from_a_damaged_checkpoint(damage: Any, stored: Path) -> None:
    damage(stored)
    with pytest.raises(RunError) as caught:
        ppo.train(LOST_SALES, SMALL, stored, steps=30_000, resume=True)
    assert str(caught.value).startswith(str(stored / "last.pt"))
    assert "\n" not in str(caught.value)
