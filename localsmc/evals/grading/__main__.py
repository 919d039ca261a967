"""Measure a grader: `python -m localsmc.evals.grading [--grader math] FILE...`.

FILE...            rewritings of the gold answers of problem files
--pairs N FILE...  N pairs of different gold answers: what is graded right is a false positive
--cases FILE...    tables of gold answers, answers and verdicts
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from localsmc.errors import LocalSMCError
from localsmc.evals.grading.benchmark import CheckCount, golds, measure, measure_pairs
from localsmc.evals.grading.case_tables import read_cases
from localsmc.evals.grading.grader import Grader
from localsmc.evals.grading.grading_rules import GRADERS


def main() -> int:
    """Run the benchmark; the exit code is 1 if any grade differs from the expected one."""
    parser = argparse.ArgumentParser(
        "python -m localsmc.evals.grading", description="measure a grader on gold answers"
    )
    parser.add_argument("files", nargs="+", type=Path, help="JSON or JSONL file with a field `answer`")
    parser.add_argument("--grader", default="math", choices=list(GRADERS))
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--pairs", type=_count, metavar="N", help="grade N pairs of golds that differ instead")
    mode.add_argument("--cases", action="store_true", help="the files are tables with verdicts")
    parser.add_argument("--limit", type=float, default=60.0, help="time limit per answer in seconds")
    arguments = parser.parse_args()
    try:
        if arguments.cases:
            return max([_report_cases(path, arguments.grader, arguments.limit) for path in arguments.files])
        with Grader(arguments.grader, arguments.limit) as grader:
            if arguments.pairs:
                return _report_pairs(grader, arguments.files, arguments.pairs)
            return max(_report(grader, path) for path in arguments.files)
    except LocalSMCError as error:
        sys.stderr.write(f"{error}\n{error.hint or ''}\n")
        return error.exit_code


def _report(grader: Grader, path: Path) -> int:
    answers, code = golds(path), 0
    _print(f"{path.name}: {len(answers)} gold answers, grader {grader.name} version {grader.version}")
    for count in measure(grader, answers):
        code = max(code, _print_count(count))
    return code


def _report_pairs(grader: Grader, paths: list[Path], n_pairs: int) -> int:
    answers = [gold for path in paths for gold in golds(path)]
    return _print_count(measure_pairs(grader, answers, n_pairs))


def _print_count(count: CheckCount) -> int:
    """Print a count and its failures; 1 if there are any."""
    _print(count.line())
    for gold, answer, verdict in count.failures:
        _print(f"    gold {gold!r}, answer {answer!r}: {verdict}")
    return 1 if count.failures else 0


def _report_cases(path: Path, name: str, limit: float) -> int:
    cases, failures = read_cases(path, name), 0
    with ExitStack() as stack:
        graders = {name: stack.enter_context(Grader(name, limit)) for name in {case.grader for case in cases}}
        for case in cases:
            grade = graders[case.grader].grade(case.answer, case.gold)
            if grade.verdict != case.expected:
                failures += 1
                shown = f"gold {case.gold!r}, answer {case.answer!r}"
                _print(f"    {case.source}: {shown}: {grade.verdict}, not {case.expected} {grade.reason}")
    _print(f"{path.name}: {len(cases) - failures} of {len(cases)} verdicts as expected")
    return int(failures > 0)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number above 0; 5000 is a usual value")
    return int(text)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
