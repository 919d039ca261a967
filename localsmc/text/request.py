"""What a request wants: a short final answer, or prose. A guess from the words it begins with, for English.

Whatever is neither is taken for prose: an instruction to state an answer spoils a poem, while a problem
without the instruction is solved all the same.
"""

from __future__ import annotations

import re

LONGEST = 4000
"""Characters that are read of the first paragraph, and of the last."""

_POLITE = tuple(
    phrase.split()
    for phrase in (
        "can you", "could you", "would you", "will you", "i want you to", "i need you to", "i want to",
        "i would like you to", "i'd like you to", "i need to", "help me to", "help me", "help us", "let's",
        "your task is to", "please", "kindly", "now", "then", "also", "so", "ok", "okay", "hi", "hello",
        "hey", "first", "and", "in your own words",
    )
)  # fmt: skip
"""What may come before the verb of a request."""

_PROSE = frozenset(
    "write rewrite compose draft summarize summarise translate paraphrase rephrase proofread explain describe"
    " discuss outline elaborate brainstorm imagine pretend act roleplay continue fix correct edit review"
    " refactor debug implement analyze analyse improve critique argue narrate reflect introduce define"
    " recommend suggest".split()
)
"""Verbs that ask for prose or code."""

_PROSE_WITH_ARTICLE = frozenset("code program create generate design build make list name compare".split())
"""Verbs that ask for it before an article or a pronoun; else they may be nouns: "List price is 20"."""

_ARTICLES = frozenset("a an the my our your me us this these some".split())

_NUMBER_WORDS = frozenset(
    "number fraction decimal expression equation ratio percentage answer sum product quotient digits value"
    " sequence pattern".split()
)
"""Objects of a problem: "Write the fraction 6/8 in lowest terms", "Continue the sequence 1, 4, 9"."""

_WORK = frozenset("reasoning answer answers steps work thinking solution how".split())
"""What `explain` is followed by at the end of a problem: "Explain your reasoning"."""

_COMPUTE = frozenset(
    "solve compute calculate simplify factor factorise factorize integrate differentiate".split()
)
"""Verbs that ask for a value."""

_COMPUTE_WITH_NUMBERS = frozenset(
    "find determine evaluate round estimate count add subtract multiply divide convert express choose pick"
    " select state let show".split()
)
"""Verbs that ask for a value in a request with numbers."""

_QUANTITIES = frozenset(
    "many much long far old tall high fast big large heavy deep wide often soon late likely".split()
)
"""What `how` is followed by in a question for a number."""

_WH = frozenset("what what's which who who's whose whom when where".split())
_PREPOSITIONS = frozenset("in at on for to by of from with".split())

_CERTAIN = frozenset("the its his her their year".split())

