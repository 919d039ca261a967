"""Grading: decide whether an answer equals the gold answer. Six graders run in a separate process.

    with Grader("math", limit=5.0) as grader:
        grade = grader.grade("0.5", "\\\\frac{1}{2}")  # Grade("right")

Importing this is cheap: only the worker process imports SymPy and math-verify.
"""

from localsmc.evals.grading.gold import Gold, read_gold, written_gold
from localsmc.evals.grading.grader import GRADING_LIMIT, Grader
from localsmc.evals.grading.grading_rules import GRADERS, GradingRule
from localsmc.evals.grading.verdict import Grade, Verdict

__all__ = [
    "GRADERS",
    "GRADING_LIMIT",
    "Gold",
    "Grade",
    "Grader",
    "GradingRule",
    "Verdict",
    "read_gold",
    "written_gold",
]
