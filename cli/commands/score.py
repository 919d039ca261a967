"""`localsmc score`: log p of given texts, questions by log-likelihood, perplexity, ranks of answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, RunError
from localsmc.system.user_dirs import expand_user
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
from localsmc_cli.inputs.scored_texts import ScoredTexts, long_text, rows_of, texts_of_rows, texts_of_words
from localsmc_cli.options import common_options, model_options
from localsmc_cli.options.score_options import score_options
from localsmc_cli.ui.choice_table import accuracy_lines, choice_table, rank_line, rank_table
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.in_order import InOrder
from localsmc_cli.ui.interrupt import INTERRUPTED
from localsmc_cli.ui.model_notices import print_offload, print_place_of_system, warn_idle_gpus
from localsmc_cli.ui.output import Output
from localsmc_cli.ui.progress import status
from localsmc_cli.ui.score_table import perplexity_line, perplexity_note, quoted, score_table, token_table

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.settings import Settings
    from localsmc.scoring.choices import Question
    from localsmc.scoring.pair_tokens import PairForm
    from localsmc.scoring.perplexity import Perplexity

_EXAMPLES = common_options.examples(
    'localsmc score -p "17 * 23 =" " 391" " 381" --tokens',
    "localsmc score --perplexity problem.txt",
    more="Questions by log-likelihood: localsmc score --data questions.jsonl --choices options. Prompt and"
    " text are put together as they are: begin a text with its blank. A text without a prompt follows the"
    " token that begins a text. log p is a natural logarithm, at temperature 1.",
)


@dataclass(kw_only=True, frozen=True)
class ScoreOptions(ModeOptions, OneModelOptions, LoadingOptions, ContextSizeOptions):
    """All options of `localsmc score`."""

    prompt: str | None
    data: str | None
    question: str | None
    completion: str | None
    choices: str | None
    answer: str | None
    letters: bool
    template: str | None
    ranks: str | None
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
    """Print log p of each TEXT after a prompt, accuracy on multiple-choice questions, or perplexity.

    Without TEXT, standard input is the text. After Ctrl-C, what was scored is printed.
    """
    options = ScoreOptions(**given)
    session.output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    _check(options, texts)
    if options.ranks is not None:
        _print_ranks(session.output, options, options.ranks, texts)
        return
    settings = _settings(options)
    if options.perplexity is not None:
        _print_perplexity(session, options, settings, long_text(options.perplexity, session.output.note))
    elif options.data is not None:
        _print_data(session, options, settings, options.data)
    else:
        words = texts_of_words(texts, options.prompt, session.output.note)
        _print_scores(session, options, settings, words)
    if session.interrupts.is_requested:
        raise click.exceptions.Exit(INTERRUPTED)


# --- what is asked for ----------------------------------------------------------------------------

_OF_CHOICES = ("choices", "answer", "letters", "template")
_OF_ROWS = ("question", "completion", *_OF_CHOICES)
_OF_TEXTS = ("prompt", "data", *_OF_ROWS, "chat", "system", "end", "special", "tokens")
_OF_A_FILE = ("window", "stride")
_OF_A_MODEL = ("model", "hf_repo", "hf_file", "n_ctx", "n_threads", "n_batch", "n_ubatch", "n_gpu_layers")


def _check(options: ScoreOptions, texts: tuple[str, ...]) -> None:
    """Refuse what has no effect; what was not typed gives way."""
    if options.ranks is not None:
        _refuse_typed(("perplexity", *_OF_TEXTS, *_OF_A_FILE), "does not work with `--ranks`")
        _refuse_typed(_OF_A_MODEL, "has no effect with `--ranks`, which reads a run and loads no model")
        if len(texts) > 1:
            raise ConfigError(
                "`--ranks` takes one answer", hint="put quotes around an answer of several words"
            )
        return
    if options.perplexity is not None:
        _refuse_typed(_OF_TEXTS, "does not work with `--perplexity`")
        if texts:
            raise ConfigError("`--perplexity` takes a file, and no other text", hint="remove the other texts")
        return
    _refuse_typed(_OF_A_FILE, "works with `--perplexity FILE` only")
    if options.data is None:
        _refuse_typed(_OF_ROWS, "works with `--data` only")
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


def _print_data(session: CommandSession, options: ScoreOptions, settings: Settings, data: str) -> None:
    from localsmc.scoring.choice_rows import ChoiceFields, has_choices, questions_of

    rows = rows_of(data)
    typed = [name for name in _OF_CHOICES if is_typed(name)]
    if options.completion is not None and typed:
        _refuse_typed(tuple(typed), "does not work with `--completion`: the options are the texts")
    if not typed and (options.completion is not None or not has_choices(rows[0])):
        _print_scores(
            session, options, settings, texts_of_rows(rows, data, options.question, options.completion)
        )
        return
    if options.tokens:
        _refuse_typed(("tokens",), "does not work with questions; `--json` prints log p of each option")
    fields = ChoiceFields(
        question=options.question,
        choices=tuple(name.strip() for name in options.choices.split(",")) if options.choices else (),
        answer=options.answer,
        template=None if options.template is None else options.template.replace("\\n", "\n"),
        letters=options.letters,
    )
    _print_choices(session, options, settings, questions_of(rows, expand_user(data), fields))


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
    from localsmc.scoring.score import TextScore, scores

    rows: list[tuple[int, TextScore]] = []

    def show(i: int, one: TextScore) -> None:
        if options.as_json:
            session.output.json({"index": i} | one.to_json(with_tokens=options.tokens))
        elif options.tokens:
            session.output.text(f"{i + 1}: {quoted(one.text)}, log p {one.logp:.4f}\n{token_table(one)}\n")
        else:
            rows.append((i, one))

    def run(model: Model) -> Iterator[tuple[int, TextScore]]:
        return scores(
            model,
            texts.pairs,
            _form(options),
            settings=settings,
            should_stop=lambda: session.interrupts.is_requested,
            names=texts.names,
        )

    try:
        _print_each(session, options, settings, run, InOrder(show), (len(texts.pairs), "text"))
    finally:
        if rows:
            session.output.text(score_table(rows))


def _print_choices(
    session: CommandSession, options: ScoreOptions, settings: Settings, questions: list[Question]
) -> None:
    from localsmc.scoring.choices import DELIMITER, ChoiceScore, choice_scores

    done: list[tuple[int, ChoiceScore]] = []

    def show(i: int, one: ChoiceScore) -> None:
        done.append((i, one))
        if options.as_json:
            session.output.json({"index": i} | one.to_json())

    def run(model: Model) -> Iterator[tuple[int, ChoiceScore]]:
        return choice_scores(
            model,
            questions,
            form=_form(options),
            delimiter="" if options.chat else DELIMITER,  # a reply does not begin with a blank
            settings=settings,
            should_stop=lambda: session.interrupts.is_requested,
        )

    try:
        _print_each(session, options, settings, run, InOrder(show), (len(questions), "question"))
    finally:
        lines = accuracy_lines([one for _, one in done])
        if done and not options.as_json:
            session.output.text(lines or choice_table(done))
        elif lines:
            session.output.note(lines)
    n_known = sum(one.acc is not None for _, one in done)
    if lines and n_known < len(done):
        session.output.note(
            f"{len(done) - n_known} of {len(done)} questions have no right option and do not count"
        )


def _form(options: ScoreOptions) -> PairForm:
    from localsmc.scoring.pair_tokens import PairForm

    return PairForm(chat=options.chat, special=options.special and not options.chat, end=options.end)


def _print_each(
    session: CommandSession,
    options: ScoreOptions,
    settings: Settings,
    run: Callable[[Model], Iterator[tuple[int, Any]]],
    shown: InOrder[Any],
    counted: tuple[int, str],
) -> None:
    """Show results in the order of the input; after Ctrl-C those that are done."""
    output, interrupts, (n, what) = session.output, session.interrupts, counted
    with _loaded(session, options) as model, interrupts.gentle("without what is not printed yet"):
        print_place_of_system(output, model, settings)
        try:
            with status(output) as show:
                show(f"scoring {n} {what}s" if n > 1 else f"scoring the {what}")
                for i, one in run(model):
                    shown.add(i, one)
                    show(f"{shown.n_done}/{n} {what}s")
        finally:
            shown.end()
        if shown.n_done < n:
            output.note(f"stopped after {shown.n_done} of {n} {what}s")


def _print_ranks(output: Output, options: ScoreOptions, run: str, texts: tuple[str, ...]) -> None:
    from localsmc.evals.answer_ranks import answer_rank
    from localsmc.evals.run_folder import read_run

    answer = checked_text(texts[0], "the answer") if texts else None
    record = read_run(expand_user(run))
    for note in record.notes:
        output.warn(note)
    ranks = [rank for line in record.lines if (rank := answer_rank(line, answer)) is not None]
    if not ranks:
        raise RunError(
            f"the run `{run}` has no right answers to rank",
            hint="give the answer to look for after the folder, or evaluate problems with answers",
        )
    if options.as_json:
        for rank in ranks:
            output.json(rank.to_json())
    else:
        output.text(rank_table(ranks))
    output.note(rank_line(ranks))


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
