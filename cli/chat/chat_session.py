"""A conversation at work: its model, its method, what is shown and kept of each turn."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localsmc.engine import transcript
from localsmc.engine.conversation import Conversation
from localsmc.engine.load import load
from localsmc.engine.transcript import Transcript
from localsmc.errors import ConfigError, LocalSMCError, RunError
from localsmc.methods import METHODS
from localsmc.methods.base import draft_kind, options_of
from localsmc.store import model_source
from localsmc.system.user_dirs import data_folder
from localsmc.text import reasoning
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.follow_run import follow, so_far, tell_account, tell_setup
from localsmc_cli.ui.model_notices import tell_loaded
from localsmc_cli.ui.output import is_terminal
from localsmc_cli.ui.summary import decided_line, figures_line
from localsmc_cli.ui.trace_writer import TraceWriter

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.settings import Settings
    from localsmc.engine.solve import Generation
    from localsmc.llama import LoadOptions
    from localsmc.methods.spec import MethodSpec
    from localsmc.results import Result
    from localsmc.store.model_source import ModelSource
    from localsmc_cli.chat.panel import Leading


def chats_folder() -> Path:
    """Where conversations are kept that are kept nowhere else."""
    return data_folder() / "chats"


def new_path() -> Path:
    """A file there that is not there yet."""
    return chats_folder() / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{time.time_ns() % 1000:03d}.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which models to load, and how."""

    model: str | None
    """What the user calls the model, None for the embedded one."""
    source: ModelSource
    load: LoadOptions
    draft: ModelSource | None
    draft_load: LoadOptions

    def open(self, spec: MethodSpec, settings: Settings) -> Model:
        """Load them, with room for a method."""
        return load(
            self.source,
            self.load,
            draft=self.draft,
            draft_options=self.draft_load,
            methods=[spec.method],
            settings=settings,
        )


