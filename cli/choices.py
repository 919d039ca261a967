"""The names of choices, written out so that `--help` need not import the library; a test compares them."""

from __future__ import annotations

METHODS = (
    "power-smc",
    "power-mh",
    "power-tempering",
    "sample",
    "greedy",
    "best-of-n",
    "self-consistency",
    "speculative",
    "cascade",
    "draft-smc",
    "ssr",
)
PARAMETERS = (
    "particles",
    "alpha",
    "ramp",
    "ess_threshold",
    "resampling",
    "settle",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "n_max",
)
"""Parameters of methods that have a flag of their own; the others are written with the method."""

RESAMPLING = ("systematic", "stratified", "residual", "multinomial", "chopthin", "optimal")
SELECT = ("draw", "argmax", "majority", "distinct", "best", "best-mean")
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
SPLIT_MODES = ("none", "layer", "row", "tensor")
TABLE_FORMATS = ("md", "csv", "json", "jsonl")
