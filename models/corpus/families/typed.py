"""Families of what people type first: bare calculations, comparisons, shares, unknowns, in many spellings."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

from localsmc_models.corpus.calculation import Work, shown_quotient
from localsmc_models.corpus.formulas import calculated, parts
from localsmc_models.corpus.problem import Problem
from localsmc_models.corpus.wording import chosen, filled, in_words, typed

PLUS = ("{a}+{b}", "{a} + {b}", "{a} + {b}", "{a} plus {b}", "{a} +{b}", "{a} and {b} added", "{a} added to {b}")
MINUS = ("{a}-{b}", "{a} - {b}", "{a} - {b}", "{a} minus {b}", "{a} less {b}", "{a} take away {b}",
         "{a} \N{MINUS SIGN} {b}", "{a} \N{EN DASH} {b}")  # fmt: skip
TIMES = ("{a}*{b}", "{a} * {b}", "{a} x {b}", "{a}x{b}", "{a} \N{MULTIPLICATION SIGN} {b}", "{a} times {b}",
         "{a}\N{MULTIPLICATION SIGN}{b}", "{a} multiplied by {b}", "{a} X {b}", "{a} \N{MIDDLE DOT} {b}")  # fmt: skip
OVER = ("{a}/{b}", "{a} / {b}", "{a} / {b}", "{a} \N{DIVISION SIGN} {b}", "{a} divided by {b}", "{a} : {b}",
        "{a}\N{DIVISION SIGN}{b}", "{a} over {b}")  # fmt: skip
SPELLINGS = {"+": PLUS, "-": MINUS, "*": TIMES, "/": OVER}

FRAMES = (
    "{e}", "{e}", "{e}", "{e}", "{e}=", "{e} =", "{e} = ?", "{e}=?", "{e}?", "{e} equals", "{e} equals what?",
    "{e} is", "{e} is what", "= {e}", "What is {e}?", "What is {e}?", "What is {e}?", "What's {e}?", "Whats {e}?",
    "what is {e}", "what's {e}", "whats {e}", "Compute {e}.", "Compute {e}", "compute: {e}", "Calculate {e}.",
    "calculate {e}", "Calculate: {e}", "How much is {e}?", "how much is {e}", "Solve {e}", "Solve: {e}",
    "Work out {e}.", "Evaluate {e}.", "Find {e}.", "Find the value of {e}.", "Tell me {e}.", "Give me {e}",
    "What does {e} equal?", "What does {e} make?", "What is the [result|value|answer] of {e}?", "[the ]answer to {e}",
    "Can you [tell me what {e} is|compute {e}|calculate {e}|work out {e}]?", "Do you know what {e} is?",
    "I [need|want to know] {e}", "What do you get for {e}?", "Do the math: {e}", "How many is {e}?",
    "result of {e}", "value of {e}", "[Tell|Show] me what {e} is", "Figure out {e}", "{e} makes", "{e} = x",
    "What number is {e}?", "Could you please do {e}?", "what will {e} be", "What would {e} be?", "{e} gives?",
    "{e} = ...", "{e} = _", "Let me know what {e} is.", "How do I calculate {e}?", "Just {e}", "what {e}",
)  # fmt: skip

PHRASES = {
    "+": (
        "[|What is |what's |Find |Compute |Calculate ][the |]sum of {a} and {b}", "What is the sum of {a} and {b}?",
        "Add {a} and {b}.", "Add {a} to {b}.", "[Add up|Sum up|Sum] {a} and {b}", "{a} increased by {b}",
        "What do you get if you add {a} and {b}?", "What is {b} more than {a}?", "{b} more than {a}",
        "[|What is |what's ][the |]total of {a} and {b}", "{a} and {b} together", "How much are {a} and {b} together?",
        "What do {a} and {b} make?", "Put {a} and {b} together.", "If I add {b} to {a}, what do I get?",
        "How much is {a} with {b} added?", "{a} and {b} more", "What number is {b} greater than {a}?",
    ),
    "-": (
        "[|What is |what's |Find |Compute |Calculate ][the |]difference [between|of] {a} and {b}",
        "What is the difference between {a} and {b}?", "Subtract {b} from {a}.", "[Take|Take away] {b} from {a}.",
        "Take {b} away from {a}", "{a} decreased by {b}", "{a} reduced by {b}", "What is {b} less than {a}?",
        "{b} less than {a}", "What is left if you take {b} from {a}?", "What do you get if you subtract {b} from {a}?",
        "How much is {a} without {b}?", "{b} subtracted from {a}", "{a} without {b}", "Deduct {b} from {a}.",
        "If I take {b} away from {a}, what is left?", "What number is {b} smaller than {a}?",
    ),
    "*": (
        "[|What is |what's |Find |Compute |Calculate ][the |]product of {a} and {b}", "What is the product of {a} and {b}?",
        "Multiply {a} by {b}.", "Multiply {a} and {b}.", "Multiply {a} with {b}", "What do you get if you multiply {a} by {b}?",
        "{a} lots of {b}", "{a} multiplied with {b}", "{a} by {b} multiplied", "How much is {a} times {b}?",
        "If I multiply {a} by {b}, what do I get?", "{a} groups of {b}", "What is {a} times as much as {b}?",
    ),
    "/": (
        "[|What is |what's |Find |Compute |Calculate ][the |]quotient of {a} and {b}", "What is the quotient of {a} and {b}?",
        "Divide {a} by {b}.", "Divide {a} into {b} [equal |]parts.", "[Split|Share] {a} into {b} equal parts.",
        "How many times does {b} [go|fit] into {a}?", "How many {b}s are in {a}?", "How often does {b} fit into {a}?",
        "What do you get if you divide {a} by {b}?", "{a} shared by {b}", "{a} split into {b}", "{a} divided into {b} parts",
        "If I divide {a} by {b}, what do I get?",
    ),
}  # fmt: skip


def _up_to(digits: int, rng: random.Random) -> int:
    """A number of one to `digits` digits; every length is equally frequent."""
    length = rng.randint(1, digits)
    return rng.randint(1 if length == 1 else 10 ** (length - 1), 10**length - 1)


def _operands(sign: str, level: int, rng: random.Random) -> tuple[int, int]:
    digits = min(level + 1, 9)
    if sign in "+-":
        a, b = _up_to(digits, rng), _up_to(digits, rng)
        if sign == "-" and a < b and rng.random() < 0.85:
            a, b = b, a
        return a, b
    if sign == "*":
        sizes = {1: ((1, 1), (1, 1), (2, 1)), 2: ((2, 1), (2, 2), (3, 1), (1, 1)), 3: ((3, 2), (2, 2), (3, 3), (4, 1))}
        first, second = rng.choice(sizes.get(level, ((level, level - 1),)))
        a, b = (rng.randint(2 if n == 1 else 10 ** (n - 1), 12 if n == 1 else 10**n - 1) for n in (first, second))
        return (a, b) if rng.random() < 0.6 else (b, a)
    b = rng.randint(2, 12) if level == 1 or rng.random() < 0.6 else rng.randint(11, 99)
    top = max(2, 10 ** (level + 1) // b)
    return b * rng.randint(1, min(top, 12) if level == 1 else rng.choice((12, top)) if top > 12 else top), b


def calculation(rng: random.Random, level: int) -> Problem:
    """One addition, subtraction, multiplication or division, in the spellings that people use."""
    work = Work()
    if (drawn := rng.random()) < 0.16:
        return _named_multiple(rng, level, work)
    if drawn < 0.19:
        return _below_zero(rng, level, work)
    if drawn < 0.22:
        return _with_decimals(rng, level, work)
    if drawn < 0.24:
        return _remainder(rng, level, work)
    sign = rng.choice("++--**/")
    a, b = _operands(sign, level, rng)
    if sign == "/" and rng.random() < 0.08:
        a, b = rng.randint(1, 10 * level), rng.randint(2, 12)
    step: Callable[[int, int], object] = {"+": work.added, "-": work.subtracted, "*": work.times, "/": work.divided}[sign]
    if sign == "/" and a % b:
        answer = shown_quotient(work.quotient(a, b))
    else:
        answer = str(step(a, b))
    spell = in_words if max(a, b) < 100 and rng.random() < 0.1 else _digits(rng)
    slots = {"a": spell(a), "b": spell(b)}
    if rng.random() < 0.3:
        question = filled(rng.choice(PHRASES[sign]), slots, rng)
    else:
        written = rng.choice(SPELLINGS[sign] if spell is not in_words else SPELLINGS[sign][3:4] + SPELLINGS[sign][5:6])
        question = filled(rng.choice(FRAMES), {"e": written.format_map(slots)}, rng)
    return Problem("calculation", level, typed(question, rng), answer, tuple(work.steps))


def _digits(rng: random.Random) -> Callable[[int], str]:
    return (lambda n: f"{n:,}") if rng.random() < 0.1 else str


def _below_zero(rng: random.Random, level: int, work: Work) -> Problem:
    """Calculations that begin with a negative number."""
    a, b = rng.randint(1, 10 * level), rng.randint(1, 10 * level)
    sign = rng.choice("+-*")
    if sign == "+":
        value: int = work.subtracted(b, a)
        work.note([f"-{a} + {b} = {b} - {a} = {int(value)}"], [f"-{a} + {b} = {int(value)}"], [0])
    elif sign == "-":
        value = -work.added(a, b)
        work.note([f"-{a} - {b} = {value}"], uses=[0])
    else:
        value = -work.times(a, b)
        work.note([f"-{a} * {b} = {value}"], uses=[0])
    written = rng.choice(SPELLINGS[sign][:4]).format(a=f"-{a}", b=b)
    question = filled(rng.choice(FRAMES), {"e": written}, rng)
    return Problem("calculation", level, typed(question, rng), str(int(value)), tuple(work.steps))


def _with_decimals(rng: random.Random, level: int, work: Work) -> Problem:
    """Sums, differences and multiples of numbers with one decimal place."""
    tenths, more = rng.randint(1, 100 * level), rng.randint(1, 100 * level)
    sign = rng.choice("+-*")
    if sign == "*":
        more = 10 * rng.randint(2, 10)
    first, second = max(tenths, more), min(tenths, more)
    a, b = shown_quotient(Fraction(first, 10)), shown_quotient(Fraction(second, 10))
    values = {"+": Fraction(first + second, 10), "-": Fraction(first - second, 10), "*": Fraction(first * second, 100)}
    answer = shown_quotient(values[sign])
    work.note([f"{a} {sign} {b} = {answer}"])
    written = rng.choice(SPELLINGS[sign][:4]).format(a=a, b=b)
    question = filled(rng.choice(FRAMES), {"e": written}, rng)
    return Problem("calculation", level, typed(question, rng), answer, tuple(work.steps))


def _remainder(rng: random.Random, level: int, work: Work) -> Problem:
    """What is left of a division."""
    by = rng.randint(2, 9 + 3 * level)
    whole = by * rng.randint(1, 8 * level) + rng.randint(0, by - 1)
    written = rng.choice(("{a} mod {b}", "[the |]remainder of {a} / {b}", "[the |]remainder of {a} divided by {b}",
                          "{a} modulo {b}", "the rest of {a} divided by {b}"))  # fmt: skip
    question = filled(rng.choice(FRAMES), {"e": filled(written, {"a": whole, "b": by}, rng)}, rng)
    return Problem("calculation", level, typed(question, rng), str(int(work.remainder(whole, by))), tuple(work.steps))


MULTIPLES = (
    (2, "double", ("double {a}", "twice {a}", "two times {a}", "the double of {a}", "{a} doubled")),
    (3, "triple", ("triple {a}", "three times {a}", "the triple of {a}", "{a} tripled", "thrice {a}")),
)
PARTS = (
    (2, ("half of {a}", "a half of {a}", "{a} halved", "1/2 of {a}", "one half of {a}", "half {a}")),
    (3, ("a third of {a}", "one third of {a}", "1/3 of {a}")),
    (4, ("a quarter of {a}", "one quarter of {a}", "1/4 of {a}", "one fourth of {a}")),
    (5, ("a fifth of {a}", "one fifth of {a}", "1/5 of {a}")),
    (10, ("a tenth of {a}", "one tenth of {a}", "1/10 of {a}")),
)  # fmt: skip
POWERS = (
    ("{a} squared", "the square of {a}", "{a}^2", "{a} to the power of 2", "{a}\N{SUPERSCRIPT TWO}", "{a}**2", "{a} ^ 2"),
    ("{a} cubed", "the cube of {a}", "{a}^3", "{a} to the power of 3", "{a}\N{SUPERSCRIPT THREE}", "{a}**3"),
)


def _named_multiple(rng: random.Random, level: int, work: Work) -> Problem:
    """Doubles, halves, squares and square roots by their names."""
    shape = rng.randrange(4)
    if shape == 0:
        factor, _, wordings = rng.choice(MULTIPLES)
        a = _up_to(level + 1, rng)
        value: int = work.times(a, factor)
    elif shape == 1:
        by, wordings = rng.choice(PARTS[: 1 + 2 * level] if rng.random() < 0.6 else PARTS[:1])
        a = by * rng.randint(1, 5 * 10**level // by + 1)
        value = work.divided(a, by)
    elif shape == 2:
        cube = rng.random() < 0.25
        wordings = POWERS[cube]
        a = rng.randint(2, 6 if cube else 8 + 8 * level)
        value = work.times(a, a)
        if cube:
            value = work.times(value, a)
    else:
        root = rng.randint(1, 8 + 8 * level)
        a, value = root * root, root
        work.times(root, root)
        wordings = ("[the |]square root of {a}", "sqrt({a})", "sqrt {a}", "\N{SQUARE ROOT}{a}", "[the |]root of {a}")
    written = filled(rng.choice(wordings), {"a": a}, rng)
    question = filled(rng.choice(FRAMES), {"e": written}, rng)
    return Problem("calculation", level, typed(question, rng), str(int(value)), tuple(work.steps))


SHAPES = (
    "({a} + {b}) * {n}", "{n} * ({a} + {b})", "{a} + {n} * {m}", "{n} * {m} + {a}", "{n} * {m} - {a}", "{a} - {n} * {m}",
    "({a} - {b}) / {n}", "({a} + {b}) / {n}", "{a} + {b} + {c}", "{a} - {b} - {c}", "{a} + {b} - {c}", "{a} - {b} + {c}",
    "{n} * {m} * {k}", "{n} * ({a} - {b})", "({a} - {b}) * {n}", "({a} + {b}) * ({c} - {d})", "{a} - ({b} + {c})",
    "{a} - ({b} - {c})", "{a} / {n} + {b}", "{a} / {n} - {b}", "{a} + {b} / {n}", "{a} - {b} / {n}", "{n} * {a} / {m}",
    "{n} * {m} + {k} * {d}", "{a} / ({n} + {m})", "({a} + {b}) - {c}", "{a} + ({b} - {c})", "{n} * {a}", "{a} / {n} * {m}",
    "{a} + {b} + {c} + {d}",
)  # fmt: skip
TOLD = (
    ("{a} + {b} + {c}", ("[the |]sum of {a}, {b} and {c}", "add {a}, {b} and {c}", "{a} plus {b} plus {c}", "{a}, {b} and {c} together",
                         "the total of {a}, {b}, and {c}", "add up {a}, {b}, {c}")),
    ("{a} + {b} + {c} + {d}", ("[the |]sum of {a}, {b}, {c} and {d}", "add {a}, {b}, {c} and {d}", "{a} plus {b} plus {c} plus {d}")),
    ("{n} * {m} * {k}", ("[the |]product of {n}, {m} and {k}", "{n} times {m} times {k}", "multiply {n}, {m} and {k}")),
    ("({a} + {b}) * {n}", ("{n} times the sum of {a} and {b}", "add {a} and {b}, then multiply by {n}",
                           "the sum of {a} and {b}, times {n}", "{a} plus {b}, all times {n}")),
    ("{n} * {m} + {a}", ("{n} times {m} plus {a}", "{n} times {m}, plus {a}", "multiply {n} by {m} and add {a}", "{a} more than {n} times {m}")),
    ("{n} * {m} - {a}", ("{n} times {m} minus {a}", "multiply {n} by {m} and subtract {a}", "{a} less than {n} times {m}")),
    ("{a} + {n} * {m}", ("{a} plus {n} times {m}", "{a} plus the product of {n} and {m}")),
    ("2 * {a} + {b}", ("double {a} plus {b}", "double {a} and add {b}", "{b} more than twice {a}", "twice {a} plus {b}")),
    ("2 * {a} - {b}", ("double {a} minus {b}", "double {a} and take away {b}", "{b} less than twice {a}", "twice {a} minus {b}")),
    ("{a} / 2 + {b}", ("half of {a} plus {b}", "{b} more than half of {a}", "halve {a} and add {b}")),
    ("{a} / 2 - {b}", ("half of {a} minus {b}", "{b} less than half of {a}", "halve {a}, then subtract {b}")),
    ("({a} + {b}) / 2", ("half the sum of {a} and {b}", "[the |]average of {a} and {b}", "[the |]mean of {a} and {b}",
                         "the number halfway between {a} and {b}")),
    ("({a} + {b} + {c}) / 3", ("[the |]average of {a}, {b} and {c}", "[the |]mean of {a}, {b} and {c}")),
    ("({a} - {b}) * {n}", ("{n} times the difference of {a} and {b}", "subtract {b} from {a}, then multiply by {n}")),
    ("{a} / {n} + {b}", ("{a} divided by {n} plus {b}", "divide {a} by {n} and add {b}")),
    ("{a} / {n} - {b}", ("{a} divided by {n} minus {b}", "divide {a} by {n} and subtract {b}")),
    ("{a} - {b} - {c}", ("{a} minus {b} minus {c}", "subtract {b} and {c} from {a}", "take {b} and then {c} from {a}")),
    ("{a} + {b} - {c}", ("{a} plus {b} minus {c}", "add {a} and {b}, then take away {c}")),
)  # fmt: skip


def draw_numbers(shape: str, level: int, rng: random.Random, least: int = 0) -> dict[str, int]:
    """Numbers for the letters of a shape: every part is whole and not below 0, the result not below `least`.

    a to d are amounts, n, m and k small counts.
    """
    while True:
        top = rng.choice((20, 20 * level * level, 100 * level)) if level > 1 else rng.choice((10, 20, 60))
        few = 10 if level == 1 else rng.choice((10, 5 + 10 * level))
        slots = {name: rng.randint(2, top) for name in "abcd"} | {name: rng.randint(2, few) for name in "nmk"}
        for _ in range(40):
            whole, *inner = parts(shape.format_map(slots))
            if all(part.denominator == 1 and part >= 0 for part in (abs(whole), *inner)) and whole >= least:
                return slots
            name = rng.choice("abcd")
            slots[name] = rng.randint(2, top * 2)


def expression(rng: random.Random, level: int) -> Problem:
    """Two or three operations, with and without brackets, in signs or in words."""
    work = Work()
    if rng.random() < 0.03:
        return _fractions(rng, level, work)
    least = -(20**level) if rng.random() < 0.05 else 0
    if rng.random() < 0.35:
        shape, wordings = rng.choice(TOLD)
        slots = draw_numbers(shape, level, rng, least)
        written = filled(rng.choice(wordings), slots, rng)
    else:
        shape = rng.choice(SHAPES)
        slots = draw_numbers(shape, level, rng, least)
        written = _spelled(shape.format_map(slots), rng)
    value = calculated(shape.format_map(slots), work)
    question = filled(rng.choice(FRAMES), {"e": written}, rng)
    return Problem("expression", level, typed(question, rng), str(int(value)), tuple(work.steps))


def _fractions(rng: random.Random, level: int, work: Work) -> Problem:
    left, right = (Fraction(rng.randint(1, n - 1), n) for n in (rng.randint(2, 4 + 2 * level) for _ in range(2)))
    sign = "+" if left <= right or rng.random() < 0.6 else "-"
    value = work.fractions(left, right, sign)
    written = f"{left} {sign} {right}" if rng.random() < 0.6 else f"{left}{sign}{right}"
    question = filled(rng.choice(FRAMES), {"e": written}, rng)
    return Problem("expression", level, typed(question, rng), str(value), tuple(work.steps))


def _spelled(written: str, rng: random.Random) -> str:
    if (times := rng.choice("***xx\N{MULTIPLICATION SIGN}")) != "*":
        written = written.replace("*", times)
    if rng.random() < 0.25:
        written = written.replace("/", rng.choice(("\N{DIVISION SIGN}", ":")))
    if rng.random() < 0.45:
        written = written.replace(" ", "")
    if times == "*" and rng.random() < 0.08:
        written = written.replace("*", "times").replace("times", " times ").replace("  ", " ")
    return written


BIGGER = ("bigger", "larger", "greater", "higher", "more")
SMALLER = ("smaller", "less", "lower")
BIGGEST = ("biggest", "largest", "greatest", "highest")
SMALLEST = ("smallest", "lowest", "least")


def comparison(rng: random.Random, level: int) -> Problem:
    """Which number is the largest or smallest, by how much, and whether it is."""
    work = Work()
    near = rng.random() < 0.3
    a, b, c, d = (_up_to(level + 1, rng) for _ in range(4))
    if near:
        b = max(1, a + rng.choice((-1, 1)) * rng.randint(1, 12))
    while len({a, b, c, d}) < 4:
        a, b, c, d = (_up_to(level + 1, rng) for _ in range(4))
    high, low = max(a, b), min(a, b)
    shape = rng.randrange(5)
    if shape == 0:
        up = rng.random() < 0.6
        word = rng.choice(BIGGER if up else SMALLER)
        asks = (
            "Which [is|number is|one is] {w}, {a} or {b}?", "What is {w}, {a} or {b}?", "Which is {w}: {a} or {b}?",
            "{a} or {b}, which [one |]is {w}?", "Which of {a} and {b} is {w}?", "Is {a} or {b} {w}?", "which {w} {a} or {b}",
            "What's {w}: {a} or {b}", "The {w} of {a} and {b}", "Which number is {w}: {a} or {b}?",
        )  # fmt: skip
        work.note([f"{high} > {low}"])
        answer = str(high if up else low)
        question = filled(rng.choice(asks), {"w": word, "a": a, "b": b}, rng)
    elif shape == 1:
        up = rng.random() < 0.6
        some = sorted((a, b, c) if rng.random() < 0.6 else (a, b, c, d), reverse=True)
        shown = rng.sample(some, len(some))
        listed = f"{', '.join(map(str, shown[:-1]))}[,|] [and|or] {shown[-1]}"
        word = rng.choice((*BIGGEST, "max", "maximum") if up else (*SMALLEST, "min", "minimum"))
        asks = (
            f"What is the {{w}} of {listed}?", f"Which is the {{w}}: {listed}?", f"Which number is the {{w}}, {listed}?",
            f"Find the {{w}} of {listed}.", f"the {{w}} of {listed}", f"{{w}} of {listed}", f"{{w}} number: {listed}",
            f"Which of {listed} is the {{w}}?", "{w} of " + ", ".join(map(str, shown)), "{w}(" + ", ".join(map(str, shown)) + ")",
            f"Of {listed}, which is {{w}}?", f"What's the {{w}} number[:|,|out of] {listed}",
        )  # fmt: skip
        work.note([" > ".join(map(str, some))])
        answer = str(some[0] if up else some[-1])
        question = filled(rng.choice(asks), {"w": word}, rng)
    elif shape == 2:
        up = rng.random() < 0.7
        asks = (
            "How much [more|bigger|larger|greater] is {h} than {l}?", "By how much is {h} [more|bigger|larger] than {l}?",
            "How much does {h} exceed {l}?", "How many more is {h} than {l}?", "How far is it from {l} to {h}?",
            "How much must I add to {l} to get {h}?", "What must be added to {l} to make {h}?",
        ) if up else (
            "How much [less|smaller] is {l} than {h}?", "By how much is {l} [less|smaller] than {h}?",
            "How much must I take from {h} to get {l}?", "How many fewer is {l} than {h}?",
        )  # fmt: skip
        answer = str(int(work.subtracted(high, low)))
        question = filled(rng.choice(asks), {"h": high, "l": low}, rng)
    elif shape == 3:
        up = rng.random() < 0.5
        word = rng.choice(BIGGER if up else SMALLER)
        asks = ("Is {a} {w} than {b}?", "is {a} {w} than {b}", "Is it true that {a} is {w} than {b}?", "{a} is {w} than {b}, right?")
        work.note([f"{high} > {low}"])
        answer = "yes" if (a > b) == up else "no"
        question = filled(rng.choice(asks), {"w": word, "a": a, "b": b}, rng)
    else:
        by = rng.randint(2, 9)
        asks = ("Is {a} [even|an even number]?", "Is {a} [odd|an odd number]?", "Is {a} divisible by {n}?", "Can {a} be divided by {n}?")
        ask = rng.choice(asks)
        divisor = by if "{n}" in ask else 2
        a = max(a, divisor)
        rest = work.remainder(a, divisor)
        answer = "yes" if (rest == 0) != ("odd" in ask) else "no"
        question = filled(ask, {"a": a, "n": by}, rng)
    return Problem("comparison", level, typed(question, rng), answer, tuple(work.steps))


OF = (
    "{p}% of {w}", "{p}% of {w}", "{p} % of {w}", "{p} percent of {w}", "{p} per cent of {w}", "{p}% from {w}", "{p}pct of {w}",
)  # fmt: skip
OFF = (
    "[A|The|One] {g} costs {cw}[.| and] It is {p}% [off|cheaper|reduced][ today| now|]. [What is the price then|What does it cost now|How much is it now|What do I pay]?",
    "A {g} for {cw} is {p}% off. How much [is it|does it cost][ now|]?", "{cw} minus {p}%", "{w} - {p}%", "{p}% off {cw}",
    "{p}% off [of |]{w}", "How much is {cw} with {p}% off?", "What is {w} reduced by {p}%?", "What is {w} decreased by {p} percent?",
    "There is a {p}% discount on a {g} that costs {cw}. What [is the final price|do you pay]?", "{w} minus {p} percent",
    "What is the sale price of a {cw} {g} with a {p}% discount?", "I get {p}% off a {cw} {g}. What do I pay?",
    "Price {cw}, discount {p}%. What is the price then?", "{w} less {p}%",
)  # fmt: skip
SAVED = (
    "How much do I save with {p}% off {cw}?", "A {g} costs {cw}. [How much is|What is] a {p}% discount?",
    "[What is|How much is] a {p}% tip on {cw}?", "The bill is {cw} and I tip {p}%. How much is the tip?", "{p}% tip on {cw}",
    "The tax is {p}% of {cw}. How much is the tax?", "{p}% of the {w} {people} are {people2}. How many {people2} is that?",
    "Of {w} {things}, {p}% are red. How many are red?", "A class has {w} students and {p}% are sick. How many are sick?",
    "I earn {cw} and save {p}%. How much do I save?",
)  # fmt: skip
ON = (
    "{w} plus {p}%", "{w} + {p}%", "What is {w} increased by {p}%?", "A {g} costs {cw}. The price [rises|goes up] by {p}%. What is the new price?",
    "Add {p}% to {w}.", "The bill is {cw} and I add a {p}% tip. How much do I pay[ in total|]?", "{cw} plus {p}% tax, how much [is that|in total]?",
    "My rent is {cw} and goes up {p}%. What is the new rent?", "increase {w} by {p}%", "{w} plus {p} percent",
)  # fmt: skip
WHICH = (
    "What percent of {w} is {x}?", "{x} is what percent of {w}?", "[How many|What] percent is {x} of {w}?", "{x} of {w} in percent",
    "{x} out of {w} is what percent?", "What percentage of {w} is {x}?", "I got {x} of {w} points. What percent is that?",
)  # fmt: skip


def share(rng: random.Random, level: int) -> Problem:
    """Percentages and simple parts: of a number, off a price, on top of it, and which percentage."""
    work = Work()
    if rng.random() < 0.1:
        return _simple_part(rng, level, work)
    percent = rng.choice((10, 20, 25, 50, 75, 100, 5, 30, 40) if level == 1 else (*range(5, 100, 5), 10, 50, 25, 1, 2, 12, 15))
    unit = 100 // math.gcd(100, percent)
    whole = unit * rng.randint(1, max(6, 100 * level // unit))
    shape = rng.choice(("of", "of", "of", "off", "saved", "on", "which"))
    part = _percent_of(whole, percent, work)
    patterns = {"of": OF, "off": OFF, "saved": SAVED, "on": ON, "which": WHICH}[shape]
    value: int = part
    if shape == "off":
        value = work.subtracted(whole, part)
    elif shape == "on":
        value = work.added(whole, part)
    elif shape == "which":
        work, value = Work(), percent
        work.divided(work.times(int(part), 100), whole)
    slots = {**draw_share_words(rng), "p": percent, "w": whole, "x": int(part)}
    slots["cw"] = str(slots["money"]).format(whole)
    question = filled(rng.choice(patterns), slots, rng)
    if shape == "of":
        question = filled(rng.choice(FRAMES), {"e": question}, rng)
    return Problem("share", level, typed(question, rng), str(int(value)), tuple(work.steps))


SIMPLE_PARTS = (
    (3, 4, ("three quarters of {a}", "3/4 of {a}", "three fourths of {a}")),
    (2, 3, ("two thirds of {a}", "2/3 of {a}")),
    (2, 5, ("two fifths of {a}", "2/5 of {a}")),
    (3, 5, ("three fifths of {a}", "3/5 of {a}")),
    (3, 10, ("three tenths of {a}", "3/10 of {a}")),
)


def _simple_part(rng: random.Random, level: int, work: Work) -> Problem:
    """Three quarters of a number, two thirds of it."""
    top, bottom, wordings = rng.choice(SIMPLE_PARTS)
    whole = bottom * rng.randint(1, 12 * level)
    value = work.times(work.divided(whole, bottom), top)
    written = rng.choice(wordings).format(a=whole)
    question = filled(rng.choice(FRAMES), {"e": written}, rng)
    return Problem("share", level, typed(question, rng), str(int(value)), tuple(work.steps))


def draw_share_words(rng: random.Random) -> dict[str, object]:
    """Words for the slots of percentages."""
    from localsmc_models.corpus import words

    people, people2 = (one[1] for one in rng.sample(words.PEOPLE, 2))
    return {
        "g": rng.choice(words.DEARER), "money": rng.choice(words.MONEY), "people": people, "people2": people2,
        "things": rng.choice(words.THINGS)[1],
    }  # fmt: skip


def _percent_of(whole: int, percent: int, work: Work) -> int:
    if percent == 100:
        return work.times(whole, 1)
    if 100 % percent == 0:
        return work.divided(whole, 100 // percent)
    return work.divided(work.times(whole, percent), 100)


EQUATIONS = (
    ("{x} + {a} = {s}", "s - a"), ("{a} + {x} = {s}", "s - a"), ("{x} - {a} = {r}", "r + a"), ("{b} - {x} = {r}", "b - r"),
    ("{n}{x} = {p}", "p / n"), ("{n} * {x} = {p}", "p / n"), ("{x} / {n} = {r}", "r * n"), ("{x} * {n} = {p}", "p / n"),
    ("{n}{x} + {a} = {t}", "(t - a) / n"), ("{n}{x} - {a} = {u}", "(u + a) / n"), ("{a} + {n}{x} = {t}", "(t - a) / n"),
)  # fmt: skip
SOLVE = (
    "{q}, what is {x}?", "{q}. What is {x}?", "Solve {q}", "solve {q}", "Solve {q} for {x}.", "Find {x}: {q}", "{q}. Find {x}.",
    "{q}", "{q}, {x} = ?", "What is {x} if {q}?", "If {q}, what is {x}?", "if {q} then what is {x}", "Solve for {x}: {q}",
    "{q} solve for {x}", "Given {q}, find {x}.", "Calculate {x} if {q}.", "{q} {x}=?", "What value of {x} makes {q} true?",
    "Determine {x} when {q}.", "{q} what's {x}", "For which {x} is {q}?", "Equation: {q}", "find {x} in {q}",
)  # fmt: skip
BLANKS = ("{q}", "What goes in the blank: {q}", "Fill in: {q}", "{q} what is the missing number?", "Find the missing number: {q}")
RIDDLES = (
    ("[What|Which] number plus {a} [is|equals|makes|gives] {s}?", "s - a"),
    ("[What|Which] number minus {a} [equals|gives|leaves|makes] {r}?", "r + a"),
    ("[What|Which] number times {n} [is|equals|makes|gives] {p}?", "p / n"),
    ("{n} times [what|which number|what number] [is|equals|makes|gives] {p}?", "p / n"),
    ("{a} plus [what|which number|what number] [is|equals|makes|gives] {s}?", "s - a"),
    ("{b} minus [what|which number|what number] [is|equals|leaves|gives] {r}?", "b - r"),
    ("[What|Which] number divided by {n} [is|equals|gives] {r}?", "r * n"),
    ("I think of a number[,| and] add {a} and get {s}. What is [my|the] number?", "s - a"),
    ("I think of a number, subtract {a} and get {r}. [What is it|Which number is it|What is my number]?", "r + a"),
    ("I [multiply|multiplied] a number by {n} and [get|got] {p}. What [is|was] the number?", "p / n"),
    ("I double a number and get {e}. What is the number?", "e / 2"),
    ("[Twice|Double|Two times] a number is {e}. [What is it|What is the number|Find the number]?", "e / 2"),
    ("Half of a number is {r}. What is the number?", "r * 2"),
    ("A number increased by {a} is {s}. What is the number?", "s - a"),
    ("If you add {a} to a number you get {s}. What is the number?", "s - a"),
    ("I double a number and add {a}. The result is {v}. What is the number?", "(v - a) / 2"),
    ("[Three|3] times a number is {y}. Find the number.", "y / 3"),
    ("The sum of two numbers is {s}. One of them is {a}. What is the other[ one|]?", "s - a"),
    ("{a} more than a number is {s}. What is the number?", "s - a"),
    ("What do I have to [add to|put with] {a} to get {s}?", "s - a"),
    ("What do I multiply {n} by to get {p}?", "p / n"),
)  # fmt: skip


def unknown(rng: random.Random, level: int) -> Problem:
    """An unknown number: short equations with any letter or a blank, and riddles."""
    x = rng.randint(1, (12, 40, 150)[min(level, 3) - 1] * max(1, level - 2))
    n, a = rng.randint(2, 9 + 3 * (level > 2)), rng.randint(1, 20 * level)
    r = rng.randint(1, 15 * level)
    numbers = {"n": n, "a": a, "s": x + a, "r": r, "b": r + x, "p": n * x, "t": n * x + a, "u": abs(n * x - a), "e": 2 * x,
               "v": 2 * x + a, "y": 3 * x}  # fmt: skip
    work = Work()
    if rng.random() < 0.6:
        shown, formula = rng.choice(EQUATIONS)
        if "{u}" in shown and n * x < a:
            shown, formula = EQUATIONS[8]
        letter = rng.choice("xxxxynaz" if rng.random() < 0.8 else "?_?")
        if letter in "?_" and "{n}{x}" in shown:
            letter = "x"
        written = shown.format_map(numbers | {"x": letter})
        if rng.random() < 0.3:
            written = written.replace(" ", "")
        if letter in "?_":
            question = rng.choice(BLANKS).format(q=written)
        else:
            question = rng.choice(SOLVE).format(q=written, x=letter)
    else:
        riddle, formula = rng.choice(RIDDLES)
        question = filled(riddle, numbers, rng)
    value = calculated("".join(str(numbers.get(sign, sign)) for sign in formula), work)
    return Problem("unknown", level, typed(chosen(question, rng), rng), str(int(value)), tuple(work.steps))
