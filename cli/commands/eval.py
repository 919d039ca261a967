"""`localsmc eval`: runs problems × models × methods × seeds into a run folder."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from localsmc.errors import ConfigError, RunError
from localsmc.system.user_dirs import expand_user
from localsmc_cli.inputs.downloads import find_models
from localsmc_cli.inputs.method_specs import check_draft, parse_methods
from localsmc_cli.inputs.model_sources import draft_name, model_names
from localsmc_cli.inputs.parsed_options import (
    ContextSizeOptions,
    DraftOptions,
    LimitOptions,
    LoadingOptions,
    ModeOptions,
    PromptOptions,
    RawOptions,
    SeveralModelsOptions,
)
from localsmc_cli.inputs.run_settings import draft_load_options, load_options, settings_of
from localsmc_cli.options import common_options, model_options
from localsmc_cli.options.choices import CODE, GRADERS
from localsmc_cli.options.code_option import check_run_code, run_code_option
from localsmc_cli.options.param_types import CountType
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import print_form, print_offload, warn_idle_gpus
from localsmc_cli.ui.output import Output
from localsmc_cli.ui.problem_preview import print_problem, print_reading
from localsmc_cli.ui.progress import progress

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.evals.run_folder import RunFolder
    from localsmc.evals.runner import Plan
    from localsmc.evals.tasks import Task
    from localsmc.evals.tasks.conversations import Turns
    from localsmc.text.examples import Examples

_EXAMPLES = """\b
Examples:
  localsmc eval --task tiny --limit 20 -o run
  localsmc eval --data problems.csv --question text --answer solution -o my-run

Tasks of the hub are gsm8k, gsm-symbolic, svamp, math, math-500, aime-2024, aime-2025, gpqa, mmlu-pro,
arc-easy, arc-challenge, humaneval, mbpp and ifeval. Some choose among their problems: tiny:levels=4-5,
math:levels=5,family=Geometry, math-500:family=Algebra, mmlu-pro:family=law. gsm8k and svamp have training
problems for --fewshot.

