"""`localsmc score`: log-probabilities of given texts, and the perplexity of a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.provenance import is_typed
from localsmc_cli.inputs.downloads import ensure_downloaded
from localsmc_cli.inputs.model_sources import model_name
from localsmc_cli.inputs.parsed_options import (
    ContextSizeOptions,
    LoadingOptions,
    ModeOptions,
    OneModelOptions,
)
from localsmc_cli.inputs.problem_text import checked_text
from localsmc_cli.inputs.run_settings import load_options, settings_of
from localsmc_cli.inputs.scored_texts import ScoredTexts, long_text, texts_of_rows, texts_of_words
from localsmc_cli.options import common_options, model_options
from localsmc_cli.options.param_types import CountType
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import print_offload, print_place_of_system, warn_idle_gpus
from localsmc_cli.ui.progress import status
from localsmc_cli.ui.score_table import perplexity_line, perplexity_note, quoted, score_table, token_table

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.settings import Settings
    from localsmc.scoring.perplexity import Perplexity
    from localsmc.scoring.score import TextScore

_EXAMPLES = common_options.examples(
    'localsmc score -p "17 * 23 =" " 391" " 381" --tokens',
    "localsmc score --perplexity problem.txt",
    more="Prompt and text are put together as they are: begin a text with its blank. A text without a prompt"
    " follows the token that begins a text. log p is a natural logarithm, at temperature 1.",
)
_THE_TEXT = "it gives the texts themselves"

_texts = common_options.section("Texts")
_file = common_options.section("Perplexity")
_output = common_options.section("Output")
score_options = common_options.together(
    _texts("-p", "--prompt", metavar="TEXT", each_time=_THE_TEXT, help="What comes before each text."),
    _texts(
        "--data",
        metavar="FILE",
        each_time=_THE_TEXT,
        help="Rows of prompts and texts, instead of arguments: JSONL, JSON, CSV or Parquet.",
    ),
    _texts(
        "--question",
        metavar="FIELD",
        scope="score",
        help="Field of --data with the prompts.  [default: prompt or question]",
    ),
    _texts(
        "--completion",
        metavar="FIELD",
        scope="score",
        help="Field of --data with the texts.  [default: completion, text or answer]",
    ),
    _texts(
        "--chat",
        is_flag=True,
        default=False,
        scope="score",
        help="Send the prompt as a message, in the chat template; the text is the reply to it.",
    ),
    common_options.system_option(_texts),
    _texts(
        "--end",
        is_flag=True,
        default=False,
        scope="score",
        help="Also score the token that ends the text.",
    ),
    _texts(
        "--special",
        is_flag=True,
        default=False,
        scope="score",
        rare=True,
        help="Read control tokens such as <|im_start|> in prompts and texts.",
    ),
    _file(
        "--perplexity",
        metavar="FILE",
        each_time=_THE_TEXT,
        help="Print the perplexity of a file, or of standard input if `-`, instead of scores of texts.",
    ),
    _file(
        "--window",
        type=CountType(2),
        metavar="N",
        scope="score",
        help="Tokens that are read together.  [default: 512, or what the model was trained on]",
    ),
    _file(
        "--stride",
        type=CountType(1),
        metavar="N",
        scope="score",
        help="Begin a window every N tokens and score each token once.  [default: as llama-perplexity, which"
        " scores the second half of each window]",
    ),
    _output(
        "--tokens",
        is_flag=True,
        default=False,
        scope="score",
        help="Also print log p of each token, and the most probable token in its place.",
    ),
    _output(
        "--json",
        "as_json",
        is_flag=True,
        default=False,
        help="Print one JSON object per text, in order, or one with the perplexity.",
    ),
    common_options.mode_options(_output),
)


@dataclass(kw_only=True, frozen=True)
class ScoreOptions(ModeOptions, OneModelOptions, LoadingOptions, ContextSizeOptions):
    """All options of `localsmc score`."""

    prompt: str | None
    data: str | None
    question: str | None
    completion: str | None
    chat: bool
    system: str | None
    end: bool
    special: bool
    perplexity: str | None
    window: int | None
    stride: int | None
    tokens: bool
    as_json: bool


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@score_options
@model_options.model_option
@model_options.loading_options
@common_options.context_options
@click.pass_obj
def score(session: CommandSession, /, texts: tuple[str, ...], **given: Any) -> None:
    """Print log p of each TEXT after a prompt, or the perplexity of a file.

    Without TEXT, standard input is the text. After Ctrl-C, what was scored is printed.
    """
    options = ScoreOptions(**given)
    session.output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    _check(options, texts)
    settings = _settings(options)
    if options.perplexity is not None:
        _print_perplexity(session, options, settings, long_text(options.perplexity, session.output.note))
    else:
        _print_scores(session, options, settings, _texts_of(session, options, texts))
    if session.interrupts.is_requested:
        raise click.exceptions.Exit(INTERRUPTED)


# --- what is asked for ----------------------------------------------------------------------------

_OF_TEXTS = ("prompt", "data", "question", "completion", "chat", "system", "end", "special", "tokens")
_OF_A_FILE = ("window", "stride")


def _check(options: ScoreOptions, texts: tuple[str, ...]) -> None:
    """Refuse what has no effect; what was not typed gives way."""
    if options.perplexity is not None:
        _refuse_typed(_OF_TEXTS, "does not work with `--perplexity`")
        if texts:
            raise ConfigError("`--perplexity` takes a file, and no other text", hint="remove the other texts")
        return
    _refuse_typed(_OF_A_FILE, "works with `--perplexity FILE` only")
    if options.data is None:
        _refuse_typed(("question", "completion"), "works with `--data` only")
    elif texts or options.prompt is not None:
        raise ConfigError("the texts are given twice", hint="remove `--data`, or the texts and `--prompt`")
    if not options.chat:
        _refuse_typed(("system", "chat_template"), "works with `--chat` only")
    elif is_typed("special"):
        _refuse_typed(("special",), "does not work with `--chat`: the template writes the control tokens")


def _refuse_typed(names: tuple[str, ...], why: str) -> None:
    for name in names:
        if is_typed(name):
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"`{option}` {why}", hint=f"remove `{option}`")


def _settings(options: ScoreOptions) -> Settings:
    settings = settings_of(options, None)
    if options.system is None or not options.chat or options.perplexity is not None:
        return settings
    return replace(settings, system=checked_text(options.system, "`--system`"))


def _texts_of(session: CommandSession, options: ScoreOptions, texts: tuple[str, ...]) -> ScoredTexts:
    if options.data is not None:
        return texts_of_rows(options.data, options.question, options.completion)
    return texts_of_words(texts, options.prompt, session.output.note)


@contextlib.contextmanager
def _loaded(session: CommandSession, options: ScoreOptions) -> Iterator[Model]:
    """The model, for which Ctrl-C waits until the end of a batch."""
    from localsmc.engine.load import load

    (source,) = ensure_downloaded(session, options, model_name(options))
    with session.output.library_log():
        warn_idle_gpus(session.output, load_options(options))
        with load(source, load_options(options)) as model:
            print_offload(session.output, model)
            yield model


# --- scores and perplexity ------------------------------------------------------------------------


def _print_scores(
    session: CommandSession, options: ScoreOptions, settings: Settings, texts: ScoredTexts
) -> None:
    from localsmc.scoring.pair_tokens import PairForm
    from localsmc.scoring.score import scores

    output, interrupts, n = session.output, session.interrupts, len(texts.pairs)
    form = PairForm(chat=options.chat, special=options.special and not options.chat, end=options.end)
    with _loaded(session, options) as model, interrupts.gentle("without what is not printed yet"):
        print_place_of_system(output, model, settings)
        printer = _Printer(session, options)
        try:
            with status(output) as show:
                show(f"scoring {n} texts" if n > 1 else "scoring the text")
                found = scores(
                    model,
                    texts.pairs,
                    form,
                    settings=settings,
                    should_stop=lambda: interrupts.is_requested,
                    names=texts.names,
                )
                for i, one in found:
                    printer.add(i, one)
                    show(f"{printer.n_done}/{n} texts")
        finally:
            printer.end()
        if printer.n_done < n:
            output.note(f"stopped after {printer.n_done} of {n} texts")


class _Printer:
    """Prints scores in the order of the texts, as soon as those before are there."""

    def __init__(self, session: CommandSession, options: ScoreOptions) -> None:
        self._output, self._options = session.output, options
        self._waiting: dict[int, TextScore] = {}
        self._rows: list[tuple[int, TextScore]] = []
        self._n_printed = 0
        self.n_done = 0

    def add(self, i: int, one: TextScore) -> None:
        """Take the score of text i."""
        self.n_done += 1
        self._waiting[i] = one
        while self._n_printed in self._waiting:
            self._print(self._n_printed, self._waiting.pop(self._n_printed))
            self._n_printed += 1

    def end(self) -> None:
        """Print what is left, also after a gap if it was stopped."""
        for i in sorted(self._waiting):
            self._print(i, self._waiting[i])
        if self._rows:
            self._output.text(score_table(self._rows))

    def _print(self, i: int, one: TextScore) -> None:
        if self._options.as_json:
            self._output.json({"index": i} | one.to_json(with_tokens=self._options.tokens))
        elif self._options.tokens:
            self._output.text(f"{i + 1}: {quoted(one.text)}, log p {one.logp:.4f}\n{token_table(one)}\n")
        else:
            self._rows.append((i, one))


def _print_perplexity(session: CommandSession, options: ScoreOptions, settings: Settings, text: str) -> None:
    from localsmc.scoring.perplexity import perplexities

    output, interrupts = session.output, session.interrupts
    found: Perplexity | None = None
    with _loaded(session, options) as model, interrupts.gentle("without a result"):
        try:
            with status(output) as show:
                show("reading the text")
                for found in perplexities(
                    model,
                    text,
                    window=options.window,
                    stride=options.stride,
                    settings=settings,
                    should_stop=lambda: interrupts.is_requested,
                ):
                    show(f"{found.n_windows}/{found.n_all} windows · {perplexity_line(found)}")
        finally:
            if found is not None:
                output.json(found.to_json()) if options.as_json else output.text(perplexity_line(found))
        if found is not None:
            output.note(perplexity_note(found))
            if found.n_windows < found.n_all:
                output.note(f"stopped after {found.n_windows} of {found.n_all} windows")
