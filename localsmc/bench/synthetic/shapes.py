"""The sizes of real models, from their config.json, and target-draft pairs made of one shape.

The draft of a pair consists of the target's first layers with its embedding and output. The contribution
of the target's later layers is scaled down until the draft is as good as a small model of the same family.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A model's sizes: layers, widths, heads, vocabulary, and the constants of RoPE and norms.

    `is_tied`: embedding and output are the same matrix. Llama 3.2 also scales RoPE by a tensor
    `rope_freqs`, which takes no measurable time and is left out here.
    """

    architecture: Literal["qwen2", "llama"] = "qwen2"
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_vocab: int
    is_tied: bool = True
    n_ctx: int = 32_768
    rope_base: float = 1e6
    rms_eps: float = 1e-6

    @property
    def n_kv(self) -> int:
        """Width of keys and of values."""
        return self.n_embd // self.n_head * self.n_head_kv

    @property
    def has_biases(self) -> bool:
        """Whether queries, keys and values have biases."""
        return self.architecture == "qwen2"


_llama_3 = functools.partial(ModelShape, architecture="llama", n_vocab=128_256, rope_base=5e5, rms_eps=1e-5)

SHAPES = {
    # https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct/blob/main/config.json
    "qwen2.5-0.5b": ModelShape(n_layer=24, n_embd=896, n_head=14, n_head_kv=2, n_ff=4864, n_vocab=151_936),
    # https://huggingface.co/Qwen/Qwen2.5-1.5B-Instruct/blob/main/config.json
    "qwen2.5-1.5b": ModelShape(n_layer=28, n_embd=1536, n_head=12, n_head_kv=2, n_ff=8960, n_vocab=151_936),
    # https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/config.json
    "qwen2.5-3b": ModelShape(n_layer=36, n_embd=2048, n_head=16, n_head_kv=2, n_ff=11_008, n_vocab=151_936),
    # https://huggingface.co/Qwen/Qwen2.5-7B-Instruct/blob/main/config.json
    "qwen2.5-7b": ModelShape(
        n_layer=28, n_embd=3584, n_head=28, n_head_kv=4, n_ff=18_944, n_vocab=152_064, is_tied=False
    ),
    # https://huggingface.co/Qwen/Qwen2.5-14B-Instruct/blob/main/config.json
    "qwen2.5-14b": ModelShape(
        n_layer=48, n_embd=5120, n_head=40, n_head_kv=8, n_ff=13_824, n_vocab=152_064, is_tied=False
    ),
    # https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct/blob/main/config.json
    "llama-3.2-1b": _llama_3(
        n_layer=16,
        n_embd=2048,
        n_head=32,
        n_head_kv=8,
        n_ff=8192,
        n_ctx=131_072,
    ),
    # https://huggingface.co/meta-llama/Llama-3.2-3B-Instruct/blob/main/config.json
    "llama-3.2-3b": _llama_3(
        n_layer=28,
        n_embd=3072,
        n_head=24,
        n_head_kv=8,
        n_ff=8192,
        n_ctx=131_072,
    ),
    # https://huggingface.co/meta-llama/Meta-Llama-3-8B-Instruct/blob/main/config.json
    "llama-3-8b": _llama_3(
        n_layer=32,
        n_embd=4096,
        n_head=32,
        n_head_kv=8,
        n_ff=14_336,
        is_tied=False,
        n_ctx=8192,
    ),
    # For tests: rows of the first are too short for blocks of 256 weights, those of the second are not.
    "test": ModelShape(n_layer=2, n_embd=64, n_head=4, n_head_kv=2, n_ff=128, n_vocab=512, n_ctx=4096),
    "test-256": ModelShape(n_layer=4, n_embd=256, n_head=4, n_head_kv=2, n_ff=512, n_vocab=512, n_ctx=4096),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapePair:
    """How to make a target and its draft from a shape: the draft has the first `n_layer` layers.

    `later` scales the contribution of the other layers, `sharpness` all logits of both models.
    """

    n_layer: int
    later: float = 1.0
    sharpness: float = 1.0


PAIRS = {
    # `later` is the result of
    # `python -m localsmc_models.experiments.speculative_speed --shape ... --calibrate`.
    # Random weights give logits with a standard deviation of 1: the distributions are nearly uniform, and
    # two models never agree on the most probable token. A factor of 8 gives an entropy of 1.4 nats, as in
    # a language model.
    "qwen2.5-1.5b": ShapePair(n_layer=6, later=0.075, sharpness=8.0),
    "test": ShapePair(n_layer=1, later=0.154, sharpness=6.0),
}
