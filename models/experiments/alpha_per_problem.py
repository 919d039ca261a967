"""Choose the exponent α per problem: can the agreement of the answers show which α is best?

    python -m localsmc_models.experiments.alpha_per_problem RUN [--start A] [--sure SHARE] [--select NAME]

RUN is a folder of `localsmc eval` with the same problems under `power-smc` at several exponents:
each method has `alpha=`, and all other settings are equal. Nothing is run again. A walk starts at one
exponent and moves over the existing runs, one exponent up or down by the sign of the covariance, until
the sign changes or is 0, or the exponents end. The last run gives the answer; the cost is that of all
visited runs.

Law     For an answer k, dπ_α(k)/dα = Cov_π(1_k, log p), where π_α ∝ p^α over whole completions. So with
        a = π_α(answer), 0 for completions without an answer, d(Σ_k π_α(k)²)/dα = 2·Cov_π(a, log p). Its
        sign shows whether a larger α makes it more likely that two draws have the same answer. This
        replaces correctness, which is unknown; the weights of a run replace π_α.
Source  APS (Adaptive Power Sampling for LLM Reasoning), Theorem 1. The steps on a grid are our addition.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ConfigError, RunError
from localsmc.evals.run_folder import RunRecord, read_run
from localsmc.methods import PowerSMC
from localsmc.methods.spec import format_value
from localsmc.numerics.statistics import mean_difference, mean_share
from localsmc.report import table
from localsmc.report.groups import ResultGroup, grouped, means
from localsmc.report.table import Column, Table, markdown
from localsmc.results import Completion
from localsmc.selection import ROUND_OFF, SELECTORS, answer_shares, finished
from localsmc.text import answers
from localsmc_models.error_boundary import run

Doubles = NDArray[np.float64]
Work = tuple[str, int]
"""A problem and a seed."""
Paths = dict[Work, list[int]]
"""For each, the indices of the visited exponents; the last one is chosen."""

NEEDED = "localsmc eval --method power-smc:N=16,alpha=2 --method power-smc:N=16,alpha=4 ... -o RUN"


# --- the sign -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cloud:
    """Completions with weights W that sum to 1: W, log p, and the weight a of the answer, all (n,)."""

    weights: Doubles
    logp: Doubles
    a: Doubles

    @property
    def agreement(self) -> float:
        """Σ W·a, which equals Σ_k π(k)²: the probability that two draws have the same answer."""
        return float(self.weights @ self.a)

    @property
    def covariance(self) -> float:
        """Cov_W(a, log p), half the derivative of the agreement in α.

        Rounded like weights in comparisons, so that it is exactly 0 if all answers are the same.
        """
        apart = (self.a - self.weights @ self.a) * (self.logp - self.weights @ self.logp)
        return round(float(self.weights @ apart), ROUND_OFF)

    def sign(self, sure: float = 1.0) -> int:
        """The sign of the covariance; 0 if the agreement is at least `sure`, as little can be gained then."""
        return 0 if self.agreement >= sure else int(np.sign(self.covariance))


def cloud(completions: Sequence[Completion]) -> Cloud | None:
    """The finished completions (all, if none is finished), renormalised; None if the total weight is 0."""
    kept = finished(completions) or completions
    total = sum(one.weight for one in kept)
    if total <= 0:
        return None
    shares = {_key(share.answer): share.weight for share in answer_shares(kept)} | {None: 0.0}
    weights = np.array([one.weight for one in kept]) / total
    a = np.array([shares[_key(one.answer)] for one in kept]) / total
    return Cloud(weights, np.array([one.logp for one in kept]), a)


def _key(answer: str | None) -> str | None:
    return None if answer is None else answers.key(answer)


def walk(signs: Sequence[int], start: int) -> list[int]:
    """The indices visited from `start`, in the direction of its sign; the last one is chosen.

    The walk ends at the first index with another sign: the best is there or just before.
    """
    seen, direction = [start], signs[start]
    while direction and signs[seen[-1]] == direction and 0 <= seen[-1] + direction < len(signs):
        seen.append(seen[-1] + direction)
    return seen


# --- reading a run --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One problem with one seed at one exponent; `right` is 1 or 0, or between for an expectation."""

    sign: int
    agreement: float
    right: float
    rows: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Problems and seeds that were run at each of these ascending exponents."""

    title: str
    exponents: tuple[float, ...]
    visits: dict[Work, tuple[Visit, ...]]
    n_left_out: int
    """Number of problems and seeds without a usable run at some exponent: not done, failed or empty."""

    @cached_property
    def n_seeds(self) -> int:
        """Number of seeds."""
        return len({seed for _, seed in self.visits})

    def rights(self, paths: Paths) -> list[float]:
        """Per problem, how often the last run of its path is right."""
        found = {work: self.visits[work][path[-1]].right for work, path in paths.items()}
        return list(means(found).values())

    def costs(self, paths: Paths) -> tuple[float, float, float]:
        """Decoded tokens, seconds and runs per path, averaged over problems."""
        seen = {work: [self.visits[work][k] for k in path] for work, path in paths.items()}
        rows = {work: float(sum(one.rows for one in some)) for work, some in seen.items()}
        seconds = {work: sum(one.seconds for one in some) for work, some in seen.items()}
        runs = {work: float(len(some)) for work, some in seen.items()}
        return _mean(rows), _mean(seconds), _mean(runs)


def _mean(values: dict[Work, float]) -> float:
    return float(np.mean(list(means(values).values())))


def grids(source: RunRecord, select: str | None = None, sure: float = 1.0) -> list[Grid]:
    """One grid for each task, model and configuration with at least two exponents.

    Correctness is judged with this selector, by default the run's. Raises RunError if there is no grid.
    """
    found = [
        _grid(title, by_alpha, select, sure) for title, by_alpha in _families(source) if len(by_alpha) > 1
    ]
    found = [grid for grid in found if grid.visits]
    if not found:
        raise RunError(
            f"`{source.path}` has no graded problem under `power-smc` at two exponents", hint=NEEDED
        )
    return found


def _families(source: RunRecord) -> Iterator[tuple[str, dict[float, ResultGroup]]]:
    """The groups by exponent, for configurations that are otherwise equal, each with a title."""
    families: dict[tuple[str, str], dict[float, ResultGroup]] = {}
    for group in grouped([source]):
        config = dict(source.manifest.methods[group.method])
        alpha, select = config.pop("alpha", None), config.pop("select", None)
        if source.manifest.names[group.method] == PowerSMC.name and isinstance(alpha, int | float):
            options = ",".join(f"{name}={format_value(value)}" for name, value in sorted(config.items()))
            title = f"{group.task}, {group.model}, {PowerSMC.name}{options and ':'}{options}"
            families.setdefault((title, str(select)), {})[float(alpha)] = group
    for (title, _), by_alpha in families.items():
        yield title, by_alpha


def _grid(title: str, by_alpha: dict[float, ResultGroup], select: str | None, sure: float) -> Grid:
    exponents = tuple(sorted(by_alpha))
    selector = select or by_alpha[exponents[0]].main
    columns = [_visits(by_alpha[alpha], selector, sure) for alpha in exponents]
    works = {(line.problem, line.seed): None for group in by_alpha.values() for line in group.graded}
    whole = [work for work in works if all(work in column for column in columns)]
    visits = {work: tuple(column[work] for column in columns) for work in whole}
    title, n_left_out = f"{title}, {selector}", len(works) - len(whole)
    return Grid(title=title, exponents=exponents, visits=visits, n_left_out=n_left_out)


def _visits(group: ResultGroup, select: str, sure: float) -> dict[Work, Visit]:
    rights, found = group.scored(select).rights, {}
    for line in group.graded:
        drawn = line.drawn
        if drawn is not None and (texts := cloud(drawn.completions)) is not None:
            found[line.problem, line.seed] = Visit(
                sign=texts.sign(sure),
                agreement=texts.agreement,
                right=rights[line.problem, line.seed],
                rows=drawn.spent.rows,
                seconds=drawn.spent.seconds,
            )
    return found


# --- tables ---------------------------------------------------------------------------------------

NOTE = (
    "The difference is the walk minus this row, on the same problems. A walk costs all the runs it visits."
    " The oracle uses for each problem the exponent that was right most often: it knows the answers, and"
    " profits from luck. Intervals are 95 %, as in `localsmc report`."
)
SIGNS_NOTE = (
    "Agreement is the probability that two draws have the same answer. Moves are steps of one exponent that"
    " the sign proposes (none beyond the last); the columns after it count those that change whether the"
    " answer is right, and the share of these that make it right."
)
PROPOSED = {"up": 1, "down": -1, "stay": 0}

COLUMNS = (
    Column("exponent", "α"),
    Column("accuracy", "right", table.percent),
    Column("interval", "95 % interval", table.interval),
    Column("difference", "walk − row, points", table.points),
    Column("difference_interval", "95 % interval", table.points_interval),
    Column("rows", "decoded tokens", table.figure),
    Column("seconds", "seconds", table.figure),
    Column("runs", "runs visited", table.figure),
    Column("ends", "walks end here", table.percent_or_none),
)
SIGNS = (
    Column("exponent", "from α"),
    Column("proposed", "proposed"),
    Column("share", "share of runs", table.percent_or_none),
    Column("agreement", "agreement", table.figure),
    Column("moves", "moves", table.count),
    Column("changing", "change the result", table.count),
    Column("accuracy", "improve it", table.percent),
    Column("interval", "95 % interval", table.interval),
)


def accuracies(grid: Grid, start: float) -> Table:
    """The table of every exponent, the walk from `start`, and the best exponent per problem."""
    first = grid.exponents.index(start)
    paths = {work: walk([one.sign for one in visits], first) for work, visits in grid.visits.items()}
    fixed = [dict.fromkeys(grid.visits, [k]) for k in range(len(grid.exponents))]
    walked = grid.rights(paths)
    rows: list[tuple[Any, ...]] = []
    for k, alpha in enumerate(grid.exponents):
        ends = float(np.mean([path[-1] == k for path in paths.values()]))
        scores = _scores(grid, grid.rights(fixed[k]), walked)
        rows.append((f"{alpha:g}", *scores, *grid.costs(fixed[k]), ends))
    rows.append((f"walk from {start:g}", *_scores(grid, walked, None), *grid.costs(paths), None))
    best = np.max([grid.rights(one) for one in fixed], axis=0).tolist()
    rows.append(("oracle", *_scores(grid, best, walked), None, None, None, None))
    left_out = f" Excluded, as not done or failed at some α: {grid.n_left_out}." if grid.n_left_out else ""
    title = f"{grid.title}: problems {len(walked)}, seeds {grid.n_seeds}"
    return Table(name="walk", title=title, columns=COLUMNS, rows=tuple(rows), note=NOTE + left_out)


def _scores(grid: Grid, rights: Sequence[float], walked: Sequence[float] | None) -> tuple[Any, ...]:
    share = mean_share(rights, grid.n_seeds)
    if walked is None:
        return share[0], share[1:], None, None
    difference = mean_difference(walked, rights, grid.n_seeds)
    return share[0], share[1:], difference[0], difference[1:]


def signs(grid: Grid) -> Table:
    """The table of moves that the sign proposes, at each exponent and at any, and how often they help."""
    places: list[tuple[str, Sequence[int]]] = [(f"{alpha:g}", (k,)) for k, alpha in enumerate(grid.exponents)]
    places.append(("any", range(len(grid.exponents))))
    rows = (
        (name, move, *_proposals(grid, some, direction))
        for name, some in places
        for move, direction in PROPOSED.items()
    )
    return Table(name="signs", title="Signs", columns=SIGNS, rows=tuple(rows), note=SIGNS_NOTE)


def _proposals(grid: Grid, places: Sequence[int], direction: int) -> tuple[Any, ...]:
    """The cells of SIGNS from the third on: how often a move is proposed, and its results."""
    here = [(work, k) for work in grid.visits for k in places]
    proposed = [(work, k) for work, k in here if grid.visits[work][k].sign == direction]
    agreement = float(np.mean([grid.visits[work][k].agreement for work, k in proposed])) if proposed else None
    gains = [
        (work[0], grid.visits[work][k + direction].right - grid.visits[work][k].right)
        for work, k in proposed
        if direction and 0 <= k + direction < len(grid.exponents)
    ]
    raised = {(problem, i): float(gain > 0) for i, (problem, gain) in enumerate(gains) if gain}
    share = mean_share(list(means(raised).values()), grid.n_seeds) if raised else None
    accuracy = (share[0], share[1:]) if share else (None, None)
    return len(proposed) / len(here), agreement, len(gains), len(raised), *accuracy


def _checked(found: Sequence[Grid], start: float | None) -> None:
    for grid in found:
        if start is not None and start not in grid.exponents:
            available = ", ".join(f"{alpha:g}" for alpha in grid.exponents)
            raise ConfigError(
                f"`--start` is {start:g}, which is not an exponent of the run",
                hint=f"choose from: {available}",
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.alpha_per_problem", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("run", type=Path, help="run folder of `localsmc eval`")
    add("--start", type=float, help="exponent where walks start (default: the middle one)")
    add("--sure", type=float, default=1.0, help="stop a walk at this agreement (default: 1)")
    add("--select", choices=tuple(SELECTORS), help="how to choose the answer (default: as in the run)")
    options = parser.parse_args(arguments)
    if not 0 < options.sure <= 1:
        parser.error("--sure must be above 0 and at most 1")
    source = read_run(options.run)
    found = grids(source, options.select, options.sure)
    _checked(found, options.start)
    for note in source.notes:
        print(note, file=sys.stderr)
    for grid in found:
        start = grid.exponents[len(grid.exponents) // 2] if options.start is None else options.start
        print(f"\n{markdown(accuracies(grid, start))}\n\n{markdown(signs(grid))}", flush=True)


if __name__ == "__main__":
    run(main)
