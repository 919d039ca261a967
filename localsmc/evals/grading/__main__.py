"""Measure a grader on gold answers: `python -m localsmc.evals.grading [--grader math] FILE...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from localsmc.errors import LocalSMCError
from localsmc.evals.grading.benchmark import golds, measure
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
    arguments = parser.parse_args()
    try:
        with Grader(arguments.grader, arguments.limit) as grader:
            return max(_report(grader, path) for path in arguments.files)
    except LocalSMCError as error:
        sys.stderr.write(f"{error}\n{error.hint or ''}\n")
        return error.exit_code


def _report(grader: Grader, path: Path) -> int:
    answers, code = golds(path), 0
    _print(f"{path.name}: {len(answers)} gold answers, grader {grader.name} version {grader.version}")
    for count in measure(grader, answers):
        _print(count.line())
        for gold, answer, verdict in count.failures:
            code = 1
            _print(f"    gold {gold!r}, answer {answer!r}: {verdict}")
    return code


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
