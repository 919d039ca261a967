"""`localsmc chat`: a conversation in the terminal, or from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, LocalSMCError, ModelError
from localsmc.system.user_dirs import expand_user
from localsmc_cli.config.provenance import is_typed
from localsmc_cli.inputs.downloads import ensure_downloaded
from localsmc_cli.inputs.method_specs import check_draft, parse_methods, with_flags
from localsmc_cli.inputs.model_sources import with_models
from localsmc_cli.inputs.run_settings import Given, draft_load_options, load_options, settings_of
from localsmc_cli.options import common_options, model_options
from localsmc_cli.options.choices import PARAMETERS
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import tell_idle_gpus
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from localsmc.engine.settings import Settings
    from localsmc.engine.transcript import Transcript
    from localsmc.methods.spec import MethodSpec
    from localsmc_cli.chat.chat_session import ChatSession

_EXAMPLES = """\b
Examples:
  localsmc chat
  printf '%s\\n' "What is 17 * 23?" /answers | localsmc chat

`/help` lists what can be typed beside messages. Each reply is drawn by the method at hand; what was
said stays in memory. Conversations are kept in localsmc's data folder; `-c` goes on with the last.
From a pipe each line is a message; replies are on standard output.
"""

_talk = common_options.section("Conversation")


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@_talk(
    "-c",
    "--continue",
    "resumed",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    each_time="it is another conversation each time",
    help="Go on with the last conversation, or with the one in a file. (`-c N` is the context's size, as in"
    " llama.cpp.)",
)
@common_options.transcript_option(
    _talk, "Keep the conversation in this file.  [default: one in the data folder]"
)
@_talk("--no-save", is_flag=True, default=False, help="Keep it nowhere.")
@_talk("--box", is_flag=True, default=False, help="Ask for the final answer in \\boxed{}, as `solve` does.")
@_talk("--hide-thinking", is_flag=True, default=False, help="Show replies without the thought before them.")
@common_options.system_option(_talk)
@common_options.reasoning_option(_talk)
@common_options.trace_option(_talk)
@common_options.mode_options(_talk, "Prompts, sizes, timings and llama.cpp's log on standard error.")
@common_options.method_options
@common_options.limit_options
@common_options.grammar_options
@model_options.model_option
@model_options.loading_options
@model_options.draft_options
@model_options.draft_length_option
@common_options.cells_option("--ctx-size")
@common_options.context_options_without_cells
@click.pass_obj
def chat(session: CommandSession, /, **given: Any) -> None:
    """Talk to a model: any method for any turn, the conversation kept in memory between them."""
    output = session.output
    output.set_modes(is_quiet=given["quiet"], is_verbose=given["verbose"])
    given = with_models(_with_cells(given))
    said, path = _kept(given)
    if given["model"] is None and said is not None:
        given["model"] = said.model
    spec, settings = _spec(given), _settings(given)
    with output.library_log():
        talk = _open(session, given, spec, settings, said, path)
        try:
            code = _converse(talk)
        finally:
            talk.close()
    if code:
        raise click.exceptions.Exit(code)


def _with_cells(given: dict[str, Any]) -> dict[str, Any]:
    """With `-c N` as the context's size, since that is what hands are used to."""
    size = given["resumed"]
    if size is None or not size.isdecimal() or Path(size).exists():
        return given
    if given["n_ctx"] is not None:
        raise ConfigError("the context's size is given twice", hint="leave one of them out")
    return {**given, "resumed": None, "n_ctx": int(size)}


def _spec(given: Given) -> MethodSpec:
    methods = given["methods"] or ("power-smc",)
    if len(methods) > 1:
        raise ConfigError(
            f"{len(methods)} methods are given, but a turn has one",
            hint="give one; `/method` changes it between turns",
        )
    specs = with_flags(parse_methods(methods, is_complete=False), given)
    check_draft(specs, given, is_for_later=True)
    return specs[0]


def _settings(given: Given) -> Settings:
    from localsmc.engine import output_format

    settings = replace(settings_of({**given, "raw": None}), instruct=given["box"])
    output_format.to_gbnf(settings)  # what is wrong with it is better known before the model is loaded
    return settings


