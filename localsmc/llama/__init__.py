"""The llama.cpp implementation of `LanguageModel`: a GGUF's weights and vocabulary, and contexts."""

from __future__ import annotations

from localsmc.gguf.tensor_types import KV_TYPES
from localsmc.llama.binding import build_info
from localsmc.llama.builtin_templates import builtin_templates, check_template
from localsmc.llama.context import LlamaContext, open_context
from localsmc.llama.devices import Device, can_offload, default_threads, devices, gpus_in_use
from localsmc.llama.grammar_masks import LlamaGrammar, json_schema_to_gbnf
from localsmc.llama.llama_cpp_python import PlainLlama
from localsmc.llama.load_options import (
    ALL_LAYERS,
    AUTO_LAYERS,
    FLASH_ATTENTION,
    LOAD_MODES,
    MAX_SEQUENCES,
    SPLIT_MODES,
    ContextOptions,
    LoadOptions,
)
from localsmc.llama.shared_vocab import shared_tokens
from localsmc.llama.trial_load_worker import probe_load
from localsmc.llama.weights import LlamaModel

__all__ = [
    "ALL_LAYERS",
    "AUTO_LAYERS",
    "FLASH_ATTENTION",
    "KV_TYPES",
    "LOAD_MODES",
    "MAX_SEQUENCES",
    "SPLIT_MODES",
    "ContextOptions",
    "Device",
    "LlamaContext",
    "LlamaGrammar",
    "LlamaModel",
    "LoadOptions",
    "PlainLlama",
    "build_info",
    "builtin_templates",
    "can_offload",
    "check_template",
    "default_threads",
    "devices",
    "gpus_in_use",
    "json_schema_to_gbnf",
    "open_context",
    "probe_load",
    "shared_tokens",
]
