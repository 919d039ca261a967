r"""Recurring decimals: `0.\overline{3}`, `0.(3)`, `0.\dot{1}4\dot{2}`, `0.333...`, `0.3 recurring`."""

from __future__ import annotations

import re

_HEAD = r"(?<![\d.])(?P<whole>\d{0,50})\.(?P<fixed>\d{0,50}?)"
_FORMS = tuple(
    re.compile(_HEAD + form)
    for form in (
        r"\\(?:overline|bar|overbar|widebar)\s?\{\s?(?P<block>\d{1,50})\s?\}",
        r"\\(?:bar|overline) ?(?P<block>\d)",
        r"\((?P<block>\d{1,50})\)(?![\d!^])",
        r"\\dot ?(?:\{(?P<one>\d)\}|(?P<bare>\d))(?:(?P<middle>\d{0,50})\\dot ?\{?(?P<last>\d)\}?)?",
        r"(?P<marked>(?:\d[\u0305\u0304]){1,50})",
        r"(?P<dotted>\d\u0307(?:\d{0,50}\d\u0307)?)",
        r"(?P<block>\d{1,10}?)(?P=block){2,50}\d{0,10} ?(?:\.\.\.|…|\\l?dots|\\cdots)",
        r"(?P<block>\d) ?\(?(?:repeating|recurring)(?: decimals?)?\)?",
    )
)
_MARKED = re.compile("[\u0304\u0305\u0307.]|…|[(]|overline|bar|dots?|repeating|recurring")


def as_fractions(text: str) -> str:
    r"""The text with recurring decimals as fractions, `\frac{3}{9}` for `0.\overline{3}`.

    Three dots count only after three copies of the same digits: 0.333... is 1/3, but 1.414... is not known.
    """
    if "." not in text or not _MARKED.search(text):
        return text
    for form in _FORMS:
        text = form.sub(_fraction, text)
    return text


def _fraction(found: re.Match[str]) -> str:
    whole, fixed, block = found["whole"], found["fixed"], _block(found)
    if found.re is _FORMS[6]:
        tail = found[0].rstrip(".… ").split("\\")[0].rpartition(".")[2][len(fixed) :]
        if tail != (block * len(tail))[: len(tail)]:
            return found[0]
    scale = 10 ** len(fixed)
    top = int(whole + fixed + block) - int((whole + fixed) or 0)
    return rf"\frac{{{top}}}{{{scale * (10 ** len(block) - 1)}}}"


def _block(found: re.Match[str]) -> str:
    parts = found.groupdict()
    if parts.get("block"):
        return str(parts["block"])
    if marked := parts.get("marked") or parts.get("dotted"):
        return re.sub(r"\D", "", marked)
    first = parts["one"] or parts["bare"] or ""
    return first + (parts["middle"] or "") + (parts["last"] or "")
