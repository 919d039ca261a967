"""The marks that models put around their thought: the table of all forms, and those of one vocabulary.

Tags       a pair of texts around the thought: `<think>`, `[THINK]`, `<|START_THINKING|>` …
Messages   a reply in several messages, each with a header that says whether it is thought: gpt-oss, Solar …

A mark can be ordinary text or a token with a name. A named token is read as bytes that are in no UTF-8 text,
so that a text that only looks like it is no mark, and no text is found within a name. What is read is bytes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import NamedTuple

from localsmc.text.named_bytes import BEFORE, named, without_names

LONGEST_HEADER = 64
"""Bytes of a header that are read; a longer one is none of those in the table."""


class Tag(NamedTuple):
    """The marks of a thought: before it, and after it."""

    opening: str
    closing: str
    ends_earlier: bool = True
    """Whether a closing mark without an opening one ends thought that began before it."""


TAGS = (
    Tag("<think>", "</think>"),
    Tag("<thinking>", "</thinking>"),
    Tag("<thought>", "</thought>"),
    Tag("[THINK]", "[/THINK]"),
    Tag("<seed:think>", "</seed:think>"),
    Tag("<mm:think>", "</mm:think>"),
    Tag("<think:opensource>", "</think:opensource>"),
    Tag("◁think▷", "◁/think▷"),
    Tag("<|begin_of_thought|>", "<|end_of_thought|>"),
    Tag("<|inner_prefix|>", "<|inner_suffix|>"),
    Tag("<|START_THINKING|>", "<|END_THINKING|>"),
    # Gemma 4 can write a single closing mark behind its reply.
    Tag("<|channel>thought", "<channel|>", ends_earlier=False),
    # Ordinary words: they open a thought at the end of a prompt and at the beginning of a completion only.
    Tag("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
)

WORDS = len(TAGS) - 1
"""The tag whose opening is ordinary words."""
_WORDS = TAGS[WORDS].opening.encode()
_OPENED_BY_WORDS = re.compile(rb"\s*(" + re.escape(_WORDS) + rb")")

REPLY_OPENINGS = ("<|START_RESPONSE|>", "<|START_TEXT|>")
_REPLY_CLOSINGS = ("<|END_RESPONSE|>", "<|END_TEXT|>")

WRAPPINGS = (
    ("<response>", "</response>"),
    ("<answer>", "</answer>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("", "[END FINAL RESPONSE]"),
)
"""Ordinary texts around a reply that follows a thought."""


class Messages(NamedTuple):
    """A form of replies in messages. Names are those of tokens, which a vocabulary must all have."""

    header: tuple[str, ...]
    """They begin a header, or a part of it."""
    body: tuple[str, ...]
    """The body follows; the header says what it is."""
    thought: tuple[str, ...]
    reply: tuple[str, ...]
    """The body follows, which is a thought, or a reply."""
    end: tuple[str, ...]
    """The message is over."""
    closing: str
    """Text that ends a thought."""
    start: str
    """Text that begins the header of the next message."""
    final: str
    """Text that makes it the header of the final reply, and ends it."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return (*self.header, *self.body, *self.thought, *self.reply, *self.end)


MESSAGES = (
    Messages(
        ("<|start|>", "<|channel|>"), ("<|message|>",), (), (), ("<|end|>",),
        "<|end|>", "<|start|>assistant", "<|channel|>final<|message|>",
    ),
    Messages(
        ("<|start|>",), ("<|message|>",), (), (), ("<|eom|>",),
        "<|eom|>", "<|start|>assistant", " to=user<|message|>",
    ),
    Messages(
        ("<|begin|>",), (), ("<|think|>",), ("<|content|>",), ("<|end|>",),
        "<|end|>", "<|begin|>assistant", "<|content|>",
    ),
    Messages(
        ("<|open|>", "<|close|>"), ("<|sep|>",), (), (), (),
        "<|close|>think<|sep|>", "", "<|open|>response<|sep|>",
    ),
)  # fmt: skip

