"""Train one policy for a family of lost-sales plants, whatever the mean, penalty and lead time.

    python benchmarks/lost_sales_generalist/train.py --device cuda --seconds 420

It needs torch and numpy alone. The plants of the family are simulated here in torch, thousands at a
time; `tests/agents/test_generalist.py` holds them to the plants of jitgym. The policy is the
projected inventory level (van Jaarsveld and Arts 2024) and a net that corrects it:

    order = round(max(0, U - m + SPREAD * deviation * net(features)))
    U = mean + z sqrt(variance + v),    z = normal quantile of p / (p + h)
    m, v = mean and variance of stock when the order arrives, by moments of a normal distribution

How it learns: in states of plants that follow the policy, the order is rounded down and up. Both
plants follow the policy afterwards, on the same tape, for some periods; the difference of their
costs is the slope of the cost in the order. The net descends this slope: the expected gradient of
the cost, measured in whole units (an infinitesimal perturbation is replaced by one of a unit).
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

AGES = 10  # the longest lead time, in periods
HIDDEN = (96, 64)
SPREAD = 0.5
FIXED = 0.4  # share of plants whose lead time is certain
FEATURES = 4 + AGES + (AGES - 1) + 3 + (AGES + 1) + (AGES - 1)

Tensor = torch.Tensor


class Plants:
    """Parameters of a batch of plants, one row each; holding costs 1 per unit and period."""

    def __init__(self, mean: Tensor, size: Tensor, penalty: Tensor, drawn: Tensor) -> None:
        """`size` is that of a negative binomial, infinity for Poisson; `drawn` is P(D = 0..10)."""
        self.mean, self.size, self.penalty, self.drawn = mean, size, penalty, drawn
        self.deviation = torch.sqrt(mean + torch.where(size < 1e6, mean**2 / size, 0.0 * mean))
        self.arrived = drawn.cumsum(1).clamp(max=1.0)  # P(D <= age), (plants, 11)
        left = 1.0 - self.arrived
        # P(an order of age a has not arrived k periods from now), (plants, ages 0..9, k 0..10)
        waits = [torch.ones_like(self.arrived[:, :AGES])]
        for k in range(1, AGES + 1):
            later = torch.zeros_like(waits[0])
            later[:, : AGES + 1 - k] = left[:, k : AGES + 1][:, :AGES]
            waits.append(waits[-1] * later)
        self.waits = torch.stack(waits, 2)
        self.comes = self.waits[:, :, :-1] - self.waits[:, :, 1:]  # in period k = 1..10
        stays = left[:, 0]  # a new order that does not arrive at once
        new = [self.arrived[:, 0]]
        new += [stays * self.comes[:, 0, k] for k in range(AGES)]
        self.new = torch.stack(new, 1)  # when a new order arrives, (plants, 11)
        steps = torch.arange(AGES + 1, device=mean.device, dtype=mean.dtype)
        self.lead = (self.new * steps).sum(1)
        self.expected = self.waits[:, 0, 1:AGES] * stays[:, None]  # of a mean order, by age 1..9
        self.horizon = (
            (self.new > 1e-9).to(mean.dtype).flip(1).cummax(1).values.flip(1)
        )  # k <= last
        ratio = penalty / (penalty + 1.0)
        self.z = torch.special.ndtri(ratio)
        self.level = mean + self.z * self.deviation
        density = torch.exp(-0.5 * self.z**2) / math.sqrt(2 * math.pi)
        self.scale = (penalty + 1.0) * density * self.deviation * torch.sqrt(self.lead / 2 + 1.0)
        self.fixed = torch.stack(
            [torch.log(penalty) / 3, self.deviation / self.mean, torch.log(mean)], 1
        )
        self.cdf = self.arrived

    def rows(self, index: Tensor) -> Plants:
        """Return some of the plants."""
        return Plants(*(each[index] for each in (self.mean, self.size, self.penalty, self.drawn)))

    def put(self, index: Tensor, other: Plants) -> None:
        """Replace some of the plants."""
        for name, mine in vars(self).items():
            mine[index] = getattr(other, name)

    def demand(self) -> Tensor:
        """Draw a demand of each plant."""
        finite = self.size < 1e6
        size = torch.where(finite, self.size, torch.ones_like(self.size))
        gamma = torch._standard_gamma(size) / size
        return torch.poisson(self.mean * torch.where(finite, gamma, torch.ones_like(gamma)))

    def lead_draw(self) -> Tensor:
        """Draw D of each plant."""
        return (torch.rand_like(self.mean)[:, None] > self.cdf).sum(1)


def features(plants: Plants, stock: Tensor, pipeline: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features and the base order U - m; `pipeline` is by age 1..9, (plants, 9)."""
    mean, dev = plants.mean, plants.deviation
    coming = torch.einsum("ba,bak->bk", pipeline, plants.comes[:, 1:, :])  # (plants, k 1..10)
    m, v = stock, torch.zeros_like(stock)
    at, spread = plants.new[:, 0] * m, plants.new[:, 0] * v
    for k in range(AGES):
        mm, vv = m - mean, v + dev**2
        s = torch.sqrt(vv)
        t = mm / s
        cum = 0.5 * (1.0 + torch.erf(t * 0.7071067811865476))
        den = 0.3989422804014327 * torch.exp(-0.5 * t * t)
        first = mm * cum + s * den
        second = (mm * mm + vv) * cum + mm * s * den
        v = torch.clamp(second - first * first, min=0.0)
        m = first + coming[:, k]
        at = at + plants.new[:, k + 1] * m
        spread = spread + plants.new[:, k + 1] * v
    steps = torch.arange(1, AGES + 1, device=stock.device, dtype=stock.dtype)
    total = stock[:, None] + coming.cumsum(1) - (steps + 1.0) * mean[:, None]
    ahead = total / (dev[:, None] * torch.sqrt(steps + 1.0)) * plants.horizon[:, 1:]
    position = (stock + pipeline.sum(1)) / mean - plants.lead - 1.0
    found = torch.cat(
        [
            ((at - mean) / dev)[:, None],
            (torch.sqrt(spread) / dev)[:, None],
            ((stock - mean) / dev)[:, None],
            (position * mean / dev / torch.sqrt(plants.lead + 1.0))[:, None],
            ahead,
            coming[:, : AGES - 1] / mean[:, None] - 1.0,
            plants.fixed,
            plants.new,
            pipeline / mean[:, None] - plants.expected,
        ],
        1,
    )
    safety = plants.z * torch.sqrt(dev**2 + spread)
    return found.clamp(-8.0, 8.0), mean + safety - at


