"""Templates of known makers: they render in this process, without limits."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

_LIST = Path(__file__).with_name("known_templates.txt")


def is_known(source: str) -> bool:
    """Whether a template is one of the list, line breaks at its end aside."""
    return digest(source) in _known()


def digest(source: str) -> str:
    """The SHA-256 by which the list has a template."""
    return hashlib.sha256(source.rstrip("\n").encode(errors="replace")).hexdigest()


@functools.cache
def _known() -> dict[str, str]:
    """SHA-256 to the name of the template."""
    text = _LIST.read_text(encoding="utf-8")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    return {sha256: name for sha256, name in lines}
