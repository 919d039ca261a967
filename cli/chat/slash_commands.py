"""What can be typed in a conversation beside messages: a table of commands that begin with a slash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from localsmc.engine import transcript
from localsmc.errors import ConfigError
from localsmc.methods.base import options_of
from localsmc.methods.spec import format_value, parse_method
from localsmc.results import AnswerShare
from localsmc.system.user_dirs import expand_user
from localsmc_cli.chat.chat_session import ChatSession
from localsmc_cli.options.choices import METHODS
from localsmc_cli.ui.summary import share_lines
from localsmc_cli.ui.trace_writer import TraceWriter

MARK = "/"

Handler = Callable[[ChatSession, str], bool | None]
"""Given what stands behind the command; returns whether a reply was cut short, where there was one."""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command: what it takes, what it does, and the words that may be meant."""

    takes: str
    help: str
    run: Handler
    words: tuple[str, ...] = ()


class Leave(Exception):
    """The conversation is over."""


def run_command(talk: ChatSession, line: str) -> bool:
    """Do what a line says that begins with a slash; returns whether a reply was cut short.

    Raises ConfigError, and Leave where that is what it says.
    """
    name, *rest = line.removeprefix(MARK).split(maxsplit=1) or [""]
    name = OTHER_NAMES.get(name, name)
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        raise ConfigError(
            f"no command is called `{MARK}{name}`",
            hint=f"{f'did you mean `{MARK}{near[0]}`' if near else '`/help` lists them'};"
            " put a blank before a message that begins with a slash",
        )
    command, text = COMMANDS[name], "".join(rest).strip()
    if text and not command.takes:
        raise ConfigError(f"`{MARK}{name}` takes nothing", hint=f"type: {MARK}{name}")
    return bool(command.run(talk, text))


# --- handlers -------------------------------------------------------------------------------------


def _method(talk: ChatSession, text: str) -> None:
    if text:
        talk.use_method(parse_method(text, is_complete=False))
    _tell_method(talk)


def _alpha(talk: ChatSession, text: str) -> None:
    _use_number(talk, "alpha", text, float)


def _particles(talk: ChatSession, text: str) -> None:
    _use_number(talk, "particles", text, int)


def _use_number(talk: ChatSession, name: str, text: str, kind: Callable[[str], Any]) -> None:
    if text:
        try:
            value = kind(text)
        except ValueError:
            raise ConfigError(f"`{text}` is not a number", hint=f"for example: {MARK}{name} 4") from None
        talk.use_option(name, value)
    _tell_method(talk)


def _tell_method(talk: ChatSession) -> None:
    method = talk.model.method(talk.spec.name, **talk.spec.options)
    told = [f"{name}={format_value(getattr(method, name))}" for name in options_of(type(method))]
    talk.session.output.note(f"{method.name}: {', '.join(told)}" if told else method.name)


def _system(talk: ChatSession, text: str) -> None:
    if text:
        talk.settings = replace(talk.settings, system=None if text == "off" else text)
    said = talk.settings.system
    talk.session.output.note("no system message" if said is None else f"system: {said}")


def _box(talk: ChatSession, text: str) -> None:
    if text:
        talk.settings = replace(talk.settings, instruct=_is_on("box", text))
    instruction = talk.model.source.defaults.instruction
    if instruction is None:
        talk.session.output.note("this model was made to state its answers: nothing is asked for")
    else:
        state = "is asked of" if talk.settings.instruct else "is not asked of"
        talk.session.output.note(f"{state} the model: {instruction}")


def _think(talk: ChatSession, text: str) -> None:
    if text in ("show", "hide"):
        talk.hides_thought = text == "hide"
    elif text:
        thinking = None if text == "auto" else _is_on("think", text, "show", "hide", "auto")
        talk.settings = replace(talk.settings, thinking=thinking)
    switch = {True: "on", False: "off", None: "as the template has it"}[talk.settings.thinking]
    shown = "hidden" if talk.hides_thought else "shown, dimmed"
    talk.session.output.note(f"thinking: {switch}; thought is {shown}")


def _is_on(command: str, text: str, *others: str) -> bool:
    if text not in ("on", "off"):
        choices = ", ".join(("on", "off", *others))
        raise ConfigError(f"`{text}` is nothing that `{MARK}{command}` takes", hint=f"there is: {choices}")
    return text == "on"


