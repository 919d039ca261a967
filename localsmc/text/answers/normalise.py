"""The form in which an answer is shown, without the formatting around it."""

from __future__ import annotations

import re


def normalise(answer: str) -> str:
    """Remove formatting that does not change an answer: dollar signs, spaces, LaTeX sizes, commas."""
    answer = answer.strip().strip("$").strip()
    answer = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}", r"\1", answer)
    answer = re.sub(r"\\[dt]frac", r"\\frac", answer)
    answer = re.sub(r"\\(?:left|right|displaystyle)(?![a-zA-Z])|(?<!\\)\\[!,;: ]", "", answer)
    if not answer.startswith(("(", "[", "\\{", "{")):
        # Commas separate thousands, except in brackets: (6,310) is a pair.
        answer = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", answer)
    answer = answer.replace("\\%", "%").replace("\\$", "").rstrip(".").strip()
    return re.sub(r"\s+", " ", answer)
