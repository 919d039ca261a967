"""Tiny random GGUFs of any architecture that llama.cpp knows, from its metadata alone.

llama.cpp itself says which tensors an architecture has: it builds a model from metadata and asks for the
content of each tensor. Their names and shapes are recorded, and the file is written with random weights.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from llama_cpp._ctypes_extensions import load_shared_library
from tiny_gguf import N_EMBD, N_VOCAB, add_tokenizer, finish

from localsmc.llama.binding import C

N_HEAD, N_FF = 4, 96
N_CTX = 512
ATTENTION = {"attention.head_count": N_HEAD, "attention.head_count_kv": 2}
SSM = {"ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 16, "ssm.time_step_rank": 4}
DELTA = {**ATTENTION, **SSM, "ssm.group_count": 2, "ssm.inner_size": 64, "full_attention_interval": 2}
MIXED = {"attention.head_count": N_HEAD, "attention.head_count_kv": [0, 2]}
EXPERTS = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 32}

ARCHITECTURES: dict[str, dict[str, Any]] = {
    # Recurrent: one state per sequence.
    "mamba2": {**SSM, "ssm.group_count": 2, "attention.head_count": 0, "feed_forward_length": 0},
    "rwkv7": {
        "wkv.head_size": 64,  # llama.cpp computes 64 elements at a time
        "attention.decay_lora_rank": 8,
        "attention.iclr_lora_rank": 8,
        "attention.value_residual_mix_lora_rank": 8,
        "attention.gate_lora_rank": 8,
        "attention.layer_norm_epsilon": 1e-5,
        "token_shift_count": 2,
        "attention.head_count": 0,
    },
    # Hybrid: some layers have a state, others a KV cache.
    "qwen35": {**DELTA, "rope.dimension_sections": [2, 2, 2, 2]},
    "qwen3next": {**DELTA, **EXPERTS, "expert_shared_feed_forward_length": 32},
    "lfm2": {**MIXED, "shortconv.l_cache": 3},
    "granitehybrid": {**MIXED, **SSM, "ssm.group_count": 2},
    "falcon-h1": {**ATTENTION, **SSM, "ssm.group_count": 2},
    "jamba": {**MIXED, **SSM},
    # llama.cpp gives wrong logits for several tokens of several sequences in one batch, or aborts.
    "plamo2": {**MIXED, **SSM, "ssm.group_count": 0},
    # Hybrid with an index of pooled keys; other builds of llama.cpp abort with several sequences.
    "glm5-next": {
        **EXPERTS,
        "attention.head_count": N_HEAD,
        "attention.head_count_kv": [0, 1],
        "attention.key_length": 32,
        "attention.value_length": 32,
        "attention.key_length_mla": 16,
        "attention.value_length_mla": 16,
        "attention.q_lora_rank": 32,
        "attention.kv_lora_rank": 32,
        "rope.dimension_count": 0,
        "ssm.conv_kernel": 4,
        "kda.head_dim": 16,
        "kda.gate_lower_bound": -5.0,
        "expert_shared_count": 1,
        "leading_dense_block_count": 1,
        "expert_weights_scale": 1.0,
        "attention.indexer.head_count": 4,
        "attention.indexer.key_length": 16,
        "attention.indexer.top_k": 512,
        "attention.indexer.kpool": 4,
        "hyper_connection.count": 4,
        "hyper_connection.sinkhorn_iterations": 2,
        "hyper_connection.epsilon": 1e-6,
    },
    # Compressed keys; llama.cpp loses the state of a sequence that is forked, freed and taken again at once.
    "deepseek4": {
        **EXPERTS,
        "embedding_length": 128,
        "block_count": 4,
        "attention.head_count": 4,
        "attention.head_count_kv": 1,
        "attention.key_length": 32,
        "attention.value_length": 32,
        "attention.q_lora_rank": 32,
        "attention.sliding_window": 16,
        "attention.indexer.head_count": 4,
        "attention.indexer.key_length": 128,
        "attention.indexer.top_k": 512,
        "attention.output_group_count": 4,
        "attention.output_lora_rank": 32,
        "attention.compress_ratios": [0, 0, 4, 128],
        "attention.compress_rope_freq_base": 160000.0,
        "rope.dimension_count": 16,
        "expert_shared_count": 1,
        "expert_gating_func": 4,
        "expert_weights_scale": 1.0,
        "expert_weights_norm": True,
        "swiglu_clamp_exp": 10.0,
        "hash_layer_count": 0,
        "hyper_connection.count": 4,
        "hyper_connection.sinkhorn_iterations": 2,
        "hyper_connection.epsilon": 1e-6,
    },
    # A sliding window of 16 tokens.
    "gemma3": {
        **ATTENTION,
        "attention.sliding_window": 16,
        "attention.sliding_window_pattern": 2,
        "attention.key_length": 16,
        "attention.value_length": 16,
    },
}


def write_random(path: Path, architecture: str, *, seed: int = 3, n_ctx: int = N_CTX) -> Path:
    """Write a model of an architecture of `ARCHITECTURES`, with 2 layers and random weights."""
    bare = path.with_suffix(".metadata")
    _write(bare, architecture, n_ctx, {})
    rng = np.random.default_rng(seed)
    shapes = _shapes(bare)
    bare.unlink()
    _write(path, architecture, n_ctx, {name: _values(name, shape, rng) for name, shape in shapes.items()})
    return path


def _write(path: Path, architecture: str, n_ctx: int, tensors: Mapping[str, np.ndarray]) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"random {architecture}")
    sizes = {"context_length": n_ctx, "embedding_length": N_EMBD, "block_count": 2, "vocab_size": N_VOCAB}
    sizes |= {"feed_forward_length": N_FF, "attention.layer_norm_rms_epsilon": 1e-5}
    for key, value in (sizes | ARCHITECTURES[architecture]).items():
        name = f"{architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    add_tokenizer(writer)
    finish(writer, tensors)


class _Tensor(ctypes.Structure):
    """The beginning of ggml's struct for a tensor."""

    _fields_ = (("type", ctypes.c_int), ("buffer", ctypes.c_void_p), ("sizes", ctypes.c_int64 * 4))


