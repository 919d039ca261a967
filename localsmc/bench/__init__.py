"""How fast methods are, on real models and on random weights in their shapes.

    cases       what is timed
    samples     a case timed once, in one run with others
    account     what samples of a case say together
    table       accounts in Markdown, CSV and JSON
    replay      a small model's histories at a large one's cost
    shapes      the sizes of real models, and pairs of a target and a draft made of them
    spec        which file is wanted, as it is written: SHAPE[:QUANT][:vocab=N]
    mixture     the type of each tensor in a quantization, as llama-quantize chooses it
    blocks      ggml's quantized blocks, filled at random
    synthetic   the file
    cache       files in the cache folder

`cached(parse("qwen2.5-7b:Q4_K_M"))` is the path of a file. Their text means nothing.
"""

from __future__ import annotations

from localsmc.bench.synthetic.file_cache import cached, cached_pair
from localsmc.bench.synthetic.file_spec import FileSpec, parse
from localsmc.bench.synthetic.shapes import PAIRS, SHAPES, ModelShape, ShapePair

__all__ = ["PAIRS", "SHAPES", "ShapePair", "ModelShape", "FileSpec", "cached", "cached_pair", "parse"]
