"""The problem families: each draws its numbers, words the question and calculates the answer.

Levels 1 to 3 are trained; a higher level only makes the numbers larger or the work longer.
"""

from localsmc_models.corpus.families import (
    calculations,
    comparisons,
    everyday,
    expressions,
    numbers,
    shares,
    stories,
    unknowns,
)
from localsmc_models.corpus.problem import Family

__all__ = ["FAMILIES", "TYPED_FAMILIES"]

FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        numbers.arithmetic,
        numbers.equation,
        numbers.sequence,
        numbers.percentage,
        numbers.fractions,
        numbers.divisors,
        stories.shopping,
        stories.change,
        stories.units,
        stories.ratio,
        stories.geometry,
        stories.counting,
        stories.ordering,
        calculations.calculation,
        expressions.expression,
        comparisons.comparison,
        shares.share,
        unknowns.unknown,
        everyday.story,
        everyday.errand,
    )
}

TYPED_FAMILIES = ("calculation", "expression", "comparison", "share", "unknown", "story", "errand")
"""Families in many spellings, as people type them; the others have a few fixed forms."""