Write a method with its options after a colon, as for solve: power-smc:N=16,alpha=4,select=majority. To
resume a run that was stopped, run the same command again; finished problems are not repeated.
"""

_problems = common_options.section("Problems")
problems_options = common_options.together(
    _problems(
        "--task",
        "tasks",
        multiple=True,
        metavar="NAME",
        help="Problem set: tiny (for the embedded model), or from the hub gsm8k, math-500, mmlu-pro and more"
        " (--help-all lists them). Can be repeated.",
    ),
    _problems(
        "--data",
        metavar="FILE",
        help="Your own problems: JSONL, JSON, CSV, TSV or Parquet; with --task, a copy of it.",
    ),
    _problems(
        "--question",
        metavar="FIELD",
        help="Field with the problem, or messages.  [default: question]",
    ),
    _problems(
        "--answer",
        metavar="FIELD",
        help="Field with the right answer, or several.  [default: answer]",
    ),
    _problems(
        "--choices",
        metavar="FIELD",
        rare=True,
        help="Field with the options of a multiple choice, fields such as A,B,C,D, or none."
        "  [default: choices, options, or columns A to D]",
    ),
    _problems(
        "--turns",
        type=click.Choice(("all", "last")),
        rare=True,
        help="Turns of a conversation before its reply that the model gets.  [default: all]",
    ),
    _problems(
        "--grader",
        type=click.Choice(GRADERS),
        help="How answers compare.  [default: math]",
    ),
    _problems(
        "--show",
        type=CountType(1),
        metavar="N",
        each_time="it runs nothing",
        help="Print the first N problems as the model gets them, with gold and grader; run nothing.",
    ),
    run_code_option(_problems, is_rare=True),
    _problems("--limit", type=CountType(1), metavar="N", help="Use only the first N problems."),
    common_options.system_option(_problems),
    common_options.examples_option(_problems),
    _problems(
        "--fewshot",
        type=CountType(1),
        metavar="K",
        help="Show K examples first: training problems of the task, or rows of --fewshot-data.",
    ),
    _problems(
        "--fewshot-data",
        metavar="FILE",
        rare=True,
        help="File of examples for --fewshot.",
    ),
    common_options.raw_options(_problems),
    common_options.box_option(_problems, "auto = on, except for base models and with examples"),
    common_options.reasoning_option(_problems),
)

_runs = common_options.section("Runs")
runs_options = common_options.together(
    _runs(
        "--method",
        "methods",
        multiple=True,
        metavar="METHOD",
        help="Sampling method with its options, e.g. power-smc:N=16. Can be repeated."
        "  [default: power-smc and sample]",
    ),
    _runs(
        "--seeds",
        type=CountType(1),
        metavar="N",
        default=1,
        help="Number of runs of each problem.  [default: 1]",
    ),
    _runs(
        "-o",
        "--output",
        metavar="FOLDER",
        each_time=common_options.THE_RESULT,
        help="Results folder; run the same command again to resume.",
    ),
    _runs(
        "--retry-failed",
        is_flag=True,
        default=False,
        rare=True,
        each_time="it is for one run",
        help="When resuming, also repeat the runs that failed.",
    ),
    common_options.mode_options(_runs),
)


@dataclass(kw_only=True, frozen=True)
class EvalOptions(
    PromptOptions, RawOptions, LimitOptions, ModeOptions, SeveralModelsOptions, LoadingOptions, DraftOptions,
    ContextSizeOptions,
):  # fmt: skip
    """All options of `localsmc eval`."""

    tasks: tuple[str, ...]
    data: str | None
    question: str | None
    answer: str | None
    choices: str | None
    turns: str | None
    grader: str | None
    run_code: bool
    show: int | None
    limit: int | None
    fewshot: int | None
    fewshot_data: str | None
    methods: tuple[str, ...]
    seeds: int
    output: str | None
    retry_failed: bool


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@problems_options
@runs_options
@model_options.models_option
@model_options.loading_options
@model_options.draft_options
@common_options.limit_options
@common_options.context_options
@click.pass_obj
def eval(session: CommandSession, /, **given: Any) -> None:
    """Run models and methods on a set of problems, and write every result to a folder.

    Prints the folder to stdout, for `localsmc report`, and everything else to stderr.
    """
    output, options = session.output, EvalOptions(**given)
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    if not options.output and options.show is None:
        raise ConfigError("no results folder is given", hint="add `-o run`, or look first with `--show 3`")
    plan = _plan(session, options)
    if options.show is not None:
        with output.library_log():
            _show(output, plan, options.show)
        return
    assert options.output  # noqa: S101 - asked before
    with output.library_log():
        n_failed, is_whole = _run(session, plan, expand_user(options.output), options.retry_failed)
    output.text(options.output)
    if not is_whole:
        raise click.exceptions.Exit(INTERRUPTED)
    if n_failed:
        raise RunError(
            f"{n_failed} of {len(plan)} runs failed",
            hint="see `error` in results.jsonl; to run them again, add `--retry-failed`",
        )


def _plan(session: CommandSession, options: EvalOptions) -> Plan:
    from localsmc.evals.model_specs import parse_models
    from localsmc.evals.runner import Plan
    from localsmc.evals.tasks.golds import require_readable
    from localsmc.methods.spec import uses_draft

    methods = parse_methods(options.methods or ("power-smc", "sample"))
    names, draft = model_names(options), draft_name(options)
    check_draft(methods, draft, names)
    settings = settings_of(options, options, prompt=options, limits=options, raw=options)
    tasks = _tasks(options)
    for task in tasks:
        print_reading(session.output, task)
        if options.data is not None:
            require_readable(task.items, task.grader, task.source)
    sources, _ = find_models(session, options, names or (None,), draft if uses_draft(methods) else None)
    return Plan(
        tasks=tasks,
        models=parse_models(names, sources),
        methods=methods,
        seeds=tuple(range(options.seeds)),
        settings=settings,
        load=load_options(options),
        draft=draft,
        draft_load=draft_load_options(options, options),
        run_code=options.run_code,
    )


def _tasks(options: EvalOptions) -> tuple[Task, ...]:
    """The tasks, each with its own examples if `--fewshot` asks for some."""
    _check_problems(options)
    _check_few_shot(options)
    if options.fewshot is None:
        return _without_examples(options)
    names = options.tasks or (None,)
    # Downloads of examples come first: a task without any is found before it is evaluated.
    shown = [_few_shot(options, name, options.fewshot) for name in names]
    tasks = _without_examples(options)
    return tuple(replace(task, examples=examples) for task, examples in zip(tasks, shown, strict=True))


def _few_shot(options: EvalOptions, name: str | None, n: int) -> Examples:
    from localsmc.evals.tasks.few_shot import few_shot

    return few_shot(
        name,
        n,
        data=None if options.fewshot_data is None else expand_user(options.fewshot_data),
        question=options.question,
        answer=options.answer,
        offline=options.offline,
    )


def _without_examples(options: EvalOptions) -> tuple[Task, ...]:
    from localsmc.evals.tasks import load_task, user_task

    names, data = options.tasks, None if options.data is None else expand_user(options.data)
    if names:
        return tuple(
            load_task(name, data=data, limit=options.limit, offline=options.offline) for name in names
        )
    assert data is not None  # noqa: S101 - asked before
    task = user_task(
        data,
        question=options.question,
        answer=options.answer,
        grader=options.grader,
        choices=options.choices,
        turns=cast("Turns | None", options.turns),
    )
    return (task.first(options.limit),)


def _check_problems(options: EvalOptions) -> None:
    names, data = options.tasks, options.data
    if not names and data is None:
        raise ConfigError("no problems are given", hint="add `--task tiny`, or `--data FILE`")
    if names and data is not None and len(names) > 1:
        raise ConfigError("`--data` works with one `--task` only", hint="remove the other tasks")
    if len(set(names)) < len(names):
        raise ConfigError("a task is given twice", hint="remove one of them")
    for option in ("question", "answer", "choices", "turns", "grader"):
        names_fields = option in ("question", "answer") and options.fewshot_data is not None
        if getattr(options, option) is not None and (names or data is None) and not names_fields:
            raise ConfigError(f"`--{option}` works with `--data` without `--task` only", hint="remove it")
    if options.show is None:
        check_run_code(options.run_code, _code_runner(options))
    elif options.run_code:
        raise ConfigError("`--show` runs nothing, so `--run-code` has no effect", hint="remove one of them")


def _code_runner(options: EvalOptions) -> str | None:
    """What would run the code in completions: a task or a grader; None if nothing does."""
    from localsmc.evals.tasks import runs_code

    task = next((name for name in options.tasks if runs_code(name)), None)
    return f"the task `{task}`" if task else "the grader `code`" if options.grader == CODE else None


def _check_few_shot(options: EvalOptions) -> None:
    if options.fewshot is not None and options.examples is not None:
        raise ConfigError("the examples are given twice", hint="remove `--examples` or `--fewshot`")
    if options.fewshot_data is not None and options.fewshot is None:
        raise ConfigError(
            "`--fewshot-data` needs the number of examples",
            hint="add `--fewshot 4`, or give the whole file with `--examples`",
        )


def _show(output: Output, plan: Plan, n: int) -> None:
    """Print the first n problems of each task, for each model."""
    from localsmc.engine.load import load
    from localsmc.evals.shown_problems import shown_problems

    for spec in plan.models:
        with load(spec.source, plan.load, settings=plan.settings) as model:
            if len(plan.models) > 1:
                output.text(f"=== {spec.name} ===")
            for task in plan.tasks:
                for number, shown in enumerate(shown_problems(model, task, plan.settings, n), start=1):
                    print_problem(output, task, number, shown)
    output.note("nothing was run; to run it, leave out `--show`")


def _print_state(output: Output, folder: RunFolder, retry_failed: bool) -> None:
    """Print what was found in a folder that is resumed, and take out what runs again."""
    for notice in folder.notices:
        output.warn(notice)
    if folder.n_cut:
        output.warn(f"an incomplete last line ({folder.n_cut} bytes) is removed and run again")
    for what in folder.damaged:
        output.warn(f"{what}; the line is set aside in `damaged.jsonl`, and its problem runs again")
    if retry_failed:
        n = folder.take_failed()
        repeated = "1 failed run is repeated" if n == 1 else f"{n} failed runs are repeated"
        output.note(repeated if n else "no run has failed")


def _run(session: CommandSession, plan: Plan, path: Path, retry_failed: bool) -> tuple[int, bool]:
    """The number of failed runs in the whole plan, and whether the plan is finished."""
    from localsmc.evals.run_folder import RunFolder
    from localsmc.evals.runner import Evaluation

    output, manifest, keys = session.output, plan.manifest(), plan.keys()
    gentle = session.interrupts.gentle("finished runs are in the folder")
    with gentle, RunFolder(path, manifest, keys) as folder:
        _print_state(output, folder, retry_failed)
        warn_idle_gpus(output, plan.load)

        shown = next((task.examples for task in plan.tasks if task.examples), plan.settings.examples)

        def loaded(model: Model) -> None:
            print_offload(output, model)
            print_form(output, model, replace(plan.settings, examples=shown))

        evaluation = Evaluation(
            plan,
            folder,
            should_stop=lambda: session.interrupts.is_requested,
            on_load=loaded,
        )
        n_failed = sum(line["verdict"] == "failed" for line in folder.lines)
        began, in_methods, n_new = time.perf_counter(), 0.0, 0
        with progress(output, len(plan), folder.lines) as show:
            for line in evaluation:
                show(line)
                n_failed += line["verdict"] == "failed"
                in_methods, n_new = in_methods + _method_seconds(line), n_new + 1
        seconds = time.perf_counter() - began
        if n_new:
            output.detail(
                f"{n_new} runs in {seconds:.1f} s, {in_methods / seconds:.1%} of the time in the methods;"
                f" what prompts begin with took {evaluation.n_shared_decoded} tokens"
            )
        if evaluation.n_left:
            done = len(plan) - evaluation.n_left
            output.note(f"stopped after {done} of {len(plan)} runs; run the same command to resume")
        else:
            output.note(f"to see the results: localsmc report {shlex.quote(str(path))}")
        return n_failed, not evaluation.n_left


def _method_seconds(line: dict[str, Any]) -> float:
    """Seconds from prompt to result, without loading, grading and writing."""
    seconds = line["result"]["usage"]["seconds"] if line["result"] else {"total": 0.0, "load": 0.0}
    return float(seconds["total"] - seconds["load"])
