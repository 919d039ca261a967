"""The names of choices, written out so that `--help` need not import the library; a test compares them."""

from __future__ import annotations

METHOD_OPTIONS = {
    "power-smc": "particles alpha ramp ramp_ess ess_threshold resampling lookahead"
    " share islands rejuvenate rollouts block stop_when_decided decided_by",
    "power-mh": "particles alpha steps block kernel collect retrace",
    "power-tempering": "particles alpha low steps warmup kernel collect retrace",
    "sample": "particles temperature top_k top_p min_p share",
    "greedy": "",
    "best-of-n": "particles temperature top_k top_p min_p share mean early",
    "self-consistency": "particles temperature top_k top_p min_p share early",
    "speculative": "particles temperature n_max adaptive p_min top_k top_p min_p",
    "cascade": "particles temperature n_max adaptive p_min rule lenience fallback sequential",
    "draft-smc": "particles alpha ramp n_max p_min sharpening ess_threshold resampling share",
    "ssr": "particles threshold rating sure temperature top_p step_tokens rewrite_score fast pool words",
}
"""Method to what may be written with it, for completion."""

METHODS = tuple(METHOD_OPTIONS)
PARAMETERS = (
    "particles",
    "alpha",
    "ramp",
    "ess_threshold",
    "resampling",
    "stop_when_decided",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "n_max",
)
"""Parameters of methods that have a flag of their own; the others are written with the method."""

RESAMPLING = ("systematic", "stratified", "residual", "multinomial", "chopthin", "fearnhead-clifford")
SELECT = ("draw", "argmax", "majority", "distinct", "best", "best-mean")
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
SPLIT_MODES = ("none", "layer", "row", "tensor")
TABLE_FORMATS = ("md", "csv", "json", "jsonl")
