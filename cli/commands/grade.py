"""`localsmc grade`: grades completions or answers that exist. No model is loaded."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError
from localsmc.system.user_dirs import expand_user
from localsmc_cli.inputs.parsed_options import ModeOptions
from localsmc_cli.inputs.problem_text import STDIN
from localsmc_cli.inputs.row_source import read_given
from localsmc_cli.options import common_options
from localsmc_cli.options.choices import CODE, GRADERS
from localsmc_cli.options.code_option import check_run_code, run_code_option
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.progress import status

if TYPE_CHECKING:
    from localsmc.evals.grade_texts import GradingPlan
    from localsmc.evals.run_folder import RunFolder

_EXAMPLES = common_options.examples(
    "localsmc grade samples.jsonl --completion text --gold answer --grader numeric",
    "localsmc grade answers.csv --answer model_answer --gold solution -o graded && localsmc report graded",
    more="A FIELD can be a path, e.g. choices.0.message.content. Without an option, the usual names are"
    " looked for: completion, response, output ... and gold, target, reference, answer. The answer of a"
    " completion is found as in eval; --answer takes it as it is. Of a solution as in GSM8K or MATH, what is"
    " after `####` or in the last box is the right answer. Rows with an empty right answer are not graded.",
)

_rows = common_options.section("Rows")
_grades = common_options.section("Grades")
grade_options = common_options.together(
    _rows("--completion", metavar="FIELD", help="Field with completions: texts that state an answer."),
    _rows(
        "--answer",
        metavar="FIELD",
        scope="grade",
        help="Field with answers, which are taken as they are.",
    ),
    _rows("--gold", metavar="FIELD", help="Field with the right answers."),
    _rows(
        "--question",
        metavar="FIELD",
        scope="grade",
        help="Field with the problems, for the report.",
    ),
    _grades(
        "--grader",
        type=click.Choice(GRADERS),
        scope="grade",
        help="How to compare answers with the right ones, as in eval.  [default: math]",
    ),
    run_code_option(_grades),
    _grades(
        "--json",
        "as_json",
        is_flag=True,
        default=False,
        help="Print one JSON object per row, in order, instead of the table.",
    ),
    _grades(
        "-o",
        "--output",
        metavar="FOLDER",
        each_time=common_options.THE_RESULT,
        help="Also write a run folder for `localsmc report`; run the same command again to resume.",
    ),
    common_options.mode_options(_grades, "Also print what is read."),
)


@dataclass(kw_only=True, frozen=True)
class GradeOptions(ModeOptions):
    """All options of `localsmc grade`."""

    completion: str | None
    answer: str | None
    gold: str | None
    question: str | None
    grader: str | None
    run_code: bool
    as_json: bool
    output: str | None


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument("file", required=False, metavar="FILE", shell_complete=common_options.completed_as("FILE"))
@grade_options
@click.pass_obj
def grade(session: CommandSession, /, file: str | None, **given: Any) -> None:
    """Grade completions or answers in a file of rows, from any tool.

    FILE is JSONL, JSON, CSV or Parquet, or `-` for standard input. Loads no model.
    """
    output, options = session.output, GradeOptions(**given)
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    if not file:
        raise ConfigError(
            "no file is given",
            hint="localsmc grade FILE, with one completion or answer, and its right answer, per row",
        )
    _check(options)
    plan = _plan(session, options, file)
    lines, n = _graded(session, plan, options), len(plan.texts)
    if not options.as_json and lines:
        output.text(_table(lines))
    if options.output and lines:
        output.note(f"to see the results: localsmc report {shlex.quote(options.output)}")
    if len(lines) < n:
        again = "; run the same command to resume" if options.output else ""
        output.note(f"stopped after {len(lines)} of {n} rows{again}")
        raise click.exceptions.Exit(INTERRUPTED)


def _check(options: GradeOptions) -> None:
    if options.completion is not None and options.answer is not None:
        raise ConfigError("`--completion` and `--answer` cannot be used together", hint="remove one of them")
    for name in ("completion", "answer", "gold", "question", "output"):
        if getattr(options, name) == "":
            raise ConfigError(f"`--{name}` is empty", hint="give a name, or remove the option")
    check_run_code(options.run_code, "the grader `code`" if options.grader == CODE else None)


def _plan(session: CommandSession, options: GradeOptions, file: str) -> GradingPlan:
    from localsmc.evals.given_texts import chosen_fields, given_texts
    from localsmc.evals.grade_texts import GradingPlan
    from localsmc.evals.grading import GRADERS as RULES

    output, grader = session.output, options.grader or "math"
    rows, name = read_given(file, output.note)
    fields = chosen_fields(
        rows,
        name,
        completion=options.completion,
        answer=options.answer,
        gold=options.gold,
        question=options.question,
    )
    texts = given_texts(rows, name, fields, RULES[grader].kind)
    plan = GradingPlan(
        name=name if file == STDIN else Path(name).stem,
        source=name,
        fields=fields,
        texts=texts,
        grader=grader,
        run_code=options.run_code,
    )
    what = "answer" if fields.are_answers else "completion"
    what += "s" * (len(texts) != 1)
    output.note(f"{len(texts)} {what} in `{fields.text}`, right answers in `{fields.gold}`, grader {grader}")
    if plan.n_without_gold:
        n = plan.n_without_gold
        has = "has no right answer and is" if n == 1 else "have no right answer and are"
        output.warn(f"{n} of {len(texts)} rows {has} not graded")
    return plan


def _graded(session: CommandSession, plan: GradingPlan, options: GradeOptions) -> list[dict[str, Any]]:
    """The lines that were graded; all of them, unless it was stopped."""
    from localsmc.evals.grade_texts import TextGrading

    output, lines = session.output, []
    kept = "graded rows are kept" if options.output or options.as_json else ""
    with session.interrupts.gentle(kept), _folder(session, plan, options.output) as folder:
        grading = TextGrading(plan, folder, should_stop=lambda: session.interrupts.is_requested)
        with status(output) as show:
            for line in grading:
                lines.append(line)
                if line["error"]:
                    output.warn(f"{line['problem_id']}: {line['error']}")
                if options.as_json:
                    output.json(_row(line))
                else:
                    show(f"{len(lines)}/{len(plan.texts)} rows")
    return lines


@contextlib.contextmanager
def _folder(session: CommandSession, plan: GradingPlan, path: str | None) -> Iterator[RunFolder | None]:
    """The run folder, if one is asked for."""
    if path is None:
        yield None
        return
    from localsmc.evals.run_folder import RunFolder

    with RunFolder(expand_user(path), plan.manifest()) as folder:
        for notice in folder.notices:
            session.output.warn(notice)
        yield folder


def _row(line: dict[str, Any]) -> dict[str, Any]:
    names = ("problem_id", "answer", "source", "gold", "verdict", "correct", "error", "reason")
    return {name: line[name] for name in names}


def _table(lines: Sequence[dict[str, Any]]) -> str:
    from localsmc.report.given import given_table
    from localsmc_cli.commands.report import shown

    return shown([given_table(lines)])
