"""How much memory a model needs, by its header: weights, KV cache and compute buffers.

Pure arithmetic: it knows neither llama.cpp nor the machine. The sizes are those that llama.cpp 0.5.0
reserves. For anything but a plain KV cache they are estimates on the high side: layers that share a cache
count separately, and a header need not say which layers of a model have a recurrent state.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localsmc.gguf.header import ArrayInfo, Header
from localsmc.gguf.tensor_types import bytes_per_element

N_UBATCH = 512
"""Tokens computed at once, llama.cpp's default."""

_MAX_LAYERS = 512  # LLAMA_MAX_LAYERS; a damaged file can contain anything
_LAYER_NAME = re.compile(r"blk\.(\d+)\.")
_F32 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Bytes that a model and a context need.

    `compute` is what llama.cpp reserves for its graphs and for logits; on a CPU much of it is never used.
    """

    weights: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.cache + self.compute


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMemory:
    """A layer: bytes of weights, elements of keys and values per KV cell, bytes of state per sequence."""

    weights: int
    keys: int
    values: int
    state: int

    def cell(self, type_k: str, type_v: str) -> float:
        """Bytes per token in this layer's KV cache."""
        return self.keys * bytes_per_element(type_k) + self.values * bytes_per_element(type_v)


def estimate(
    header: Header,
    *,
    n_cells: int,
    n_sequences: int = 1,
    type_k: str = "f16",
    type_v: str = "f16",
    n_ubatch: int = N_UBATCH,
    flash: bool = False,
) -> MemoryEstimate:
    """The memory of a model with a context of `n_cells` tokens and `n_sequences` sequences.

    `flash` is whether flash attention is used, which needs no matrix of scores.
    """
    n_cells = padded(n_cells)
    states = n_sequences * sum(layer.state for layer in layers(header))
    return MemoryEstimate(
        weights=sum(tensor.n_bytes for tensor in header.tensors),
        cache=int(n_cells * bytes_per_cell(header, type_k, type_v)) + states,
        compute=compute(header, n_cells=n_cells, n_sequences=n_sequences, n_ubatch=n_ubatch, flash=flash),
    )


def padded(n_cells: int) -> int:
    """`n_cells` rounded up to a multiple of 256, as llama.cpp does."""
    return -(-n_cells // 256) * 256


def bytes_per_cell(header: Header, type_k: str, type_v: str) -> float:
    """Bytes per token in the KV cache, over all layers."""
    return sum(layer.cell(type_k, type_v) for layer in layers(header))


@lru_cache(maxsize=8)
def layers(header: Header) -> tuple[LayerMemory, ...]:
    """The model's layers, from the first to the last; worked out once per header."""
    n_layer = min(number(header, "block_count"), _MAX_LAYERS)
    weights = [0] * n_layer
    for tensor in header.tensors:
        match = _LAYER_NAME.match(tensor.name)
        if match and int(match[1]) < n_layer:
            weights[int(match[1])] += tensor.n_bytes
    heads, (width_k, width_v) = _kv_heads(header, n_layer), _head_widths(header)
    state = _state_bytes(header)
    is_mixed = 0 in heads  # layers without a cache are those with a state
    widest = max(
        heads, default=0
    )  # llama.cpp makes the transposed values of all layers as wide as the widest
    return tuple(
        LayerMemory(
            weights=weights[i],
            keys=heads[i] * width_k,
            values=widest * width_v if heads[i] else 0,
            state=0 if is_mixed and heads[i] else state,
        )
        for i in range(n_layer)
    )


def parts(header: Header) -> tuple[LayerMemory, ...]:
    """The layers and then the output, which llama.cpp counts as one more layer.

    The token embeddings stay on the CPU; if they are also the output, they count twice.
    """
    found = layers(header)
    outer = {tensor.name: tensor.n_bytes for tensor in header.tensors if not _LAYER_NAME.match(tensor.name)}
    front = outer.pop("token_embd.weight", 0)
    behind = sum(outer.values()) + (0 if "output.weight" in outer else front)
    return (*found, LayerMemory(weights=behind, keys=0, values=0, state=0))


def compute(header: Header, *, n_cells: int, n_sequences: int, n_ubatch: int, flash: bool) -> int:
    """Bytes for the largest compute graph, whose parts reuse one buffer, and for the logits."""
    n_vocab, n_embd = _n_vocab(header), number(header, "embedding_length")
    found = layers(header)
    n_kv, state = (max((getattr(layer, part) for layer in found), default=0) for part in ("keys", "state"))
    # Flash attention has a mask in half precision; without it, mask and scores of all heads are in full.
    mask = n_cells * (2 if flash else _F32) if n_kv else 0
    scores = 0 if flash else mask * number(header, "attention.head_count")
    row = max(
        scores + mask + _F32 * (5 * n_embd + 2 * n_kv),
        mask + _F32 * (3 * _n_ff(header) + 4 * n_embd),
        _F32 * (6 * number(header, "ssm.inner_size") + 2 * n_embd),
        _F32 * (n_vocab + 3 * n_embd),
    )
    n_rows = min(max(n_ubatch, n_sequences + 1), n_cells)
    return n_rows * row + n_sequences * (n_vocab * _F32 + state)


# --- metadata ---------------------------------------------------------------------------------------


def _value(header: Header, key: str) -> object:
    return header.metadata.get(f"{header.architecture}.{key}")


def number(header: Header, key: str, default: int = 0) -> int:
    """A number of the model's architecture; the largest one if it differs by layer."""
    value = _value(header, key)
    if isinstance(value, ArrayInfo):
        return max((0, *value.values))
    return max(0, value) if isinstance(value, int) else default


def _kv_heads(header: Header, n_layer: int) -> list[int]:
    """The number of key-value heads of each layer."""
    value = _value(header, "attention.head_count_kv")
    if isinstance(value, ArrayInfo) and len(value.values) >= n_layer:
        return [max(0, n) for n in value.values[:n_layer]]
    every = number(header, "attention.head_count_kv", number(header, "attention.head_count"))
    interval = number(header, "full_attention_interval", 1) or 1
    return [0 if (layer + 1) % interval else every for layer in range(n_layer)]


def _head_widths(header: Header) -> tuple[int, int]:
    """Elements of one head's keys and values."""
    default = number(header, "embedding_length") // max(1, number(header, "attention.head_count"))
    width_k = number(header, "attention.key_length", default)
    width_v = number(header, "attention.value_length", default)
    # MLA: the values are a part of the compressed keys.
    return width_k, 0 if number(header, "attention.key_length_mla") else width_v


def _state_bytes(header: Header) -> int:
    """Bytes of recurrent state per sequence and layer (Mamba, RWKV, short convolutions), or 0."""
    n_embd, taps = number(header, "embedding_length"), number(header, "shortconv.l_cache")
    if n_head := number(header, "wkv.head_size"):
        return _F32 * n_embd * (2 + n_head)
    if taps:
        return _F32 * n_embd * (taps - 1)
    inner, state = number(header, "ssm.inner_size"), number(header, "ssm.state_size")
    mixed = inner + 2 * number(header, "ssm.group_count") * state
    return _F32 * (max(0, number(header, "ssm.conv_kernel") - 1) * mixed + state * inner)


def _n_vocab(header: Header) -> int:
    tokens: Any = header.metadata["tokenizer.ggml.tokens"]
    return int(tokens.length)


def _n_ff(header: Header) -> int:
    """Inner width of the feed-forward part, over all experts that a token uses."""
    experts = number(header, "expert_used_count") * number(header, "expert_feed_forward_length")
    return max(number(header, "feed_forward_length"), experts)
