"""The type of each tensor in a quantization, as llama-quantize chooses it without an importance matrix.

Source: `llama_tensor_get_type` and `tensor_type_fallback` in llama.cpp's src/llama-quant.cpp, of which
this is the part for plain qwen2 and llama models; `tests/bench/test_synthetic.py` compares with llama.cpp.
"""

from __future__ import annotations

from localsmc.bench.synthetic.random_blocks import block_size
from localsmc.bench.synthetic.shapes import ModelShape

QUANTIZATIONS = {
    "Q4_0": "Q4_0",
    "Q8_0": "Q8_0",
    "Q4_K_M": "Q4_K",
    "Q5_K_M": "Q5_K",
    "Q6_K": "Q6_K",
    "F16": "F16",
}
"""The supported quantizations, with the type of most of their tensors."""

_FALLBACKS = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}  # if the width is not a multiple of 256


def tensor_type(quantization: str, shape: ModelShape, part: str, n_in: int, layer: int = 0) -> str:
    """The ggml type of a matrix with rows of `n_in` weights.

    `part` is the tensor's name without the layer, such as "attn_v", "token_embd" or "output".
    """
    chosen = QUANTIZATIONS[quantization]
    is_output = part == "output" or (part == "token_embd" and shape.is_tied)
    is_mixed = quantization in ("Q4_K_M", "Q5_K_M") and part in ("attn_v", "ffn_down")
    if is_output and chosen not in ("Q8_0", "F16"):
        chosen = "Q6_K"
    elif is_mixed and _has_more_bits(layer, shape.n_layer):
        chosen = "Q6_K"
    return chosen if n_in % block_size(chosen) == 0 else _FALLBACKS[chosen]


def _has_more_bits(layer: int, n_layer: int) -> bool:
    """Whether a layer is in the first or last eighth, or every third layer in between."""
    first, last = n_layer // 8, 7 * n_layer // 8
    return layer < first or layer >= last or (layer - first) % 3 == 2
