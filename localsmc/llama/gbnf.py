"""Check grammars in llama.cpp's notation (GBNF) before llama.cpp parses them; errors name the line.

llama.cpp prints syntax errors to standard error only. Some grammars make it loop forever or abort:
repetitions whose maximum is below their minimum, deep nesting, and left recursion, also behind parts that
can be empty. Some small grammars use up all memory or time, because their repetitions and alternatives
multiply. All of these are rejected here, so that llama.cpp only receives grammars that it can handle.
References to single tokens (`<think>`, `<[7]>`) are rejected too: llama.cpp allows a token whose text runs
into one, and then aborts on it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from localsmc.errors import ConfigError

ROOT = "root"

MOST_BYTES = 1_000_000
MOST_RULES = 10_000
DEEPEST = 200
"""Maximum nesting of groups."""
MOST_TIMES = 2000
"""Maximum number of repetitions, nested ones multiplied: llama.cpp's limit."""
LARGEST = 16 * 2**20
"""Maximum bytes of llama.cpp's parsed grammar, which it copies for each completion."""
MOST_WAYS = 64
"""Maximum ways for a rule to reach the beginning of another: llama.cpp follows each, and compares all."""

_RULE, _ELEMENT = 64, 8
"""Measured bytes per rule and per element in llama.cpp."""

HINT = 'GBNF is described in llama.cpp\'s grammars/README.md; for example: root ::= "yes" | "no"'

_FACTORED = (
    'factor it out: write sum ::= term ("+" term)* instead of sum ::= term | term "+" sum;'
    " do not repeat parts that can be empty"
)