class _InitParams(ctypes.Structure):
    _fields_ = (("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p))


def _shapes(metadata: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors of a model with this metadata, rows first."""
    ggml = load_shared_library("ggml-base", C._base_path)
    ggml.gguf_init_from_file.argtypes = (ctypes.c_char_p, _InitParams)
    ggml.gguf_init_from_file.restype = ctypes.c_void_p
    ggml.gguf_free.argtypes = (ctypes.c_void_p,)
    ggml.ggml_get_name.argtypes, ggml.ggml_get_name.restype = (ctypes.c_void_p,), ctypes.c_char_p
    ggml.ggml_n_dims.argtypes = (ctypes.c_void_p,)
    found: dict[str, tuple[int, ...]] = {}

    @C.llama_model_set_tensor_data_t
    def note(tensor: int, _: Any) -> None:
        sizes = _Tensor.from_address(tensor).sizes
        found[ggml.ggml_get_name(tensor).decode()] = tuple(sizes[: ggml.ggml_n_dims(tensor)][::-1])

    read = ggml.gguf_init_from_file(str(metadata).encode(), _InitParams(True, None))
    model = C.llama_model_init_from_user(read, note, None, C.llama_model_default_params())
    ggml.gguf_free(read)
    assert model, f"llama.cpp refuses {metadata}"
    C.llama_model_free(model)
    return found


def _values(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random weights of a spread that keeps activations near 1; what must have a sign or a size has it."""
    if name.endswith(("ssm_a", "ssm_a.weight")):
        return -rng.uniform(0.5, 2, size=shape)
    if name.endswith("ssm_dt.bias"):
        return np.full(shape, -1.0)
    if name.endswith((".scale", "_scale", "ssm_d", "rope_freqs.weight", "norm.weight")):
        return np.ones(shape)
    if name.endswith(".bias"):
        return np.zeros(shape)
    return rng.normal(size=shape) * shape[-1] ** -0.5 * (2 if name == "token_embd.weight" else 1)
