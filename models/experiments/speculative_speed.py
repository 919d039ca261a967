"""Measure what a draft model saves on this machine: speculative sampling against the target alone.

    python -m localsmc_models.experiments.speculative_speed [--shape qwen2.5-1.5b] [--tokens 64]
        [--n-max 1,2,3,4,7] [--problems N]
    python -m localsmc_models.experiments.speculative_speed --shape qwen2.5-1.5b --calibrate

Uses the embedded pair on held-out problems, or with `--shape` a pair with random weights on arbitrary
prompts. The methods run in a random order within each round of a problem, so that other load on the
machine affects all of them equally. Of equal runs the fastest counts, because other load only adds time.
Seconds and FLOPs exclude the prompt.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import localsmc
from localsmc import Model, Settings
from localsmc.bench import PAIRS, FileSpec, cached_pair
from localsmc.bench.synthetic.gguf_writer import write, write_draft
from localsmc.bench.synthetic.quant_mix import QUANTIZATIONS
from localsmc.evals.tasks import load_task
from localsmc.llama import ContextOptions, LlamaModel, default_threads, open_context
from localsmc.lm.interface import TokenIds
from localsmc.methods import METHODS, Method, from_options
from localsmc.methods.spec import parse_method
from localsmc.methods.speculative.draft_and_verify import DraftCounts
from localsmc.methods.speculative.two_model_run import TwoModelRun
from localsmc.numerics.log_math import Floats
from localsmc.results import Result
from localsmc_models.error_boundary import run

ALONE = {"sample:temperature=1": "temperature=1", "greedy": "temperature=0"}
"""Methods of the target alone, and the options of `speculative` with the same distribution."""

HEADS = (
    "method", "tokens/s", "× alone", "accepted", "drafted per round", "draft", "target", "localsmc", "FLOPs ×"
)  # fmt: skip

PROMPT_BYTES = 32
WARM_TOKENS = 4

OVERLAP, TOLERANCE = 0.7, 0.01
"""Target of the calibration, and its tolerance: the mean share of accepted draft tokens."""
CALIBRATED_ON = 64
"""Number of tokens for the calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedOutcome:
    """One run, without its prompt: tokens, seconds of the models and in total, FLOPs, and draft counts."""

    tokens: int
    draft_seconds: float
    decode_seconds: float
    seconds: float
    flops: float
    steps: int
    counts: DraftCounts


