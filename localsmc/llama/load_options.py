"""Options for loading a GGUF and creating a context, with llama.cpp's names; validated on creation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localsmc.errors import ConfigError
from localsmc.gguf.tensor_types import KV_TYPES
from localsmc.llama.builtin_templates import check_template
from localsmc.lm.cache_layout import CacheLayout

SPLIT_MODES = {"none": 0, "layer": 1, "row": 2, "tensor": 3}
LOAD_MODES = {"auto": -1, "none": 0, "mmap": 1, "mlock": 2, "mmap+mlock": 3, "direct": 4}
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}

AUTO_LAYERS, ALL_LAYERS = -1, -2
"""llama.cpp's special values for the number of GPU layers: as many as fit, and all."""

MAX_SEQUENCES = 256
"""LLAMA_MAX_SEQ; a test compares it with llama_max_parallel_sequences()."""


def one_of(name: str, value: str, known: Mapping[str, int]) -> None:
    """Raise ConfigError unless `value` is one of the known names."""
    if value not in known:
        raise ConfigError(f"`{name}` has unknown value `{value}`", hint=f"choose from: {', '.join(known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to load a GGUF, as in llama.cpp.

    `chat_template` replaces the file's own: a name that llama.cpp knows, or the text of a Jinja template.
    """

    n_gpu_layers: int = AUTO_LAYERS
    main_gpu: int = 0
    split_mode: str = "layer"
    tensor_split: tuple[float, ...] = ()
    load_mode: str = "auto"
    cpu_only: bool = False
    """Use no GPU at all, not even for the context."""
    chat_template: str | None = None
    check_memory: bool = True
    """Reject a model that is larger than all memory before loading it."""

    def __post_init__(self) -> None:
        one_of("split-mode", self.split_mode, SPLIT_MODES)
        one_of("load-mode", self.load_mode, LOAD_MODES)
        if self.chat_template is not None:
            check_template(self.chat_template)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextOptions:
    """The sizes of a context; in a unified layout all sequences share its `n_ctx` cells, else it is split."""

    n_ctx: int
    n_seq_max: int = 64
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int = 0
    """0 means the physical cores available to the process, fewer for tiny models."""
    flash_attention: str = "auto"
    type_k: str = "f16"
    type_v: str = "f16"
    layout: CacheLayout = CacheLayout.UNIFIED
    guard_views: bool = False
    """For tests: return copies of logits that become NaN at the next decode, which exposes stale uses."""

    def __post_init__(self) -> None:
        one_of("flash-attn", self.flash_attention, FLASH_ATTENTION)
        one_of("cache-type-k", self.type_k, KV_TYPES)
        one_of("cache-type-v", self.type_v, KV_TYPES)
        # llama.cpp aborts on a smaller batch, and returns NULL for more sequences.
        if not 1 <= self.n_seq_max <= MAX_SEQUENCES:
            raise ConfigError(f"{self.n_seq_max} sequences, but llama.cpp allows 1 to {MAX_SEQUENCES}")
        if self.n_batch < self.n_seq_max:
            raise ConfigError(
                f"`batch-size` is {self.n_batch}, but {self.n_seq_max} sequences need one token each",
                hint="raise `--batch-size`",
            )
        if 1 <= self.n_ctx < self.n_seq_max:  # llama.cpp reduces the batch to the context, and aborts
            raise ConfigError(
                f"a context of {self.n_ctx} tokens is too small for {self.n_seq_max} sequences",
                hint="raise `--ctx-size`",
            )
        if self.n_ubatch < 1 or self.n_ctx < 1 or self.n_threads < 0:
            raise ConfigError("`ubatch-size`, `ctx-size` and `threads` must be positive")

    def is_as_large_as(self, needed: ContextOptions) -> bool:
        """Whether this context has the sequences that are needed, and for each as many tokens."""
        is_large = self.n_ctx >= needed.n_ctx and self.n_seq_max >= needed.n_seq_max
        if self.layout.is_unified:
            return is_large
        return is_large and self.n_ctx // self.n_seq_max >= needed.n_ctx // needed.n_seq_max