_SPACE = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_ESCAPE = r"\\(?:[trn\\\"\[\]-]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_STRING = re.compile(rf'"(?:{_ESCAPE}|[^"\\])*"')
_CLASS = re.compile(rf"\[\^?(?:{_ESCAPE}|[^\]\\])*\]")
_TIMES = re.compile(r"\{[ \t]*([0-9]+)[ \t]*(?:(,)[ \t]*([0-9]*)[ \t]*)?\}")


@dataclass(slots=True)
class _Part:
    """An item of a sequence: a rule or characters, its size, and whether it can be empty."""

    rule: str | None = None
    """Name of the rule; None for characters."""
    is_empty: bool = False
    size: int = 1
    """Number of rules that llama.cpp creates for it."""
    length: int = 1
    """Number of elements in those rules."""
    times: int = 1
    """Maximum number of repetitions; for an unbounded repetition, the minimum or 1."""


@dataclass(slots=True)
class _Rule:
    alternatives: list[list[_Part]] = field(default_factory=list)
    at: int = 0
    """Position in the grammar's text."""


def check(text: str) -> int:
    """Check a grammar and return approximately how many bytes llama.cpp's parsed form takes.

    Raises ConfigError for a grammar that llama.cpp would reject, abort on or loop on.
    """
    if not text.strip():
        raise ConfigError("the grammar is empty", hint=HINT)
    if "\0" in text:
        raise ConfigError("the grammar is not text: it contains a NUL character", hint=HINT)
    if len(text.encode()) > MOST_BYTES:
        raise ConfigError(f"the grammar has more than {MOST_BYTES:,} bytes", hint="make it smaller")
    return _Reader(text).check()


class _Reader:
    """Parses like llama.cpp: the end of the line ends a rule, except within parentheses."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._rules: dict[str, _Rule] = {}
        self._used: dict[str, int] = {}
        """Rule names, and the position of the first use of each."""
        self._n_made = 0
        self._n_bytes = 0

    def check(self) -> int:
        self._skip(_LINES)
        while self._at < len(self._text):
            self._rule()
        if ROOT not in self._rules:
            raise ConfigError("the grammar has no rule `root`, which is the start rule", hint=HINT)
        for name, at in self._used.items():
            if name not in self._rules:
                raise self._error(f"the rule `{name}` is not defined", at)
        if len(self._rules) > MOST_RULES:
            raise ConfigError(f"the grammar has more than {MOST_RULES:,} rules", hint="make it smaller")
        if self._n_bytes > LARGEST:
            raise ConfigError(
                "the grammar's repetitions take too much memory together",
                hint="use fewer repetitions, or unbounded ones such as [a-z]*",
            )
        empty = self._nullable()
        self._refuse_ways(self._beginnings(empty), empty)
        return self._n_bytes

    # --- parsing ---

    def _rule(self) -> None:
        at, name = self._at, self._expect(_NAME, "the name of a rule")
        self._skip(_SPACE)
        if not self._text.startswith("::=", self._at):
            raise self._wrong("`::=`")
        self._at += 3
        self._skip(_LINES)
        self._rules[name] = _Rule(self._alternatives(0), at)
        self._n_bytes += _RULE
        if self._at < len(self._text) and self._text[self._at] not in "\r\n":
            raise self._wrong("the end of the rule")
        self._skip(_LINES)

    def _alternatives(self, depth: int) -> list[list[_Part]]:
        found = [self._sequence(depth)]
        while self._next == "|":
            self._at += 1
            self._skip(_LINES)
            found.append(self._sequence(depth))
        return found

    def _sequence(self, depth: int) -> list[_Part]:
        parts: list[_Part] = []
        while self._next and self._next not in "|)\r\n":
            if self._next in "*+?{":
                self._repeat(parts)
            else:
                parts.append(self._part(depth))
                self._n_bytes += _ELEMENT * parts[-1].length
            self._skip(_LINES if depth else _SPACE)
        return parts

    def _part(self, depth: int) -> _Part:
        first = self._next
        if first == '"':
            text = self._expect(_STRING, "a closed string with valid escapes")
            return _Part(is_empty=text == '""', length=len(text))
        if first == "[":
            text = self._expect(_CLASS, "a closed character class")
            return _Part(is_empty=text in ("[]", "[^]"), length=len(text))
        if first == ".":
            self._at += 1
            return _Part()
        if first == "(":
            return self._group(depth + 1)
        if first in "<!":
            raise self._error("references to single tokens are not supported")
        at, name = self._at, self._expect(_NAME, "a string, a character class, a name or a group")
        self._used.setdefault(name, at)
        return _Part(name)

    def _group(self, depth: int) -> _Part:
        if depth > DEEPEST:
            raise self._error(f"groups are nested more than {DEEPEST} levels deep")
        self._at += 1
        self._skip(_LINES)
        n_before = self._n_made
        alternatives = self._alternatives(depth)
        if self._next != ")":
            raise self._wrong("`)`")
        self._at += 1
        return self._made(_Rule(alternatives, self._at), max(1, self._n_made + 1 - n_before))

    def _made(self, rule: _Rule, size: int) -> _Part:
        self._n_made += 1
        self._n_bytes += _RULE
        name = f"({self._n_made}"  # cannot be the name of a rule
        self._rules[name] = rule
        return _Part(name, size=size)

    def _repeat(self, parts: list[_Part]) -> None:
        least, most = self._times()
        if not parts or parts[-1].is_empty and parts[-1].rule is None:
            raise self._error("there is nothing to repeat")
        size = parts[-1].size * (most if most else max(1, least))
        if max(least, most or 0, size) >= MOST_TIMES:
            raise self._error(f"a repetition amounts to {MOST_TIMES:,} or more")
        if most is not None and most < least:
            raise self._error(f"a repetition has a maximum of {most}, below its minimum of {least}")
        self._n_made += 1 if most is None else most - least
        part, times = parts[-1], max(1, least, most or 0)
        self._n_bytes += times * (_RULE + _ELEMENT * part.length)
        parts[-1] = replace(
            part, is_empty=part.is_empty or not least, size=size, length=times * part.length,
            times=times * part.times,
        )  # fmt: skip

    def _times(self) -> tuple[int, int | None]:
        sign = self._next
        if sign != "{":
            self._at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        found = _TIMES.match(self._text, self._at)
        if found is None or max(len(found[1]), len(found[3] or "")) > len(str(MOST_TIMES)):
            raise self._wrong(f"a repetition such as {{2}}, {{2,}} or {{2,5}}, below {MOST_TIMES:,}")
        self._at = found.end()
        least = int(found[1])
        if not found[2]:
            return least, least
        return least, int(found[3]) if found[3] else None

    # --- reading position and errors ---

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        assert found is not None  # noqa: S101 - the pattern also matches the empty string
        self._at = found.end()

    def _expect(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong(what)
        self._at = found.end()
        return found[0]

    def _wrong(self, expected: str) -> ConfigError:
        rest = self._text[self._at : self._at + 20].splitlines()
        return self._error(f"expected {expected}" + (f" at `{rest[0]}`" if rest and rest[0] else ""))

    def _error(self, what: str, at: int | None = None, hint: str = HINT) -> ConfigError:
        line = self._text.count("\n", 0, self._at if at is None else at) + 1
        return ConfigError(f"line {line} of the grammar: {what}", hint=hint)

    # --- recursion and ambiguity ---

    def _beginnings(self, empty: set[str]) -> dict[str, list[_Part]]:
        """What each rule can begin with, in topological order; raises ConfigError for left recursion."""
        begins = {name: self._first(rule, empty) for name, rule in self._rules.items()}
        graph = {name: [str(part.rule) for part in parts] for name, parts in begins.items()}
        try:
            return {name: begins[name] for name in TopologicalSorter(graph).static_order()}
        except CycleError as error:
            cycle = [name for name in error.args[1] if name in self._rules]
            named = [name for name in cycle if not name.startswith("(")]
            at = min(self._rules[name].at for name in cycle)
            who = f"`{named[0]}`" if named else "a group"
            what = f"{who} can start with itself (left recursion)"
            raise self._error(what, at) from None

    def _refuse_ways(self, begins: Mapping[str, Sequence[_Part]], empty: set[str]) -> None:
        """Raise ConfigError if a rule reaches the beginning of another in too many ways."""
        most: dict[str, int] = {}
        for name, parts in begins.items():
            ways: Counter[str] = Counter()
            for part in parts:
                ways[str(part.rule)] += part.times if part.rule in empty else 1
            most[name] = max((n * most[other] for other, n in ways.items()), default=1)
            if most[name] > MOST_WAYS:
                what = f"the same beginning can be parsed in more than {MOST_WAYS} ways"
                raise self._error(what, self._rules[name].at, hint=_FACTORED)

    def _nullable(self) -> set[str]:
        """The rules that can be empty."""
        users: dict[str, list[str]] = {}
        for name, rule in self._rules.items():
            for parts in rule.alternatives:
                for part in parts:
                    if part.rule is not None:
                        users.setdefault(part.rule, []).append(name)
        found: set[str] = set()
        pending = list(self._rules)
        while pending:
            name = pending.pop()
            if name not in found and self._can_be_empty(self._rules[name], found):
                found.add(name)
                pending += users.get(name, [])
        return found

    def _can_be_empty(self, rule: _Rule, empty: set[str]) -> bool:
        return any(all(part.is_empty or part.rule in empty for part in parts) for parts in rule.alternatives)

    def _first(self, rule: _Rule, empty: set[str]) -> list[_Part]:
        """The parts with rules that a rule can begin with."""
        found: list[_Part] = []
        for parts in rule.alternatives:
            for part in parts:
                if part.rule is not None:
                    found.append(part)
                if not part.is_empty and part.rule not in empty:
                    break
        return found
