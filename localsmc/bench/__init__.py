"""Speed benchmarks of methods, on real models and on synthetic models (random weights in real shapes).

    cases           what is timed
    measure         times the cases of one model in turn
    case_summary    combines the timings of a case
    speed_table     summaries as Markdown, CSV and JSON
    replay          a small model's histories at a large model's cost
    synthetic/
      shapes        the sizes of real models, and target-draft pairs made of them
      file_spec     parses SHAPE[:QUANT][:vocab=N]
      quant_mix     the type of each tensor in a quantization, as llama-quantize chooses it
      random_blocks ggml's quantized blocks, filled at random
      gguf_writer   writes the file
      file_cache    keeps files in the cache folder

`cached(parse("qwen2.5-7b:Q4_K_M"))` is the path of a synthetic model. Its output is meaningless.
"""

from __future__ import annotations

from localsmc.bench.synthetic.file_cache import cached, cached_pair
from localsmc.bench.synthetic.file_spec import FileSpec, parse
from localsmc.bench.synthetic.shapes import PAIRS, SHAPES, ModelShape, ShapePair

__all__ = ["PAIRS", "SHAPES", "ShapePair", "ModelShape", "FileSpec", "cached", "cached_pair", "parse"]
