"""The family of bare calculations with one operation: what people type first, in many spellings."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

from localsmc_models.corpus.calculation import Work, shown_quotient
from localsmc_models.corpus.families.draws import operands, up_to
from localsmc_models.corpus.families.frames import FRAMES, framed
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import filled, in_words, typed

PLUS = ("{a}+{b}", "{a} + {b}", "{a} + {b}", "{a} plus {b}", "{a} +{b}", "{a} and {b} added",
        "{a} added to {b}")  # fmt: skip
MINUS = ("{a}-{b}", "{a} - {b}", "{a} - {b}", "{a} minus {b}", "{a} less {b}", "{a} take away {b}",
         "{a} \N{MINUS SIGN} {b}", "{a} \N{EN DASH} {b}")  # fmt: skip
TIMES = ("{a}*{b}", "{a} * {b}", "{a} x {b}", "{a}x{b}", "{a} \N{MULTIPLICATION SIGN} {b}", "{a} times {b}",
         "{a}\N{MULTIPLICATION SIGN}{b}", "{a} multiplied by {b}", "{a} X {b}",
         "{a} \N{MIDDLE DOT} {b}")  # fmt: skip
OVER = ("{a}/{b}", "{a} / {b}", "{a} / {b}", "{a} \N{DIVISION SIGN} {b}", "{a} divided by {b}", "{a} : {b}",
        "{a}\N{DIVISION SIGN}{b}", "{a} over {b}")  # fmt: skip
SPELLINGS = {"+": PLUS, "-": MINUS, "*": TIMES, "/": OVER}
PLAIN = {sign: spellings[:4] for sign, spellings in SPELLINGS.items()}
"""Spellings that suit negative numbers and decimals."""

IN_WORDS = {
    "+": ("{a} plus {b}", "{a} and {b} added", "{a} + {b}"),
    "-": ("{a} minus {b}", "{a} take away {b}", "{a} - {b}"),
    "*": ("{a} times {b}", "{a} multiplied by {b}", "{a} x {b}"),
    "/": ("{a} divided by {b}", "{a} over {b}", "{a} / {b}"),
}
"""Spellings for numbers in words."""

PHRASES = {
    "+": (
        "[|What is |what's |Find |Compute |Calculate ][the |]sum of {a} and {b}",
        "What is the sum of {a} and {b}?", "Add {a} and {b}.", "Add {a} to {b}.",
        "[Add up|Sum up|Sum] {a} and {b}", "{a} increased by {b}", "What do you get if you add {a} and {b}?",
        "What is {b} more than {a}?", "{b} more than {a}", "[|What is |what's ][the |]total of {a} and {b}",
        "{a} and {b} together", "How much are {a} and {b} together?", "What do {a} and {b} make?",
        "Put {a} and {b} together.", "If I add {b} to {a}, what do I get?", "How much is {a} with {b} added?",
        "{a} and {b} more", "What number is {b} greater than {a}?",
    ),
    "-": (
        "[|What is |what's |Find |Compute |Calculate ][the |]difference [between|of] {a} and {b}",
        "What is the difference between {a} and {b}?", "Subtract {b} from {a}.",
        "[Take|Take away] {b} from {a}.", "Take {b} away from {a}", "{a} decreased by {b}",
        "{a} reduced by {b}", "What is {b} less than {a}?", "{b} less than {a}",
        "What is left if you take {b} from {a}?", "What do you get if you subtract {b} from {a}?",
        "How much is {a} without {b}?", "{b} subtracted from {a}", "{a} without {b}", "Deduct {b} from {a}.",
        "If I take {b} away from {a}, what is left?", "What number is {b} smaller than {a}?",
    ),
    "*": (
        "[|What is |what's |Find |Compute |Calculate ][the |]product of {a} and {b}",
        "What is the product of {a} and {b}?", "Multiply {a} by {b}.", "Multiply {a} and {b}.",
        "Multiply {a} with {b}", "What do you get if you multiply {a} by {b}?", "{a} lots of {b}",
        "{a} multiplied with {b}", "{a} by {b} multiplied", "How much is {a} times {b}?",
        "If I multiply {a} by {b}, what do I get?", "{a} groups of {b}", "What is {a} times as much as {b}?",
    ),
    "/": (
        "[|What is |what's |Find |Compute |Calculate ][the |]quotient of {a} and {b}",
        "What is the quotient of {a} and {b}?", "Divide {a} by {b}.", "Divide {a} into {b} [equal |]parts.",
        "[Split|Share] {a} into {b} equal parts.", "How many times does {b} [go|fit] into {a}?",
        "How many {b}s are in {a}?", "How often does {b} fit into {a}?",
        "What do you get if you divide {a} by {b}?", "{a} shared by {b}", "{a} split into {b}",
        "{a} divided into {b} parts", "If I divide {a} by {b}, what do I get?",
    ),
}  # fmt: skip

MULTIPLES = (
    (2, ("double {a}", "twice {a}", "two times {a}", "the double of {a}", "{a} doubled")),
    (3, ("triple {a}", "three times {a}", "the triple of {a}", "{a} tripled", "thrice {a}")),
)
PARTS = (
    (2, ("half of {a}", "a half of {a}", "{a} halved", "1/2 of {a}", "one half of {a}", "half {a}")),
    (3, ("a third of {a}", "one third of {a}", "1/3 of {a}")),
    (4, ("a quarter of {a}", "one quarter of {a}", "1/4 of {a}", "one fourth of {a}")),
    (5, ("a fifth of {a}", "one fifth of {a}", "1/5 of {a}")),
    (10, ("a tenth of {a}", "one tenth of {a}", "1/10 of {a}")),
)  # fmt: skip
POWERS = (
    ("{a} squared", "the square of {a}", "{a}^2", "{a} to the power of 2", "{a}\N{SUPERSCRIPT TWO}", "{a}**2",
     "{a} ^ 2"),
    ("{a} cubed", "the cube of {a}", "{a}^3", "{a} to the power of 3", "{a}\N{SUPERSCRIPT THREE}", "{a}**3"),
)  # fmt: skip
ROOTS = ("[the |]square root of {a}", "sqrt({a})", "sqrt {a}", "\N{SQUARE ROOT}{a}", "[the |]root of {a}")
REMAINDERS = (
    "{a} mod {b}", "[the |]remainder of {a} / {b}", "[the |]remainder of {a} divided by {b}",
    "{a} modulo {b}", "the rest of {a} divided by {b}",
)  # fmt: skip

Asked = tuple[str, str]
"""A question and its answer."""


def calculation(rng: random.Random, level: int) -> Problem:
    """One addition, subtraction, multiplication or division, in the spellings that people use."""
    work = Work()
    drawn = rng.random()
    kind = next((kind for below, kind in RARER if drawn < below), _operation)
    question, answer = kind(rng, level, work)
    return Problem("calculation", level, typed(question, rng), answer, tuple(work.steps))


def _operation(rng: random.Random, level: int, work: Work) -> Asked:
    sign = rng.choice("++--**/")
    a, b = operands(sign, level, rng)
    if sign == "/" and rng.random() < 0.08:
        a, b = rng.randint(1, 10 * level), rng.randint(2, 12)
    answer = _result(sign, a, b, work)
    spell = in_words if max(a, b) < 100 and rng.random() < 0.1 else _digits(rng)
    slots = {"a": spell(a), "b": spell(b)}
    if rng.random() < 0.3:
        return filled(rng.choice(PHRASES[sign]), slots, rng), answer
    spellings = IN_WORDS if spell is in_words else SPELLINGS
    return framed(rng.choice(spellings[sign]).format_map(slots), rng), answer


def _result(sign: str, a: int, b: int, work: Work) -> str:
    if sign == "/":
        return shown_quotient(work.quotient(a, b)) if a % b else str(work.divided(a, b))
    calculate = {"+": work.added, "-": work.subtracted, "*": work.times}[sign]
    return str(calculate(a, b))


def _digits(rng: random.Random) -> Callable[[int], str]:
    return (lambda n: f"{n:,}") if rng.random() < 0.1 else str


def _named_multiple(rng: random.Random, level: int, work: Work) -> Asked:
    """Multiples, parts, powers and square roots by their names."""
    draw = rng.choice((_multiple, _part, _power, _root))
    number, value, wordings = draw(rng, level, work)
    return framed(filled(rng.choice(wordings), {"a": number}, rng), rng), str(int(value))


Named = tuple[int, int, tuple[str, ...]]
"""A number, what is asked about it, and wordings for that."""


def _multiple(rng: random.Random, level: int, work: Work) -> Named:
    factor, wordings = rng.choice(MULTIPLES)
    number = up_to(level + 1, rng)
    return number, work.times(number, factor), wordings


def _part(rng: random.Random, level: int, work: Work) -> Named:
    by, wordings = rng.choice(PARTS[: 1 + 2 * level] if rng.random() < 0.6 else PARTS[:1])
    whole = by * rng.randint(1, 5 * 10**level // by + 1)
    return whole, work.divided(whole, by), wordings


def _power(rng: random.Random, level: int, work: Work) -> Named:
    cube = rng.random() < 0.25
    base = rng.randint(2, 6 if cube else 8 + 8 * level)
    square = work.times(base, base)
    return base, work.times(square, base) if cube else square, POWERS[cube]


def _root(rng: random.Random, level: int, work: Work) -> Named:
    root = rng.randint(1, 8 + 8 * level)
    return work.times(root, root), root, ROOTS


def _below_zero(rng: random.Random, level: int, work: Work) -> Asked:
    """Calculations that begin with a negative number."""
    a, b = rng.randint(1, 10 * level), rng.randint(1, 10 * level)
    sign = rng.choice("+-*")
    if sign == "+":
        value: int = work.subtracted(b, a)
        work.note([f"-{a} + {b} = {b} - {a} = {int(value)}"], [f"-{a} + {b} = {int(value)}"], [0])
    else:
        value = -(work.added(a, b) if sign == "-" else work.times(a, b))
        work.note([f"-{a} {sign} {b} = {value}"], uses=[0])
    written = rng.choice(PLAIN[sign]).format(a=f"-{a}", b=b)
    return framed(written, rng), str(int(value))


def _with_decimals(rng: random.Random, level: int, work: Work) -> Asked:
    """Sums, differences and multiples of numbers with one decimal place."""
    tenths, more = rng.randint(1, 100 * level), rng.randint(1, 100 * level)
    sign = rng.choice("+-*")
    if sign == "*":
        more = 10 * rng.randint(2, 10)
    left, right = Fraction(max(tenths, more), 10), Fraction(min(tenths, more), 10)
    a, b = shown_quotient(left), shown_quotient(right)
    values = {"+": left + right, "-": left - right, "*": left * right}
    answer = shown_quotient(values[sign])
    work.note([f"{a} {sign} {b} = {answer}"])
    return framed(rng.choice(PLAIN[sign]).format(a=a, b=b), rng), answer


def _remainder(rng: random.Random, level: int, work: Work) -> Asked:
    """What is left of a division."""
    by = rng.randint(2, 9 + 3 * level)
    whole = by * rng.randint(1, 8 * level) + rng.randint(0, by - 1)
    wording, frame = rng.choice(REMAINDERS), rng.choice(FRAMES)
    written = filled(wording, {"a": whole, "b": by}, rng)
    return filled(frame, {"e": written}, rng), str(work.remainder(whole, by))


RARER = ((0.16, _named_multiple), (0.19, _below_zero), (0.22, _with_decimals), (0.24, _remainder))
"""What else than two numbers and a sign is asked, with the sum of the shares up to there."""
