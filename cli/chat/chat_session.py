"""A running conversation: its model and method, and what each turn shows and saves."""

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
from localsmc_cli.ui.follow_run import follow, partial_result, print_setup, print_timings
from localsmc_cli.ui.model_notices import FOR_CHAT, print_form, print_offload
from localsmc_cli.ui.output import is_terminal
from localsmc_cli.ui.summary import REFUSAL_HINT_IN_CHAT, decided_line, figures_line
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
    """The folder for conversations that are not saved to a named file."""
    return data_folder() / "chats"


def new_path() -> Path:
    """A new file name in `chats_folder`."""
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
        """Load them, with memory for a method."""
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
    """Replies to messages; slash commands change how. The caller must close it."""

    session: CommandSession
    names: Names
    spec: MethodSpec
    settings: Settings
    path: Path | None
    """The file that the conversation is saved to after each turn; None if it is not saved."""
    find_model: Callable[[str], ModelSource]
    """Finds a model by its name, and downloads it if it is missing."""
    hides_thought: bool = False
    trace: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    """Parameters for every later method that has them."""
    model: Model = field(init=False)
    conversation: Conversation = field(init=False)
    _n_asked: int = 0
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.model = self._open()
        self.conversation = Conversation(self.model)

    def _open(self) -> Model:
        model = self.names.open(self.spec, self.settings)
        print_offload(self.session.output, model)
        print_form(self.session.output, model, self.settings, FOR_CHAT)
        return model

    def close(self) -> None:
        """Free the model."""
        self.conversation.close()
        self.model.close()

    # --- a turn ---

    def say(self, text: str) -> bool:
        """Reply to a message; returns whether Ctrl-C interrupted the reply."""
        output, interrupts = self.session.output, self.session.interrupts
        interrupts.forget()
        with ExitStack() as until_shown, TraceWriter(self.trace) as trace:
            until_shown.enter_context(interrupts.gentle())
            with output.panel(self._panel) as panel:
                if panel is not None:
                    panel.status("reading the prompt")
                with self._ask(text) as solving:
                    print_setup(output, solving, self._told)
                    result, outcome = follow(solving, trace, panel, interrupts)
            self._show(result, outcome, solving)
            if result.text:
                self.conversation.keep(solving, result)
                self.save()
            trace.check()
        return outcome == "interrupted"

    def again(self) -> bool:
        """Reply again to the last message, with a new seed; returns whether Ctrl-C interrupted the reply."""
        n_exchanges, last = len(self.conversation.exchanges), self.conversation.take_back()
        if last is None:
            raise ConfigError("there is no message to reply to yet", hint="write a message first")
        try:
            return self.say(last.user)
        finally:
            if len(self.conversation.exchanges) < n_exchanges:
                self.conversation.exchanges.append(last)

    def _ask(self, text: str) -> Generation:
        # Each turn has its own seed, so that a conversation can be reproduced and a reply regenerated.
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

    # --- output ---

    def _show(self, result: Result, outcome: str, solving: Generation) -> None:
        output = self.session.output
        if is_terminal(sys.stdout):
            from localsmc_cli.chat.panel import show

            show(solving.parts(result.text), hides_thought=self.hides_thought)
        else:
            is_bare = self.hides_thought
            output.text(reasoning.spoken(solving.parts(result.text)) if is_bare else result.text)
        output.note(figures_line(result, fills_context=solving.fills_context))
        print_timings(output, result)
        if result.is_refused and REFUSAL_HINT_IN_CHAT not in self._told:
            self._told.add(REFUSAL_HINT_IN_CHAT)
            output.note(REFUSAL_HINT_IN_CHAT)
        if outcome == "decided":
            output.note(decided_line(result))
        if outcome in ("budget", "interrupted"):
            output.note(
                f"{'budget reached' if outcome == 'budget' else 'interrupted'}:"
                f" {partial_result(result, is_sampled=solving.is_sampled)}"
            )

    # --- saving ---

    @property
    def transcript(self) -> Transcript:
        """The conversation so far, as it is saved."""
        return Transcript(
            exchanges=tuple(self.conversation.exchanges),
            system=self.settings.system,
            model=model_source.portable_name(self.names.model),
        )

    def save(self) -> None:
        """Write the transcript; if that fails, warn once and continue without saving."""
        if self.path is None:
            return
        try:
            transcript.write(self.path, self.transcript)
        except RunError as error:
            self.path = None
            self.session.output.warn(f"{error}; this conversation is no longer saved")

    def begin_anew(self) -> None:
        """Save later turns to a new file, unless the user named one; the old file stays as it is."""
        if self.path is not None and self.path.parent == chats_folder():
            self.path = new_path()

    def resume(self, said: Transcript) -> None:
        """Continue a saved conversation, with its system message."""
        self.conversation.clear()
        self.conversation.exchanges += said.exchanges
        self.settings = replace(self.settings, system=said.system)

    # --- changes by slash commands ---

    def use_method(self, spec: MethodSpec) -> None:
        """Use another method from the next turn on; raises ConfigError if it cannot be used."""
        known = options_of(METHODS[spec.name])
        flags = {name: value for name, value in self.flags.items() if name in known}
        spec = replace(spec, options={**flags, **spec.options}, select=spec.select or self.spec.select)
        if draft_kind(self.model.method(spec.name, **spec.options)):
            self.model.require_draft()
        self.spec = spec

    def use_option(self, name: str, value: Any) -> None:
        """Set a parameter of the method; raises ConfigError if the method does not have it."""
        self.use_method(replace(self.spec, options={**self.spec.options, name: value}))
        self.flags[name] = value

    def use_model(self, name: str) -> None:
        """Continue with another model; if it cannot be loaded, the previous one stays."""
        from localsmc.gguf import reader

        source = self.find_model(name)
        reader.read_header(source.path)
        before, names = self.names, replace(self.names, model=name, source=source, draft=None)
        # Close the old model first: memory may not hold both.
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
