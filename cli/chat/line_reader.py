"""Reads messages from a terminal, with history and editing, or from a pipe, one per line.

Lines between two lines of three quotes form one message; so does a line that ends in a backslash with
the line after it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from localsmc.errors import ConfigError
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion

QUOTES = '"""'

Read = Callable[[bool], str]
"""Reads a line; the argument says whether it continues a message. Raises EOFError and KeyboardInterrupt."""


def messages(read: Read) -> Iterator[str]:
    """Yield messages until the input ends; Ctrl-C discards an unfinished one and yields an empty message."""
    while True:
        try:
            yield _message(read)
        except KeyboardInterrupt:
            yield ""
        except EOFError:
            return


def _message(read: Read) -> str:
    line = read(False)
    if line.lstrip().startswith(QUOTES):
        return _quoted(line.lstrip().removeprefix(QUOTES), read)
    lines = [line]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1].removesuffix("\\")
        lines.append(read(True))
    return "\n".join(lines)


def _quoted(first: str, read: Read) -> str:
    lines = [first]
    while not lines[-1].rstrip().endswith(QUOTES):
        lines.append(read(True))
    lines[-1] = lines[-1].rstrip().removesuffix(QUOTES)
    return "\n".join(lines).strip("\n")


def piped(_is_continued: bool) -> str:
    """Read a line from standard input that is not a terminal."""
    line = b"" if sys.stdin is None else sys.stdin.buffer.readline()
    if not line:
        raise EOFError
    try:
        return line.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError("standard input is not UTF-8 text", hint="convert it to UTF-8") from None


def typed(history: Path) -> Read:
    """A reader of lines from the terminal; the history of typed lines is kept in a file."""
    session = _session(history)

    def read(is_continued: bool) -> str:
        # prompt_toolkit's own handler would replace the one that stops a reply.
        return session.prompt("… " if is_continued else "> ", handle_sigint=False)

    return read


def _session(history: Path) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import create_output

    keys = KeyBindings()
    keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    try:
        history.parent.mkdir(parents=True, exist_ok=True)
        history.touch()
        file_history: FileHistory | InMemoryHistory = FileHistory(str(history))
    except OSError:
        file_history = InMemoryHistory()
    return PromptSession(
        history=file_history,
        key_bindings=keys,
        multiline=True,
        enable_suspend=True,
        prompt_continuation="  ",
        completer=_completer(),
        complete_while_typing=False,
        # Standard output is for replies only, since it may be redirected to a file.
        output=create_output(stdout=sys.stderr if is_terminal(sys.stderr) else sys.stdout),
    )


def _completer() -> Completer:
    """Completes slash commands and their arguments: words, models or files."""
    from prompt_toolkit.completion import Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    from localsmc_cli.chat.slash_commands import COMMANDS, MARK

    files = PathCompleter(expanduser=True)

    class Commands(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            name, blank, rest = document.text_before_cursor.partition(" ")
            if not blank:
                names = [f"{MARK}{one}" for one in COMMANDS]
                yield from (Completion(one, -len(name)) for one in names if name and one.startswith(name))
                return
            command = COMMANDS.get(name.removeprefix(MARK)) if name.startswith(MARK) else None
            if command is None:
                return
            yield from (Completion(word, -len(rest)) for word in command.words if word.startswith(rest))
            if "MODEL" in command.takes:
                from localsmc_cli.completion.candidates import model_names

                yield from (Completion(str(one.value), -len(rest)) for one in model_names(rest))
            if "FILE" in command.takes:
                yield from files.get_completions(Document(rest, len(rest)), complete_event)

    return Commands()
