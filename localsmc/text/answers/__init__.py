r"""Answers in completions: find them, show them, compare them. Pure functions on text, in linear time.

found = find("So it is \\boxed{42}.")  # Answer("42", "boxed")
key("42 apples", "numeric") == key("42", "numeric")
"""

from localsmc.results import AnswerKind, AnswerSource
from localsmc.text.answers.answer import Answer
from localsmc.text.answers.box_scan import BoxScan, boxes
from localsmc.text.answers.extraction import extract, fallback, find
from localsmc.text.answers.keys import key, same
from localsmc.text.answers.normalise import normalise

__all__ = [
    "Answer",
    "AnswerKind",
    "AnswerSource",
    "BoxScan",
    "boxes",
    "extract",
    "fallback",
    "find",
    "key",
    "normalise",
    "same",
]
