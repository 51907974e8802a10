"""Compare classic and learned policies on the same episodes, with one table per scenario."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

import agents
from agents.learned.readback import readback
from agents.learned.training import Trained
from agents.progress import Progress
from agents.studies import comparison, reports
from agents.studies import experiment as experiments
from agents.studies import verdict as verdicts
from jitgym import Scenario, exact
from jitgym.control import Policy
from jitgym.evaluate import Run
from jitgym.report import comparisons, html, policies, tables

NAMES = "catalog names, or paths of YAML files"
EXPERIMENT = "a file such as configs/experiments/*.yaml; SCENARIO... chooses among its scenarios"
AGENTS = "classics by name, all-classic, or learners (learned); kanban and eoq are always added"

DEFAULT = ("all-classic", "learned")
PRECISION = (
    "run until every 95 % interval is within this share of the figure, such as .005; --episodes is "
    "then the first try"
)
PERIODS = "budget of each training, in simulated periods; default: stated in configs/agents/"


@dataclass(frozen=True)
class Tape:
    """The episodes on which policies are compared."""

    seed: int
    episodes: int
    precision: float | None  # run until every interval is within this share


def main(
    scenarios: Annotated[Positional[tuple[str, ...]], arg(metavar="SCENARIO...", help=NAMES)] = (),
    *,
    given: common.Given = (),
    entrants: Annotated[tuple[str, ...], arg(name="agents", help=AGENTS)] = DEFAULT,
    periods: Annotated[int | None, arg(help=PERIODS)] = None,
    seed: common.Seed = 0,
    episodes: common.Episodes = 256,
    precision: Annotated[float | None, arg(help=PRECISION)] = None,
    out: common.Out = None,
    experiment: Annotated[Path | None, arg(metavar="FILE", help=EXPERIMENT)] = None,
    json_: common.Json = False,
) -> None:
    """Compare policies on the same episodes of the split `test`, with one table per scenario.

    Each classic policy appears with textbook parameters and tuned by simulation on the split `tune`
    (look-ahead is slow, so only tuned). A learner trains on the split `train`. The optimal policy
    appears if the plant is small enough to be solved. The folder of the run holds run.json,
    rows.csv, report.html (the page to forward), report.md (the whole table), figures, the learner's
    checkpoints and TensorBoard curves, and the optimal policy as a table (optimal.npz) and a
    picture (optimal.svg). With --out and several
    scenarios, each scenario has its own folder.
    """
    if experiment is not None:
        conduct(experiment, scenarios, out)
        return
    plants = [common.scenario(name, given) for name in scenarios]
    common.expect(bool(plants), "no scenario is given; expected at least one")
    common.expect_sample(seed, episodes)
    names_of = [plant.name for plant in plants]
    common.expect(
        len(set(names_of)) == len(plants), f"two scenarios have the same name: {names_of}"
    )
    common.expect(periods is None or periods >= 1, f"--periods is {periods}; expected at least 1")
    common.expect(
        precision is None or 0 < precision < 1,
        f"--precision is {precision}; expected a share between 0 and 1, such as .005",
    )
    names = [n for p in entrants for n in (agents.names() if p == "all-classic" else (p,))]
    for name in names:
        agents.expect_name(name, learners=True)
    found = {}
    for plant in plants:
        folder = out / plant.name if out and len(plants) > 1 else out
        options = {"scenario": plant, "agents": names, "periods": periods, "episodes": episodes}
        options |= {"precision": precision} if precision else {}
        tape = Tape(seed, episodes, precision)
        seeds = {"all": seed}
        with Run("compare", plant.name, configuration=options, seeds=seeds, out=folder) as run:
            found[plant.name] = compare(plant, names, periods, tape, run, not json_)
    if json_:
        print(json.dumps(found))


def conduct(file: Path, scenarios: tuple[str, ...], out: Path | None) -> None:
    """Run an experiment file, scenario by scenario; print its page and write it beside the rows."""
    plan = experiments.read_experiment(file)
    sections = [
        f"# {plan.title}",
        "",
        f"`python scripts/compare.py --experiment {file}` wrote this page. Gains are paired",
        "differences in percent of the reference's cost, or of its profit where a table leads with",
        "profit, with 95 % intervals. Above 0 the policy is better. All policies are tuned again",
        "for each plant and each mean demand.",
        "",
    ]
    for name in scenarios or plan.scenarios:
        plant = common.scenario(name)
        folder = out / plant.name if out else None
        seeds = {"all": plan.seed}
        with Run("compare", plant.name, configuration=plan, seeds=seeds, out=folder) as run:
            sections.append(experiments.conduct(plan, plant, run, progress=True))
            (run.folder / "page.md").write_text("\n".join(sections), encoding="utf-8")
        print(sections[-1])


@dataclass(frozen=True)
class Taught:
    """A training and what stands in the table because of it."""

    trained: Trained
    policies: list[Policy]  # the learned policy, and its readback as a linear rule
    notes: list[str]
    effort: verdicts.Effort


def learn(name: str, plant: Scenario, periods: int | None, seed: int, run: Run) -> Taught:
    """Train a learner in the folder of the run, and read its policy back."""
    trained = agents.train(
        name, plant, run.folder / name, periods=periods, seed=seed, progress=True
    )
    policies, notes = [trained.policy], comparison.effort(trained)
    short = None if trained.kept else readback(trained.policy)
    if short is not None:
        policies.append(short.policy)
        notes.append(
            f"{short.policy.name}: {short}; it explains {100 * short.explained:.0f} % of the "
            "variance of the net's corrections"
        )
    effort = verdicts.Effort(
        trained.policy.name,
        trained.kept,
        trained.start.seconds + trained.seconds,
        "" if short is None else short.policy.name,
        0 if short is None else len(short.terms),
    )
    return Taught(trained, policies, notes, effort)


def compare(
    plant: Scenario,
    names: list[str],
    periods: int | None,
    tape: Tape,
    run: Run,
    shown: bool,
) -> dict[str, object]:
    """Compare the policies of one scenario; print the table and return it as plain data."""
    seed, episodes = tape.seed, tape.episodes
    classics = comparison.classics(
        plant,
        comparison.with_always([name for name in names if name not in agents.LEARNERS], plant),
        seed,
        progress=True,
    )
    reference = comparison.best_classic(classics.tuned, plant, episodes, seed, progress=True)
    learners = [name for name in names if name in agents.LEARNERS]
    taught = [learn(name, plant, periods, seed, run) for name in learners]
    entrants = [*classics.entrants, *(policy for each in taught for policy in each.policies)]
    trainings = [each.trained for each in taught]
    told = [*comparison.cautions(plant), *(note for each in taught for note in each.notes)]
    common.expect(bool(entrants), "; ".join(classics.notes))
    with Progress(f"solve {plant.name}"):
        solution, note = comparison.solved(plant)
        least = None if solution is not None else exact.shorter(plant, comparison.MEMORY)
    told += [note] if least is None else [note, f"lower bound: {least}"]
    optimum = None if plant.known_optimum is None else plant.known_optimum.cost
    if solution is not None:
        optimum = solution.cost
        entrants.append(solution.policy)
        solution.policy.save(run.folder / "optimal.npz")
        policies.draw(solution.policy, run.folder / "optimal.svg")
    if tape.precision is None:
        rows = comparison.contest(entrants, plant, episodes, seed, progress=True)
    else:
        rows, said = comparison.contest_until(
            tape.precision, entrants, plant, episodes, seed, progress=True
        )
        told.append(said)
    run.save(rows)
    best = next((each for each in classics.tuned if each.name == reference), None)
    if best is not None:
        told += comparison.warm_up(best, plant, seed)
        for each in trainings:
            told += comparison.over_time(each.policy, best, plant, seed)
    compared = comparisons.comparison(
        rows, classics.tuned_names, optimum, plant, reference=reference or None
    )
    parameters = comparison.parameters_of(entrants)
    verdict = verdicts.verdict(
        compared,
        reference,
        plant,
        [each.effort for each in taught],
        None if least is None else least.cost,
        parameters.get(reference),
    )
    notes = [*told, *classics.notes]
    whole = comparisons.table(
        compared, plant, notes, parameters, chosen_on=comparison.CHOSEN_ON, verdict=verdict.sentence
    )
    run.report(tables.markdown(whole))
    stored = reports.Said(
        verdict=verdict.sentence,
        reference=reference,
        optimum=optimum,
        tuned=classics.tuned_names,
        notes=tuple(notes),
        parameters=parameters,
        chosen_on=comparison.CHOSEN_ON,
        command=f"python scripts/compare.py {shlex.join(sys.argv[1:])}",
    )
    reports.store(stored, plant, run.folder)
    by_name = {policy.name: policy for policy in entrants}
    drawn = [by_name[name] for name in reports.shown(compared, reference)]
    reports.draw_paths(drawn, plant, run.folder, seed)
    reports.store_trainings(trainings, run.folder)
    reports.store_sizes(classics.tuned, plant, run.folder, seed)
    if best is not None:
        judged = [best, *(each.policy for each in trainings)]
        reports.store_robustness(judged, best.tuning.seconds, plant, run.folder, min(episodes, 256))
    page = html.write([reports.read(run.folder)], run.folder)
    if shown:
        where = f"The report, rows, settings and curves: {page}"
        without = [column for column in whole.columns if column.name != "parameters"]
        tables.show(replace(whole.only(without), notes=[*whole.notes, where]))
    return {"verdict": verdict.as_json(), **comparisons.as_json(compared)}


if __name__ == "__main__":
    common.run(main)
