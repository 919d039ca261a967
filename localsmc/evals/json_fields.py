"""Read a JSON object field by field; errors name the place of a missing or invalid field."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from localsmc.errors import RunError


def read_json(text: bytes, place: str, hint: str) -> JsonReader:
    """Parse a JSON object. Raises RunError, with the place and the hint, if it is not one."""
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise RunError(f"{place} is not JSON", hint=hint) from error
    if not isinstance(value, dict):
        raise RunError(f"{place} is not a JSON object", hint=hint)
    return JsonReader(value, place, hint)


class JsonReader:
    """Typed access to one object; every method raises RunError if the field is missing or invalid."""

    def __init__(self, values: dict[str, Any], place: str, hint: str) -> None:
        self.values, self.place, self.hint = values, place, hint

    def around(self, values: dict[str, Any]) -> JsonReader:
        """A reader of another object in the same place."""
        return JsonReader(values, self.place, self.hint)

    def text(self, name: str) -> str:
        """A string."""
        value = self._value(name)
        return value if isinstance(value, str) else self._fail(name, "a string")

    def text_or_none(self, name: str) -> str | None:
        """A string, or None if it is null or missing."""
        return None if self.values.get(name) is None else self.text(name)

    def texts_or_none(self, name: str) -> tuple[str, ...] | None:
        """A string, or a list of strings; None if it is null or missing."""
        value = self.values.get(name)
        values = [value] if isinstance(value, str) else value
        if values is None:
            return None
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            self._fail(name, "a string or a list of strings")
        return tuple(values)

    def integer(self, name: str) -> int:
        """An integer."""
        value = self._value(name)
        return (
            value
            if isinstance(value, int) and not isinstance(value, bool)
            else self._fail(name, "an integer")
        )

    def integer_or_none(self, name: str) -> int | None:
        """An integer, or None if it is null or missing."""
        return None if self.values.get(name) is None else self.integer(name)

    def number(self, name: str) -> float:
        """A finite number."""
        return self._finite(name, self._value(name))

    def number_or_none(self, name: str) -> float | None:
        """A finite number, or None if it is null or missing."""
        return None if self.values.get(name) is None else self.number(name)

    def flag_or_none(self, name: str) -> bool | None:
        """A boolean, or None if it is null or missing."""
        value = self.values.get(name)
        return value if value is None or isinstance(value, bool) else self._fail(name, "true or false")

    def inner(self, name: str) -> JsonReader:
        """A nested object."""
        value = self._value(name)
        return self.around(value) if isinstance(value, dict) else self._fail(name, "an object")

    def inner_or_none(self, name: str) -> JsonReader | None:
        """A nested object, or None if it is null or missing."""
        return None if self.values.get(name) is None else self.inner(name)

    def objects(self, name: str) -> list[JsonReader]:
        """A list of objects."""
        values = self._list(name)
        if not all(isinstance(value, dict) for value in values):
            self._fail(name, "a list of objects")
        return [self.around(value) for value in values]

    def numbers(self, name: str) -> list[float]:
        """A list of finite numbers; empty if it is missing."""
        return [self._finite(name, value) for value in self._list(name)] if name in self.values else []

    def integers(self, name: str) -> list[int]:
        """A list of integers; empty if it is missing."""
        values = self._list(name) if name in self.values else []
        # Millions of token ids: no function call per element.
        return values if set(map(type, values)) <= {int} else self._fail(name, "a list of integers")

    def texts_by_text(self, name: str) -> dict[str, str]:
        """An object whose values are strings; empty if it is missing."""
        values = self.inner(name).values if name in self.values else {}
        if not all(isinstance(value, str) for value in values.values()):
            self._fail(name, "an object of strings")
        return values

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        """One of these strings."""
        value = self.text(name)
        return value if value in choices else self._fail(name, f"one of {', '.join(choices)}")

    def _value(self, name: str) -> Any:
        if name not in self.values:
            raise RunError(f"{self.place}: `{name}` is missing", hint=self.hint)
        return self.values[name]

    def _list(self, name: str) -> list[Any]:
        value = self._value(name)
        return value if isinstance(value, list) else self._fail(name, "a list")

    def _finite(self, name: str, value: Any) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # Integers in JSON may be larger than any float.
        if not is_number or not abs(value) <= sys.float_info.max:
            self._fail(name, "a finite number")
        return float(value)

    def _fail(self, name: str, kind: str) -> Any:
        raise RunError(f"{self.place}: `{name}` is not {kind}", hint=self.hint)
