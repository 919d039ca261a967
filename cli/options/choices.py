"""Copies of the library's names, so that `--help` does not import it; a test keeps them in step."""

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
"""The options of each method, for shell completion."""

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
"""Method parameters with a command line flag; the others are set after the method's name."""

RESAMPLING = ("systematic", "stratified", "residual", "multinomial", "chopthin", "fearnhead-clifford")
SELECT = ("draw", "argmax", "majority", "distinct", "best", "best-mean")
GRADERS = ("math", "numeric", "exact", "choice", "format", "code")
CODE = "code"
"""The grader that runs what a model wrote."""
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
SPLIT_MODES = ("none", "layer", "row", "tensor")
TABLE_FORMATS = ("md", "csv", "json", "jsonl")
