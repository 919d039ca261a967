"""The values that runs yield and return: frozen, and serialised to JSON as they are.

Plain numbers, strings and tuples; no arrays, no models.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length", "cancelled"]
Confidence = Literal["high", "medium", "low"]
HistoryState = Literal["live", "stop", "length", "cut"]
AnswerSource = Literal["boxed", "stated", "concluded", "fallback"]
"""How an answer was found, in the order in which the sources are asked."""
AnswerKind = Literal["any", "numeric", "text", "letter", "math", "reply"]
"""The type of a problem's answers, which decides when two are the same; `any` if it is not known. A `reply`
is an answer as a whole: a program, or a text in a form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfo:
    """Diagnostics of one step; computing them does not change the run.

    `rows` is the number of tokens decoded in the step, `histories` the number of distinct histories, of which
    `finished` have ended. `ess` is the effective sample size in particles, before resampling (with
    `fearnhead-clifford` after it), and `log_z` the log evidence so far. `forks` and `reductions` count those
    of this step; `cells` are the KV cells in use.
    """

    step: int
    alpha: float
    rows: int
    histories: int
    finished: int
    ess: float
    log_z: float | None
    resampled: bool
    forks: int
    reductions: int
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryInfo:
    """A distinct history between two steps, for traces: its last token, and its particles and weight.

    `node` and `parent` number the tokens within one wave (batch of particles); 0 is the end of the prompt.
    `piece` is the token's text. `weight` is the share of the wave's weight of all `count` particles on the
    history together.
    """

    wave: int
    node: int
    parent: int
    token: int
    piece: str
    count: int
    weight: float
    logp: float | None
    state: HistoryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A distinct completion: its text, how many particles ended on it (`count`), and its share of the weight.

    `logp` is its log-probability under the model at temperature 1, None if the method does not compute it.
    `score` is the mean rating of its steps, 0 to 9, None if they were not rated. `source` says how the answer
    was found, None without an answer. A completion that `is_refused` says that the model cannot answer (see
    `text.refusal`), and has none.
    """

    text: str
    answer: str | None
    logp: float | None
    weight: float
    n_tokens: int
    finish_reason: FinishReason
    count: int
    score: float | None = None
    source: AnswerSource | None = None
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShare:
    """An answer, its share of the weight and its number of particles; None if no answer was found.

    The share of all refusals together has no answer either, and `is_refused`.
    """

    answer: str | None
    weight: float
    count: int
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Wall time in seconds: loading, the prompt, decoding in llama.cpp, the rest of the steps, concluding
    completions, the total."""

    load: float
    prompt: float
    decode: float
    sample: float
    conclude: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftUsage:
    """The cost of a draft model, and the use made of its tokens.

    `rows` are the tokens it decoded after its prompt. Of the `drafted` tokens `kept` are in completions. The
    target read `rated` tokens to rate steps, wrote `rewritten` tokens itself, and decoded `wasted` tokens
    that are in no completion.
    """

    prompt_tokens: int
    rows: int
    decode_calls: int
    drafted: int
    kept: int
    rated: int
    rewritten: int
    wasted: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConclusionUsage:
    """The cost of asking for the answers of completions that state none, apart from that of the run.

    `texts` were concluded. `prompt_tokens` were decoded again before some of them; `rows` are the tokens of
    requests, answers, and texts that were decoded again.
    """

    texts: int = 0
    prompt_tokens: int = 0
    rows: int = 0
    decode_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The cost of a run. `rows` are the tokens that the model (the target, of two) decoded after the prompt.

    `cached_tokens` are the tokens of the prompt that were in the KV cache already: from a previous turn, or
    because all problems of an evaluation begin with them. `flops` are 2 · parameters per decoded token, for
    prompts, both models and conclusions. `concluded` is None if no completion was concluded.

    `proposals` and `accepted` count Metropolis steps, `swap_proposals` and `swaps` exchanges between chains.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    steps: int
    rows: int
    decode_calls: int
    resamples: int
    reductions: int
    forks: int
    proposals: int
    accepted: int
    swap_proposals: int
    swaps: int
    peak_rows: int
    peak_cells: int
    flops: float
    draft: DraftUsage | None
    concluded: ConclusionUsage | None
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodInfo:
    """A method's name and all its parameters, including defaults."""

    name: str
    config: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """The model that ran, and the device."""

    name: str
    path: str
    sha256: str | None
    params: int
    quantization: str
    n_ctx: int
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of `solve`: the selected completion, the distribution over answers, and the cost.

    `source` says how the answer was found, None without an answer. `answer_kind` is the type by which answers
    were compared. `is_refused` says that the selected completion is a refusal, which has no answer.

    `ess` is the number of independent completions that the weighted ones are worth. `confidence` says how
    sure the answer is (see `selection.confidence`); None if it cannot be computed.
    """

    answer: str | None
    text: str
    method: MethodInfo
    model: ModelInfo
    draft: ModelInfo | None
    seed: int
    version: str
    answers: tuple[AnswerShare, ...]
    completions: tuple[Completion, ...]
    log_z: float | None
    ess: float
    confidence: Confidence | None
    usage: Usage
    source: AnswerSource | None = None
    answer_kind: AnswerKind = "any"
    is_refused: bool = False

    def to_json(self) -> dict[str, Any]:
        """The result as a dictionary for `json.dumps`."""
        return asdict(self)
