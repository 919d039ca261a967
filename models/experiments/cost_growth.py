"""Measure how the cost of a step grows with particles, distinct histories, tokens and vocabulary size.

    python -m localsmc_models.experiments.cost_growth --output growth [-r 3] [--quick] [--plot]

Writes growth.jsonl, one summary per line as in `localsmc bench -o jsonl`, and with `--plot` growth.png
(`pip install 'localsmc[train]'` installs matplotlib). The particles curve runs Power-SMC on the embedded
model, whose particles share decoded tokens. The other curves use a small model with random weights (the
shape `test`), where nothing is shared and llama.cpp takes little time, so that the cost of localsmc shows.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import localsmc
from localsmc import Model, Settings
from localsmc.bench import cached, parse
from localsmc.bench.case_summary import CaseSummary, summaries
from localsmc.bench.cases import Case, in_rows
from localsmc.bench.measure import Bench
from localsmc.evals.tasks import load_task
from localsmc_models.error_boundary import run

PROBLEMS = "tiny:seed=8"

HEADS = ("at", "ms/step", "in llama.cpp", "numerics", "rest", "rows", "cells", "MiB")


@dataclass(frozen=True, slots=True)
class Curve:
    """A varied quantity and its values; `rows` and `n_tokens` are fixed unless they are varied."""

    name: str
    values: tuple[int, ...]
    quick: tuple[int, ...]
    rows: int = 4
    n_tokens: int = 64


CURVES = (
    Curve("particles", (1, 4, 16, 64, 256, 1024, 4096), (1, 16)),
    Curve("rows", (1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 4), n_tokens=32),
    Curve("tokens", (64, 128, 256, 512, 1024, 2048), (8, 16)),
    Curve("vocabulary", (1024, 4096, 16_384, 65_536, 262_144), (1024, 4096), n_tokens=32),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the curves, print a table for each, and write and plot them."""
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.cost_growth", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--output", default="growth", metavar="NAME", help="name of the output files, without extension"
    )
    parser.add_argument("-r", "--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--quick", action="store_true", help="use only a few small values, as a test")
    parser.add_argument("--plot", action="store_true", help="also write NAME.png")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install 'localsmc[train]'")
    found: list[dict[str, Any]] = []
    with localsmc.load(options=localsmc.LoadOptions(cpu_only=True)) as embedded:
        for curve in CURVES:
            values = curve.quick if options.quick else curve.values
            points = list(
                _points(curve, values, embedded, options.repetitions, n_tokens=8 if options.quick else 0)
            )
            print(table(curve.name, points), end="\n\n", flush=True)
            found += [{"curve": curve.name, "at": at, **summary.to_json()} for at, summary in points]
    Path(f"{options.output}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    if options.plot:
        plot(found, Path(f"{options.output}.png"))


def _points(
    curve: Curve, values: Sequence[int], embedded: Model, repetitions: int, *, n_tokens: int
) -> Iterator[tuple[int, CaseSummary]]:
    """The summary at each value; values measured on one model take turns within each repetition."""
    n_tokens = n_tokens or curve.n_tokens
    if curve.name == "particles":
        methods = {n: embedded.method("power-smc", particles=n) for n in values}
        made = [Case(kind="method", label=f"N={n}", n_tokens=n_tokens, method=methods[n]) for n in values]
        yield from zip(values, _measured(embedded, None, made, repetitions), strict=True)
    elif curve.name == "vocabulary":
        for n_vocab in values:
            with localsmc.load(cached(parse(f"test:vocab={n_vocab}"))) as model:
                made = [in_rows(embedded, curve.rows, n_tokens)]
                yield n_vocab, _measured(model, embedded, made, repetitions)[0]
    else:
        sizes = [(value, n_tokens) if curve.name == "rows" else (curve.rows, value) for value in values]
        made = [in_rows(embedded, rows, n) for rows, n in sizes]
        # The vocabulary is a little larger than the embedded model's, so that its prompts can be used.
        with localsmc.load(cached(parse("test:vocab=1024"))) as model:
            yield from zip(values, _measured(model, embedded, made, repetitions), strict=True)


def _measured(
    model: Model, donor: Model | None, cases: Sequence[Case], repetitions: int
) -> list[CaseSummary]:
    """The summary of each case, in the same order."""
    problems = [item.question for item in load_task(PROBLEMS, limit=repetitions).items]
    bench = Bench(
        model, cases, Settings(n_threads=1), problems=problems, repetitions=repetitions, donor=donor
    )
    return summaries("", cases, list(bench))


def table(name: str, points: Sequence[tuple[int, CaseSummary]]) -> str:
    """One curve as a Markdown table."""
    lines = [f"| {' | '.join((name, *HEADS[1:]))} |", "| ---: " * len(HEADS) + "|"]
    for at, summary in points:
        parts = (summary.step_ms, summary.decode_ms, summary.numerics_ms, summary.bookkeeping_ms)
        times = [f"{part:.2f}" for part in parts if part is not None]
        sizes = [f"{summary.rows_per_step:.1f}", str(summary.cells), f"{summary.memory_mib:.0f}"]
        lines.append(f"| {' | '.join([f'{at:,}', *times, *sizes])} |")
    return "\n".join(lines)


def plot(found: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel per curve, with logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(CURVES), figsize=(15, 3.6), layout="constrained")
    parts = {
        "step_ms": "step",
        "decode_ms": "in llama.cpp",
        "numerics_ms": "numerics",
        "bookkeeping_ms": "rest",
    }
    for curve, panel in zip(CURVES, panels, strict=True):
        lines = [line for line in found if line["curve"] == curve.name]
        for part, label in parts.items():
            panel.loglog(
                [line["at"] for line in lines], [line[part] for line in lines], "o-", label=label, ms=3
            )
        panel.set_xlabel(curve.name)
        panel.grid(True, which="major", alpha=0.3)
    panels[0].set_ylabel("milliseconds per step")
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    run(main)
