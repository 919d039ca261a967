"""What differs between two entries of manifests, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_LONGEST = 40  # characters of a value that is shown


def differences(name: str, was: Any, now: Any) -> list[str]:
    """Each difference between two values in JSON: "conclude is off, but was auto", "examples differ".

    Rows with the same names are compared one by one, as are the entries of objects.
    """
    if was == now:
        return []
    if name == "examples":
        return ["examples differ"]
    if isinstance(was, dict) and isinstance(now, dict):
        names = dict.fromkeys([*now, *was])
        return [line for key in names for line in differences(key, was.get(key), now.get(key))]
    if _is_of_rows(was) and _is_of_rows(now):
        if _names(was) == _names(now):
            rows = zip(_names(now), was, now, strict=True)
            return [f"{row}: {line}" for row, *both in rows for line in differences(row, *both)]
        was, now = _names(was), _names(now)
    is_plural = name.endswith("s") and not name.startswith("n_")
    shown = [_shown(value) for value in (now, was)]
    if max(map(len, shown)) > _LONGEST:
        return [f"{name} {'differ' if is_plural else 'differs'}"]
    is_, was_ = ("are", "were") if is_plural else ("is", "was")
    return [f"{name} {is_} {shown[0]}, but {was_} {shown[1]}"]


def _is_of_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _names(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """What tells the rows apart: the label of a method, the name of a task or a model."""
    return [row.get("label", row.get("name", row.get(""))) for row in rows]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return "not set" if value is None else str(value)
