"""Measure a grader on problem sets: `python -m localsmc.evals.grading [--grader math] FILE...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from localsmc.errors import LocalSMCError
from localsmc.evals.grading.benchmark import golds, measure
from localsmc.evals.grading.grader import Grader
from localsmc.evals.grading.grading_rules import GRADERS


def main() -> int:
    """The process's exit code: 1 where a grade was not the one wanted."""
    parser = argparse.ArgumentParser(
        "python -m localsmc.evals.grading", description="measure a grader on gold answers"
    )
    parser.add_argument("files", nargs="+", type=Path, help="JSON or JSONL with a field `answer`")
    parser.add_argument("--grader", default="math", choices=list(GRADERS))
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for an answer")
    arguments = parser.parse_args()
    try:
        with Grader(arguments.grader, arguments.limit) as grader:
            return max(_report(grader, path) for path in arguments.files)
    except LocalSMCError as error:
        sys.stderr.write(f"{error}\n{error.hint or ''}\n")
        return error.exit_code


def _report(grader: Grader, path: Path) -> int:
    wanted, code = golds(path), 0
    _say(f"{path.name}: {len(wanted)} gold answers, grader {grader.name} version {grader.version}")
    for count in measure(grader, wanted):
        _say(count.line())
        for gold, answer, verdict in count.failures:
            code = 1
            _say(f"    gold {gold!r}, answer {answer!r}: {verdict}")
    return code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
