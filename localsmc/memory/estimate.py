"""How much memory a model will take, by its header: weights, cache, and what llama.cpp computes in.

Computes only; does not know llama.cpp, nor what memory there is. The sizes are those that llama.cpp 0.5.0
reserves. They are guesses, on the high side, for memories that are no plain cache: layers that share one
are counted each, and where a model keeps recurrent states its header need not say in which layers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localsmc.gguf.header import ArrayInfo, Header
from localsmc.gguf.tensor_types import bytes_per_element

N_UBATCH = 512
"""Rows computed at once, llama.cpp's default."""

_MAX_LAYERS = 512  # LLAMA_MAX_LAYERS; a damaged file can say anything
_LAYER_NAME = re.compile(r"blk\.(\d+)\.")
_F32 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Bytes that a model and a context take.

    `compute` is what llama.cpp reserves for its graphs and the rows of logits; on a CPU much of it
    is never touched.
    """

    weights: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.compute


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMemory:
    """A layer: bytes of its weights, elements of keys and values for a cell, bytes of a sequence's state."""

    weights: int
    keys: int
    values: int
    state: int

    def cell(self, type_k: str, type_v: str) -> float:
        """Bytes that one token takes in this layer's cache."""
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
    """What the whole model takes with a context of so many cells, shared by so many sequences.

    `flash` says whether attention is computed by blocks, which saves the matrix of its scores.
    """
    n_cells = padded(n_cells)
    states = n_sequences * sum(layer.state for layer in layers(header))
    return MemoryEstimate(
        weights=sum(tensor.n_bytes for tensor in header.tensors),
        cache=int(n_cells * bytes_per_cell(header, type_k, type_v)) + states,
        compute=compute(header, n_cells=n_cells, n_sequences=n_sequences, n_ubatch=n_ubatch, flash=flash),
    )


def padded(n_cells: int) -> int:
    """So many cells, as llama.cpp makes them: a multiple of 256."""
    return -(-n_cells // 256) * 256


def bytes_per_cell(header: Header, type_k: str, type_v: str) -> float:
    """Memory that one token takes in the cache, over all layers."""
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
    widest = max(heads, default=0)  # llama.cpp makes all layers' transposed values as wide as the widest
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
    """The layers, and behind them the output, which llama.cpp counts as one more.

    What stands in front of them stays on the CPU; where it serves as the output, too, it is there twice.
    """
    found = layers(header)
    outer = {tensor.name: tensor.n_bytes for tensor in header.tensors if not _LAYER_NAME.match(tensor.name)}
    front = outer.pop("token_embd.weight", 0)
    behind = sum(outer.values()) + (0 if "output.weight" in outer else front)
    return (*found, LayerMemory(weights=behind, keys=0, values=0, state=0))


def compute(header: Header, *, n_cells: int, n_sequences: int, n_ubatch: int, flash: bool) -> int:
    """Bytes for the largest graph, whose parts follow each other in one buffer, and for rows of logits."""
    n_vocab, n_embd = _n_vocab(header), number(header, "embedding_length")
    found = layers(header)
    n_kv, state = (max((getattr(layer, part) for layer in found), default=0) for part in ("keys", "state"))
    # The mask, in half precision for attention by blocks; else in full, and so are all heads' scores.
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


# --- what the metadata say --------------------------------------------------------------------------


def _value(header: Header, key: str) -> object:
    return header.metadata.get(f"{header.architecture}.{key}")


def number(header: Header, key: str, default: int = 0) -> int:
    """A count in the metadata of the model's architecture; the largest where it differs by layer."""
    value = _value(header, key)
    if isinstance(value, ArrayInfo):
        return max((0, *value.values))
    return max(0, value) if isinstance(value, int) else default


def _kv_heads(header: Header, n_layer: int) -> list[int]:
    """Heads of keys and values in each layer."""
    value = _value(header, "attention.head_count_kv")
    if isinstance(value, ArrayInfo) and len(value.values) >= n_layer:
        return [max(0, n) for n in value.values[:n_layer]]
    every = number(header, "attention.head_count_kv", number(header, "attention.head_count"))
    interval = number(header, "full_attention_interval", 1) or 1
    return [0 if (layer + 1) % interval else every for layer in range(n_layer)]


def _head_widths(header: Header) -> tuple[int, int]:
    """Elements of a head's keys and of its values."""
    default = number(header, "embedding_length") // max(1, number(header, "attention.head_count"))
    width_k = number(header, "attention.key_length", default)
    width_v = number(header, "attention.value_length", default)
    # Compressed (MLA): the values are a part of the keys.
    return width_k, 0 if number(header, "attention.key_length_mla") else width_v


def _state_bytes(header: Header) -> int:
    """Bytes of a sequence's recurrent state in a layer: of Mamba, RWKV, short convolutions; else 0."""
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
    """Inner width of a feed-forward part, of all experts that a token uses."""
    experts = number(header, "expert_used_count") * number(header, "expert_feed_forward_length")
    return max(number(header, "feed_forward_length"), experts)
