"""Record calculations: a family calculates with `Work`, which records the lines of work.

Each step has a detailed form (products and quotients by place values) and a brief form, and records
the steps whose results it uses, so that steps can be written in any order that respects these.
Lines have the form `expression = value = value`, or `name > name` and `number > number` for orderings;
`tests/models/test_corpus.py` evaluates them independently. This module does not use problems or styles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One step of work: its detailed lines, its brief lines, and the indices of the steps it uses."""

    detail: tuple[str, ...]
    brief: tuple[str, ...]
    needs: frozenset[int]


class Found(int):
    """An integer that is the result of a step; `step` is the index of that step."""

    step: int

    def __new__(cls, value: int, step: int) -> Found:
        found = super().__new__(cls, value)
        found.step = step
        return found


class Work:
    """The recorded steps, in the order of calculation."""

    def __init__(self) -> None:
        self.steps: list[WorkStep] = []

    def note(
        self, detail: Iterable[str], brief: Iterable[str] | None = None, uses: Iterable[int] = ()
    ) -> int:
        """Record a step with any lines; `brief` defaults to the detailed ones. Returns its index."""
        lines = tuple(detail)
        short = lines if brief is None else tuple(brief)
        self.steps.append(WorkStep(lines, short, frozenset(uses)))
        return len(self.steps) - 1

    def plus(self, left: int, right: int) -> Found:
        """Add two numbers."""
        return self._found(left + right, (left, right), f"{left} + {right} = {left + right}")

    def minus(self, left: int, right: int) -> Found:
        """Subtract two numbers."""
        return self._found(left - right, (left, right), f"{left} - {right} = {left - right}")

    def added(self, left: int, right: int) -> Found:
        """Add two numbers; the detailed form adds place by place."""
        brief = f"{left} + {right} = {left + right}"
        return self._found(left + right, (left, right), brief, [_sum(left, right)])

    def subtracted(self, left: int, right: int) -> Found:
        """Subtract, also below zero; the detailed form subtracts place by place."""
        brief = f"{left} - {right} = {left - right}"
        if left < right:
            detail = [_difference(right, left), brief]
        else:
            detail = [_difference(left, right)]
        return self._found(left - right, (left, right), brief, detail)

    def quotient(self, whole: int, by: int) -> Fraction:
        """Divide with any quotient that is not whole: a decimal number if it is short, else a fraction."""
        value = Fraction(whole, by)
        rest = Fraction(whole % by, by)
        start = f"{whole} / {by} = "
        middle = f"{whole // by} + {rest} = " if whole > by else f"{rest} = " if rest != value else ""
        shown = shown_quotient(value)
        detail = start + middle + shown if middle and middle != f"{shown} = " else start + shown
        self.note([detail], [start + shown])
        return value

    def times(self, left: int, right: int) -> Found:
        """Multiply; the detailed form uses place values, with a line per partial product if both are long."""
        brief = f"{left} * {right} = {left * right}"
        return self._found(left * right, (left, right), brief, _product(left, right))

    def divided(self, whole: int, by: int) -> Found:
        """Divide without remainder; the detailed form has one part per non-zero digit of the quotient."""
        value = whole // by
        parts = place_values(value)
        brief = f"{whole} / {by} = {value}"
        if len(parts) < 2 or by in (1, 10, 100, 1000):
            return self._found(value, (whole, by), brief)
        shares = " + ".join(f"{part * by} / {by}" for part in parts)
        detail = f"{whole} / {by} = {shares} = {' + '.join(map(str, parts))} = {value}"
        return self._found(value, (whole, by), brief, [detail])

    def remainder(self, whole: int, by: int) -> Found:
        """The remainder of a division, written as `whole = quotient * by + rest`; a rest of 0 is omitted."""
        quotient, rest = divmod(whole, by)
        end = f" + {rest}" if rest else ""
        brief = f"{whole} = {quotient} * {by}{end}"
        if not rest or quotient < 10:
            return self._found(rest, (whole, by), brief)
        detail = [*_product(quotient, by), f"{whole} = {quotient * by}{end}"]
        return self._found(rest, (whole, by), brief, detail)

    def fractions(self, left: Fraction, right: Fraction, sign: str) -> Fraction:
        """Add or subtract (`sign`) two fractions: first a common denominator, then lowest terms."""
        common = math.lcm(left.denominator, right.denominator)
        tops = [part.numerator * (common // part.denominator) for part in (left, right)]
        widened = [
            self.note([f"{part} = {top}/{common}"], [])
            for part, top in zip((left, right), tops, strict=True)
            if part.denominator != common
        ]
        joined = tops[0] + tops[1] if sign == "+" else tops[0] - tops[1]
        brief = f"{tops[0]}/{common} {sign} {tops[1]}/{common} = {joined}/{common}"
        added = self.note([f"{tops[0]} {sign} {tops[1]} = {joined}", brief], [brief], widened)
        value = Fraction(joined, common)
        if f"{joined}/{common}" != str(value):
            self.note([f"{joined}/{common} = {value}"], uses=[added])
        return value

    def _found(
        self, value: int, used: Iterable[int], brief: str, detail: Iterable[str] | None = None
    ) -> Found:
        uses = {number.step for number in used if isinstance(number, Found)}
        return Found(value, self.note([brief] if detail is None else detail, [brief], uses))


def shown_quotient(value: Fraction) -> str:
    """A quotient as it is written: a decimal number with up to two places, or a fraction in lowest terms."""
    if 100 % value.denominator == 0:
        return f"{float(value):.2f}".rstrip("0").rstrip(".")
    return str(value)


def _sum(left: int, right: int) -> str:
    brief = f"{left} + {right} = {left + right}"
    if min(left, right) < 10:
        return brief
    width = max(len(str(left)), len(str(right)))
    pairs = zip(f"{left:0{width}}", f"{right:0{width}}", strict=True)
    sums = [(int(a) + int(b)) * 10 ** (width - 1 - i) for i, (a, b) in enumerate(pairs)]
    parts = [part for part in sums if part]
    return brief if len(parts) < 2 else f"{left} + {right} = {' + '.join(map(str, parts))} = {left + right}"


def _difference(left: int, right: int) -> str:
    parts = place_values(right)
    forms, rest = [f"{left} - {right}"], left
    for i, part in enumerate(parts):
        rest -= part
        later = sum(parts[i + 1 :])
        forms.append(f"{rest} - {later}" if later else str(rest))
    return " = ".join(forms) if parts else f"{left} - {right} = {left}"


def place_values(number: int) -> list[int]:
    """The non-zero place values of a number, largest first: [400, 7] for 407."""
    digits = str(number)
    parts = [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits)]
    return [part for part in parts if part]


def _product(left: int, right: int) -> list[str]:
    if min(left, right) < 10 or (right % 10 == 0 and right < 100):
        return [_product_by_one_part(left, right)]
    parts = place_values(right)
    lines = [_product_by_one_part(left, part) for part in parts]
    sums = " + ".join(str(left * part) for part in parts)
    return lines if len(parts) == 1 else [*lines, f"{left} * {right} = {sums} = {left * right}"]


def _product_by_one_part(left: int, right: int) -> str:
    many, few = (left, right) if left >= 10 and len(place_values(left)) > 1 else (right, left)
    parts = place_values(many)
    if len(parts) < 2:
        return f"{left} * {right} = {left * right}"
    return f"{left} * {right} = {' + '.join(str(part * few) for part in parts)} = {left * right}"