_THOUGHT_HEADER = re.compile(rb"\s*analysis\b|\s*think\s*$|.*\sto=(?!user\b|assistant\b)", re.DOTALL)
_OPENER = re.compile(rb"\A<\|\w+\|>")
_CLOSE = b"<|close|>"


def token_names() -> list[str]:
    """The texts in the table that can be tokens of a vocabulary."""
    tags = [part for tag in TAGS[:WORDS] for part in (_name(tag.opening), tag.closing)]
    return list(
        dict.fromkeys((*tags, *REPLY_OPENINGS, *_REPLY_CLOSINGS, *(n for m in MESSAGES for n in m.names)))
    )


def _name(opening: str) -> str:
    return opening.removesuffix("thought") if opening.startswith("<|channel>") else opening


REPLY, THOUGHT, HEADER, BEGUN, BLANK = range(5)
"""What a text is part of. BEGUN is a header that the prompt begins: a completion that goes on with other text
than a header is a reply. BLANK is a completion of nothing but blanks so far: ordinary words can open a
thought there."""

SPOKEN = (REPLY, BEGUN, BLANK)


class ThoughtState(NamedTuple):
    """What the text so far ends in."""

    kind: int = REPLY
    tag: int = -1
    """The tag whose closing mark ends the thought; −1 in a message."""
    header: bytes = b""
    """The header so far: the name of the token that began it, and its text."""
    pending: bytes = b""
    """The end of the text, if a mark may begin there."""


_IN_REPLY = ThoughtState()
AT_START = ThoughtState(BLANK)
"""The state at the end of a prompt that opens nothing."""


class Segment(NamedTuple):
    """A part of a text between two marks: `data[start:end]` in `state`, and the mark behind it.

    That ends at `mark_end`; `after` is the state there.
    """

    start: int
    end: int
    mark_end: int
    state: ThoughtState
    after: ThoughtState


_segment = Segment._make
"""Faster than the constructor, which matters where marks are many."""


class _Rules:
    """The marks that count in one state, and the state after each."""

    def __init__(self, after: dict[bytes, ThoughtState | None], quoted: Collection[bytes]) -> None:
        self.after = after
        marks = _any_of([mark for mark in after if mark not in quoted]) if set(after) - set(quoted) else b""
        closings = [mark for mark in after if mark in quoted]
        parts = [marks] if marks else []
        if closings:
            parts.append(b"(?<!`)" + _any_of(closings))
        # Without marks, nothing is found.
        self.search = re.compile(b"|".join(parts) if parts else b"(?!)").search


