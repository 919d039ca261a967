"""Loading a model: its weights, header and recommended settings."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from localsmc.engine import context_plan
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.gguf import header, reader
from localsmc.llama import (
    AUTO_LAYERS,
    ContextOptions,
    LlamaModel,
    LoadOptions,
    gpus_in_use,
    shared_tokens,
)
from localsmc.lm.cache_layout import CacheLayout
from localsmc.memory import gpu_offload, host
from localsmc.memory.gpu_offload import Offload
from localsmc.methods import METHODS, Method, from_options
from localsmc.results import ModelInfo
from localsmc.store import hub, model_source, trial_load
from localsmc.store.model_source import ModelSource
from localsmc.text import chat_template

HASHED_SIZE = 64 * 1024 * 1024
"""Only files up to this size are hashed for the result: hashing a larger one takes seconds."""

_APART = (
    "llama.cpp gives wrong logits for several sequences of models of the architecture `{}` in one batch: they"
    " are decoded one after the other, which is slower"
)
_STREAMS = (
    "llama.cpp cannot hold several sequences of models of the architecture `{}` in one cache: each gets a"
    " cache of its own, which takes more memory and time"
)
LAYOUT_NOTICES = {
    CacheLayout.UNIFIED_APART: _APART,
    CacheLayout.STREAMS: _STREAMS,
    CacheLayout.STREAMS_APART: _STREAMS,
    CacheLayout.SINGLE: "llama.cpp cannot decode several sequences of models of the architecture `{}`: only"
    " methods with one completion work, such as `greedy`",
}
"""What to tell the user about a cache that is not simply unified."""

CHUNK = 1 << 20
"""Bytes hashed at once."""


@dataclass(slots=True)
class Model:
    """A loaded GGUF model with its recommended settings, and its draft model. Use it in a `with`."""

    llama: LlamaModel
    source: ModelSource
    header: header.Header
    placement: Offload
    context: ContextOptions
    """The context that it was planned for."""
    notices: list[str] = field(default_factory=list)
    """Warnings from loading."""
    layout: CacheLayout = CacheLayout.UNIFIED
    """How its cache holds several sequences."""
    draft: Model | None = None
    draft_options: LoadOptions | None = None
    _n_shared: int | None = None

    def close(self) -> None:
        """Free the weights and all contexts, and those of the draft model."""
        self.llama.close()
        if self.draft is not None:
            self.draft.close()

    def require_draft(self) -> Model:
        """The draft model; the embedded model has its own by default. Raises ConfigError without one."""
        if self.draft is None:
            if not self.source.is_embedded:
                raise ConfigError(
                    "the method needs a draft model, and none is given",
                    hint="add one with `-md small.gguf`: a small model of the same family",
                )
            file = _File.of(model_source.embedded(model_source.EMBEDDED_DRAFT), self.draft_options)
            self.draft = file.load(self.context, file.place(self.context, Counter()))
        return self.draft

    def require_shared_tokens(self) -> int:
        """The number of token ids that both vocabularies share; raises ConfigError if they differ before."""
        if not self._n_shared:  # 0 if they are known to differ: the error is raised again
            self._n_shared = shared_tokens(self.llama, self.require_draft().llama)
        return self._n_shared

    def shares_tokens(self) -> bool:
        """Whether token ids mean the same in both vocabularies."""
        if self._n_shared is None:
            try:
                self.require_shared_tokens()
            except ConfigError:
                self._n_shared = 0
        return bool(self._n_shared)

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self, n_ctx: int) -> ModelInfo:
        """The model's part of a result; `n_ctx` is the size of the context."""
        return ModelInfo(
            name=self.header.name,
            path=str(self.source.path),
            sha256=self.source.sha256,
            params=self.llama.n_params,
            quantization=self.header.file_type,
            n_ctx=n_ctx,
            device=self.llama.device,
        )

    def method(self, name: str = "power-smc", **options: object) -> Method:
        """Make a method with the parameters that are recommended for this model; `options` win.

        Raises ConfigError for an unknown method or parameter.
        """
        if name not in METHODS:
            raise ConfigError(f"no method is called `{name}`", hint=f"choose from: {', '.join(METHODS)}")
        return from_options(METHODS[name], options, self.source.defaults.of_method(name))


