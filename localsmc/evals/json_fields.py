"""A JSON object read field by field: what is missing or of another kind is said with its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from localsmc.errors import RunError


def read_json(text: bytes, place: str, hint: str) -> JsonReader:
    """The fields of an object in JSON. Raises RunError, with the place and the hint, where it is none."""
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise RunError(f"{place} is not JSON", hint=hint) from error
    if not isinstance(value, dict):
        raise RunError(f"{place} is not a JSON object", hint=hint)
    return JsonReader(value, place, hint)


class JsonReader:
    """Checked access to one object; every method raises RunError where the field is not as asked."""

    def __init__(self, values: dict[str, Any], place: str, hint: str) -> None:
        self.values, self.place, self.hint = values, place, hint

    def around(self, values: dict[str, Any]) -> JsonReader:
        """The fields of another object in the same place."""
        return JsonReader(values, self.place, self.hint)

    def text(self, name: str) -> str:
        """A string."""
        value = self._value(name)
        return value if isinstance(value, str) else self._fail(name, "a text")

    def text_or_none(self, name: str) -> str | None:
        """A string, or None where it is null or left out."""
        return None if self.values.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """A whole number."""
        value = self._value(name)
        return (
            value
            if isinstance(value, int) and not isinstance(value, bool)
            else self._fail(name, "an integer")
        )

    def integer_or_none(self, name: str) -> int | None:
        """A whole number, or None where it is null or left out."""
        return None if self.values.get(name) is None else self.integer(name)

    def number(self, name: str) -> float:
        """A finite number."""
        return self._finite(name, self._value(name))

    def number_or_none(self, name: str) -> float | None:
        """A finite number, or None where it is null or left out."""
        return None if self.values.get(name) is None else self.number(name)

    def flag_or_none(self, name: str) -> bool | None:
        """True, false, or None where it is null or left out."""
        value = self.values.get(name)
        return value if value is None or isinstance(value, bool) else self._fail(name, "true or false")

    def inner(self, name: str) -> JsonReader:
        """An object's fields."""
        value = self._value(name)
        return self.around(value) if isinstance(value, dict) else self._fail(name, "an object")

    def inner_or_none(self, name: str) -> JsonReader | None:
        """An object's fields, or None where it is null or left out."""
        return None if self.values.get(name) is None else self.inner(name)

    def objects(self, name: str) -> list[JsonReader]:
        """A list of objects."""
        values = self._list(name)
        if not all(isinstance(value, dict) for value in values):
            self._fail(name, "a list of objects")
        return [self.around(value) for value in values]

    def numbers(self, name: str) -> list[float]:
        """A list of finite numbers; empty where it is left out."""
        return [self._finite(name, value) for value in self._list(name)] if name in self.values else []

    def integers(self, name: str) -> list[int]:
        """A list of whole numbers; empty where it is left out."""
        values = self._list(name) if name in self.values else []
        # Ids of tokens: millions of them, and so no function call for each.
        return values if set(map(type, values)) <= {int} else self._fail(name, "a list of integers")

    def texts_by_text(self, name: str) -> dict[str, str]:
        """An object whose values are strings; empty where it is left out."""
        values = self.inner(name).values if name in self.values else {}
        if not all(isinstance(value, str) for value in values.values()):
            self._fail(name, "an object of texts")
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
