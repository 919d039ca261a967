"""Prompts that are not arithmetic, which the embedded models decline.

The patterns are in beyond.txt, their words in `beyond_words`. Some kinds are left out on purpose, so that
questions of kinds that were never trained can be measured: medicine, law, sport results, addresses of web
pages, games of roles.
"""

from __future__ import annotations

import functools
import random
from pathlib import Path

from localsmc_models.corpus import beyond_words as lists
from localsmc_models.corpus import words
from localsmc_models.corpus.wording import chosen, typed


@functools.cache
def patterns() -> tuple[str, ...]:
    """The patterns of beyond.txt."""
    lines = Path(__file__).with_name("beyond.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("# "))


def beyond(rng: random.Random) -> str:
    """A prompt that is not arithmetic."""
    pattern = chosen(rng.choice(patterns()), rng)
    text = " ".join(_filled(pattern, rng).split())
    return typed(text, rng) or "?"


def _filled(pattern: str, rng: random.Random) -> str:
    # By replacement, not by `format`: patterns of code have brackets of their own.
    for name, value in _slots(rng).items():
        pattern = pattern.replace("{" + name + "}", value)
    return pattern


def _nonsense(rng: random.Random) -> str:
    syllables = "".join(rng.choice(lists.SYLLABLES) for _ in range(rng.randint(1, 4)))
    return syllables + rng.choice(("", "", "n", "s", "r", "x", "t"))


def _mash(rng: random.Random) -> str:
    """What hands on a keyboard give."""
    if rng.random() < 0.5:
        return "".join(rng.choice(lists.MASHED) for _ in range(rng.randint(1, 3)))
    letters = "asdfghjklqwertyuiopzxcvbnm" + ("1234567890;'" if rng.random() < 0.3 else "")
    return "".join(rng.choice(letters) for _ in range(rng.randint(2, 14)))


def _sentence(rng: random.Random) -> str:
    determiner, noun = rng.choice(("the", "my", "a", "this", "our")), rng.choice(lists.NOUNS)
    return (
        f"{determiner} {noun} {rng.choice(('is', 'was', 'looks', 'will be'))} {rng.choice(lists.ADJECTIVES)}"
    )


def _slots(rng: random.Random) -> dict[str, str]:
    name, name2 = rng.sample((*words.NAMES["he"], *words.NAMES["she"]), 2)
    topic, topic2 = rng.sample(lists.TOPICS, 2)
    place, place2 = rng.sample(lists.PLACES, 2)
    (thing, things), (thing2, _) = rng.sample(words.THINGS, 2)
    software, software2 = rng.sample(lists.SOFTWARE, 2)
    known = rng.random() < 0.7
    word, word2 = rng.sample(lists.ALL_WORDS, 2) if known else (_nonsense(rng), _nonsense(rng))
    return {
        "snippet": rng.choice(lists.SNIPPETS),
        "phrase": rng.choice(lists.PHRASES) if rng.random() < 0.6 else _sentence(rng),
        "talk": rng.choice(lists.TALK), "adjective": rng.choice(lists.ADJECTIVES),
        "noun": rng.choice(lists.NOUNS), "topic": topic, "topic2": topic2, "place": place, "place2": place2,
        "famous": rng.choice(lists.FAMOUS), "title": rng.choice(lists.TITLES),
        "language": rng.choice(lists.LANGUAGES), "animal": rng.choice(lists.ANIMALS),
        "verb": rng.choice(lists.VERBS), "person": rng.choice(lists.PERSONS), "food": rng.choice(lists.FOODS),
        "code": rng.choice(lists.CODE), "software": software, "software2": software2,
        "system": rng.choice(lists.SYSTEMS), "tag": rng.choice(lists.TAGS), "thing": thing, "things": things,
        "thing2": thing2, "name": name, "name2": name2, "word": word, "word2": word2,
        "words": " ".join(rng.choice(lists.ALL_WORDS) for _ in range(rng.randint(2, 9))),
        "foreign": rng.choice(lists.FOREIGN), "nonsense": _nonsense(rng), "mash": _mash(rng),
        "marks": "".join(rng.choice(lists.MARKS) for _ in range(rng.randint(1, 2))),
        "people": rng.choice(words.PEOPLE)[1], "where": rng.choice(words.PLACES),
        "day": rng.choice(words.DAYS), "month": rng.choice(lists.MONTHS), "year": str(_year(rng)),
        "n": str(rng.choice((rng.randint(2, 20), rng.randint(2, 100), rng.randint(100, 999)))),
        "d": str(rng.randint(1, 12)), "d2": str(rng.randint(0, 20)), "letter": rng.choice("abcinxyk"),
        "semi": rng.choice((";", "")),
    }  # fmt: skip


def _year(rng: random.Random) -> int:
    return rng.choice((rng.randint(1200, 2030), rng.randint(1900, 2026)))
