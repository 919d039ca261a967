"""Numbers that are not in digits alone: "five", "two hundred and six", "2 million", "5k", "12 and a half"."""

from __future__ import annotations

import re
from fractions import Fraction

_SMALL = {
    word: i
    for i, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        " sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10 * i
    for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
MAGNITUDES = {"hundred": 100, "dozen": 12, **_LARGE}
"""The words that multiply the number before them."""
_DECIMALS = {"half": ".5", "quarter": ".25", "quarters": ".75"}

_EITHER = "|".join(sorted({*_SMALL, *_TENS, *_LARGE, "hundred"}, key=len, reverse=True))
_AFTER_LARGE = "(?:" + "|".join(f"(?<={word})" for word in _LARGE) + ")"
_RUN = re.compile(
    rf"(?<![\w-])(?:an? (?=hundred|thousand|million|billion|trillion))?(?:{_EITHER})"
    rf"(?:(?:,? and |[ -]|{_AFTER_LARGE}, )(?:{_EITHER})(?![\w])){{0,16}}(?!\w|-\w)"
)
_SIGNED = re.compile(rf"(?P<sign>minus |negative )?(?P<run>{_RUN.pattern})(?P<unit> [a-z]{{3,20}})?")
_NO_UNIT = frozenset(
    " and but more less fewer than half halves third thirds quarter quarters fourth fourths point points way"
    " dozen dozens score times over".split(" ")
)
_ORDINALS = "half third fourth fifth sixth seventh eighth ninth tenth".split()
_SHARES = (
    {word: i for i, word in enumerate(_ORDINALS, start=2)}
    | {f"{word}s": i for i, word in enumerate(_ORDINALS, start=2)}
    | {"halves": 2, "quarter": 4, "quarters": 4}
)
_SHARE = re.compile(
    rf"(?P<sign>minus |negative )?(?P<top>an?|{'|'.join(_SMALL)})[ -](?P<part>{'|'.join(_SHARES)})"
)
_FRACTION_BEHIND = re.compile(r"[ -](?:half|halves|thirds?|quarters?|fourths?|\w+ths?|point|of)(?!\w)")
_DIGITS = r"(?<![\w.,/])(?P<number>\d{1,3}(?:,\d{3}){1,6}|\d{1,50})(?P<decimals>\.\d{1,50})?"
_MAGNITUDE = re.compile(
    rf"{_DIGITS}(?:[ -]?(?P<word>{'|'.join(MAGNITUDES)})s?|k)(?![\w-])(?! (?:{'|'.join(MAGNITUDES)}))",
    re.IGNORECASE,
)
_DOZEN = re.compile(r"^(?:an?|one) dozen(?!\w)")
_SIGN = re.compile(r"(minus |negative )?(.*)", re.DOTALL)
_PARTLY = re.compile(rf"(?:minus|negative) |{'|'.join(MAGNITUDES)}|half|third|quarter")
_ALONE = re.compile(r"\d{1,60}(?:,\d{3})*(?:\.\d{1,50}|/\d{1,50})?(?P<unit> [a-z]{3,20})?")
_AND_PART = re.compile(
    r"(?<![\w.,/])(\d{1,50}) and (?:(an?|one)[ -](half|third|quarter)|(three)[ -]quarters)(?!\w)",
    re.IGNORECASE,
)


def in_digits(text: str) -> str:
    """The text with such numbers in digits. Number words count only in a text without digits."""
    if (whole := whole_number(text)) is not None:
        return whole
    return _replaced(text)


def _replaced(text: str) -> str:
    lower = text.lower()
    if not any(char.isdigit() for char in text):
        lower = _DOZEN.sub("one dozen", lower)
        text = _RUN.sub(lambda found: _spelled(found, lower), lower)
    text = _AND_PART.sub(_with_part, text)
    return _MAGNITUDE.sub(_multiplied, text)


def whole_number(text: str) -> str | None:
    r"""The digits of a text that is a number in words and at most one word more: "18 apples", "-5", "2/3".

    Words may be a part of the number: "3 million", "minus 7", "two and a half". None for any other text.
    """
    bare = " ".join(re.sub(r"\\text ?\{([^{}]*)\}", r" \1 ", text).lower().split()).strip(" .!")
    if found := _SHARE.fullmatch(bare):
        top, part = _SMALL.get(found["top"], 1), found["part"]
        if (top == 1) == (not part.endswith("s")):
            return f"{'-' * bool(found['sign'])}{top}/{_SHARES[part]}"
    if not (found := _SIGNED.fullmatch(bare)) or (found["unit"] or "").strip() in _NO_UNIT - {""}:
        return _partly_in_words(bare)
    value = _composed(found["run"])
    return None if value is None else f"{'-' * bool(found['sign'])}{value}{found['unit'] or ''}"


def _partly_in_words(bare: str) -> str | None:
    """The digits of "3 million people" and "minus 7"; None for any other text, as for the product 5k."""
    if not _PARTLY.search(bare) or bare.endswith("k"):
        return None
    sign, rest = _SIGN.fullmatch(bare).groups()  # type: ignore[union-attr]
    found = _ALONE.fullmatch(_replaced(rest))
    if not found or (found["unit"] or "").strip() in _NO_UNIT - {""} or not (sign or found[0] != rest):
        return None
    return f"{'-' * bool(sign)}{found[0]}"


def _spelled(found: re.Match[str], lower: str) -> str:
    """The value of number words; "one" is often a pronoun, and "two thirds" is another number."""
    before, after = lower[: found.start()], lower[found.end() :]
    is_pronoun = found[0] == "one" and re.search(r"\w", before)
    value = None if is_pronoun or _FRACTION_BEHIND.match(after) else _composed(found[0])
    return found[0] if value is None else str(value)


def _composed(run: str) -> int | None:
    """The value of number words in the order of English, 206 of "two hundred and six"; None otherwise."""
    total, group, last = 0, 0, 10**15
    for word in re.findall(r"[a-z]+", run):
        if word in _LARGE:
            if _LARGE[word] >= last or not group:
                return None
            total, group, last = total + group * _LARGE[word], 0, _LARGE[word]
        elif word == "hundred":
            if not 0 < group < 100 or (group >= 10 and group % 10 == 0):  # twelve hundred
                return None
            group *= 100
        elif word in ("a", "an"):
            group = 1
        elif word != "and":
            value = _TENS.get(word) or _SMALL[word]
            fits = group % 100 == 0 if value >= 10 else group % 10 == 0 and group % 100 != 10
            if not fits or (value == 0 and len(run) > len(word)):
                return None
            group += value
    return total + group


def _with_part(found: re.Match[str]) -> str:
    part = found[3].lower() if found[3] else "quarters"
    if part in _DECIMALS:  # a magnitude may follow: 2.5 million
        return found[1] + _DECIMALS[part]
    return str(int(found[1]) + Fraction(1, 3))


def _multiplied(found: re.Match[str]) -> str:
    number = Fraction(found["number"].replace(",", "") + (found["decimals"] or ""))
    return str(number * MAGNITUDES.get((found["word"] or "thousand").lower(), 1000))
