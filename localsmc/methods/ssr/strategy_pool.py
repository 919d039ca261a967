"""Pools of strategies, and the words in which they are put to models: data, in JSON files.

A pool says how steps are parted, how one of its strategies is put with a problem, how the best are
asked for, and how a step is rated. Some ship with the package; a file of one's own has the same keys.
Knows no model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from localsmc.errors import ConfigError
from localsmc.system.user_dirs import expand_user

NONE = "none"
"""In the place of a pool's name: no strategies."""

_SHIPPED = Path(__file__).parent / "pools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to go about a problem; the code stands for it in a choice."""

    code: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Strategies and words; {problem}, {name}, {hint}, {code}, {strategies} and {n} are filled in.

    `separator` ends a step. `task` puts a problem under a strategy. `choice` asks for the n best of the
    list, whose lines are `listing`; the reply begins with `choice_reply`, and the codes follow it.
    `rating` asks to rate the last step from 0 to 9; the digit follows `rating_reply`.
    """

    separator: str
    task: str
    listing: str
    choice: str
    choice_reply: str
    rating: str
    rating_reply: str
    strategies: tuple[Strategy, ...]

    def under(self, strategy: Strategy, problem: str) -> str:
        """A problem, to be solved with a strategy."""
        return _filled(self.task, problem=problem, name=strategy.name, hint=strategy.hint)

    def choose(self, problem: str, n: int) -> str:
        """The request to choose the n best."""
        listed = "\n".join(
            _filled(self.listing, code=one.code, name=one.name, hint=one.hint) for one in self.strategies
        )
        return _filled(self.choice, problem=problem, strategies=listed, n=str(n))

    @property
    def n_bytes(self) -> int:
        """Of the longest strategy and of the request to rate: what a track reads beside problem and text."""
        longest = max(len(self.under(one, "").encode()) for one in self.strategies)
        return longest + len(self.rating.encode()) + len(self.rating_reply.encode())


def _filled(template: str, **values: str) -> str:
    # In one pass, and braces of other kinds stay: problems and hints may be full of them.
    return re.sub("{(" + "|".join(values) + ")}", lambda found: values[found[1]], template)


def shipped() -> tuple[str, ...]:
    """The names of the pools that ship with the package."""
    return tuple(sorted(file.stem for file in _SHIPPED.glob("*.json")))


def load_pool(name: str) -> Pool:
    """A pool by the name of a shipped one or by its file's path; raises ConfigError where it is broken."""
    path = _SHIPPED / f"{name}.json" if name in shipped() else expand_user(name)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"the pool of strategies `{name}` cannot be read: {error.strerror}",
            hint=f"there is: {', '.join(shipped())}; or give the path of a JSON file",
        ) from error
    except ValueError as error:
        raise _broken(name, "is no JSON in UTF-8") from error
    if not isinstance(data, dict):
        raise _broken(name, "is no JSON object")
    return _pool(name, data)


def _pool(name: str, data: dict[str, Any]) -> Pool:
    words: dict[str, Any] = {key: data.get(key) for key in _keys(Pool) if key != "strategies"}
    for key, text in words.items():
        if not isinstance(text, str) or not text:
            raise _broken(name, f"has no text under `{key}`")
    _check_places(name, words)
    listed = data.get("strategies")
    if not isinstance(listed, list) or not listed:
        raise _broken(name, "has no strategies")
    pool = Pool(**words, strategies=tuple(_strategy(name, i, one) for i, one in enumerate(listed, 1)))
    codes = [one.code for one in pool.strategies]
    for code in codes:
        if codes.count(code) > 1:
            raise _broken(name, f"has the code `{code}` twice")
    _check_unknown(name, data, _keys(Pool))
    return pool


def _check_places(name: str, words: Mapping[str, Any]) -> None:
    for key, places in {
        "task": ("problem",),
        "choice": ("problem", "strategies"),
        "listing": ("code",),
    }.items():
        for place in places:
            if f"{{{place}}}" not in words[key]:
                raise _broken(name, f"has no `{{{place}}}` in `{key}`")


def _strategy(name: str, i: int, data: Any) -> Strategy:
    if not isinstance(data, dict):
        raise _broken(name, f"has a strategy that is no object, number {i}")
    for key in ("code", "name"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise _broken(name, f"has a strategy without `{key}`, number {i}")
    if not isinstance(data.get("hint", ""), str):
        raise _broken(name, f"has a strategy whose `hint` is no text, number {i}")
    _check_unknown(name, data, _keys(Strategy))
    return Strategy(**data)


def _check_unknown(name: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            raise _broken(name, f"has the unknown key `{key}`")


def _keys(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _broken(name: str, what: str) -> ConfigError:
    return ConfigError(
        f"the pool of strategies `{name}` {what}",
        hint=f"it needs {', '.join(f'`{key}`' for key in _keys(Pool))}, as `{_SHIPPED / 'general.json'}` has",
    )
