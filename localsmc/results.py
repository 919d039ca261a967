"""What runs yield and return: frozen values that go to JSON as they are.

No arrays, no models: plain numbers, strings and tuples.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length", "cancelled"]
Confidence = Literal["high", "medium", "low"]
HistoryState = Literal["live", "stop", "length", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfo:
    """Diagnostics of one step; reading it changes nothing.

    `rows` are the histories decoded for the next step, `histories` all that carry particles,
    `ess` is in particles and from before any resampling, `forks` and `reductions` count this step's.
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
    """A distinct history between two steps, for traces: its last token and what it carries.

    `node` and `parent` number tokens of one wave, 0 the prompt's end; `piece` is the token's text;
    `weight` is the share of the wave's weight that all `count` particles on it have together.
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
    """A distinct history: its text, how many particles ended on it, and its share of the weight.

    `logp` is None where the method does not know it, `score` the mean rating of its steps, 0 to 9, where
    they were rated.
    """

    text: str
    answer: str | None
    logp: float | None
    weight: float
    n_tokens: int
    finish_reason: FinishReason
    count: int
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShare:
    """An answer, its share of the weight and of the particles; None where no answer was found."""

    answer: str | None
    weight: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Wall time: of loading, the prompt, llama.cpp's decoding, everything else of a step, and all."""

    load: float
    prompt: float
    decode: float
    sample: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftUsage:
    """What a draft took, and what became of its tokens. `rows` are those it decoded after its prompt.

    Of the `drafted` tokens `kept` are in the texts. `rated` tokens were read by the target to rate steps,
    `rewritten` tokens are its own, `wasted` rows of it are for what is in no text.
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
class Usage:
    """What a run took. `rows` are token rows that the model, or of two the target, decoded after the prompt.

    `cached_tokens` of the prompt were in its memory from a conversation's last turn.
    `flops` are 2 · parameters a row, prompts and both models counted.

    `proposals` and `accepted` are Metropolis steps, `swap_proposals` and `swaps` exchanges between chains.
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
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodInfo:
    """A method's name and every parameter of it, defaults included."""

    name: str
    config: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Which model answered, on what."""

    name: str
    path: str
    sha256: str | None
    params: int
    quantization: str
    n_ctx: int
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of `solve`: the chosen text, the distribution over answers, and the account.

    `ess` says how many independent texts stand behind the distribution, `confidence` in a word how
    sure the answer is (see `selection.confidence`), None where there is nothing to tell it from.
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

    def to_json(self) -> dict[str, Any]:
        """A dictionary for `json.dumps`."""
        return asdict(self)
