"""Measure what `--stop-when-decided` saves and changes: Power-SMC with and without it, on the same seeds.

    python -m localsmc_models.experiments.early_stopping_savings [--problems N] [--seed S] [--particles N]
        [--ess-threshold X]

Until it stops early, a run draws the same tokens as the full run, so answers, decoded tokens and seconds
are compared per problem. The methods run in a random order within each problem, so that other load on
the machine affects all of them equally.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import localsmc
from localsmc import Model, Settings
from localsmc.evals.tasks import Item, load_task
from localsmc.methods import Method
from localsmc.numerics.statistics import wilson
from localsmc.text import answers
from localsmc_models.error_boundary import run

OFF = "off"
WAYS: dict[str, dict[str, float | str]] = {
    OFF: {},
    "0.9": {"stop_when_decided": 0.9},
    "0.6": {"stop_when_decided": 0.6},
    "0.9, estimate": {"stop_when_decided": 0.9, "decided_by": "estimate"},
    "0.6, estimate": {"stop_when_decided": 0.6, "decided_by": "estimate"},
}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of one run."""

    answer: str | None
    is_right: bool
    is_decided: bool
    rows: int
    steps: int
    seconds: float


def outcome(model: Model, item: Item, method: Method, settings: Settings) -> RunOutcome:
    """Run one problem, to the end or until the answer is decided."""
    result = localsmc.solve(model, item.question, method=method, settings=settings)
    usage = result.usage
    return RunOutcome(
        answer=None if result.answer is None else answers.key(result.answer),
        is_right=answers.same(result.answer, item.gold),
        is_decided=any(one.finish_reason == "cancelled" for one in result.completions),
        rows=usage.rows,
        steps=usage.steps,
        seconds=usage.seconds.decode + usage.seconds.sample,
    )


def measured(model: Model, items: Sequence[Item], options: argparse.Namespace) -> dict[str, list[RunOutcome]]:
    """Run every configuration on every problem."""
    rng, found = np.random.default_rng(options.seed), {name: list[RunOutcome]() for name in WAYS}
    methods = {
        name: model.method(
            "power-smc", particles=options.particles, **_resampling(options.ess_threshold), **way
        )
        for name, way in WAYS.items()
    }
    for number, item in enumerate(items):
        settings = Settings(seed=number, select="majority", n_threads=options.threads)
        for k in rng.permutation(len(WAYS)):
            name = list(WAYS)[k]
            found[name].append(outcome(model, item, methods[name], settings))
    return found


def _resampling(ess_threshold: float | None) -> dict[str, float | str]:
    """The options for the default scheme, or for systematic resampling below a threshold."""
    return {} if ess_threshold is None else {"resampling": "systematic", "ess_threshold": ess_threshold}


def row(runs: Sequence[RunOutcome], whole: Sequence[RunOutcome]) -> list[str]:
    """The table cells of a configuration, compared with the full runs."""
    right, n = sum(one.is_right for one in runs), len(runs)
    low, high = wilson(right, n)
    saved = (
        1 - sum(getattr(one, part) for one in runs) / sum(getattr(one, part) for one in whole)
        for part in ("rows", "steps", "seconds")
    )
    changed = sum(one.answer != other.answer for one, other in zip(runs, whole, strict=True))
    decided = sum(one.is_decided for one in runs)
    cells = [f"{right / n:.1%}", f"{low:.1%} to {high:.1%}", str(decided), str(changed)]
    return [*cells, *(f"{share:.1%}" for share in saved)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.early_stopping_savings",
        description=__doc__.splitlines()[0],
    )
    add = parser.add_argument
    add("--problems", type=int, default=200, help="number of held-out problems of `tiny` (default: 200)")
    add("--seed", type=int, default=5, help="seed of the problems (default: 5)")
    add("--particles", type=int, default=16, help="number of particles (default: 16)")
    add(
        "--ess-threshold",
        type=float,
        help="use systematic resampling below this ESS threshold, 0 for never (default: fearnhead-clifford)",
    )
    add("--threads", type=int, default=0, help="llama.cpp threads (default: 0, automatic)")
    options = parser.parse_args(arguments)
    if options.problems < 1:
        parser.error("--problems must be at least 1")
    items = load_task(f"tiny:seed={options.seed}", limit=options.problems).items
    with localsmc.load() as model:
        found = measured(model, items, options)
    heads = ("stop_when_decided", "right", "95 % interval", "decided", "other answer")
    heads += ("decoded tokens saved", "steps saved", "seconds saved")
    rows = [[name, *row(runs, found[OFF])] for name, runs in found.items()]
    for cells in (heads, ["---"] * len(heads), *rows):
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    run(main)
