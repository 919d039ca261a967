"""A conversation as a file of JSON lines: first the model, then one line per message.

    {"localsmc": "chat", "version": 1, "model": "..."}
    {"role": "system", "content": "..."}
    {"role": "user", "content": "..."}
    {"role": "assistant", "content": "...", "answers": [...], "method": {...}, "seed": ..., "usage": {...}}

Only role and content are needed to read a file; everything else in a line is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localsmc.errors import ConfigError, RunError
from localsmc.results import Result
from localsmc.system.atomic_write import write_whole
from localsmc.text import reasoning
from localsmc.text.chat_template import instructed

HEAD = {"localsmc": "chat", "version": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A user message and the model's reply, reasoning included; `about` says how it was generated."""

    user: str
    text: str
    instruction: str | None = None
    """The instruction that was added below the message."""
    closing: str = ""
    """The tag that ends the reasoning, if the prompt opened it."""
    reply: str | None = None
    """The text without its reasoning, if the marks of the reasoning do not tell it: some may be mere text."""
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The text without its reasoning."""
        return reasoning.reply(self.text, self.closing) if self.reply is None else self.reply

    @property
    def sent(self) -> str:
        """The message as the model received it."""
        return instructed(self.user, self.instruction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A whole conversation."""

    exchanges: tuple[Exchange, ...]
    system: str | None = None
    model: str | None = None


def about(result: Result) -> dict[str, Any]:
    """What a transcript keeps of a result, apart from its text."""
    return {
        "answer": result.answer,
        "is_refused": result.is_refused,
        "confidence": result.confidence,
        "answers": [asdict(share) for share in result.answers],
        "method": asdict(result.method),
        "seed": result.seed,
        "usage": asdict(result.usage),
    }


def require_writable(path: Path) -> None:
    """Raise RunError if the file obviously cannot be written."""
    if path.is_dir():
        raise RunError(f"`{path}` cannot be written: it is a folder", hint=_HINT)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        why = f"`{path.parent}` is not a folder that you can write to"
        raise RunError(f"`{path}` cannot be written: {why}", hint=_HINT)


def write(path: Path, transcript: Transcript) -> None:
    """Write the file, whole or not at all; .md and .txt are written for reading. Raises RunError."""
    if path.suffix in (".md", ".txt"):
        text = "\n\n".join(_paragraphs(transcript)) + "\n"
    else:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(transcript))
    write_whole(path, text, hint=_HINT)


_HINT = "choose a folder that you can write to, on a disk with free space"


def _paragraphs(transcript: Transcript) -> Iterator[str]:
    """The messages as Markdown, the user's as quotes."""
    for exchange in transcript.exchanges:
        yield "\n".join(f"> {line}" for line in exchange.user.split("\n"))
        yield exchange.text


def _lines(transcript: Transcript) -> Iterator[dict[str, Any]]:
    yield {**HEAD, "model": transcript.model}
    if transcript.system is not None:
        yield {"role": "system", "content": transcript.system}
    for exchange in transcript.exchanges:
        user = {"role": "user", "content": exchange.user, "instruction": exchange.instruction}
        reply = {
            "role": "assistant",
            "content": exchange.text,
            "closing": exchange.closing or None,
            "reply": exchange.reply,
        }
        yield {key: value for key, value in user.items() if value is not None}
        yield {key: value for key, value in reply.items() if value is not None} | exchange.about


def read(path: Path) -> Transcript:
    """Read a conversation; raises ConfigError if the file is not one."""
    system, model, user = None, None, None
    exchanges: list[Exchange] = []
    for number, line in _read_lines(path):
        role, content = line.pop("role", None), line.pop("content", None)
        if role is None and line.get("localsmc") == HEAD["localsmc"] and number == 1:
            if line.get("version", HEAD["version"]) != HEAD["version"]:
                raise _not_one(path, "it was written by another version of localsmc")
            model = line.get("model")
            continue
        if not isinstance(content, str) or (role == "assistant") is (user is None) or role not in _ROLES:
            raise _not_one(path, f"line {number} is not a message that fits there")
        if role == "system":
            system = content
        elif role == "user":
            user = content, line.get("instruction")
        elif user is not None:
            closing = str(line.pop("closing", None) or "")
            reply = line.pop("reply") if isinstance(line.get("reply"), str) else None
            exchanges.append(
                Exchange(
                    user=user[0], instruction=user[1], text=content, closing=closing, reply=reply, about=line
                )
            )
            user = None
    return Transcript(exchanges=tuple(exchanges), system=system, model=model)


_ROLES = ("system", "user", "assistant")


def _read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the object of each line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the transcript `{path}` cannot be read: {error.strerror}",
            hint="give a file written by `/save` or `localsmc chat`",
        ) from error
    except UnicodeDecodeError:
        raise _not_one(path, "it is not UTF-8 text") from None
    # Not splitlines: JSON does not escape line separators such as U+2028.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise _not_one(path, f"line {number} is not JSON") from None
        if not isinstance(value, dict):
            raise _not_one(path, f"line {number} is not a JSON object")
        yield number, value


def _not_one(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"`{path}` is not a transcript: {why}", hint="give a file written by `/save` or `localsmc chat`"
    )
