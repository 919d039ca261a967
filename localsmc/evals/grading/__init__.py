"""Whether an answer is the gold answer: four graders, and a process of its own that they run in.

    with Grader("math", limit=5.0) as grader:
        grade = grader.grade("0.5", "\\\\frac{1}{2}")  # Grade("right")

Importing this is cheap: SymPy and math-verify are imported by the worker alone.
"""

from localsmc.evals.grading.grader import Grader
from localsmc.evals.grading.grading_rules import GRADERS, GradingRule
from localsmc.evals.grading.verdict import Grade, Verdict

__all__ = ["GRADERS", "Grade", "Grader", "GradingRule", "Verdict"]
