"""The texts that `localsmc score` gets, each with its prompt: arguments, rows of a file, or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from localsmc.errors import ConfigError
from localsmc.system.row_files import Row, field_of, read_rows
from localsmc.system.text_file import decoded, read_text
from localsmc.system.user_dirs import expand_user
from localsmc_cli.inputs.problem_text import STDIN, Say, checked_text, saying
from localsmc_cli.ui.output import is_terminal

EXAMPLE = 'for example: localsmc score -p "1 + 1 =" " 2" " 3"'
PROMPTS = ("prompt", "question")
TEXTS = ("completion", "text", "answer")
"""Fields of rows that are looked for, unless others are named."""


class ScoredTexts(NamedTuple):
    """Pairs of a prompt and a text, and what messages call them."""

    pairs: list[tuple[str, str]]
    names: list[str]


def texts_of_words(words: Sequence[str], prompt: str | None, say: Say) -> ScoredTexts:
    """The arguments, `-` and nothing for standard input; raises ConfigError."""
    words = words or (STDIN,)
    if words.count(STDIN) > 1:
        raise ConfigError("`-` is given twice, but standard input is one text", hint="remove one of them")
    asked = checked_text(prompt or "", "`--prompt`")
    texts = [stdin_text(say) if word == STDIN else checked_text(word, "a text") for word in words]
    names = [f"text {i + 1}" for i in range(len(texts))]
    return ScoredTexts([(asked, text) for text in texts], names)


def rows_of(file: str) -> Sequence[Row]:
    """The rows of a file; raises TaskError."""
    return read_rows(expand_user(file))


def texts_of_rows(
    rows: Sequence[Row], file: str, question: str | None, completion: str | None
) -> ScoredTexts:
    """The texts in rows of a file; raises TaskError. Without a field of prompts, the texts stand alone."""
    path = expand_user(file)
    pairs, names = [], []
    for i, row in enumerate(rows):
        text = field_of(row, [completion] if completion else TEXTS, i, path, "completion")
        pairs.append((_prompt_of(row, question, i, file), text))
        names.append(f"the text in row {i + 1} of `{path}`")
    return ScoredTexts(pairs, names)


def _prompt_of(row: Row, question: str | None, i: int, file: str) -> str:
    if question is None and not any(name in row for name in PROMPTS):
        return ""
    return field_of(row, [question] if question else PROMPTS, i, expand_user(file), "question")


def long_text(file: str, say: Say) -> str:
    """The text of a file, or of standard input for `-`; raises ConfigError."""
    return stdin_text(say) if file == STDIN else read_text(file, "the text", "--perplexity")


def stdin_text(say: Say) -> str:
    """The text on standard input; raises ConfigError for a terminal."""
    if sys.stdin is None or is_terminal(sys.stdin):
        raise ConfigError("no text is given", hint=EXAMPLE)
    with saying(say, "reading the text from standard input"):
        text = decoded(sys.stdin.buffer.read(), "standard input", "the text")
    if not text:
        raise ConfigError("no text is given: standard input is empty", hint=EXAMPLE)
    return text
