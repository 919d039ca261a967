"""GGUF files of real architectures with random weights, to measure speed with no network and no model.

    shapes      the sizes of real models, and pairs of a target and a draft made of them
    spec        which file is wanted, as it is written: SHAPE[:QUANT][:vocab=N]
    mixture     the type of each tensor in a quantization, as llama-quantize chooses it
    blocks      ggml's quantized blocks, filled at random
    synthetic   the file
    cache       files in the cache folder

`cached(parse("qwen2.5-7b:Q4_K_M"))` is the path of a file. Their text means nothing.
"""

from __future__ import annotations

from localsmc.bench.cache import cached, cached_pair
from localsmc.bench.shapes import PAIRS, SHAPES, Pair, Shape
from localsmc.bench.spec import Spec, parse

__all__ = ["PAIRS", "SHAPES", "Pair", "Shape", "Spec", "cached", "cached_pair", "parse"]