def ways(lengths: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Method specifications: the target alone, and the methods to compare with it."""
    found = {}
    for alone, temperature in ALONE.items():
        fixed = (f"speculative:{temperature},n_max={length}" for length in lengths)
        found[alone] = (f"speculative:{temperature},n_max={max(lengths)},adaptive=on", *fixed)
    return found


def _method(label: str) -> Method:
    spec = parse_method(label)
    return from_options(METHODS[spec.name], spec.options)


def outcome(model: Model, question: str, method: Method, settings: Settings) -> SpeedOutcome:
    """Run a method on one problem."""
    with localsmc.start(model, question, method=method, settings=settings) as generation:
        for _ in generation:
            pass
        result, done = generation.result(), generation.run
    usage = result.usage
    return SpeedOutcome(
        tokens=usage.completion_tokens,
        draft_seconds=0.0 if usage.draft is None else usage.draft.seconds,
        decode_seconds=usage.seconds.decode,
        seconds=usage.seconds.decode + usage.seconds.sample,
        flops=_flops(result),
        steps=usage.steps,
        counts=done.decoder.counts if isinstance(done, TwoModelRun) else DraftCounts(),
    )


def _flops(result: Result) -> float:
    """Two per parameter and decoded token, without the prompt."""
    usage = result.usage
    own = 2.0 * result.model.params * usage.rows
    if result.draft is None or usage.draft is None:
        return own
    return own + 2.0 * result.draft.params * usage.draft.rows


def measured(
    model: Model, questions: Sequence[str], labels: Sequence[str], settings: Settings, n_rounds: int
) -> dict[str, list[SpeedOutcome]]:
    """The fastest run of every method on every problem."""
    rng, found = np.random.default_rng(0), {label: list[SpeedOutcome]() for label in labels}
    methods = {label: _method(label) for label in labels}
    for method in methods.values():  # warm up caches
        outcome(model, questions[0], method, replace(settings, n_predict=WARM_TOKENS))
    for number, question in enumerate(questions):
        of_problem = replace(settings, seed=number)
        runs: dict[str, list[SpeedOutcome]] = {label: [] for label in labels}
        for k in itertools.chain(*(rng.permutation(len(labels)) for _ in range(n_rounds))):
            runs[labels[k]].append(outcome(model, question, methods[labels[k]], of_problem))
        for label, equal in runs.items():
            found[label].append(min(equal, key=lambda one: one.seconds))
        print(f"{number + 1}/{len(questions)}", file=sys.stderr, flush=True)
    return found


def row(runs: Sequence[SpeedOutcome], alone: Sequence[SpeedOutcome]) -> list[str]:
    """The table cells of a method, compared with the target alone."""
    tokens, seconds = _total(runs, "tokens"), _total(runs, "seconds")
    draft, decode = _total(runs, "draft_seconds"), _total(runs, "decode_seconds")
    kept, refused, drafted = (
        sum(getattr(one.counts, part) for one in runs) for part in ("kept", "refused", "drafted")
    )
    tested = kept + refused
    cells = [f"{tokens / seconds:.1f}", f"{seconds_per_token(alone) / seconds_per_token(runs):.2f}"]
    cells.append(f"{kept / tested:.1%}" if tested else "–")
    cells.append(f"{drafted / _total(runs, 'steps'):.1f}" if drafted else "–")
    cells += [f"{part / seconds:.1%}" for part in (draft, decode - draft, seconds - decode)]
    flops = (_total(some, "flops") / _total(some, "tokens") for some in (runs, alone))
    return [*cells, f"{next(flops) / next(flops):.2f}"]


def seconds_per_token(runs: Sequence[SpeedOutcome]) -> float:
    """Seconds per token of all runs together."""
    return _total(runs, "seconds") / _total(runs, "tokens")


def _total(runs: Sequence[SpeedOutcome], name: str) -> float:
    return math.fsum(getattr(one, name) for one in runs)


# --- calibration ----------------------------------------------------------------------------------


def calibrate(shape_name: str, quantization: str, seed: int, n_threads: int) -> Iterator[tuple[float, float]]:
    """Search for the value of `later` that gives `OVERLAP`; yields each value tried and its overlap."""
    spec = FileSpec(shape_name, quantization)
    pair, tokens = PAIRS[shape_name], _any_tokens(spec.shape.n_vocab)
    low, high = 0.01, 1.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_draft(path, spec, pair, seed=seed)
        drafted = _distributions(path, tokens, n_threads)
        while True:
            later = float(f"{math.sqrt(low * high):.3g}")
            write(path, spec, seed=seed, pair=replace(pair, later=later))
            found = overlap(_distributions(path, tokens, n_threads), drafted)
            yield later, found
            if abs(found - OVERLAP) < TOLERANCE or later in (low, high):
                return
            low, high = (low, later) if found < OVERLAP else (later, high)


def overlap(target: Floats, draft: Floats) -> float:
    """Mean of Σ min(p, q) over the rows (R, V): the probability that a token drawn from q is accepted."""
    return float(np.minimum(target, draft).sum(axis=1, dtype=np.float64).mean())


def _any_tokens(n_vocab: int) -> TokenIds:
    return np.random.default_rng(0).integers(0, n_vocab, CALIBRATED_ON).astype(np.int32)


def _distributions(path: Path, tokens: TokenIds, n_threads: int) -> Floats:
    """The distribution (T, V) of the next token after each of these tokens."""
    places = np.arange(len(tokens))
    with LlamaModel(path) as model:
        context = open_context(model, ContextOptions(n_ctx=256, n_seq_max=1, n_threads=n_threads))
        logits = context.decode(tokens.astype(np.int64), places, np.zeros_like(places))
        found: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


# --- the command ----------------------------------------------------------------------------------


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.speculative_speed", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add(
        "--shape",
        choices=tuple(PAIRS),
        help="shape of a pair with random weights (default: the embedded pair)",
    )
    add("--quantization", choices=tuple(QUANTIZATIONS), default="Q4_0", help="of the shape (Q4_0)")
    add("--tokens", type=int, default=64, help="maximum tokens per completion (default: 64)")
    add("--n-max", type=_numbers, default=(1, 2, 3, 4, 7), help="draft lengths (default: 1,2,3,4,7)")
    add("--problems", type=int, default=5, help="number of prompts (default: 5)")
    add("--rounds", type=int, default=2, help="runs per prompt, of which the fastest counts (default: 2)")
    add("--seed", type=int, default=1, help="seed of weights and prompts (default: 1)")
    add("--threads", type=int, default=0, help="llama.cpp threads (default: 0, automatic)")
    add(
        "--calibrate",
        action="store_true",
        help="only search for the scale of a shape's later layers that gives the target acceptance",
    )
    return parser


def _questions(options: argparse.Namespace) -> list[str]:
    if options.shape is None:
        return [
            item.question for item in load_task(f"tiny:seed={options.seed}", limit=options.problems).items
        ]
    rng = np.random.default_rng(options.seed)
    return ["".join(map(chr, rng.integers(33, 127, PROMPT_BYTES))) for _ in range(options.problems)]


def _load(options: argparse.Namespace) -> Model:
    if options.shape is None:
        return localsmc.load()
    target, draft = cached_pair(FileSpec(options.shape, options.quantization), seed=options.seed)
    return localsmc.load(target, draft=draft)


def _print_about(model: Model, options: argparse.Namespace) -> None:
    for kind, one in ("target", model), ("draft", model.require_draft()):
        size, n_threads = (
            one.source.path.stat().st_size,
            options.threads or default_threads(one.llama.n_params),
        )
        facts = f"{one.llama.n_params / 1e6:,.1f} M parameters, {size / 1e6:,.1f} MB, {n_threads} threads"
        print(f"- {kind}: {one.header.name or one.source.path.stem}, {facts}")
    print(f"- {options.problems} prompts, at most {options.tokens} tokens each, {options.rounds} rounds\n")


def _print_row(cells: Sequence[str]) -> None:
    print("|", " | ".join(cells), "|", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if min(options.problems, options.rounds) < 1:
        parser.error("--problems and --rounds must be at least 1")
    if options.calibrate:
        if options.shape is None:
            parser.error("--calibrate needs a --shape")
        search = calibrate(options.shape, options.quantization, options.seed, options.threads)
        for later, found in search:
            print(f"later={later:g}: {found:.3f} of the draft's tokens are accepted", flush=True)
        return
    compared = ways(options.n_max)
    labels = [label for alone, others in compared.items() for label in (alone, *others)]
    with _load(options) as model:
        _print_about(model, options)
        settings = Settings(
            n_predict=options.tokens,
            raw=options.shape is not None,
            n_threads=options.threads,
            n_threads_draft=options.threads,
        )
        found = measured(model, _questions(options), labels, settings, options.rounds)
    for cells in (HEADS, ["---"] * len(HEADS)):
        _print_row(cells)
    for alone, others in compared.items():
        for label in (alone, *others):
            _print_row([f"`{label}`", *row(found[label], found[alone])])
    print(
        "\nAccepted is kept / (kept + rejected) draft tokens; tokens after a rejected one are not tested."
        "\nDraft, target and localsmc are shares of the time. FLOPs are per token."
    )


if __name__ == "__main__":
    run(main)