class ThoughtMarks:
    """The marks of one vocabulary: `control` are its control tokens, `special` those and other added tokens.

    A tag whose mark is a control token has no other spelling. Messages need tokens for all their names.
    """

    def __init__(self, control: Collection[str] = (), special: Collection[str] = ()) -> None:
        known = frozenset(control)
        self.messages = next((form for form in MESSAGES if set(form.names) <= set(special)), None)
        in_messages = () if self.messages is None else self.messages.names
        self.names = frozenset(name for name in token_names() if name in known or name in in_messages)
        """The names of the tokens that are read as such."""
        self._openings = [self.read(tag.opening) for tag in TAGS]
        self._closings = [self.read(tag.closing) for tag in TAGS]
        self._rules: dict[tuple[int, int], _Rules] = {}
        marks = [*self._openings[:WORDS], *self._closings, *map(named, self.names)]
        # A tag that is quoted as code opens no thought, and ends none that began before it.
        self._quoted = {*self._closings, *(one for one in self._openings[:WORDS] if one[:1] != BEFORE)}
        marks += [b"`" + mark for mark in self._quoted]
        first = sorted({re.escape(mark[:1]) for mark in marks})
        self.begins = re.compile(b"[" + b"".join(first) + BEFORE + b"]").search
        """Finds where a mark may begin: without a match, a text has none and begins none."""
        self._prefixes = frozenset(mark[:n] for mark in marks for n in range(1, len(mark)))
        self._longest = max(map(len, marks))

    def read(self, mark: str) -> bytes:
        """A mark as it is read."""
        name = _name(mark)
        return named(name) + mark.removeprefix(name).encode() if name in self.names else mark.encode()

    def begin(self, prompt: bytes) -> ThoughtState:
        """The state at the end of a prompt."""
        if self.messages is not None:
            start = max(prompt.rfind(named(name)) for name in self.messages.header)
            if start >= 0:
                state = self.end(prompt[start:])
                return state._replace(kind=BEGUN) if state.kind == HEADER else state
        end = prompt.rstrip()
        opened = [at for at, mark in enumerate(self._openings) if end.endswith(mark)]
        return ThoughtState(THOUGHT, opened[0]) if opened else AT_START

    # --- what a mark does ---

    def rules(self, state: ThoughtState) -> _Rules:
        """The marks that count in a state; others are ordinary text there."""
        key = state.kind, state.tag
        if key not in self._rules:
            found = {} if self.messages is None else _message_marks(self.messages)
            if state.kind == THOUGHT and state.tag >= 0:
                found[self._closings[state.tag]] = _IN_REPLY
                found |= {named(name): _IN_REPLY for name in REPLY_OPENINGS if name in self.names}
            elif state.kind in SPOKEN:
                found |= self._marks_in_reply()
            self._rules[key] = _Rules(found, quoted=self._quoted if state.kind in SPOKEN else ())
        return self._rules[key]

    def _marks_in_reply(self) -> dict[bytes, ThoughtState | None]:
        found: dict[bytes, ThoughtState | None] = {}
        for at, tag in enumerate(TAGS):
            if at != WORDS:
                found[self._openings[at]] = ThoughtState(THOUGHT, at)
            if tag.ends_earlier:
                found[self._closings[at]] = _IN_REPLY
        wrapping = (*REPLY_OPENINGS, *_REPLY_CLOSINGS)
        return found | {named(name): _IN_REPLY for name in wrapping if name in self.names}

    @staticmethod
    def _body(header: bytes, state: ThoughtState) -> ThoughtState:
        """The state in the body of a message with a header; a body without a header goes on."""
        if state.kind not in (HEADER, BEGUN):
            return state
        if header.startswith(_CLOSE):
            return ThoughtState(HEADER)
        return ThoughtState(THOUGHT if _THOUGHT_HEADER.match(_OPENER.sub(b"", header)) else REPLY)

    # --- a whole text ---

    def segments(self, data: bytes, state: ThoughtState) -> Iterator[Segment]:
        """The parts of a text, in order; `state` is that before it. The last part has no mark behind it."""
        start, known = 0, self._rules
        if state.kind == BLANK and (opened := _OPENED_BY_WORDS.match(data)):
            at, start = opened.span(1)
            yield Segment(0, at, start, state, state := ThoughtState(THOUGHT, WORDS))
        elif state.kind == BLANK and not _WORDS.startswith(data.lstrip()):
            state = _IN_REPLY
        rules = self.rules(state)
        while (found := rules.search(data, start)) is not None:
            at, end = found.span()
            after = rules.after[found[0]]
            if after is None:
                after = self._body(_longer(state.header, data, start, at), state)
            yield _segment((start, at, end, state, after))
            start = end
            if after is not state:
                state, rules = after, known.get(after[:2]) or self.rules(after)
        yield Segment(start, len(data), len(data), state, state)

    def end(self, data: bytes, state: ThoughtState = _IN_REPLY) -> ThoughtState:
        """The state at the end of a text."""
        last = self._last(data, state)
        return self._after(last.state, data[last.start :])

    def _last(self, data: bytes, state: ThoughtState) -> Segment:
        return deque(self.segments(data, state), maxlen=1)[0]

    @staticmethod
    def _after(state: ThoughtState, data: bytes, pending: bytes = b"") -> ThoughtState:
        """The state after text without marks, and before text in which one may begin."""
        kind, tag, header, _ = state
        header = _longer(header, data, 0, len(data)) if kind in (HEADER, BEGUN) else header
        return ThoughtState(kind, tag, header, pending)

    def ends_earlier(self, data: bytes, segment: Segment) -> bool:
        """Whether the mark behind a part is a closing tag without an opening one: the part was thought."""
        if segment.state.kind != REPLY or segment.after.kind != REPLY:
            return False
        return data[segment.end : segment.mark_end] in self._closings

    def is_header(self, data: bytes, segment: Segment) -> bool:
        """Whether a part is a header; text behind one that the prompt begins can be a reply."""
        if segment.state.kind != BEGUN or self.messages is None:
            return segment.state.kind == HEADER
        text = without_names(data[segment.start : segment.end])
        mark = data[segment.end : segment.mark_end]
        return not text.strip() or text.startswith(b" to=") or mark in map(named, self.messages.body)

    # --- token by token ---

    def waiting(self, state: ThoughtState, data: bytes) -> ThoughtState:
        """The state after text without marks, which is pending as far as a mark may begin at its end.

        The next piece may complete such a mark.
        """
        if state.kind == BLANK:
            text = data.lstrip()
            if _WORDS.startswith(text):
                return state._replace(pending=text)
            state = _IN_REPLY
        first = max(0, len(data) - self._longest + 1)
        ends = (data[at:] for at in range(first, len(data)))
        pending = next((end for end in ends if end in self._prefixes), b"")
        return self._after(state, data[: len(data) - len(pending)], pending)

    # --- to end a thought ---

    def completing(self, data: bytes, state: ThoughtState) -> str:
        """The text after which the final reply goes on: it closes a thought, and opens the reply.

        `data` is the completion as it is read, and `state` that at the end of the prompt.
        """
        last = self._last(data, state)
        if last.state.kind == BEGUN and not self.is_header(data, last):
            return ""
        return self._completing(self._after(last.state, data[last.start :]))

    def _completing(self, state: ThoughtState) -> str:
        form = self.messages
        if state.kind in (REPLY, BLANK):
            return ""
        if state.tag >= 0:
            closing = TAGS[state.tag].closing
            if closing not in self.names:
                return f"\n{closing}"
            return closing + next((name for name in REPLY_OPENINGS if name in self.names), "")
        if form is None:
            return ""
        if state.kind == THOUGHT:
            return form.closing + form.start + form.final
        if not state.header:
            return form.start + form.final
        if state.header.endswith(b"assistant"):
            return form.final
        # The completion was cut within a header: the message that it began is left empty.
        return "".join(form.body) + form.closing + form.start + form.final

    @cached_property
    def all_completing(self) -> tuple[str, ...]:
        """All texts that `completing` can give."""
        tags = [ThoughtState(THOUGHT, at) for at in range(len(TAGS))]
        headers = [ThoughtState(HEADER, header=text) for text in (b"", b"assistant", b"<|channel|>x")]
        states = (ThoughtState(), *tags, ThoughtState(THOUGHT), *headers)
        return tuple(dict.fromkeys(map(self._completing, states)))


