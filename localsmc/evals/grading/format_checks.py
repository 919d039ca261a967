r"""Grade a reply by instructions about its form, as IFEval has them. All must be followed.

The gold answer is a JSON object with `instruction_id_list`, names in CHECKS, and `kwargs`, a list with the
arguments of each. Words, sentences and capitals are counted by regular expressions, where IFEval's own
program takes NLTK; so a count can differ by one where an abbreviation looks like the end of a sentence.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localsmc.evals.grading.verdict import NO_ANSWER, RIGHT, UNREAD_GOLD, Grade

Check = Callable[..., bool]


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction: its name in CHECKS, and the arguments of its check."""

    name: str
    arguments: Mapping[str, Any]


def format(answer: str, gold: str) -> Grade:
    """Whether a reply follows every instruction."""
    instructions = read_instructions(gold)
    if instructions is None:
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    for one in instructions:
        try:
            is_followed = CHECKS[one.name](answer, **one.arguments)
        except ImportError as error:
            return Grade("failed", f"the check {one.name} needs {error.name}: pip install {error.name}")
        except (TypeError, KeyError, re.error) as error:
            return Grade("failed", f"the arguments of {one.name} cannot be read: {error}")
        if not is_followed:
            return Grade("wrong", f"{one.name} is not followed")
    return RIGHT


def read_instructions(gold: str) -> tuple[Instruction, ...] | None:
    """The instructions of a gold answer; None if it has none, or one that is not known."""
    try:
        fields = json.loads(gold)
        names, arguments = fields["instruction_id_list"], fields["kwargs"]
        found = tuple(
            Instruction(name, {key: value for key, value in (given or {}).items() if value is not None})
            for name, given in zip(names, arguments, strict=True)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if found and all(one.name in CHECKS for one in found) else None


# --- counts ---------------------------------------------------------------------------------------


def _compares(count: int, limit: float, relation: str) -> bool:
    """As IFEval writes relations: "less than", or "at least", which is also meant if none is given."""
    return count < limit if relation == "less than" else count >= limit


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _n_sentences(text: str) -> int:
    """Sentences end with a mark before a blank or the end of a paragraph."""
    parts = re.split(r"(?<=[.!?])[\"'”’)\]]*\s+|\n{2,}", text.strip())
    return sum(bool(re.search(r"\w", part)) for part in parts)


def _keywords(reply: str, keywords: list[str]) -> bool:
    return all(re.search(word, reply, re.IGNORECASE) for word in keywords)


def _frequency(reply: str, keyword: str, frequency: float, relation: str = "at least") -> bool:
    return _compares(len(re.findall(keyword, reply, re.IGNORECASE)), frequency, relation)


def _forbidden(reply: str, forbidden_words: list[str]) -> bool:
    return not any(re.search(rf"\b{word}\b", reply, re.IGNORECASE) for word in forbidden_words)


def _letters(reply: str, letter: str, let_frequency: float, let_relation: str = "at least") -> bool:
    return _compares(reply.lower().count(letter.lower()), let_frequency, let_relation)


def _sentences(reply: str, num_sentences: float, relation: str = "at least") -> bool:
    return _compares(_n_sentences(reply), num_sentences, relation)


def _number_of_words(reply: str, num_words: float, relation: str = "at least") -> bool:
    return _compares(len(_words(reply)), num_words, relation)


def _capital_words(reply: str, capital_frequency: float, capital_relation: str = "at least") -> bool:
    found = [word for word in re.findall(r"[\w'’-]+", reply) if word.isupper()]
    return _compares(len(found), capital_frequency, capital_relation)


# --- paragraphs and sections ----------------------------------------------------------------------


def _parts(text: str, mark: str) -> list[str] | None:
    """The parts between marks; the first and the last may be empty, None if another one is."""
    parts = re.split(mark, text)
    if any(not part.strip() for part in parts[1:-1]):
        return None
    return [part for part in parts if part.strip()]


def _paragraphs(reply: str, num_paragraphs: float) -> bool:
    parts = _parts(reply, r"\s?\*\*\*\s?")
    return parts is not None and len(parts) == num_paragraphs


def _first_word(reply: str, num_paragraphs: float, nth_paragraph: float, first_word: str) -> bool:
    paragraphs = [part for part in re.split(r"\n\n", reply) if part.strip()]
    if len(paragraphs) != num_paragraphs or not 1 <= nth_paragraph <= len(paragraphs):
        return False
    word = paragraphs[int(nth_paragraph) - 1].split()[0].lstrip("'\"")
    return re.split(r"[.,?!'\"]", word)[0].lower() == first_word.lower()


def _sections(reply: str, section_spliter: str, num_sections: float) -> bool:
    return len(re.split(rf"\s?{section_spliter}\s?\d+\s?", reply)) - 1 >= num_sections


def _two_responses(reply: str) -> bool:
    parts = _parts(reply, r"\*{6}")
    return parts is not None and len(parts) == 2 and parts[0].strip() != parts[1].strip()  # noqa: PLR2004


# --- forms ----------------------------------------------------------------------------------------


def _placeholders(reply: str, num_placeholders: float) -> bool:
    return len(re.findall(r"\[.*?\]", reply)) >= num_placeholders


def _postscript(reply: str, postscript_marker: str) -> bool:
    marks = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    mark = marks.get(postscript_marker, re.escape(postscript_marker.lower()))
    return re.search(rf"^.*{mark}.*$", reply.lower(), re.MULTILINE) is not None


def _bullets(reply: str, num_bullets: float) -> bool:
    found = re.findall(r"^\s*\*[^*\n].*$|^\s*-.*$", reply, re.MULTILINE)
    return len(found) == num_bullets


def _one_of_three(reply: str) -> bool:
    return any(f"My answer is {word}." in reply for word in ("yes", "no", "maybe"))


def _highlights(reply: str, num_highlights: float) -> bool:
    found = re.findall(r"\*\*[^\n*]+\*\*|\*[^\n*]+\*", reply)
    return sum(bool(part.strip("*").strip()) for part in found) >= num_highlights


def _json(reply: str) -> bool:
    text = re.sub(r"^```\w*\s*|\s*```$", "", reply.strip())
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _title(reply: str) -> bool:
    return any(found.strip("<> ") for found in re.findall(r"<<[^\n]+>>", reply))


def _repeats(reply: str, prompt_to_repeat: str) -> bool:
    return reply.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _ends_with(reply: str, end_phrase: str) -> bool:
    return reply.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def _quoted(reply: str) -> bool:
    text = reply.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def _language(reply: str, language: str) -> bool:
    # A large table of languages for 31 of IFEval's 541 prompts: only for those who install it.
    found: str = importlib.import_module("langdetect").detect(reply)
    return found == language


CHECKS: dict[str, Check] = {
    "keywords:existence": _keywords,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letters,
    "language:response_language": _language,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": _number_of_words,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _one_of_three,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeats,
    "startend:end_checker": _ends_with,
    "startend:quotation": _quoted,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": str.isupper,
    "change_case:english_lowercase": str.islower,
    "punctuation:no_comma": lambda reply: "," not in reply,
}
"""The instructions of IFEval by name, and the functions that check a reply."""
