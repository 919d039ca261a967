"""Scores of texts after prompts: log p(text | prompt) under the model, in total and per token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from localsmc.engine.settings import Settings
from localsmc.scoring.pair_tokens import PairForm, PairTokens
from localsmc.scoring.rounds import ScoredTokens
from localsmc.scoring.score_context import check_length, scored
from localsmc.scoring.scorer import TokenLogps

if TYPE_CHECKING:
    from localsmc.engine.load import Model

Pair = tuple[str, str]
"""A prompt, which can be empty, and a text after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScore:
    """A token of a text: its id, text and log-probability, and the most probable token in its place."""

    token: int
    piece: str
    logp: float
    top: int
    top_piece: str
    top_logp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScore:
    """log p(text | prompt), a natural logarithm at temperature 1, in total and for each token.

    `is_greedy` says that each token is the most probable one: greedy decoding writes this text.
    """

    prompt: str
    text: str
    logp: float
    n_tokens: int
    is_greedy: bool
    tokens: tuple[TokenScore, ...]

    @property
    def mean(self) -> float:
        """The log-probability per token."""
        return self.logp / self.n_tokens

    def to_json(self, *, with_tokens: bool = False) -> dict[str, Any]:
        """The score as a dictionary for `json.dumps`."""
        found = asdict(self)
        tokens = found.pop("tokens")
        return found | {"mean_logp": self.mean} | ({"tokens": tokens} if with_tokens else {})


def score(
    model: Model,
    pairs: Sequence[Pair],
    *,
    chat: bool = False,
    special: bool = False,
    end: bool = False,
    settings: Settings | None = None,
) -> list[TextScore]:
    """Score each (prompt, text), in order; prompts that begin alike are decoded once.

    The two are put together as they are; with `chat` the prompt is rendered as the user's message with the
    model's template, and `settings.system` and `settings.examples` come before it. A text without a prompt
    follows the beginning-of-sequence token. `special` reads control tokens in both, and `end` also scores
    the token that ends the text. Raises ConfigError for an empty text, and PromptTooLong for one that is
    longer than the context.
    """
    form = PairForm(chat=chat, special=special, end=end)
    found = dict(scores(model, pairs, form, settings=settings))
    return [found[i] for i in range(len(pairs))]


def scores(
    model: Model,
    pairs: Sequence[Pair],
    form: PairForm,
    *,
    settings: Settings | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    names: Sequence[str] = (),
) -> Iterator[tuple[int, TextScore]]:
    """As `score`, but each index and score as it is done; ends early if `should_stop` says so.

    `names` are what messages call the pairs.
    """
    settings = Settings() if settings is None else settings
    tokenised = PairTokens(model, form, settings)
    sequences = []
    for i, (prompt, text) in enumerate(pairs):
        name = names[i] if names else f"text {i + 1}"
        sequences.append(tokenised(prompt, text, name))
        check_length(model, settings, sequences[-1], name)
    for i, logps in scored(model, sequences, settings, should_stop):
        yield i, _text_score(model, pairs[i], sequences[i], logps)


def _text_score(model: Model, pair: Pair, sequence: ScoredTokens, found: TokenLogps) -> TextScore:
    tokens = sequence.tokens[sequence.first :]
    return TextScore(
        prompt=pair[0],
        text=pair[1],
        logp=float(found.logps.sum()),
        n_tokens=len(tokens),
        is_greedy=bool(np.array_equal(tokens, found.top_tokens)),
        tokens=tuple(
            TokenScore(
                token=int(token),
                piece=_piece(model, token),
                logp=float(logp),
                top=int(top),
                top_piece=_piece(model, top),
                top_logp=float(top_logp),
            )
            for token, logp, top, top_logp in zip(
                tokens, found.logps, found.top_tokens, found.top_logps, strict=True
            )
        ),
    )


def _piece(model: Model, token: int) -> str:
    """The text of a token; a control token has its name."""
    text = model.llama.pieces[int(token)].decode(errors="replace")
    return text or model.llama.token_name(int(token))
