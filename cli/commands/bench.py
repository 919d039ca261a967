"""`localsmc bench`: the speed of methods on this machine, and where the time goes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc_cli.inputs.downloads import find_models
from localsmc_cli.inputs.method_specs import check_draft, is_idle, parse_methods
from localsmc_cli.inputs.model_sources import draft_name, model_names
from localsmc_cli.inputs.parsed_options import (
    ContextSizeOptions,
    DraftOptions,
    LoadingOptions,
    ModeOptions,
    SeveralModelsOptions,
)
from localsmc_cli.inputs.problem_text import checked_text
from localsmc_cli.inputs.run_settings import draft_load_options, load_options, settings_of
from localsmc_cli.options import common_options, model_options
from localsmc_cli.options.choices import TABLE_FORMATS
from localsmc_cli.options.param_types import CountsType, CountType, Exponents
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import print_offload, warn_idle_gpus
from localsmc_cli.ui.progress import status

if TYPE_CHECKING:
    from localsmc.bench import FileSpec
    from localsmc.bench.case_summary import CaseSummary
    from localsmc.bench.measure import Bench, Timing
    from localsmc.engine.load import Model
    from localsmc.store.model_source import ModelSource

_EXAMPLES = """\b
Examples:
  localsmc bench -N 1,16,64
  localsmc bench --synthetic qwen2.5-7b:Q4_K_M -N 16 -r 1

