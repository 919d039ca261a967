"""`localsmc solve`: one problem to one answer."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError
from localsmc_cli import options
from localsmc_cli.interrupt import INTERRUPTED
from localsmc_cli.problem import read_problem
from localsmc_cli.session import Session
from localsmc_cli.summary import reduction_warning, setup_lines, summary, timing_lines
from localsmc_cli.trace import Trace

if TYPE_CHECKING:
    from localsmc.llama import LoadOptions
    from localsmc.loading import Model
    from localsmc.records import Result
    from localsmc.settings import Settings
    from localsmc.solver import Solving
    from localsmc_cli.live import Panel

_EXAMPLES = """\b
Examples:
  localsmc solve "What is 17 * 23?"
  localsmc solve -m model.gguf -N 32 --alpha 4 -f problem.txt
  cat problem.txt | localsmc solve --json | jq .answer
  cat table.csv | localsmc solve - "What is the sum of the last column?"

Standard input is read where no problem is given, or where one PROBLEM is `-`: its text then comes
before the other. A problem that begins with a dash goes after `--`. The command line wins over the
environment, whose variables are llama.cpp's.
"""


@click.command(cls=options.Command, epilog=_EXAMPLES, short_help="Solve a problem.")
@click.argument("problem", nargs=-1)
@options.problem_options
@options.method_options
@options.limit_options
@options.output_options
@options.model_option
@options.loading_options
@options.context_options
@click.pass_obj
def solve(session: Session, /, **given: Any) -> None:
    """Solve a problem: draw many solutions by weight, show one and how the answers are spread.

    Standard output has the chosen text, or the JSON; everything else is on standard error.
    """
    output = session.output
    if given["quiet"] and given["verbose"]:
        raise ConfigError("`--quiet` and `--verbose` exclude each other", hint="leave one of them out")
    output.is_quiet, output.is_verbose = given["quiet"], given["verbose"]
    problem = read_problem(given["problem"], given["prompt"], given["file"])
    job = _job(problem, given)
    with ExitStack() as until_told, Trace(None if given["trace"] is None else Path(given["trace"])) as trace:
        result, outcome = _solve(session, job, trace, until_told)
        if given["as_json"]:
            output.json(result.to_json())
        else:
            output.text(result.text)
            output.note(summary(result))
        _tell(session, result, outcome, job.settings)
        trace.check()
    if outcome == "interrupted":
        raise click.exceptions.Exit(INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    problem: str
    model: str | None
    load: LoadOptions
    method: str
    parameters: dict[str, Any]
    settings: Settings


def _job(problem: str, given: options.Given) -> _Job:
    """What to do, with every mistake found that can be found before the model is loaded."""
    parameters = options.method_parameters(given)
    from localsmc.methods import METHODS, from_options

    from_options(METHODS[given["method"]], parameters)
    return _Job(
        problem=problem,
        model=given["model"],
        load=options.load_options(given),
        method=given["method"],
        parameters=parameters,
        settings=options.settings(given),
    )


def _solve(session: Session, job: _Job, trace: Trace, until_told: ExitStack) -> tuple[Result, str]:
    """The result, and whether it is "done" or cut short by the "budget" or "interrupted".

    From the first step on Ctrl-C waits for `until_told` to close: there is a result to lose.
    """
    from localsmc import loading, solver
    from localsmc.catalog import EMBEDDED
    from localsmc_models import card

    output = session.output
    with output.library_log(), output.panel() as panel:
        _status(panel, f"loading {'the embedded model' if job.model is None else job.model}")
        with loading.load(job.model, job.load) as model:
            if model.source.is_embedded:
                output.note(f"no model is given: the embedded one answers ({card(EMBEDDED).description})")
            _status(panel, "reading the prompt")
            with solver.start(
                model, job.problem, method=_method(model, job), settings=job.settings
            ) as solving:
                until_told.enter_context(session.interrupts.gentle())
                return _run(session, solving, trace, panel)


def _method(model: Model, job: _Job) -> Any:
    return model.method(job.method, **job.parameters)


def _run(session: Session, solving: Solving, trace: Trace, panel: Panel | None) -> tuple[Result, str]:
    output = session.output
    for notice in solving.notices:
        output.warn(notice)
    for line in setup_lines(solving, solving.settings.n_ctx) if output.is_verbose else ():
        output.detail(line)
    trace.start(solving)
    for step in solving:
        trace.step(step, solving)
        if panel is not None:
            panel.step(step, solving)
        if session.interrupts.is_requested:
            break
    result, outcome = solving.result(), _outcome(solving)
    trace.end(result, outcome)
    return result, outcome


def _outcome(solving: Solving) -> str:
    if solving.was_cut:
        return "budget"
    return "done" if solving.run is not None and solving.run.is_done else "interrupted"


def _tell(session: Session, result: Result, outcome: str, settings: Settings) -> None:
    for line in timing_lines(result):
        session.output.detail(line)
    if warning := reduction_warning(result):
        session.output.warn(warning)
    steps = result.usage.steps
    so_far = f"the best result after {steps} steps" if steps else "no token was drawn"
    if outcome == "budget":
        session.output.note(f"cut short by the budget of {settings.budget:g} s: {so_far}")
    if outcome == "interrupted":
        session.output.note(f"interrupted: {so_far}")


def _status(panel: Panel | None, text: str) -> None:
    if panel is not None:
        panel.status(text)