class Policy(torch.nn.Module):
    """The net of the generalist."""

    def __init__(self) -> None:
        super().__init__()
        one, two = HIDDEN
        self.first = torch.nn.Linear(FEATURES, one)
        self.second = torch.nn.Linear(one, two)
        self.last = torch.nn.Linear(two, 1)
        torch.nn.init.zeros_(self.last.weight)
        torch.nn.init.zeros_(self.last.bias)

    def forward(self, plants: Plants, stock: Tensor, pipeline: Tensor) -> Tensor:
        """Return orders that are not yet rounded."""
        seen, base = features(plants, stock, pipeline)
        hidden = torch.relu(self.second(torch.relu(self.first(seen))))
        return torch.relu(base + SPREAD * plants.deviation * self.last(hidden)[:, 0])


@cache
def compiled(policy: Policy) -> Any:
    """Return the policy with fused operations: several times faster on a GPU."""
    torch._dynamo.config.suppress_errors = True
    return torch.compile(policy, dynamic=False)


def step(
    plants: Plants, stock: Tensor, pipeline: Tensor, order: Tensor, demand: Tensor, drawn: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return stock and pipeline at the next decision, and the cost of this period.

    `drawn` is (this period's D, the next one's), each (plants,).
    """
    at_once = (drawn[0] == 0).to(stock.dtype)
    left = stock + at_once * order - demand
    cost = torch.relu(left) + plants.penalty * torch.relu(-left)
    ages = torch.cat([(order * (1.0 - at_once))[:, None], pipeline], 1)  # next ages 1..10
    arrives = torch.arange(1, AGES + 1, device=stock.device) >= drawn[1][:, None]
    stock = torch.relu(left) + (ages * arrives).sum(1)
    pipeline = (ages * ~arrives)[:, : AGES - 1]
    return stock, pipeline, cost


def sampled(count: int, device: str) -> Plants:
    """Draw plants of the family."""
    uniform = lambda low, high: low + (high - low) * torch.rand(count, device=device)  # noqa: E731
    mean = uniform(2.5, 11.0)
    penalty = torch.exp(uniform(math.log(3.5), math.log(110.0)))
    kind = torch.rand(count, device=device)
    size = torch.where(kind < 0.4, torch.full_like(mean, 1e9), torch.ones_like(mean))
    size = torch.where(kind > 0.85, torch.exp(uniform(0.0, math.log(30.0))), size)
    steps = torch.arange(AGES + 1, device=device)
    fixed = torch.nn.functional.one_hot(torch.randint(1, AGES + 1, (count,), device=device), 11)
    low = torch.randint(0, AGES, (count,), device=device)
    high = low + 1 + (torch.rand(count, device=device) * (AGES - low)).long()
    inside = (steps >= low[:, None]) & (steps <= high[:, None])
    weights = torch._standard_gamma(uniform(0.3, 3.0)[:, None].expand(-1, AGES + 1).contiguous())
    weights = (weights + 1e-6) * inside
    ends = (steps == low[:, None]) | (steps == high[:, None])
    weights = torch.where(
        torch.rand(count, 1, device=device) < 0.2, weights * ends + 1e-9 * inside, weights
    )
    drawn = weights / weights.sum(1, keepdim=True)
    is_fixed = torch.rand(count, 1, device=device) < FIXED
    drawn = torch.where(is_fixed, fixed.to(mean.dtype), drawn)
    return Plants(mean, size, penalty, drawn)


def begun(plants: Plants) -> tuple[Tensor, Tensor]:
    """Return stock and pipeline of plants that begin."""
    pipeline = plants.mean[:, None].round() * plants.waits[:, 0, 1:AGES]
    return torch.relu(plants.level).round(), pipeline.round()


class Herd:
    """Plants that follow the policy."""

    def __init__(self, count: int, device: str) -> None:
        self.plants = sampled(count, device)
        self.stock, self.pipeline = begun(self.plants)
        self.drawn = self.plants.lead_draw()

    @torch.no_grad()
    def follow(self, policy: Policy, periods: int, renewed: float) -> None:
        """Run some periods; a share of the plants is replaced by new ones first."""
        count = int(renewed * self.stock.numel())
        if count:
            index = torch.randperm(self.stock.numel(), device=self.stock.device)[:count]
            other = sampled(count, str(self.stock.device))
            self.plants.put(index, other)
            self.stock[index], self.pipeline[index] = begun(other)
        for _ in range(periods):
            order = torch.floor(policy(self.plants, self.stock, self.pipeline) + 0.5)
            following = self.plants.lead_draw()
            both = torch.stack([self.drawn, following])
            self.stock, self.pipeline, _ = step(
                self.plants, self.stock, self.pipeline, order, self.plants.demand(), both
            )
            self.drawn = following


@torch.no_grad()
def slopes(policy: Policy, herd: Herd, order: Tensor, periods: int, tapes: int) -> Tensor:
    """Return what a unit more costs, from the order rounded down to the next, (plants,)."""
    count = order.numel()
    low = torch.floor(order)
    index = torch.arange(count, device=order.device).repeat(tapes)
    one = herd.plants.rows(index)
    both = one.rows(torch.arange(one.mean.numel(), device=order.device).repeat(2))
    decide = compiled(policy) if order.is_cuda else policy
    stock, pipeline = herd.stock[index].repeat(2), herd.pipeline[index].repeat(2, 1)
    asked = torch.cat([low[index], low[index] + 1.0])
    drawn = herd.drawn[index]
    total = torch.zeros_like(stock)
    for k in range(periods):
        following, demand = one.lead_draw(), one.demand()
        now = torch.stack([drawn, following]).repeat(1, 2)
        stock, pipeline, cost = step(both, stock, pipeline, asked, demand.repeat(2), now)
        total += cost
        drawn = following
        if k + 1 < periods:
            asked = torch.floor(decide(both, stock, pipeline) + 0.5)
    apart = total[one.mean.numel() :] - total[: one.mean.numel()]
    return apart.view(tapes, count).mean(0)


@torch.no_grad()
def evaluated(policy: Policy, plants: Plants, paths: int, periods: int, warm_up: int) -> Tensor:
    """Return the mean cost per period of each plant."""
    count = plants.mean.numel()
    every = plants.rows(torch.arange(count, device=plants.mean.device).repeat_interleave(paths))
    stock, pipeline = begun(every)
    drawn = every.lead_draw()
    total = torch.zeros_like(stock, dtype=torch.float64)
    for t in range(periods):
        order = torch.floor(policy(every, stock, pipeline) + 0.5)
        following = every.lead_draw()
        both = torch.stack([drawn, following])
        stock, pipeline, cost = step(every, stock, pipeline, order, every.demand(), both)
        drawn = following
        if t >= warm_up:
            total += cost
    return total.view(count, paths).mean(1) / (periods - warm_up)


def of_table(path: Path, device: str) -> tuple[Plants, np.ndarray]:
    """Return the plants of a published table, and the smaller of its printed policies' costs."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    drawn = np.zeros((len(rows), AGES + 1), dtype=np.float32)
    for k, row in enumerate(rows):
        if "lead_time" in row:
            drawn[k, int(row["lead_time"])] = 1.0
        else:
            drawn[k] = [float(each) for each in row["kaplan_pmf_0_to_10"].split()]
    column = lambda name: torch.tensor([float(row[name]) for row in rows], device=device)  # noqa: E731
    sizes = [1.0 if row["demand"] == "geometric" else 1e9 for row in rows]
    plants = Plants(
        column("mean"),
        torch.tensor(sizes, device=device),
        column("penalty"),
        torch.tensor(drawn, device=device),
    )
    best = np.array([min(float(r["gc_lsn"]), float(r["best_capped_base_stock"])) for r in rows])
    return plants, best


def report(policy: Policy, tables: list[Path], device: str, paths: int, periods: int) -> None:
    """Print how far above the published best the policy is."""
    for table in tables:
        plants, best = of_table(table, device)
        cost = evaluated(policy, plants, paths, periods, min(300, periods // 4)).cpu().numpy()
        over = 100 * (cost / best - 1)
        print(
            f"  {table.parent.name}: mean {over.mean():+.3f} %, median {np.median(over):+.3f}, "
            f"worst {over.max():+.3f}, at or below {np.mean(over <= 0):.2f}, within .1 % "
            f"{np.mean(over <= 0.1):.2f}",
            flush=True,
        )


def write(policy: Policy, path: Path) -> None:
    """Write the weights."""
    np.savez(path, **{name: part.cpu().numpy() for name, part in policy.state_dict().items()})


def main() -> None:
    """Train, report and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=420.0)
    parser.add_argument("--states", type=int, default=32768)
    parser.add_argument("--tapes", type=int, default=2)
    parser.add_argument("--periods", type=int, default=45)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tables", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("weights.npz"))
    parser.add_argument("--begin", type=Path, default=None, help="weights to go on from")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    policy = Policy().to(given.device)
    if given.begin is not None:
        stored = np.load(given.begin)
        found = {name: torch.tensor(stored[name]) for name in stored.files}
        missing = FEATURES - found["first.weight"].shape[1]  # of features added since
        found["first.weight"] = torch.nn.functional.pad(found["first.weight"], (0, missing))
        policy.load_state_dict(found)
    mean = Policy().to(given.device)
    mean.load_state_dict(policy.state_dict())
    herd = Herd(given.states, given.device)
    herd.follow(policy, 60, 0.0)
    optimizer = torch.optim.Adam(policy.parameters(), lr=given.rate)
    began, updates, said = time.time(), 0, time.time()
    report(policy, given.tables, given.device, 256, 800)
    began = time.time()
    while (done := (time.time() - began) / given.seconds) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = given.rate * 0.5 * (1 + math.cos(math.pi * done)) + 1e-6
        order = policy(herd.plants, herd.stock, herd.pipeline)
        slope = slopes(policy, herd, order.detach(), given.periods, given.tapes)
        loss = (slope / herd.plants.scale * order).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        keep = min(0.998, 1 - 1 / (updates + 1))
        with torch.no_grad():
            for one, other in zip(mean.parameters(), policy.parameters(), strict=True):
                one.mul_(keep).add_(other, alpha=1 - keep)
        herd.follow(policy, 3, 0.01)
        updates += 1
        if time.time() - said > 60:
            said = time.time()
            print(f"{updates} updates, {time.time() - began:.0f} s", flush=True)
            write(mean, given.out)
            report(mean, given.tables, given.device, 256, 800)
    print(f"{updates} updates", flush=True)
    write(mean, given.out)
    report(mean, given.tables, given.device, 2048, 2500)


if __name__ == "__main__":
    main()