_OPEN_WORDS = frozenset(
    "you your i my me we our should difference differences meaning purpose point role importance relationship"
    " history story background best way ways cause causes reason reasons effect effects benefit benefits"
    " advantages disadvantages pros opinion opinions advice example examples happening".split()
)
"""Words in a question for an explanation or an opinion."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][a-z]+)?|\d+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?？。:])\s+|\n")
_FORMULA = re.compile(
    r"[\d\s.,+*/^=×÷·%$!?()<>\[\]-]*|[^\W\d_]{1,2}"
    r"|times|plus|minus|divided|sqrt|square|root|cube|squared|cubed|percent|log|sin|cos|tan|the",
    re.IGNORECASE,
)
_OPERATION = re.compile(
    r"[-+*/^=×÷·%!]|times|plus|minus|divided|sqrt|root|squared|cubed|percent|log|sin|cos|tan"
)
_LATEX = re.compile(r"\\[a-z]{2,}|\$[^$]+\$")
_OPTION = re.compile(r"\s{0,20}[(\[]?[A-Ja-j][).:\]]\s{0,20}\S")
"""A line that lists a choice."""


def wants_answer(request: str) -> bool:
    """Whether a request is a problem with a short final answer, as opposed to prose, a list or code.

    The first and the last paragraph count: a request stands before or after the text that it is about.
    """
    paragraphs = [paragraph for part in request.split("\n\n") if (paragraph := part.strip())]
    while len(paragraphs) > 1 and all(map(_OPTION.match, paragraphs[-1].split("\n"))):
        paragraphs.pop()
    if not paragraphs:
        return False
    first, last = _sentences(paragraphs[0][:LONGEST]), _sentences(paragraphs[-1][-LONGEST:])
    if any(map(_wants_prose, (*first[:1], *last))):
        return False
    has_numbers = any(_has_digit(one) or _LATEX.search(one) for one in (*first, *last))
    return _lists_options(request) or any(
        _asks_for_value(sentence, has_numbers=has_numbers) for sentence in (*first, *last)
    )


def _lists_options(request: str) -> bool:
    """Whether at least two lettered choices come at the end."""
    return sum(_OPTION.match(line) is not None for line in request[-LONGEST:].split("\n")) > 1


def _sentences(paragraph: str) -> list[str]:
    return [sentence for part in _SENTENCE_END.split(paragraph) if (sentence := part.strip(" \t\"'*_>#-"))]


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _words(sentence: str) -> list[str]:
    """The words in lower case, and each other sign as a word, from the verb of the request on."""
    words = [word.replace("’", "'") for word in _WORD.findall(sentence.lower())]
    start, is_polite = 0, True
    while is_polite:
        found = next((one for one in _POLITE if words[start : start + len(one)] == one), None)
        is_polite = found is not None
        start += 0 if found is None else len(found)
        start += is_polite and words[start : start + 1] in (["!"], [","])
    return words[start:]


# --- prose --------------------------------------------------------------------------------------------


def _wants_prose(sentence: str) -> bool:
    words = _words(sentence)
    if len(words) < 2 or not words[1].isalnum():  # "Explain.", "Why?" after a problem
        return False
    verb, rest = words[0], words[1:]
    if verb in ("write", "explain", "continue") and _belongs_to_problem(verb, rest):
        return False
    if verb in _PROSE:
        return True
    if verb in _PROSE_WITH_ARTICLE:
        return rest[0] in _ARTICLES
    return _is_open_question(words)


def _belongs_to_problem(verb: str, rest: list[str]) -> bool:
    """Whether "write" and "continue" ask for numbers, and "explain" for the work."""
    if verb == "explain":
        return any(word in _WORK for word in rest[:3]) and len(rest) < 8 and rest[0] != "how"
    near = rest[1:] if rest[0] == "down" else rest
    return _has_digit("".join(near[:2])) or any(word in _NUMBER_WORDS for word in near[:3])


def _is_open_question(words: list[str]) -> bool:
    """Whether a question wants an explanation or an opinion."""
    if words[0] == "why":
        return True
    if words[0] == "how":
        return words[1] not in _QUANTITIES and not _asks_quantity(words)
    is_about_happening = words[0] == "what" and words[1] in ("happened", "happens", "happen")
    return is_about_happening and not _asks_quantity(words)


# --- problems ---------------------------------------------------------------------------------------


def _asks_for_value(sentence: str, *, has_numbers: bool) -> bool:
    words = _words(sentence)
    if not words:
        return False
    verb = words[0]
    return (
        _asks_quantity(words)
        or verb in _COMPUTE
        or (verb in _COMPUTE_WITH_NUMBERS and (has_numbers or not _NUMBER_WORDS.isdisjoint(words)))
        or (verb in ("write", "continue") and _belongs_to_problem(verb, words[1:]))
        or words[:2] == ["work", "out"]
        or words[:3] == ["true", "or", "false"]
        or _is_closed_question(sentence, words, has_numbers=has_numbers)
        or _is_formula(sentence)
        or (has_numbers and (_LATEX.search(sentence) is not None or _computes_later(words)))
    )


def _computes_later(words: list[str]) -> bool:
    """Whether a later clause asks for a value: "If the ages add up to 162, calculate Allen's age"."""
    verbs = _COMPUTE | {"find"}
    return any(one == "," and other in verbs for one, other in zip(words, words[1:], strict=False))


def _asks_quantity(words: list[str]) -> bool:
    return any(one == "how" and other in _QUANTITIES for one, other in zip(words, words[1:], strict=False))


def _is_closed_question(sentence: str, words: list[str], *, has_numbers: bool) -> bool:
    """Whether it is a question for a value, a name, a date, or yes and no about numbers."""
    is_question = sentence.rstrip(" \"')*_").endswith(("?", "？"))
    if words[0] in _PREPOSITIONS:
        words = words[1:]
    is_wh = bool(words) and words[0] in _WH
    if _has_digit(sentence):
        return is_question or is_wh
    if has_numbers and is_question and _OPEN_WORDS.isdisjoint(word for word in words if word != "difference"):
        return True
    # "What is the capital of Peru?" has a short answer, "What is love?" has not.
    is_certain = not words[0].startswith("what") or not _CERTAIN.isdisjoint(words[:4]) if is_wh else False
    return is_question and is_certain and _OPEN_WORDS.isdisjoint(words)


def _is_formula(sentence: str) -> bool:
    """Whether the whole sentence is a formula: "17 * 23", "3x + 5 = 20"."""
    is_of_signs = all(_FORMULA.fullmatch(part) for part in re.split(r"([^\W\d_]+)", sentence))
    return is_of_signs and _has_digit(sentence) and _OPERATION.search(sentence.lower()) is not None
