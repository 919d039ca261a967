"""Grammars in llama.cpp's notation (GBNF), read before llama.cpp does: what is wrong, and in which line.

llama.cpp prints what it does not understand to standard error, and there are grammars on which it never
ends or ends the process: repetitions whose end is before their beginning, deep nesting, and rules that
come back to themselves before they read anything, where what stands before can be empty; and small ones
take all memory or all time, by what their repetitions and alternatives multiply to. Those are refused here,
so that it is only handed what it can work with. References to single tokens (`<think>`, `<[7]>`) are
refused, too: llama.cpp allows a token whose text goes on into one, and then aborts on it.
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
"""Groups within groups."""
MOST_TIMES = 2000
"""Repetitions, those within others multiplied: llama.cpp's own bound."""
LARGEST = 16 * 2**20
"""Bytes that llama.cpp's reading takes, of which it makes a copy for each text."""
MOST_WAYS = 64
"""In which a rule comes to the beginning of another: llama.cpp follows each, and compares it with all."""

_RULE, _ELEMENT = 64, 8
"""Bytes, as measured."""

HINT = 'GBNF is described in llama.cpp\'s grammars/README.md; for example: root ::= "yes" | "no"'

_FACTORED = 'write it once: sum ::= term ("+" term)* for sum ::= term | term "+" sum; repeat nothing empty'

_SPACE = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_ESCAPE = r"\\(?:[trn\\\"\[\]-]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_STRING = re.compile(rf'"(?:{_ESCAPE}|[^"\\])*"')
_CLASS = re.compile(rf"\[\^?(?:{_ESCAPE}|[^\]\\])*\]")
_TIMES = re.compile(r"\{[ \t]*([0-9]+)[ \t]*(?:(,)[ \t]*([0-9]*)[ \t]*)?\}")


@dataclass(slots=True)
class _Part:
    """What stands in a sequence: the rules it can begin with, and whether it can be empty."""

    rule: str | None = None
    """None for characters."""
    is_empty: bool = False
    size: int = 1
    """Rules that llama.cpp makes of it."""
    length: int = 1
    """Elements of those."""
    times: int = 1
    """How often it can come, at most; once for what has no bound."""


@dataclass(slots=True)
class _Rule:
    alternatives: list[list[_Part]] = field(default_factory=list)
    at: int = 0
    """Where in the text it stands."""


def check(text: str) -> int:
    """About how many bytes llama.cpp's reading of a grammar takes.

    Raises ConfigError for one that it would not take, or would not survive.
    """
    if not text.strip():
        raise ConfigError("the grammar is empty", hint=HINT)
    if "\0" in text:
        raise ConfigError("the grammar is not a text", hint=HINT)
    if len(text.encode()) > MOST_BYTES:
        raise ConfigError(f"the grammar has more than {MOST_BYTES:,} bytes", hint="write a smaller one")
    return _Reader(text).check()


class _Reader:
    """Reads as llama.cpp's parser does; a rule's line ends it, unless within parentheses."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._rules: dict[str, _Rule] = {}
        self._used: dict[str, int] = {}
        """Names, and where each is used first."""
        self._n_made = 0
        self._n_bytes = 0

    def check(self) -> int:
        self._skip(_LINES)
        while self._at < len(self._text):
            self._rule()
        if ROOT not in self._rules:
            raise ConfigError("the grammar has no rule `root`, with which a text begins", hint=HINT)
        for name, at in self._used.items():
            if name not in self._rules:
                raise self._error(f"there is no rule `{name}`", at)
        if len(self._rules) > MOST_RULES:
            raise ConfigError(f"the grammar has more than {MOST_RULES:,} rules", hint="write a smaller one")
        if self._n_bytes > LARGEST:
            raise ConfigError(
                "the grammar's repetitions come to too much together",
                hint="repeat less, or without an end, as in [a-z]*",
            )
        empty = self._nullable()
        self._refuse_ways(self._beginnings(empty), empty)
        return self._n_bytes

    # --- reading ---

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
            text = self._expect(_STRING, "a string that ends, with known escapes")
            return _Part(is_empty=text == '""', length=len(text))
        if first == "[":
            text = self._expect(_CLASS, "a set of characters that ends")
            return _Part(is_empty=text in ("[]", "[^]"), length=len(text))
        if first == ".":
            self._at += 1
            return _Part()
        if first == "(":
            return self._group(depth + 1)
        if first in "<!":
            raise self._error("references to single tokens are not supported")
        at, name = self._at, self._expect(_NAME, "a string, a set of characters, a name or a group")
        self._used.setdefault(name, at)
        return _Part(name)

    def _group(self, depth: int) -> _Part:
        if depth > DEEPEST:
            raise self._error(f"groups are nested more than {DEEPEST} deep")
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
        name = f"({self._n_made}"  # no name that a rule can have
        self._rules[name] = rule
        return _Part(name, size=size)

    def _repeat(self, parts: list[_Part]) -> None:
        least, most = self._times()
        if not parts or parts[-1].is_empty and parts[-1].rule is None:
            raise self._error("there is nothing to repeat")
        size = parts[-1].size * (most if most else max(1, least))
        if max(least, most or 0, size) >= MOST_TIMES:
            raise self._error(f"a repetition comes to {MOST_TIMES:,} or more")
        if most is not None and most < least:
            raise self._error(f"a repetition ends at {most}, before its beginning {least}")
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

    # --- where it stands ---

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        assert found is not None  # noqa: S101 - it matches nothing, too
        self._at = found.end()

    def _expect(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong(what)
        self._at = found.end()
        return found[0]

    def _wrong(self, expected: str) -> ConfigError:
        rest = self._text[self._at : self._at + 20].splitlines()
        return self._error(f"{expected} is expected" + (f" at `{rest[0]}`" if rest and rest[0] else ""))

    def _error(self, what: str, at: int | None = None, hint: str = HINT) -> ConfigError:
        line = self._text.count("\n", 0, self._at if at is None else at) + 1
        return ConfigError(f"line {line} of the grammar: {what}", hint=hint)

    # --- what it comes to ---

    def _beginnings(self, empty: set[str]) -> dict[str, list[_Part]]:
        """What each rule can begin with, others' beginnings first; raises ConfigError for left recursion."""
        begins = {name: self._first(rule, empty) for name, rule in self._rules.items()}
        graph = {name: [str(part.rule) for part in parts] for name, parts in begins.items()}
        try:
            return {name: begins[name] for name in TopologicalSorter(graph).static_order()}
        except CycleError as error:
            cycle = [name for name in error.args[1] if name in self._rules]
            named = [name for name in cycle if not name.startswith("(")]
            at = min(self._rules[name].at for name in cycle)
            who = f"`{named[0]}`" if named else "a group"
            what = f"{who} comes back to itself before it reads anything (left recursion)"
            raise self._error(what, at) from None

    def _refuse_ways(self, begins: Mapping[str, Sequence[_Part]], empty: set[str]) -> None:
        """Raise ConfigError where a rule comes in too many ways to the beginning of another."""
        most: dict[str, int] = {}
        for name, parts in begins.items():
            ways: Counter[str] = Counter()
            for part in parts:
                ways[str(part.rule)] += part.times if part.rule in empty else 1
            most[name] = max((n * most[other] for other, n in ways.items()), default=1)
            if most[name] > MOST_WAYS:
                what = f"the same beginning is read in more than {MOST_WAYS} ways"
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
        """The rules that it can begin with."""
        found: list[_Part] = []
        for parts in rule.alternatives:
            for part in parts:
                if part.rule is not None:
                    found.append(part)
                if not part.is_empty and part.rule not in empty:
                    break
        return found
