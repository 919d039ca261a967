"""`localsmc chat`: a conversation in the terminal or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, LocalSMCError, ModelError
from localsmc.system.user_dirs import expand_user
from localsmc_cli.config.provenance import is_typed
from localsmc_cli.inputs.downloads import ensure_downloaded, find_models
from localsmc_cli.inputs.method_specs import check_draft, parse_methods, with_flags
from localsmc_cli.inputs.model_sources import draft_name, model_name
from localsmc_cli.inputs.parsed_options import GenerationOptions
from localsmc_cli.inputs.run_settings import draft_load_options, load_options, settings_of
from localsmc_cli.options import common_options, model_options
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import warn_idle_gpus
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from localsmc.engine.settings import Settings
    from localsmc.engine.transcript import Transcript
    from localsmc.methods.spec import MethodSpec
    from localsmc_cli.chat.chat_session import ChatSession

_EXAMPLES = """\b
Examples:
  localsmc chat
  localsmc chat -m model.gguf

Type `/help` for the slash commands. Each reply is sampled with the current method; the conversation stays
in the KV cache. Conversations are saved in localsmc's data folder; `-c` continues the last one. From a
pipe, each line is a message; replies go to standard output.
"""


@dataclass(kw_only=True, frozen=True)
class ChatOptions(GenerationOptions):
    """All options of `localsmc chat`."""

    resumed: str | None
    transcript: str | None
    no_save: bool
    hide_thinking: bool
    trace: str | None


_talk = common_options.section("Conversation")


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@_talk(
    "-c",
    "--continue",
    "resumed",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    each_time="it names one conversation",
    help="Continue the last conversation, or the one in FILE. (`-c N` sets the context size, as in"
    " llama.cpp.)",
)
@common_options.transcript_option(
    _talk, "Save the conversation to FILE.  [default: a new file in the data folder]"
)
@_talk("--no-save", is_flag=True, default=False, help="Do not save the conversation.")
@_talk("--hide-thinking", is_flag=True, default=False, help="Show replies without their reasoning.")
@common_options.system_option(_talk)
@common_options.box_option(_talk, "off; auto = as for solve")
@common_options.examples_option(_talk)
@common_options.reasoning_option(_talk)
@common_options.trace_option(_talk)
@common_options.mode_options(_talk, "Also print prompts, sizes, timings and llama.cpp's log.")
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
    """Chat with a model. Each turn can use another sampling method."""
    output, options = session.output, _with_cells(ChatOptions(**given))
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    name = model_name(options)
    said, path = _transcripts(options)
    if name is None and said is not None:
        name = said.model
    spec, settings = _spec(options, name), _settings(options)
    with output.library_log():
        talk = _open(session, options, name, spec, settings, said, path)
        try:
            code = _converse(talk)
        finally:
            talk.close()
    if code:
        raise click.exceptions.Exit(code)


def _with_cells(options: ChatOptions) -> ChatOptions:
    """Read `-c N` as the context size, as users of llama.cpp type it."""
    size = options.resumed
    if size is None or not size.isdecimal() or Path(size).exists():
        return options
    if options.n_ctx is not None:
        raise ConfigError("the context size is given twice", hint="remove one of them")
    return replace(options, resumed=None, n_ctx=int(size))


def _spec(options: ChatOptions, name: str | None) -> MethodSpec:
    methods = options.methods or ("power-smc",)
    if len(methods) > 1:
        raise ConfigError(
            f"{len(methods)} methods are given, but chat uses one at a time",
            hint="give one; `/method` changes it between turns",
        )
    specs = with_flags(parse_methods(methods, is_complete=False), options)
    check_draft(specs, draft_name(options), [] if name is None else [name], is_for_later=True)
    return specs[0]


def _settings(options: ChatOptions) -> Settings:
    from localsmc.engine import output_format

    settings = settings_of(
        options, options, prompt=options, limits=options, grammar=options, seed=options.seed,
        select=options.select,
    )  # fmt: skip
    if options.box is None:
        settings = replace(settings, box="off")
    output_format.to_gbnf(settings)  # report a mistake before the model is loaded
    return settings


# --- transcripts -----------------------------------------------------------------------------


def _transcripts(options: ChatOptions) -> tuple[Transcript | None, Path | None]:
    """The transcript to continue, and the file to write to; raises ConfigError."""
    from localsmc.engine import transcript
    from localsmc_cli.chat.chat_session import chats_folder, new_path

    if options.no_save and options.transcript is not None:
        raise ConfigError("`--no-save` and `--output` cannot be used together", hint="remove one of them")
    before = None if options.resumed is None else _last(chats_folder(), options.resumed)
    said = None if before is None else transcript.read(before)
    if options.no_save:
        return said, None
    if options.transcript is not None:
        path = expand_user(options.transcript)
        transcript.require_writable(path)
        if path.exists() and path.stat().st_size and (before is None or not path.samefile(before)):
            raise ConfigError(
                f"`{path}` already exists and is not empty",
                hint=f"if it is a conversation, `-c {path}` continues it; else name another file",
            )
        return said, path
    return said, before or new_path()


def _last(folder: Path, name: str) -> Path:
    if name:
        return expand_user(name)
    found = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise ConfigError("there is no conversation to continue yet", hint="start one: localsmc chat")
    return found[-1]


# --- talking --------------------------------------------------------------------------------------


def _open(
    session: CommandSession,
    options: ChatOptions,
    name: str | None,
    spec: MethodSpec,
    settings: Settings,
    said: Transcript | None,
    path: Path | None,
) -> ChatSession:
    from localsmc_cli.chat.chat_session import ChatSession, Names
    from localsmc_cli.chat.slash_commands import print_resumed

    is_named_there = said is not None and said.model == name and not is_typed("model")
    try:
        # A model that only the transcript names is never downloaded unasked.
        asked = replace(options, offline=options.offline or is_named_there)
        (source,), draft = find_models(session, asked, [name], draft_name(options))
    except ModelError as error:
        if is_named_there:
            error.hint = (
                f"the conversation was held with it; `-m MODEL` continues with another model; {error.hint}"
            )
        raise
    warn_idle_gpus(session.output, load_options(options))
    names = Names(
        model=name,
        source=source,
        load=load_options(options),
        draft=draft,
        draft_load=draft_load_options(options, options),
    )
    talk = ChatSession(
        session=session,
        names=names,
        spec=spec,
        settings=settings,
        path=path,
        find_model=lambda name: ensure_downloaded(session, options, name)[0],
        hides_thought=options.hide_thinking,
        trace=None if options.trace is None else Path(options.trace),
        flags=options.parameters(),
    )
    if said is not None:
        system = talk.settings.system
        talk.resume(said if system is None else replace(said, system=system))
        print_resumed(talk)
    elif names.model is None:
        session.output.note(
            "no model is given, so the embedded one answers, which was trained on single small problems;"
            " `/help` lists commands"
        )
    return talk


def _converse(talk: ChatSession) -> int:
    """Answer messages until there are no more; returns the exit code."""
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
            error.hint = error.hint or "`/help` lists the commands"
            output.error(error)
            code = code or error.exit_code
            continue
        if was_cut and not is_typed:
            return INTERRUPTED
        if was_cut is None:
            break
    return 0 if is_typed else code


def _take(talk: ChatSession, line: str) -> bool | None:
    """Handle a message or a command; returns whether a reply was cut short, None to leave."""
    from localsmc_cli.chat.slash_commands import MARK, Leave, run_command

    if not line.strip():
        return False
    try:
        return run_command(talk, line) if line.startswith(MARK) else talk.say(line.strip("\n"))
    except Leave:
        return None
