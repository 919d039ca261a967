"""A parsed command line as typed values: one class per group of options, one attribute per option.

A command builds a class of the groups that it has, with every option that click hands it; an option that
no group knows is a TypeError at once. None means that the option has no value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localsmc_cli.options.choices import PARAMETERS


@dataclass(kw_only=True, frozen=True)
class ModeOptions:
    """What is printed on standard error."""

    quiet: bool
    verbose: bool


@dataclass(kw_only=True, frozen=True)
class HubOptions:
    """How the Hugging Face hub is reached."""

    hf_token: str | None
    offline: bool


@dataclass(kw_only=True, frozen=True)
class OneModelOptions(HubOptions):
    """The one model of a command, by `-m` or `-hf`."""

    model: str | None
    hf_repo: str | None
    hf_file: str | None


@dataclass(kw_only=True, frozen=True)
class SeveralModelsOptions(HubOptions):
    """The models of a command that takes several."""

    models: tuple[str, ...]
    hf_repo: tuple[str, ...]
    hf_file: str | None


@dataclass(kw_only=True, frozen=True)
class LoadingOptions:
    """How a model is loaded."""

    n_gpu_layers: int | None
    main_gpu: int | None
    split_mode: str | None
    tensor_split: tuple[float, ...] | None
    chat_template: str | None
    no_memory_check: bool


@dataclass(kw_only=True, frozen=True)
class DraftOptions:
    """The draft model."""

    model_draft: str | None
    hf_repo_draft: str | None
    n_gpu_layers_draft: int | None
    n_threads_draft: int | None


@dataclass(kw_only=True, frozen=True)
class MethodOptions:
    """The methods, and the parameters that have a flag of their own."""

    methods: tuple[str, ...]
    particles: int | None
    alpha: float | None
    ramp: int | None
    ess_threshold: float | None
    resampling: str | None
    stop_when_decided: float | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    n_max: int | None
    select: str | None
    seed: int

    def parameters(self) -> dict[str, Any]:
        """The flags of PARAMETERS that have a value."""
        return {name: value for name in PARAMETERS if (value := getattr(self, name)) is not None}


@dataclass(kw_only=True, frozen=True)
class PromptOptions:
    """How a problem is put to the model."""

    system: str | None
    box: str | None
    examples: str | None
    reasoning: str | None


@dataclass(kw_only=True, frozen=True)
class RawOptions:
    """A problem's text as the whole prompt."""

    raw: bool
    special: bool


@dataclass(kw_only=True, frozen=True)
class LimitOptions:
    """Where a completion ends."""

    n_predict: int | None
    stop: tuple[str, ...]
    stop_at_box: bool
    conclude: str | None
    budget: float | None


@dataclass(kw_only=True, frozen=True)
class GrammarOptions:
    """What a completion is constrained to."""

    grammar: str | None
    json_schema: str | None
    json_schema_file: str | None


@dataclass(kw_only=True, frozen=True)
class ContextSizeOptions:
    """llama.cpp's contexts."""

    n_ctx: int | None
    n_threads: int | None
    flash_attention: str | None
    type_k: str | None
    type_v: str | None
    n_batch: int | None
    n_ubatch: int | None


@dataclass(kw_only=True, frozen=True)
class GenerationOptions(
    PromptOptions, MethodOptions, LimitOptions, GrammarOptions, ModeOptions,
    OneModelOptions, LoadingOptions, DraftOptions, ContextSizeOptions,
):  # fmt: skip
    """What `solve` and `chat` share: one model, its prompt, and how completions are generated."""
