"""Measure a grader on gold answers: `python -m localsmc.evals.grading [--grader math] FILE...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from localsmc.errors import LocalSMCError
from localsmc.evals.grading.benchmark import CheckCount, golds, measure, measure_pairs
from localsmc.evals.grading.grader import Grader
from localsmc.evals.grading.grading_rules import GRADERS


def main() -> int:
    """Run the benchmark; the exit code is 1 if any grade differs from the expected one."""
    parser = argparse.ArgumentParser(
        "python -m localsmc.evals.grading", description="measure a grader on gold answers"
    )
    parser.add_argument("files", nargs="+", type=Path, help="JSON or JSONL file with a field `answer`")
    parser.add_argument("--grader", default="math", choices=list(GRADERS))
    parser.add_argument("--limit", type=float, default=60.0, help="time limit per answer in seconds")
    parser.add_argument(
        "--pairs", type=int, metavar="N", help="grade N pairs of golds of different problems instead"
    )
    arguments = parser.parse_args()
    if arguments.pairs is not None and arguments.pairs < 1:
        parser.error("--pairs needs a number above 0, 5000 is a usual value")
    try:
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


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
