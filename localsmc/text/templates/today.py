"""The date that templates write: that of now, or a fixed one, so that a run goes on with the same prompts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

_fixed: datetime | None = None


def now() -> datetime:
    """The time for templates."""
    return datetime.now() if _fixed is None else _fixed


def fixed_at() -> datetime | None:
    """The time that is fixed, None if there is none."""
    return _fixed


@contextlib.contextmanager
def fixed(when: datetime | None) -> Iterator[None]:
    """Within this context, in all threads, templates get this time; None leaves it as it is."""
    global _fixed  # noqa: PLW0603 - one clock for the process, as the system's
    before = _fixed
    _fixed = before if when is None else when
    try:
        yield
    finally:
        _fixed = before
