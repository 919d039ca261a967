"""`localsmc solve`: one problem to one answer, or to a comparison of methods."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, LocalSMCError
from localsmc.system.user_dirs import expand_user
from localsmc_cli.inputs.downloads import find_models
from localsmc_cli.inputs.method_specs import check_draft, parse_methods, with_flags
from localsmc_cli.inputs.model_sources import draft_name, model_name
from localsmc_cli.inputs.parsed_options import GenerationOptions, RawOptions
from localsmc_cli.inputs.problem_text import read_problem
from localsmc_cli.inputs.run_settings import draft_load_options, load_options, settings_of
from localsmc_cli.options import common_options, model_options
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.comparison import (
    Attempt,
    comparison_json,
    comparison_table,
    concluded_note,
    refusal_note,
)
from localsmc_cli.ui.follow_run import follow, partial_result, print_setup, print_timings
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import print_form, print_offload, warn_idle_gpus
from localsmc_cli.ui.summary import decided_line, remarks, summary
from localsmc_cli.ui.trace_writer import TraceWriter

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.settings import Settings
    from localsmc.llama import LoadOptions
    from localsmc.methods.spec import MethodSpec
    from localsmc.store.model_source import ModelSource
    from localsmc_cli.ui.live_panel import Panel

_EXAMPLES = """\b
Examples:
  localsmc solve "What is 17 * 23?"
  localsmc solve -m model.gguf -f problem.txt

A pipe or file on standard input is put before the problem; without a problem, it is the problem. Add
`</dev/null` where standard input is not meant, as in a loop that reads from a file. Put `--` before a
problem that begins with a dash. Options on the command line override the environment, which overrides
`localsmc config`.

