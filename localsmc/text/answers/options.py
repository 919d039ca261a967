r"""An option of a multiple-choice question, given by its letter, its text, or both: `\textbf{(B)}\ 12`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKED = re.compile(r"\\(?:text|textbf|mathbf|mathrm|mbox|textit|textrm|mathit|bf|rm)\s*\{([^{}]*)\}")
_FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"(?:[Oo]ption |[Cc]hoice )?([A-J])",
        r"(?:[Oo]ption |[Cc]hoice )?[(\[] ?([A-Ja-j]) ?[)\]][.:]?(?:\s+(?![-+*/^=_(<>|,])(\S.*))?",
        r"(?:[Oo]ption |[Cc]hoice )?([A-J])[).:](?:\s+(?![-+*/^=_(<>|,])(\S.*))?",
    )
)
_SEVERAL = re.compile(r"(?<!\w)\(?[A-J][).:](?!\w)|(?<![A-Za-z])(?:and|or)(?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Option:
    """A letter in upper case, and the option's text; empty if only the letter is given."""

    letter: str
    text: str = ""


def option(text: str) -> Option | None:
    """The option that a text names; None if it names none or several."""
    bare = _MARKED.sub(r" \1 ", re.sub(r"(?<=[.:)])(?:\*\*|__|\^)(?=\s)", "", text))  # **B.** twelve
    bare = re.sub(r"\\(?:quad|qquad|[,;:! ])|~|\\(?![a-zA-Z])", " ", bare).strip(" *$_`.")
    for form in _FORMS:
        if found := form.fullmatch(bare):
            rest = (found[2] or "").strip() if form.groups > 1 else ""
            return None if rest and _SEVERAL.search(rest) else Option(found[1].upper(), rest)
    return None
