"""Put words into patterns: `[one|other]` is a choice, `{slot}` a word that stays the same in one question.

`typed` then spells a question as people type it: in lower case, without marks, with a greeting in front.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from localsmc_models.corpus import words

CHOICE = re.compile(r"\[([^\[\]]*)\]")

BEGINNINGS = (
    "hi, ", "hey ", "Hello! ", "please ", "quick question: ", "ok, ", "so ", "Hi there. ", "and ", "now ",
    "Question: ", "Q: ", "math: ", "help: ", "I need help: ", "please help, ", "can you solve this? ",
    "well, ", "Solve this: ", "Next: ", "Here is my problem. ", "My homework: ", "hmm, ", "Can you help? ",
)  # fmt: skip
ENDINGS = (
    " please", " thanks", ", please", " pls", " Thanks!", "??", " ?", "!", "...", " Thank you.", ", ok?",
)  # fmt: skip


def chosen(pattern: str, rng: random.Random) -> str:
    """The pattern with one alternative of each bracket; brackets may be nested."""
    while (found := CHOICE.search(pattern)) is not None:
        pattern = pattern[: found.start()] + rng.choice(found[1].split("|")) + pattern[found.end() :]
    return pattern


def filled(pattern: str, slots: Mapping[str, object], rng: random.Random) -> str:
    """The pattern with one alternative of each bracket, and its slots filled."""
    return chosen(pattern, rng).format_map(slots)


def typed(text: str, rng: random.Random) -> str:
    """A question as people type it: half of them unchanged."""
    if rng.random() < 0.5:
        return text
    if rng.random() < 0.55:
        text = text[:1].lower() + text[1:]
    if rng.random() < 0.4:
        text = text.rstrip(".?")
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.1:
        text = text.replace("'", "")
    if rng.random() < 0.05:
        text = text.replace(", ", " ").replace(". ", " ")
    if rng.random() < 0.08:
        text = rng.choice(BEGINNINGS) + text
    if rng.random() < 0.06:
        text = text.rstrip(".") + rng.choice(ENDINGS)
    if rng.random() < 0.03:
        text = text.upper()
    return text.strip()


def in_words(number: int) -> str:
    """A whole number from 0 to 999 in words."""
    if number < 20:
        return words.SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return words.TENS[tens] + (f"-{words.SMALL[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    return f"{words.SMALL[hundreds]} hundred" + (f" and {in_words(rest)}" if rest else "")