@dataclass(slots=True, kw_only=True)
class ChatSession:
    """Takes messages and gives replies; commands change how. Close it."""

    session: CommandSession
    names: Names
    spec: MethodSpec
    settings: Settings
    path: Path | None
    """Where the conversation is kept, after each turn."""
    find_model: Callable[[str], ModelSource]
    """Finds a model by its name, and downloads it if it is missing."""
    hides_thought: bool = False
    trace: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    """Parameters that every method has from now on, if it has them."""
    model: Model = field(init=False)
    conversation: Conversation = field(init=False)
    _n_asked: int = 0
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.model = self._open()
        self.conversation = Conversation(self.model)

    def _open(self) -> Model:
        model = self.names.open(self.spec, self.settings)
        tell_loaded(self.session.output, model)
        return model

    def close(self) -> None:
        """Free the model."""
        self.conversation.close()
        self.model.close()

    # --- a turn ---

    def say(self, text: str) -> bool:
        """A message and its reply; returns whether it was cut short by Ctrl-C."""
        output, interrupts = self.session.output, self.session.interrupts
        interrupts.forget()
        with ExitStack() as until_shown, TraceWriter(self.trace) as trace:
            until_shown.enter_context(interrupts.gentle())
            with output.panel(self._panel) as panel:
                if panel is not None:
                    panel.status("reading")
                with self._ask(text) as solving:
                    tell_setup(output, solving, self._told)
                    result, outcome = follow(solving, trace, panel, interrupts)
            self._show(result, outcome, solving)
            if result.text:
                self.conversation.keep(solving, result)
                self.save()
            trace.check()
        return outcome == "interrupted"

    def again(self) -> bool:
        """Another reply to the last message."""
        n_exchanges, last = len(self.conversation.exchanges), self.conversation.take_back()
        if last is None:
            raise ConfigError("nothing was said yet", hint="write a message first")
        try:
            return self.say(last.user)
        finally:
            if len(self.conversation.exchanges) < n_exchanges:
                self.conversation.exchanges.append(last)

    def _ask(self, text: str) -> Generation:
        # Each turn has a seed of its own, so that a conversation can be repeated and a reply asked for anew.
        seed = None if self.settings.seed is None else self.settings.seed + self._n_asked
        settings = replace(self.settings, seed=seed, select=self.spec.select)
        n_before = self.conversation.n_left_out
        solving = self.conversation.ask(
            text,
            method=self.model.method(self.spec.name, **self.spec.options),
            settings=settings,
            is_stopped=lambda: self.session.interrupts.is_requested,
        )
        self._n_asked += 1
        n_left_out = self.conversation.n_left_out
        if n_left_out > n_before:
            self.session.output.warn(
                f"the conversation is longer than the context: the model no longer sees the first"
                f" {n_left_out} of its {len(self.conversation.exchanges)} exchanges"
            )
        return solving

    def _panel(self) -> Leading:
        from localsmc_cli.chat.panel import Leading

        return Leading(hides_thought=self.hides_thought)

    # --- telling of it ---

    def _show(self, result: Result, outcome: str, solving: Generation) -> None:
        output = self.session.output
        if is_terminal(sys.stdout):
            from localsmc_cli.chat.panel import show

            show(result.text, solving.closing, hides_thought=self.hides_thought)
        else:
            is_bare = self.hides_thought
            output.text(reasoning.reply(result.text, solving.closing) if is_bare else result.text)
        output.note(figures_line(result))
        tell_account(output, result)
        if outcome == "decided":
            output.note(decided_line(result))
        if outcome in ("budget", "interrupted"):
            output.note(f"{'cut short' if outcome == 'budget' else 'stopped'}: {so_far(result)}")

    # --- what is kept ---

    @property
    def transcript(self) -> Transcript:
        """All that was said."""
        return Transcript(
            exchanges=tuple(self.conversation.exchanges),
            system=self.settings.system,
            model=model_source.portable_name(self.names.model),
        )

    def save(self) -> None:
        """Write the transcript where it is kept; where that fails it is said once, and the talk goes on."""
        if self.path is None:
            return
        try:
            transcript.write(self.path, self.transcript)
        except RunError as error:
            self.path = None
            self.session.output.warn(f"{error}; this conversation is not kept")

    def begin_anew(self) -> None:
        """Keep what was said in its file: what comes goes to another, unless the user has named one."""
        if self.path is not None and self.path.parent == chats_folder():
            self.path = new_path()

    def resume(self, said: Transcript) -> None:
        """Go on from what was said; the system message is that of then."""
        self.conversation.clear()
        self.conversation.exchanges += said.exchanges
        self.settings = replace(self.settings, system=said.system)

    # --- what commands change ---

    def use_method(self, spec: MethodSpec) -> None:
        """Another method from the next turn on; raises ConfigError where it cannot be used."""
        known = options_of(METHODS[spec.name])
        flags = {name: value for name, value in self.flags.items() if name in known}
        spec = replace(spec, options={**flags, **spec.options}, select=spec.select or self.spec.select)
        if draft_kind(self.model.method(spec.name, **spec.options)):
            self.model.require_draft()
        self.spec = spec

    def use_option(self, name: str, value: Any) -> None:
        """Another value of one of the methods' parameters; raises ConfigError where this one has none."""
        self.use_method(replace(self.spec, options={**self.spec.options, name: value}))
        self.flags[name] = value

    def use_model(self, name: str) -> None:
        """Another model, which is told all that was said; where it cannot be loaded the one before stays."""
        from localsmc.gguf import reader

        source = self.find_model(name)
        reader.read_header(source.path)
        before, names = self.names, replace(self.names, model=name, source=source, draft=None)
        # Not both at once: memory may hold one only.
        self.close()
        try:
            self.names = names
            self.model = self._open()
        except LocalSMCError:
            self.names = before
            self.model = self._open()
            raise
        finally:
            self.conversation = Conversation(self.model, self.conversation.exchanges)