# --- where it is kept -----------------------------------------------------------------------------


def _kept(given: Given) -> tuple[Transcript | None, Path | None]:
    """What to go on from, and the file to write to; raises ConfigError."""
    from localsmc.engine import transcript
    from localsmc_cli.chat.chat_session import chats_folder, new_path

    if given["no_save"] and given["transcript"] is not None:
        raise ConfigError("`--no-save` and `--output` exclude each other", hint="leave one of them out")
    before = None if given["resumed"] is None else _last(chats_folder(), given["resumed"])
    said = None if before is None else transcript.read(before)
    if given["no_save"]:
        return said, None
    if given["transcript"] is not None:
        path = expand_user(given["transcript"])
        transcript.require_writable(path)
        if path.exists() and path.stat().st_size and (before is None or not path.samefile(before)):
            raise ConfigError(
                f"`{path}` has something in it already",
                hint=f"`-c {path}` goes on with it, if it is a conversation; or name another file",
            )
        return said, path
    return said, before or new_path()


def _last(folder: Path, name: str) -> Path:
    if name:
        return expand_user(name)
    found = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise ConfigError("there is no conversation to go on with yet", hint="type: localsmc chat")
    return found[-1]


# --- talking --------------------------------------------------------------------------------------


def _open(
    session: CommandSession,
    given: Given,
    spec: MethodSpec,
    settings: Settings,
    said: Transcript | None,
    path: Path | None,
) -> ChatSession:
    from localsmc_cli.chat.chat_session import ChatSession, Names
    from localsmc_cli.chat.slash_commands import tell_resumed

    is_named_there = said is not None and said.model == given["model"] and not is_typed("model")
    try:
        # What somebody's file names is not downloaded unasked.
        asked = {**given, "offline": given["offline"] or is_named_there}
        ensure_downloaded(session, asked, given["model"], given["model_draft"])
    except ModelError as error:
        if is_named_there:
            error.hint = f"the conversation names it, `-m MODEL` goes on with another; {error.hint}"
        raise
    tell_idle_gpus(session.output, load_options(given))
    names = Names(
        model=given["model"],
        load=load_options(given),
        draft=given["model_draft"],
        draft_load=draft_load_options(given),
    )
    talk = ChatSession(
        session=session,
        names=names,
        spec=spec,
        settings=settings,
        path=path,
        present=lambda name: ensure_downloaded(session, given, name),
        hides_thought=given["hide_thinking"],
        trace=None if given["trace"] is None else Path(given["trace"]),
        flags={name: given[name] for name in PARAMETERS if given[name] is not None},
    )
    if said is not None:
        system = talk.settings.system
        talk.resume(said if system is None else replace(said, system=system))
        tell_resumed(talk)
    elif names.model is None:
        session.output.note(
            "no model is given: the embedded one answers, which was trained on single small problems;"
            " `/help` lists commands"
        )
    return talk


def _converse(talk: ChatSession) -> int:
    """Until there are no more messages; returns the exit code."""
    from localsmc.system.user_dirs import data_folder
    from localsmc_cli.chat.line_reader import messages, piped, typed

    output = talk.session.output
    is_typed = is_terminal(sys.stdin) and (is_terminal(sys.stderr) or is_terminal(sys.stdout))
    lines: Iterable[str] = messages(typed(data_folder() / "history") if is_typed else piped)
    code = 0
    for line in lines:
        try:
            was_cut = _take(talk, line)
        except LocalSMCError as error:
            error.hint = error.hint or "`/help` lists what can be typed"
            output.error(error)
            code = code or error.exit_code
            continue
        if was_cut and not is_typed:
            return INTERRUPTED
        if was_cut is None:
            break
    return 0 if is_typed else code


def _take(talk: ChatSession, line: str) -> bool | None:
    """A message or a command; returns whether a reply was cut short, None to leave."""
    from localsmc_cli.chat.slash_commands import MARK, Leave, run_command

    if not line.strip():
        return False
    try:
        return run_command(talk, line) if line.startswith(MARK) else talk.say(line.strip("\n"))
    except Leave:
        return None