def _longer(header: bytes, data: bytes, start: int, end: int) -> bytes:
    """A header and more text of it, as far as it is read."""
    return header + data[start : min(end, start + max(0, LONGEST_HEADER - len(header)))]


def _any_of(texts: Collection[bytes]) -> bytes:
    """A regular expression for any of some texts: as a tree, so that each place is looked at once."""
    rests: dict[bytes, list[bytes]] = {}
    for text in texts:
        rests.setdefault(text[:1], []).append(text[1:])
    branches = [
        re.escape(first) + (_any_of(rest) if all(rest) else b"") for first, rest in sorted(rests.items())
    ]
    return branches[0] if len(branches) == 1 else b"(?:" + b"|".join(branches) + b")"


def _message_marks(form: Messages) -> dict[bytes, ThoughtState | None]:
    """The marks of a form in messages; None stands for a body, which the header decides."""
    found: dict[bytes, ThoughtState | None] = {
        named(name): ThoughtState(HEADER, header=name.encode()) for name in form.header
    }
    found |= {named(name): ThoughtState(HEADER) for name in form.end}
    found |= {named(name): ThoughtState(THOUGHT) for name in form.thought}
    found |= {named(name): _IN_REPLY for name in form.reply}
    return found | {named(name): None for name in form.body}


TEXT_MARKS = ThoughtMarks()
"""The marks of a text: none is a token."""
