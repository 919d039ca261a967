r"""Normalise answers that are written differently but mean the same: LaTeX, plain text and Unicode.

Goes further than `normalise`, because the result is only compared or parsed, never shown.
`\text{...}` is kept: its content is a word or a unit, not a product of variables.
"""

from __future__ import annotations

import re

from localsmc.text.answers.box_forms import last_box
from localsmc.text.answers.statements import stated

_SYMBOLS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "π": r"\pi ",
        "√": r"\sqrt ", "∞": r"\infty ", "°": r"^\circ ", "≤": r"\le ", "≥": r"\ge ", "∪": r"\cup ",
        "∈": r"\in ", "±": r"\pm ", "²": "^{2}", "³": "^{3}", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
        "θ": r"\theta ", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    }
)  # fmt: skip

_NEST = r"(?:[^()]|\([^()]*\))*"

_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:left|right|displaystyle|limits|[bB]igg?[lr]?)(?![a-zA-Z])", ""),
        (r"\{,\}", ","),
        (r"\\!\s*", ""),  # 11,\! 111
        (r"(?<=\d)\\,\s*(?=\d{3}(?!\d))", ""),  # 10\,080
        (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![a-zA-Z])|\s+", " "),
        (r"\\(?:mbox|textrm|textbf|textit|mathrm|mathbf|mathit|operatorname)\s*\{", r"\\text{"),
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
        (r"\^\s*(-?\d{2,}|-\d)", r"^{\1}"),  # x^10 means x^{10}, unlike in TeX
        (r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])", r"^\\circ "),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\(?:langle|lparen)(?![a-zA-Z])", "("),
        (r"\\(?:rangle|rparen)(?![a-zA-Z])", ")"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"(?<![\\a-zA-Z])(pi|infty|sin|cos|tan|cot|sec|csc|log|ln|exp)(?![a-zA-Z])", r"\\\1 "),
        (r"(?<![\\a-zA-Z])infinity(?![a-zA-Z])", r"\\infty "),
        (r"\\approx.*", ""),  # x = 1/3 \approx 0.333
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
    text = re.sub(r"^\*\*(.*)\*\*$", r"\1", text.strip(), flags=re.DOTALL)
    text = re.sub(r"^(\$+)([^$]*[^$\\])\1(?!\d)", r"\2", text.strip())
    return text.strip().rstrip(".").strip()


def spelled(text: str) -> str:
    """The normalised form of an answer."""
    text = unwrapped(text).translate(_SYMBOLS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text.strip()


def worded(text: str) -> str | None:
    r"""The words of an answer in lower case: east for `\text{East}`; None if it is not made of words.

    Without `\text` a word has at least four letters: fewer may be a product of variables.
    """
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text)
    is_marked = re.fullmatch(r"\s*(?:\\text\s*\{[^{}]*\}\s*)+", text)
    least = 2 if is_marked else 4
    if re.fullmatch(r"[a-zA-Z ,.'\-]+", bare) and re.search(rf"[a-zA-Z]{{{least}}}", bare):
        return " ".join(bare.casefold().replace(".", " ").split())
    return None


def lettered(text: str) -> str | None:
    r"""The letter of a multiple-choice answer: C for `\text{(C)}`, "C." or "(C) 42"; None if it has none."""
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text).strip(" *$.")
    bare = re.sub(r"^(?:option|choice)\s+", "", bare, flags=re.IGNORECASE)
    found = re.fullmatch(r"[(\[]?\s*([A-Ja-j])\s*[).:\]]?", bare)
    found = found or re.match(r"\(([A-J])\)|([A-J])[.):](?!\w)", bare)
    return next(filter(None, found.groups())).upper() if found else None
