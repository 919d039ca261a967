"""The slash commands of a conversation, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import click

from localsmc.engine import transcript
from localsmc.engine.settings import Box
from localsmc.errors import ConfigError
from localsmc.methods.base import options_of
from localsmc.methods.spec import format_value, parse_method
from localsmc.results import AnswerShare
from localsmc.system.user_dirs import expand_user
from localsmc.text.instructions import BOXED, NEUTRAL
from localsmc_cli.chat.chat_session import ChatSession
from localsmc_cli.options.choices import METHODS
from localsmc_cli.ui.model_notices import BOXES_UNASKED, print_missing_switch, print_place_of_system
from localsmc_cli.ui.summary import share_lines
from localsmc_cli.ui.trace_writer import TraceWriter

MARK = "/"

Handler = Callable[[ChatSession, str], bool | None]
"""Takes the command's argument; a command that replies returns whether Ctrl-C interrupted the reply."""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command: its argument, its help, its handler, and completions of the argument."""

    takes: str
    help: str
    run: Handler
    words: tuple[str, ...] = ()


class Leave(Exception):
    """Ends the conversation."""


def run_command(chat: ChatSession, line: str) -> bool:
    """Run a line that begins with a slash; returns whether Ctrl-C interrupted a reply.

    Raises ConfigError for a wrong command, and Leave to end the conversation.
    """
    name, *rest = line.removeprefix(MARK).split(maxsplit=1) or [""]
    name = OTHER_NAMES.get(name, name)
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        raise ConfigError(
            f"unknown command `{MARK}{name}`",
            hint=f"{f'did you mean `{MARK}{near[0]}`' if near else '`/help` lists them'};"
            " to send a message that begins with a slash, put a space before it",
        )
    command, text = COMMANDS[name], "".join(rest).strip()
    if text and not command.takes:
        raise ConfigError(f"`{MARK}{name}` takes no argument", hint=f"type: {MARK}{name}")
    return bool(command.run(chat, text))


# --- handlers -------------------------------------------------------------------------------------


def _method(chat: ChatSession, text: str) -> None:
    if text:
        chat.use_method(parse_method(text, is_complete=False))
    _show_method(chat)


def _alpha(chat: ChatSession, text: str) -> None:
    _use_number(chat, "alpha", text, float)


def _particles(chat: ChatSession, text: str) -> None:
    _use_number(chat, "particles", text, int)


def _use_number(chat: ChatSession, name: str, text: str, kind: Callable[[str], Any]) -> None:
    if text:
        try:
            value = kind(text)
        except ValueError:
            raise ConfigError(f"`{text}` is not a number", hint=f"for example: {MARK}{name} 4") from None
        chat.use_option(name, value)
    _show_method(chat)


def _show_method(chat: ChatSession) -> None:
    method = chat.model.method(chat.spec.name, **chat.spec.options)
    options = [f"{name}={format_value(getattr(method, name))}" for name in options_of(type(method))]
    chat.session.output.note(f"{method.name}: {', '.join(options)}" if options else method.name)


def _system(chat: ChatSession, text: str) -> None:
    if text:
        chat.settings = replace(chat.settings, system=None if text == "off" else text)
    said = chat.settings.system
    chat.session.output.note("no system message" if said is None else f"system: {said}")
    print_place_of_system(chat.session.output, chat.model, chat.settings)


def _box(chat: ChatSession, text: str) -> None:
    if text:
        chat.settings = replace(chat.settings, box=_choice("box", text, get_args(Box)))
    chat.session.output.note(
        BOXES_UNASKED if chat.model.source.defaults.boxes_unasked else _BOX[chat.settings.box]
    )


_BOX = {
    "on": f"instruction on: {BOXED}",
    "auto": f"instruction auto, for problems with a short answer: {NEUTRAL}",
    "off": "instruction off",
}


def _think(chat: ChatSession, text: str) -> None:
    if text in ("show", "hide"):
        chat.hides_thought = text == "hide"
    elif text:
        word = _choice("think", text, ("on", "off", "show", "hide", "auto"))
        chat.settings = replace(chat.settings, thinking={"on": True, "off": False}.get(word))
        print_missing_switch(chat.session.output, chat.model, chat.settings)
    switch = {True: "on", False: "off", None: "the template's default"}[chat.settings.thinking]
    shown = "hidden" if chat.hides_thought else "shown dimmed"
    chat.session.output.note(f"thinking: {switch}; reasoning is {shown}")


def _choice(command: str, text: str, choices: Sequence[Any]) -> Any:
    if text not in choices:
        raise ConfigError(
            f"`{MARK}{command}` does not take `{text}`", hint=f"choose from: {', '.join(choices)}"
        )
    return text