With several methods, a table is printed to standard output: for each method its answer, the answer's
share of the weight, the effective number of completions (ESS), the decoded tokens and the time.
"""


@dataclass(kw_only=True, frozen=True)
class SolveOptions(RawOptions, GenerationOptions):
    """All options of `localsmc solve`."""

    problem: tuple[str, ...]
    prompt: str | None
    file: str | None
    as_json: bool
    transcript: str | None
    trace: str | None


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument("problem", nargs=-1)
@common_options.problem_options
@common_options.method_options
@common_options.limit_options
@common_options.grammar_options
@common_options.output_options
@model_options.model_option
@model_options.loading_options
@model_options.draft_options
@model_options.draft_length_option
@common_options.context_options
@click.pass_obj
def solve(session: CommandSession, /, **given: Any) -> None:
    """Solve a problem: sample many weighted completions, print one and the distribution of answers.

    Prints the completion or JSON to stdout, everything else to stderr.
    """
    options = SolveOptions(**given)
    session.output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    problem = read_problem(options.problem, options.prompt, options.file, session.output.note)
    job = _job(session, problem, options)
    with (
        ExitStack() as until_printed,
        TraceWriter(None if options.trace is None else Path(options.trace)) as trace,
    ):
        attempts = _solve(session, job, trace, until_printed)
        if job.is_comparison:
            code = _print_all(session, attempts, job, as_json=options.as_json)
        else:
            code = _print_one(session, attempts[0], job, as_json=options.as_json)
            _write(attempts[0], job)
        trace.check()
    if code:
        raise click.exceptions.Exit(code)


# --- the job -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    problem: str
    name: str | None
    """What the command line calls the model, None for the embedded one."""
    model: ModelSource
    load: LoadOptions
    draft: ModelSource | None
    """None if no method uses a draft model."""
    draft_load: LoadOptions
    methods: tuple[MethodSpec, ...]
    settings: Settings
    transcript: Path | None

    @property
    def is_comparison(self) -> bool:
        return len(self.methods) > 1


def _job(session: CommandSession, problem: str, options: SolveOptions) -> _Job:
    """Check the options and resolve the models; most mistakes are reported before anything is loaded."""
    from localsmc.engine import output_format
    from localsmc.engine.transcript import require_writable
    from localsmc.methods.spec import uses_draft

    methods = with_flags(parse_methods(options.methods or ("power-smc",), is_complete=False), options)
    name, named_draft = model_name(options), draft_name(options)
    check_draft(methods, named_draft, [] if name is None else [name])
    settings = settings_of(
        options, options, prompt=options, limits=options, grammar=options, seed=options.seed,
        select=options.select, raw=options,
    )  # fmt: skip
    path = None if options.transcript is None else expand_user(options.transcript)
    if path is not None:
        require_writable(path)
    output_format.to_gbnf(settings)
    if len(methods) > 1:
        _refuse_files(options, len(methods))
        # One seed for all, so that the comparison can be repeated.
        settings = replace(settings, seed=secrets.randbits(32) if settings.seed is None else settings.seed)
    used_draft = named_draft if uses_draft(methods) else None
    (model,), draft = find_models(session, options, [name], used_draft)
    return _Job(
        problem=problem,
        name=name,
        model=model,
        load=load_options(options),
        draft=draft,
        draft_load=draft_load_options(options, options),
        methods=methods,
        settings=settings,
        transcript=path,
    )


def _refuse_files(options: SolveOptions, n_methods: int) -> None:
    for file, spelled in ((options.trace, "--trace"), (options.transcript, "--output")):
        if file is not None:
            raise ConfigError(
                f"`{spelled}` works with one method, but {n_methods} are given",
                hint=f"remove `{spelled}`, or give one `--method`",
            )


# --- running it -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _JobContext:
    """What all methods of a job share.

    From a method's first step on, Ctrl-C waits until `until_printed` closes, so that no result is lost.
    """

    session: CommandSession
    job: _Job
    model: Model
    panel: Panel | None
    trace: TraceWriter
    until_printed: ExitStack
    printed_notices: set[str] = field(default_factory=set)
    """The notices that were printed."""


def _solve(session: CommandSession, job: _Job, trace: TraceWriter, until_printed: ExitStack) -> list[Attempt]:
    """Run the methods in turn; returns those that were started."""
    from localsmc.engine.load import load
    from localsmc.store.model_source import EMBEDDED
    from localsmc_models import card

    output = session.output
    attempts: list[Attempt] = []
    with output.library_log(), output.panel() as panel:
        _status(panel, f"loading {'the embedded model' if job.name is None else job.name}")
        warn_idle_gpus(output, job.load)
        with load(
            job.model,
            job.load,
            draft=job.draft,
            draft_options=job.draft_load,
            methods=[spec.method for spec in job.methods],
            settings=job.settings,
        ) as model:
            print_offload(output, model)
            print_form(output, model, job.settings)
            if job.name is None:
                output.note(f"no model is given, so the embedded one answers ({card(EMBEDDED).description})")
            desk = _JobContext(
                session=session, job=job, model=model, panel=panel, trace=trace, until_printed=until_printed
            )
            for spec in job.methods:
                if not session.interrupts.is_requested:
                    attempts.append(_attempt(desk, spec))
    return attempts


def _attempt(desk: _JobContext, spec: MethodSpec) -> Attempt:
    try:
        return _run(desk, spec)
    except LocalSMCError as error:
        if not desk.job.is_comparison:
            raise
        _print_error(desk.session, spec.label, error)
        return Attempt(label=spec.label, outcome="failed", error=error)


def _run(desk: _JobContext, spec: MethodSpec) -> Attempt:
    from localsmc.engine.conversation import exchange
    from localsmc.engine.solve import start

    model, job = desk.model, desk.job
    _status(desk.panel, "reading the prompt")
    method = model.method(spec.name, **spec.options)
    settings = replace(job.settings, select=spec.select)
    interrupts = desk.session.interrupts
    with start(
        model, job.problem, method=method, settings=settings, is_stopped=lambda: interrupts.is_requested
    ) as solving:
        desk.until_printed.enter_context(desk.session.interrupts.gentle())
        print_setup(desk.session.output, solving, desk.printed_notices)
        result, outcome = follow(solving, desk.trace, desk.panel, desk.session.interrupts)
        if job.is_comparison:
            print_timings(desk.session.output, result)
        return Attempt(
            label=spec.label,
            outcome=outcome,
            result=result,
            exchange=exchange(solving, result),
            expects_answer=solving.expects_answer,
            is_sampled=solving.is_sampled,
            remarks=remarks(result, fills_context=solving.fills_context),
        )


# --- reporting it --------------------------------------------------------------------------------


def _print_one(session: CommandSession, attempt: Attempt, job: _Job, *, as_json: bool) -> int:
    """Print the result of the only method; returns the exit code."""
    output, result, outcome = session.output, attempt.result, attempt.outcome
    assert result is not None  # noqa: S101 - its error was raised
    if as_json:
        output.json(result.to_json())
    else:
        output.text(result.text)
        output.note(summary(result, expects_answer=attempt.expects_answer))
    for remark in attempt.remarks:
        output.note(remark)
    print_timings(output, result)
    partial = partial_result(result, is_sampled=attempt.is_sampled)
    if outcome == "budget":
        output.note(f"stopped by the budget of {job.settings.budget:g} s: {partial}")
    if outcome == "decided":
        output.note(decided_line(result))
    if outcome == "interrupted":
        output.note(f"interrupted: {partial}")
    return INTERRUPTED if outcome == "interrupted" else 0


def _write(attempt: Attempt, job: _Job) -> None:
    """Write the transcript, if one was asked for; its content has been printed."""
    from localsmc.engine import transcript
    from localsmc.store import model_source

    if job.transcript is not None and attempt.exchange is not None:
        said = transcript.Transcript(
            exchanges=(attempt.exchange,),
            system=job.settings.system,
            model=model_source.portable_name(job.name),
        )
        transcript.write(job.transcript, said)


def _print_all(session: CommandSession, attempts: list[Attempt], job: _Job, *, as_json: bool) -> int:
    """Print the methods side by side; returns the exit code, that of the first error if a method failed.

    Raises that error if no method has a result.
    """
    output = session.output
    errors = [attempt.error for attempt in attempts if attempt.error is not None]
    if len(errors) == len(attempts):
        raise errors[0]
    if as_json:
        output.json(comparison_json(job.problem, attempts))
    else:
        output.text(comparison_table(attempts))
        if concluded := concluded_note(attempts):
            output.note(concluded)
        output.note(f"seed {job.settings.seed}")
    if refused := refusal_note(attempts):
        output.note(refused)
    left_out = [spec.label for spec in job.methods[len(attempts) :]]
    if left_out:
        output.note(f"interrupted: not run: {', '.join(left_out)}")
    if left_out or any(attempt.outcome == "interrupted" for attempt in attempts):
        return INTERRUPTED
    return errors[0].exit_code if errors else 0


def _print_error(session: CommandSession, label: str, error: LocalSMCError) -> None:
    session.output.warn(f"{label} failed: {error}")
    if error.hint:
        session.output.note(f"hint: {error.hint}")


def _status(panel: Panel | None, text: str) -> None:
    if panel is not None:
        panel.status(text)
