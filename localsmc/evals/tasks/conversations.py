"""Rows in chat form: the turns before the reply are the problem, and the reply may state the gold answer."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from localsmc.errors import TaskError
from localsmc.system.row_files import valid
from localsmc.text.chat_template import Message

Turns = Literal["all", "last"]
"""Which turns before the reply the model gets: all of them, or only the user's last one."""

TURNS: tuple[Turns, ...] = get_args(Turns)

CHAT_FIELDS = ("messages", "conversations", "conversation")
"""Usual fields with a list of turns."""

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot"), "assistant"),
}
"""Roles by the names that data sets give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the model gets, and the reply that the data set has, None if it has none.

    `earlier` are the turns between the system message and the user's last turn, `question`.
    """

    system: str | None
    earlier: tuple[Message, ...]
    question: str
    reply: str | None


def turns_in(value: Any) -> list[Mapping[str, Any]] | None:
    """The turns in a field's value, which may be their JSON; None if the value is something else."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        value = _decoded(value)
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if all(isinstance(turn, Mapping) and _role(turn) is not None for turn in value):
        return list(value)
    return None


def _decoded(text: str) -> Any:
    """A list that a cell of a table holds, as JSON or as Python writes it."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        return ast.literal_eval(text.strip())
    return None


def _role(turn: Mapping[str, Any]) -> Any:
    return turn.get("role", turn.get("from"))


def conversation(
    turns: Sequence[Mapping[str, Any]], i: int, path: Path, name: str, which: Turns = "all"
) -> Conversation:
    """The conversation in a field of row i (from 0) of a file. Raises TaskError if it has no problem."""
    place = f"`{name}` in row {i + 1} of `{path}`"
    messages = [_message(turn, i, path, name) for turn in turns]
    system = None
    if messages[0]["role"] == "system":
        system, messages = messages[0]["content"], messages[1:]
    roles = [message["role"] for message in messages]
    if "system" in roles:
        raise TaskError(
            f"{place} has a system message after the first turn", hint="put it first, and only one"
        )
    if "user" not in roles:
        raise TaskError(f"{place} has no turn of the user", hint="fix or remove the row")
    last = len(roles) - 1 - roles[::-1].index("user")
    replies = messages[last + 1 :]
    if len(replies) > 1:
        raise TaskError(
            f"{place} has {len(replies)} turns after the user's last one", hint="keep one reply, or none"
        )
    question = messages[last]["content"].strip()
    if not question:
        raise TaskError(f"{place} has an empty last turn of the user", hint="fix or remove the row")
    return Conversation(
        system=system if system and system.strip() else None,
        earlier=tuple(messages[:last]) if which == "all" else (),
        question=question,
        reply=replies[0]["content"] if replies else None,
    )


def _message(turn: Mapping[str, Any], i: int, path: Path, name: str) -> Message:
    role = ROLES.get(str(_role(turn)).lower())
    if role is None:
        raise TaskError(
            f"`{name}` in row {i + 1} of `{path}` has a turn of `{_role(turn)}`",
            hint=f"remove the row; a turn is of one of: {', '.join(ROLES)}",
        )
    content = turn.get("content", turn.get("value"))
    if isinstance(content, (list, tuple)):
        content = _joined(content)
    if not isinstance(content, str):
        raise TaskError(
            f"`{name}` in row {i + 1} of `{path}` has a turn that is no text",
            hint="remove the row: images, sounds and calls of tools cannot be sent",
        )
    return {"role": role, "content": valid(content, i, path, name)}


def _joined(parts: Sequence[Any]) -> str | None:
    """The text of typed parts; None if one of them is not text."""
    contents = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    texts = [content for content in contents if isinstance(content, str)]
    return "".join(texts) if len(texts) == len(contents) else None