def load(
    path: str | Path | ModelSource | None = None,
    options: LoadOptions | None = None,
    *,
    draft: str | Path | ModelSource | None = None,
    draft_options: LoadOptions | None = None,
    access: hub.Access | None = None,
    methods: Sequence[Method] = (),
    settings: Settings | None = None,
) -> Model:
    """Load a model by any name that `-m` accepts, or the embedded one; and a draft model, if named.

    A model that is not in the Hugging Face cache is downloaded first; `access` says how, and gets the
    progress. Any other file than the embedded ones is checked in Python, then loaded once in a child
    process. `methods` and `settings` decide how many layers fit on a GPU together with their KV cache.
    Raises ModelNotFound, DownloadFailed, or ModelLoadFailed, also for a model larger than memory.
    """
    file = _File.of(_resolved(path, access), options)
    second = None if draft is None else _File.of(_resolved(draft, access), draft_options)
    settings = Settings() if settings is None else settings
    methods = methods or [from_options(METHODS["power-smc"], {})]
    context = context_plan.plan_context(file.header, file.source.defaults.n_predict, methods, settings)
    taken: Counter[str] = Counter()
    # The draft model first: it is smaller and decodes more often.
    second_place = None if second is None else second.place(context, taken)
    place = file.place(context, taken)
    if settings.n_ctx and file.options.check_memory:
        gpu_offload.check_context(file.header, place, context, host.available())
    model = file.load(context, place)
    model.draft_options = draft_options
    if second is not None and second_place is not None:
        try:
            model.draft = second.load(context, second_place)
        except BaseException:
            model.close()
            raise
    return model


def _resolved(model: str | Path | ModelSource | None, access: hub.Access | None) -> ModelSource:
    return model if isinstance(model, ModelSource) else model_source.resolve(model, access)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is about to be loaded, with its header."""

    source: ModelSource
    header: header.Header
    options: LoadOptions

    @classmethod
    def of(cls, source: ModelSource, options: LoadOptions | None) -> _File:
        header = reader.read_header(source.path, title=source.title)
        if not source.is_embedded:
            source = replace(source, defaults=model_source.recommended(header.name))
        return cls(source, header, LoadOptions() if options is None else options)

    def place(self, context: ContextOptions, taken: Counter[str]) -> Offload:
        """Place the layers in what is left of each GPU, and add their bytes to `taken`."""
        options = self.options
        gpus = [replace(gpu, free=max(0, gpu.free - taken[gpu.name])) for gpu in gpus_in_use(options)]
        n = options.n_gpu_layers
        asked = None if n == AUTO_LAYERS else sys.maxsize if n < 0 else n
        placed = gpu_offload.place(
            self.header, context, gpus, n_gpu_layers=asked, tensor_split=options.tensor_split
        )
        taken.update({gpu.name: n_bytes for gpu, n_bytes in zip(gpus, placed.planned_bytes, strict=True)})
        return placed

    def load(self, context: ContextOptions, placed: Offload) -> Model:
        """Compare it with memory, try it in a child process, and load it."""
        source, header, options = self.source, self.header, self.options
        notices = [] if source.notice is None else [source.notice]
        if options.check_memory:
            notices += gpu_offload.check(header, placed, context, host.available())
        chat_template.prepare(options.chat_template or header.metadata.get("tokenizer.chat_template"))
        layout = CacheLayout.UNIFIED
        if not source.is_embedded:
            layout = trial_load.ensure_loadable(source.path, header)
        if layout in LAYOUT_NOTICES:
            notices.append(LAYOUT_NOTICES[layout].format(header.architecture))
        if source.sha256 is None and source.path.stat().st_size <= HASHED_SIZE:
            source = replace(source, sha256=sha256([source.path]))
        if placed.gpus and options.n_gpu_layers == AUTO_LAYERS:
            if not placed.n_gpu_layers:
                notices.append(
                    f"no layer of `{source.file_name}` fits in the free memory of a GPU: all run on the CPU"
                )
            options = replace(options, n_gpu_layers=placed.n_gpu_layers, tensor_split=placed.shares)
        llama = LlamaModel(source.path, options)
        if options.chat_template is not None and (tags := llama.unknown_tags()):
            notices.append(
                f"the vocabulary of `{source.path.name}` has no {', '.join(tags)}: the model reads these"
                " parts of the chat template as plain text, and may not end its replies"
            )
        return Model(llama, source, header, placed, context, notices, layout)


def sha256(parts: Sequence[Path]) -> str:
    """The SHA-256 of a model file; of a split model, of all parts in order."""
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