def _answers(talk: ChatSession, _: str) -> None:
    exchanges = talk.conversation.exchanges
    shares = [AnswerShare(**share) for share in exchanges[-1].about.get("answers", ())] if exchanges else []
    if not shares:
        raise ConfigError("there is no reply with answers yet", hint="write a message first")
    if all(share.answer is None for share in shares):
        hint = "" if talk.settings.instruct else "; `/box on` asks for answers in a box"
        talk.session.output.note(f"no text states an answer{hint}")
    else:
        talk.session.output.note("\n".join(share_lines(shares, 20)))


def _trace(talk: ChatSession, text: str) -> None:
    if text:
        path = None if text == "off" else _path(text)
        with TraceWriter(path):  # that it cannot be written is better known now than with each message
            talk.trace = path
    talk.session.output.note(
        "no trace is written" if talk.trace is None else f"each turn's trace: {talk.trace}"
    )


def _save(talk: ChatSession, text: str) -> None:
    path = _path(text) if text else talk.path
    if path is None:
        raise ConfigError("no file is named", hint=f"for example: {MARK}save talk.jsonl")
    transcript.write(path, talk.transcript)
    talk.session.output.note(f"saved: {path}")


def _load(talk: ChatSession, text: str) -> None:
    if not text:
        raise ConfigError("no file is named", hint=f"for example: {MARK}load talk.jsonl")
    talk.resume(transcript.read(_path(text)))
    talk.begin_anew()
    tell_resumed(talk)


def _path(text: str) -> Path:
    return expand_user(_bare(text))


def _bare(text: str) -> str:
    """A name without the quotes that shells ask for, and terminals put around what is dropped on them."""
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" else text


def tell_resumed(talk: ChatSession) -> None:
    """What a conversation goes on from."""
    exchanges = talk.conversation.exchanges
    talk.session.output.note(f"going on after {len(exchanges)} exchanges")
    if exchanges:
        talk.session.output.note(f"> {exchanges[-1].user}")
        talk.session.output.note(exchanges[-1].text)


def _regenerate(talk: ChatSession, _: str) -> bool:
    return talk.again()


def _clear(talk: ChatSession, _: str) -> None:
    talk.conversation.clear()
    talk.begin_anew()
    talk.session.output.note("all that was said is forgotten")


def _model(talk: ChatSession, text: str) -> None:
    if text:
        talk.use_model(_bare(text))
    llama = talk.model.llama
    talk.session.output.note(
        f"{talk.model.header.name}, {llama.n_params / 1e6:,.1f} M parameters: {llama.path}"
    )


def _help(talk: ChatSession, _: str) -> None:
    formatter = click.HelpFormatter(max_width=100)
    formatter.write_dl([(f"{MARK}{name} {one.takes}", one.help) for name, one in COMMANDS.items()])
    formatter.write_paragraph()
    formatter.write_text(KEYS)
    talk.session.output.note(formatter.getvalue().rstrip())


def _exit(_talk: ChatSession, _: str) -> None:
    raise Leave


KEYS = (
    'Enter sends. Alt-Enter, a line that ends in \\, and """ around lines make longer messages.'
    " Ctrl-C stops a reply, Ctrl-D leaves."
)

COMMANDS = {
    "method": SlashCommand("[METHOD]", "sampling method, e.g. power-smc:N=32,alpha=2", _method, METHODS),
    "alpha": SlashCommand("[X]", "the method's exponent", _alpha),
    "particles": SlashCommand("[N]", "its particles, samples or chains", _particles),
    "system": SlashCommand("[TEXT|off]", "the system message", _system, ("off",)),
    "box": SlashCommand("[on|off]", "ask for answers in a box, to be counted", _box, ("on", "off")),
    "think": SlashCommand(
        "[show|hide|on|off]", "thought, shown or not, and the template's switch for it", _think,
        ("show", "hide", "on", "off", "auto"),
    ),
    "answers": SlashCommand("", "how the last reply's answers are spread", _answers),
    "trace": SlashCommand("[FILE|off]", "write every step of the next turns to a file", _trace, ("off",)),
    "regen": SlashCommand("", "another reply to the last message", _regenerate),
    "save": SlashCommand("[FILE]", "write the conversation to a file", _save),
    "load": SlashCommand("FILE", "go on from a conversation in a file", _load),
    "clear": SlashCommand("", "forget all that was said", _clear),
    "model": SlashCommand("[MODEL]", "another model, which is told all that was said", _model),
    "help": SlashCommand("", "this list", _help),
    "exit": SlashCommand("", "leave; so does Ctrl-D", _exit),
}  # fmt: skip

OTHER_NAMES = {
    "bye": "exit",
    "quit": "exit",
    "q": "exit",
    "?": "help",
    "regenerate": "regen",
}
"""What other programs call them."""