def _answers(chat: ChatSession, _: str) -> None:
    exchanges = chat.conversation.exchanges
    shares = [AnswerShare(**share) for share in exchanges[-1].about.get("answers", ())] if exchanges else []
    if not shares:
        raise ConfigError("there is no reply with answers yet", hint="write a message first")
    if all(share.answer is None and not share.is_refused for share in shares):
        hint = "; `/box on` asks for answers in a box" if chat.settings.box == "off" else ""
        chat.session.output.note(f"no completion states an answer{hint}")
    else:
        chat.session.output.note("\n".join(share_lines(shares, 20)))


def _trace(chat: ChatSession, text: str) -> None:
    if text:
        path = None if text == "off" else _path(text)
        with TraceWriter(path):  # fail now rather than at the next message if it cannot be written
            chat.trace = path
    chat.session.output.note(
        "trace: off" if chat.trace is None else f"trace: each turn is written to {chat.trace}"
    )


def _save(chat: ChatSession, text: str) -> None:
    path = _path(text) if text else chat.path
    if path is None:
        raise ConfigError("no file is named", hint=f"for example: {MARK}save chat.jsonl")
    transcript.write(path, chat.transcript)
    chat.session.output.note(f"saved: {path}")


def _load(chat: ChatSession, text: str) -> None:
    if not text:
        raise ConfigError("no file is named", hint=f"for example: {MARK}load chat.jsonl")
    chat.resume(transcript.read(_path(text)))
    chat.begin_anew()
    print_resumed(chat)


def _path(text: str) -> Path:
    return expand_user(_bare(text))


def _bare(text: str) -> str:
    """A file name without the quotes of a shell, or of a file dropped on the terminal."""
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" else text


def print_resumed(chat: ChatSession) -> None:
    """Show the last exchange of a resumed conversation."""
    exchanges = chat.conversation.exchanges
    chat.session.output.note(f"continuing after {len(exchanges)} exchange{'s' * (len(exchanges) != 1)}")
    if exchanges:
        chat.session.output.note(f"> {exchanges[-1].user}")
        chat.session.output.note(exchanges[-1].text)


def _regenerate(chat: ChatSession, _: str) -> bool:
    return chat.again()


def _clear(chat: ChatSession, _: str) -> None:
    chat.conversation.clear()
    chat.begin_anew()
    chat.session.output.note("conversation cleared")


def _model(chat: ChatSession, text: str) -> None:
    if text:
        chat.use_model(_bare(text))
    llama = chat.model.llama
    chat.session.output.note(
        f"{chat.model.header.name}, {llama.n_params / 1e6:,.1f} M parameters: {llama.path}"
    )


def _help(chat: ChatSession, _: str) -> None:
    formatter = click.HelpFormatter(max_width=100)
    formatter.write_dl([(f"{MARK}{name} {one.takes}", one.help) for name, one in COMMANDS.items()])
    formatter.write_paragraph()
    formatter.write_text(KEYS)
    chat.session.output.note(formatter.getvalue().rstrip())


def _exit(_chat: ChatSession, _: str) -> None:
    raise Leave


KEYS = (
    'Enter sends the message. For several lines, use Alt-Enter, end a line with \\, or put """ around'
    " them. Ctrl-C stops a reply, Ctrl-D exits."
)

COMMANDS = {
    "method": SlashCommand(
        "[METHOD]", "show or set the sampling method, e.g. power-smc:N=32,alpha=2", _method, METHODS,
    ),
    "alpha": SlashCommand("[X]", "show or set the method's exponent", _alpha),
    "particles": SlashCommand("[N]", "show or set its number of particles, samples or chains", _particles),
    "system": SlashCommand("[TEXT|off]", "show, set or remove the system message", _system, ("off",)),
    "box": SlashCommand(
        "[on|off|auto]", "ask for answers in \\boxed{}, to be counted", _box, get_args(Box),
    ),
    "think": SlashCommand(
        "[show|hide|on|off]", "show or hide the reasoning; turn it on or off if the template can", _think,
        ("show", "hide", "on", "off", "auto"),
    ),
    "answers": SlashCommand("", "show the distribution over answers of the last reply", _answers),
    "trace": SlashCommand("[FILE|off]", "write every step of later turns to a file", _trace, ("off",)),
    "regen": SlashCommand("", "regenerate the last reply", _regenerate),
    "save": SlashCommand("[FILE]", "save the conversation to a file", _save),
    "load": SlashCommand("FILE", "continue a conversation from a file", _load),
    "clear": SlashCommand("", "forget the conversation and start a new one", _clear),
    "model": SlashCommand("[MODEL]", "show the model, or continue with another one", _model),
    "help": SlashCommand("", "show this list", _help),
    "exit": SlashCommand("", "exit, like Ctrl-D", _exit),
}  # fmt: skip

OTHER_NAMES = {
    "bye": "exit",
    "quit": "exit",
    "q": "exit",
    "?": "help",
    "regenerate": "regen",
}
"""Names of the commands in other programs."""
