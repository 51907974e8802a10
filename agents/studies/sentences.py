"""Sentences below an experiment's table: each states figures of the table in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jitgym.evaluate import Interval, familywise, mean_of, skew_paired
from jitgym.plant import BY_COST, KPIS, Kpi, Leading

if TYPE_CHECKING:
    import pandas

Frames = dict[str, "pandas.DataFrame"]

EPISODE = ["split", "seed", "episode"]


def gain(reference: pandas.DataFrame, rows: pandas.DataFrame, led: Leading = BY_COST) -> Interval:
    """Return the gain over a reference on the same episodes, in percent of its leading figure.

    Above 0 the policy is better: it has a lower cost, or a higher profit.
    """
    more, less = (reference, rows) if led.better == "low" else (rows, reference)
    gained = skew_paired(more, less, led.column)
    percent = 100.0 / abs(mean_of(reference, led.column))
    return gained.scaled(percent)


def sentences(
    rows: pandas.DataFrame,
    references: Sequence[str],
    kpis: Sequence[str] = (),
    named: Mapping[str, Kpi] = KPIS,
    led: Leading = BY_COST,
) -> list[str]:
    """Return sentences that compare the best alternative with each reference, also by KPIs.

    The best alternative is the policy with the best leading figure (the lowest cost, or the highest
    profit) that is not a reference. A difference is reported if its paired 95 % interval does not
    contain 0; for KPIs, the intervals hold for all of them together (Bonferroni). The list is empty
    if every policy is a reference.
    """
    frames: Frames = {str(name): frame for name, frame in rows.groupby("policy", sort=False)}
    others = [name for name in frames if name not in references]
    if not others or not references:
        return []
    means = {name: mean_of(frames[name], led.column) for name in others}
    best = (min if led.better == "low" else max)(others, key=means.__getitem__)
    name = _bare(best)
    found = [f"{name[:1].upper()}{name[1:]} has the {led.best} of the alternatives."]
    found += [_figure_beside(frames, best, reference, led) for reference in references]
    if kpis:
        beside = {kpi: named[kpi] for kpi in kpis}
        found.append(_kpis_beside(frames, best, references[0], beside))
    return found


def _figure_beside(frames: Frames, best: str, reference: str, led: Leading) -> str:
    gained = gain(frames[reference], frames[best], led)
    amount, than = f"{abs(gained.mean):.1f} ± {gained.reach:.1f} %", _bare(reference)
    if not (gained.low > 0 or gained.high < 0):
        return f"Its {led.column} does not differ significantly from that of {than} ({amount})."
    if led.column == "cost":
        return f"It costs {amount} {'less' if gained.low > 0 else 'more'} than {than}."
    way = "higher" if (led.better == "high") == (gained.low > 0) else "lower"
    return f"Its {led.column} is {amount} {way} than that of {than}."


def _kpis_beside(frames: Frames, best: str, reference: str, kpis: Mapping[str, Kpi]) -> str:
    level = familywise(0.95, len(kpis))
    groups: dict[str, list[str]] = {"better": [], "worse": [], "different": []}
    for kpi in kpis:
        gained = skew_paired(frames[best], frames[reference], kpi, level)
        if not (gained.low > 0 or gained.high < 0):  # nan, where it is undefined, is neither
            continue
        way = kpis[kpi].better
        is_better = (way == "high") == (gained.mean > 0)
        group = ("better" if is_better else "worse") if way else "different"
        # The figures are of the same episodes as the difference: those where both are defined.
        both = [frames[name].sort_values(EPISODE, ignore_index=True) for name in (reference, best)]
        known = both[0][kpi].notna() & both[1][kpi].notna()
        theirs, ours = (mean_of(frame[known], kpi) for frame in both)
        where = "" if known.all() else ", where both are defined"
        groups[group].append(f"{kpis[kpi].title} ({ours:.4g} instead of {theirs:.4g}{where})")
    named = [f"{group} in {', '.join(each)}" for group, each in groups.items() if each]
    compared = f"Compared with {_bare(reference)},"
    if not named:
        return f"{compared} no KPI differs significantly."
    return f"{compared} it is {'; '.join(named)}."


def _bare(name: str) -> str:
    return name.removesuffix(" (tuned)")