Each repetition runs every test once; "× plain" is a test's time divided by that of plain decoding of as many
tokens in the same repetition. A step is one token of the longest text written. A synthetic model has random
weights, so it replays the histories of the embedded model, token by token; the test "rows=N" has N histories
at every step.
"""

N_TOKENS = 64

PROBLEMS = "tiny:seed=8"
"""Problems that suit the embedded model; other models can be measured on any problem."""

MAX_PROBLEMS = 100
"""Further repetitions start again with the first problem."""

_bench = common_options.section("Benchmark")
bench_options = common_options.together(
    _bench(
        "--synthetic",
        multiple=True,
        metavar="SHAPE",
        help="Model with random weights in the shape of a real one, SHAPE[:QUANT][:vocab=N], e.g."
        " qwen2.5-7b:Q4_K_M. Written once to the cache folder. Can be repeated.",
    ),
    _bench(
        "--method",
        "methods",
        multiple=True,
        metavar="METHOD",
        help="Sampling method with its options, e.g. power-smc:N=16. Can be repeated.  [default: power-smc]",
    ),
    _bench(
        "-N",
        "--particles",
        scope="bench",
        type=CountsType(1, 1_000_000),
        metavar="N,...",
        help="Numbers of particles to measure, up to 256 also as bare batches."
        "  [default: depends on the method]",
    ),
    _bench(
        "--alpha",
        scope="bench",
        type=Exponents(),
        metavar="X,...",
        help="Exponents alpha to measure.  [default: depends on the method]",
    ),
    _bench(
        "-n",
        "--predict",
        "--n-predict",
        "n_predict",
        scope="bench",
        type=CountsType(2, 1_000_000),
        metavar="N,...",
        help="Maximum number of tokens to generate; real models may stop earlier.  [default: 64]",
    ),
    _bench(
        "-r",
        "--repetitions",
        type=CountType(1),
        default=3,
        metavar="N",
        help="Number of repetitions, each with another problem and seed.  [default: 3]",
    ),
    _bench(
        "-p",
        "--prompt",
        metavar="TEXT",
        each_time=common_options.THE_PROBLEM,
        help="The problem to solve.  [default: built-in problems]",
    ),
    _bench(
        "--peers",
        is_flag=True,
        default=False,
        help="Also measure llama-cpp-python's Llama: one completion, N one by one, and best of N one by one.",
    ),
    _bench(
        "-o",
        "--output",
        scope="bench",
        type=click.Choice(TABLE_FORMATS),
        default="md",
        help="Format of the table.  [default: md]",
    ),
    common_options.mode_options(_bench),
)


@dataclass(kw_only=True, frozen=True)
class BenchOptions(ModeOptions, SeveralModelsOptions, LoadingOptions, DraftOptions, ContextSizeOptions):
    """All options of `localsmc bench`."""

    synthetic: tuple[str, ...]
    methods: tuple[str, ...]
    particles: tuple[int, ...] | None
    alpha: tuple[float, ...] | None
    n_predict: tuple[int, ...] | None
    repetitions: int
    prompt: str | None
    peers: bool
    output: str


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@bench_options
@model_options.models_option
@model_options.loading_options
@model_options.draft_options
@common_options.context_options
@click.pass_obj
def bench(session: CommandSession, /, **given: Any) -> None:
    """Measure the speed of plain decoding, bare llama.cpp batches and methods on the same weights.

    Prints a table to stdout, everything else to stderr. After Ctrl-C, the table has what was measured so far.
    """
    from localsmc.bench.speed_table import FORMATS

    output, interrupts = session.output, session.interrupts
    options = BenchOptions(**given)
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    found: list[CaseSummary] = []
    with output.library_log(), interrupts.gentle("without a result"):
        try:
            _measure_all(session, options, found)
        finally:
            # Print what was measured before an error.
            if found:
                output.text(FORMATS[options.output](found))
    if interrupts.is_requested:
        raise click.exceptions.Exit(INTERRUPTED)


def _measure_all(session: CommandSession, options: BenchOptions, found: list[CaseSummary]) -> None:
    """Measure every model in turn; appends to `found` also what was measured before an error."""
    from localsmc.bench import parse
    from localsmc.bench.cases import cases
    from localsmc.bench.measure import Bench
    from localsmc.methods.spec import uses_draft

    methods = parse_methods(options.methods or ("power-smc",))
    shapes = [parse(text) for text in options.synthetic]
    names, named_draft = model_names(options), draft_name(options)
    check_draft(methods, named_draft, names)
    settings, problems = settings_of(options, options), _problems(options)
    warn_idle_gpus(session.output, load_options(options))
    files: Sequence[str | None] = names or (() if shapes else (None,))
    sources, draft = find_models(session, options, files, named_draft if uses_draft(methods) else None)
    targets: list[ModelSource | FileSpec] = [*sources, *shapes]
    for target in targets:
        with contextlib.ExitStack() as stack:
            model, donor = _loaded(session, stack, target, draft, options)
            print_offload(session.output, model)
            chosen = cases(
                donor or model,
                methods,
                particles=() if is_idle("particles", methods) else options.particles or (),
                alphas=() if is_idle("alpha", methods) else options.alpha or (),
                n_tokens=options.n_predict or (N_TOKENS,),
                has_peers=options.peers,
                is_synthetic=donor is not None,
            )
            bench = Bench(
                model,
                chosen,
                settings,
                problems=problems,
                repetitions=options.repetitions,
                donor=donor,
                should_stop=lambda: session.interrupts.is_requested,
            )
            _measure(session, model.header.name, bench, found)
        if session.interrupts.is_requested:
            return


def _problems(options: BenchOptions) -> list[str]:
    from localsmc.evals.tasks import load_task

    if options.prompt is not None:
        return [checked_text(options.prompt, "`--prompt`")]
    n_problems = min(options.repetitions, MAX_PROBLEMS)
    return [item.question for item in load_task(PROBLEMS, limit=n_problems).items]


def _loaded(
    session: CommandSession,
    stack: contextlib.ExitStack,
    target: ModelSource | FileSpec,
    draft: ModelSource | None,
    options: BenchOptions,
) -> tuple[Model, Model | None]:
    """A model, and if it is synthetic, the model whose histories it replays."""
    import localsmc
    from localsmc.bench import FileSpec

    load, draft_load = load_options(options), draft_load_options(options, options)
    if not isinstance(target, FileSpec):
        model = localsmc.load(target, load, draft=draft, draft_options=draft_load)
        return stack.enter_context(model), None
    model = stack.enter_context(localsmc.load(_written(session, target), load))
    return model, stack.enter_context(localsmc.load(options=localsmc.LoadOptions(cpu_only=True)))


def _written(session: CommandSession, spec: FileSpec) -> Path:
    """The file of random weights, written if it does not exist."""
    from localsmc.bench import cached

    with status(session.output) as show:

        def progress(done: int, n: int) -> None:
            show(f"writing {spec}: {done / 2**20:,.0f} of {n / 2**20:,.0f} MiB")
            if session.interrupts.is_requested:
                raise KeyboardInterrupt

        return cached(spec, progress=progress)


def _measure(session: CommandSession, name: str, bench: Bench, found: list[CaseSummary]) -> None:
    from localsmc.bench.case_summary import summaries

    samples: list[Timing] = []
    try:
        with status(session.output) as show:
            show(f"{name}: warming up")
            for sample in bench:
                samples.append(sample)
                rate = sample.steps / sample.seconds
                show(f"{name}: {len(samples)}/{len(bench)} · {sample.case.label}: {rate:.1f} tokens/s")
    finally:
        found += summaries(name, bench.cases, samples)
    for notice in bench.notices:
        session.output.warn(notice)
