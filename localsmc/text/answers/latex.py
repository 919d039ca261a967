r"""Normalise answers that are written differently but mean the same: LaTeX, plain text and Unicode.

Goes further than `normalise`, because the result is only compared or parsed, never shown.
`\text{...}` is kept: its content is a word or a unit, not a product of variables.
"""

from __future__ import annotations

import re

from localsmc.text.answers.box_forms import last_box
from localsmc.text.answers.glyphs import ascii_written
from localsmc.text.answers.normalise import undoubled, unmarked
from localsmc.text.answers.recurring import as_fractions
from localsmc.text.answers.separators import spelled_groups
from localsmc.text.answers.statements import stated

_SYMBOLS = str.maketrans(
    {
        "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "π": r"\pi ", "√": r"\sqrt ",
        "∞": r"\infty ", "°": r"^\circ ", "º": r"^\circ ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ",
        "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ", "θ": r"\theta ", "∅": r"\emptyset ",
        "≈": r"\approx ", "…": r"\ldots ",
    }
)  # fmt: skip

_NEST = r"(?:[^()]|\([^()]*\))*"

_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"^(?:[:=→⇒∴]|=>|->|\\(?:approx|Rightarrow|implies|therefore|to)(?![a-zA-Z]))\s*", ""),  # = 5
        (r"\\(?:left|right|displaystyle|limits|[bB]igg?[lr]?)(?![a-zA-Z])", ""),
        (r"\\!\s*", ""),
        (r"(?<!\\)\\[,;: ]|~|\\q?quad|\s+", " "),
        (r"\\(?:mbox|textrm|textnormal|textbf|textit|mathrm|mathbf|mathit|operatorname)\s*\{", r"\\text{"),
        (r"\\text\s*\{\s*(?:and|or)\s*\}|(?<![a-zA-Z\\{])(?:and|or)(?![a-zA-Z])", ","),
        (r",\s*(?=,)", ""),  # 1, 2, and 3
        (r"\\[dtc]frac", r"\\frac"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),  # \frac43 is 4/3
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\{[^{}]*\})\s*(\d)", r"\\frac\1{\2}"),
        (r"\\frac\s*(\{[^{}]*\})\s*\{", r"\\frac\1{"),
        (rf"\\?sqrt\s*\(({_NEST})\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*(\d)", r"\\sqrt{\1}"),
        (r"\*\*", "^"),
        (rf"\^\s*\(({_NEST})\)", r"^{\1}"),
        (r"\^\s*(-?\d*\.\d+|-?\d{2,}|-\d)", r"^{\1}"),  # x^10 means x^{10}, unlike in TeX
        (r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])", r"^\\circ "),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|(?<=\s)!=", r"\\ne "),
        (r"\\(?:langle|lparen)(?![a-zA-Z])", "("),
        (r"\\(?:rangle|rparen)(?![a-zA-Z])", ")"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"(?<![\\a-zA-Z])(pi|infty|sin|cos|tan|cot|sec|csc|log|ln|exp)(?![a-zA-Z])", r"\\\1 "),
        (r"(?<![\\a-zA-Z])infinity(?![a-zA-Z])", r"\\infty "),
        (r"^(\s*(?:[a-zA-Z]|\\[a-zA-Z]+)(?:_\{?\w+\}?)?\s*)\\approx(?=[^=]*$)", r"\1="),
        (r"\\approx.*", ""),  # x = 1/3 \approx 0.333
        (r"\\(?:varnothing|O|empty)(?![a-zA-Z])|^\s*\\?\{\s*\\?\}\s*$", r"\\emptyset "),
        (r"^(?:\\text\{)?\s*(?:the )?(?:empty|null) set\s*\}?$", r"\\emptyset "),
        (r"\s+", " "),
    ]
]


def unwrapped(text: str) -> str:
    r"""The stated answer: the last box, else what follows "answer is", without dollars and full stop."""
    # A lone surrogate would make the search for a box fail.
    text = text.encode(errors="replace").decode().strip()
    if (boxed := last_box(text, bool)) is not None:
        text = boxed
    elif (value := stated(text, bool)) is not None:
        text = value
    text = re.sub(r"^\\[(\[](.*)\\[)\]]$", r"\1", text.strip(), flags=re.DOTALL)
    text = unmarked(text)
    text = re.sub(r"^(\$+)([^$]*[^$\\])\1(?!\d)", r"\2", text.strip())
    return text.strip().rstrip(".").strip()


def spelled(text: str) -> str:
    """The normalised form of an answer."""
    text = undoubled(unwrapped(text))
    text = spelled_groups(ascii_written(text).translate(_SYMBOLS))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return as_fractions(text).strip()


def worded(text: str) -> str | None:
    r"""The words of an answer in lower case: east for `\text{East}`; None if it is not made of words.

    Without `\text` a word has at least four letters: fewer may be a product of variables, unless they can
    only be a word, as Yes and odd.
    """
    is_marked = re.fullmatch(r"\s*(?:\\text\s*\{[^{}]*\}\s*)+", text)
    words = letters_only(text)
    if words and re.search(rf"[a-zA-Z]{{{2 if is_marked else 4}}}", words):
        return words
    return words if words and _is_short_word(text.strip(" .")) else None


def letters_only(text: str) -> str | None:
    """A text of letters in lower case, without `\\text` and full stops; None if it has anything else."""
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text)
    if not re.fullmatch(r"[a-zA-Z ,.'\-]*[a-zA-Z][a-zA-Z ,.'\-]*!?", bare):
        return None
    return " ".join(bare.rstrip("!").casefold().replace(".", " ").split())


_SHORT_WORDS = frozenset(
    "no ok yes odd all any red one two six ten tie sun mon tue wed thu fri sat jan feb mar apr jun jul aug"
    " sep oct nov dec tom bob amy sam joe ann dan ben kim lee new old few day not man men boy cat dog hot wet"
    " dry low big bad win her his she him you".split()
)


def _is_short_word(text: str) -> bool:
    """Whether two or three letters are a word, in lower case, in capitals or with a first capital."""
    return text.lower() in _SHORT_WORDS and (text.islower() or text.isupper() or text.istitle())


def lettered(text: str) -> str | None:
    r"""The letter of a multiple-choice answer: C for `\text{(C)}`, "C." or "(C) 42"; None if it has none."""
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text).strip(" *$.")
    bare = re.sub(r"^(?:option|choice)\s+", "", bare, flags=re.IGNORECASE)
    found = re.fullmatch(r"[(\[]?\s*([A-Ja-j])\s*[).:\]]?", bare)
    found = found or re.match(r"\(([A-J])\)|([A-J])[.):](?!\w)", bare)
    return next(filter(None, found.groups())).upper() if found else None
