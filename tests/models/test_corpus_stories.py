"""Stories: in every pattern the wording tells what the formula uses, and Python's own value is the answer."""

import ast
import random
import re

import pytest
from corpus_draws import LEVELS, evaluate, expanded

from localsmc_models.corpus.families import everyday
from localsmc_models.corpus.families.everyday import patterns

FAMILY = {"one_step": everyday.story, "two_steps": everyday.errand}
EACH_FILE = pytest.mark.parametrize("file", FAMILY)

CLOCKS = {"clock", "later", "noon"}
"""Notes of patterns whose numbers are hours."""

SAID_IN_WORDS = {
    2: "half|twice|there and back|same way home|2 friends|perimeter|way around",
    3: "third|three times",
    4: "quarter|legs|wheels|square",
    7: "weeks",
    8: "8 legs",
    12: "dozen|months|am .* pm",
    24: "hours are .*days",
    60: "minutes",
}
"""Numbers of a formula that no slot tells, and the words that tell them."""

AMOUNT = re.compile("c?([abcdnmk])")
SLOT = re.compile(r"\{(\w+)\}")


def letters_of(wording: str) -> set[str]:
    """The letters that a wording tells, as numbers or as prices."""
    return {found[1] for slot in SLOT.findall(wording) if (found := AMOUNT.fullmatch(slot))}


def fixed_of(pattern) -> dict[str, str]:
    return {} if pattern.fixed in CLOCKS else dict(re.findall(r"^(\w)=(\d+)$", pattern.fixed))


@EACH_FILE
def test_there_are_many_patterns_and_none_twice(file):
    assert len(set(patterns(file))) == len(patterns(file)) >= 100
    assert all(one.fixed in {"", *CLOCKS} or fixed_of(one) for one in patterns(file)), "a note is not read"


@EACH_FILE
def test_each_choice_of_a_wording_tells_the_numbers_of_its_formula(file):
    for pattern in patterns(file):
        fixed = fixed_of(pattern)
        for wording in expanded(pattern.wording):
            assert letters_of(wording) == set(re.findall("[a-z]", pattern.formula)) - set(fixed), wording
            for number in (*fixed.values(), *re.findall(r"\d+", pattern.formula)):
                assert re.search(SAID_IN_WORDS[int(number)], wording, re.IGNORECASE), (wording, number)


CUES = {
    r"in all|altogether|together|in total|both": "+*",
    r"left|remains?|change|get back|stay|fewer|older|younger|missing|taller|longer|difference|profit": "-",
}
"""Words of the sentence that asks, and the signs of which the formula has one."""


@EACH_FILE
def test_what_is_asked_suits_the_formula(file):
    n_cues = 0
    for pattern in patterns(file):
        # Where half of it goes away, the other half is as much.
        signs = pattern.formula.replace("a / n", "a - n") if pattern.fixed == "n=2" else pattern.formula
        for wording in expanded(pattern.wording):
            asking = re.split(r"[.,] (?=[A-Z{]|how|what)", wording)[-1]
            for cue, some in CUES.items():
                if re.search(rf"\b(?:{cue})\b", asking):
                    n_cues += 1
                    assert set(some) & set(signs), (pattern.formula, wording)
    assert n_cues > 100


def test_every_slot_is_filled_and_every_word_is_used():
    known = set(everyday._slots(dict.fromkeys("abcdnmk", 1), random.Random(1)))
    used = {slot for file in FAMILY for pattern in patterns(file) for slot in SLOT.findall(pattern.wording)}
    assert used == known


def reader(wording: str) -> re.Pattern:
    """What finds the number of each letter in a question."""
    found: set[str] = set()

    def look(slot: re.Match) -> str:
        amount = AMOUNT.fullmatch(slot[1])
        if amount is None:
            return "(?: pm| o'clock|:00|pm| am|)" if slot[1] == "pm" else r"[^\d]+?"
        number = f"(?P={amount[1]})" if amount[1] in found else f"(?P<{amount[1]}>\\d+)"
        found.add(amount[1])
        return rf"\$?{number}(?:\$| [a-z]+)?" if slot[1].startswith("c") and len(slot[1]) == 2 else number

    pieces = re.split(r"(\{\w+\})", wording)
    return re.compile(
        "".join(SLOT.sub(look, piece) if SLOT.fullmatch(piece) else re.escape(piece) for piece in pieces),
        re.IGNORECASE,
    )


def parts_of(formula: str) -> list[str]:
    """All parts of a formula, as text."""
    nodes = (node for node in ast.walk(ast.parse(formula, mode="eval")) if isinstance(node, ast.expr))
    return [ast.unparse(node) for node in nodes]


@EACH_FILE
def test_the_answer_is_the_formula_of_the_numbers_in_the_question(file, monkeypatch):
    monkeypatch.setattr(everyday, "typed", lambda question, rng: question)
    monkeypatch.setattr(everyday, "in_words", str)
    rng = random.Random(file)
    for pattern in patterns(file):
        monkeypatch.setattr(everyday, "patterns", lambda name, only=pattern: (only,))
        readers = [reader(" ".join(wording.split())) for wording in expanded(pattern.wording)]
        for level in LEVELS:
            problem = FAMILY[file](rng, level)
            fits = [fit for one in readers if (fit := one.fullmatch(problem.question))]
            assert fits, (pattern, problem.question)
            numbers = fixed_of(pattern) | fits[0].groupdict()
            formula = re.sub("[a-z]", lambda found, numbers=numbers: numbers[found[0]], pattern.formula)
            values = {part: evaluate(part) for part in parts_of(formula)}
            assert evaluate(formula) == int(problem.answer), problem.question
            assert all(value.denominator == 1 and value >= 1 for value in values.values()), values
            if pattern.fixed in ("clock", "later"):
                assert max(values.values()) <= 12, "no hour is after 12"


def test_people_have_their_own_pronouns():
    for rng in map(random.Random, range(300)):
        slots = everyday._slots({}, rng)
        assert slots["S"] != slots["T"]
        assert (slots["he"], slots["He"], slots["his"]) in {("he", "He", "his"), ("she", "She", "her")}
