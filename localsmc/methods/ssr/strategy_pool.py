"""Pools of strategies, and the prompts that use them: data, in JSON files.

A pool has the separator of steps, the prompt for a problem with a strategy, the request to choose the best
strategies, and the request to rate a step. Some pools ship with the package; your own file has the same keys.
Independent of models.
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
"""Instead of a pool's name: no strategies."""

_SHIPPED = Path(__file__).parent / "pools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to solve a problem; `code` is its letter in the request to choose."""

    code: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Strategies and prompt templates; {problem}, {name}, {hint}, {code}, {strategies} and {n} are filled in.

    `separator` ends a step. `task` is the prompt for a problem with a strategy. `choice` asks for the n best
    of the list of strategies, whose lines are `listing`; the reply is `choice_reply` followed by the codes.
    `rating` asks to rate the last step from 0 to 9; the reply is `rating_reply` followed by the digit.
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
        """The prompt for a problem with a strategy."""
        return _filled(self.task, problem=problem, name=strategy.name, hint=strategy.hint)

    def choose(self, problem: str, n: int) -> str:
        """The request to choose the n best strategies."""
        listed = "\n".join(
            _filled(self.listing, code=one.code, name=one.name, hint=one.hint) for one in self.strategies
        )
        return _filled(self.choice, problem=problem, strategies=listed, n=str(n))

    @property
    def n_bytes(self) -> int:
        """Bytes of the longest strategy and of the request to rate, which a track decodes in addition."""
        longest = max(len(self.under(one, "").encode()) for one in self.strategies)
        return longest + len(self.rating.encode()) + len(self.rating_reply.encode())


def _filled(template: str, **values: str) -> str:
    # In a single pass; other braces stay, since problems and hints may contain them.
    return re.sub("{(" + "|".join(values) + ")}", lambda found: values[found[1]], template)


def shipped() -> tuple[str, ...]:
    """The names of the pools that ship with the package."""
    return tuple(sorted(file.stem for file in _SHIPPED.glob("*.json")))


def load_pool(name: str) -> Pool:
    """Load a pool by the name of a shipped one or by path; raises ConfigError if it is invalid."""
    path = _SHIPPED / f"{name}.json" if name in shipped() else expand_user(name)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"the pool of strategies `{name}` cannot be read: {error.strerror}",
            hint=f"choose from: {', '.join(shipped())}; or give the path of a JSON file",
        ) from error
    except ValueError as error:
        raise _broken(name, "is not JSON in UTF-8") from error
    if not isinstance(data, dict):
        raise _broken(name, "is not a JSON object")
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
        raise _broken(name, f"has a strategy that is not an object, number {i}")
    for key in ("code", "name"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise _broken(name, f"has a strategy without `{key}`, number {i}")
    if not isinstance(data.get("hint", ""), str):
        raise _broken(name, f"has a strategy whose `hint` is not text, number {i}")
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
