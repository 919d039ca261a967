"""Memory estimates, compared with what llama.cpp reserves, and from headers alone."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import gguf as writing
import numpy as np
import pytest

from localsmc.gguf import reader
from localsmc.gguf.header import ArrayInfo, Header, TensorInfo
from localsmc.llama import ContextOptions, LlamaModel, LoadOptions, open_context
from localsmc.memory import estimate

MIB = 2**20
N_VOCAB = 1000

# A damaged file can say anything of what matters here; nothing may take long, or fail.
NONSENSE = [-1, 0, 2**63, 1.5, True, "text", ArrayInfo("int32", 2**60), ArrayInfo("int32", 1, (-7,))]


@pytest.fixture
def reserved(caplog):
    """Asks llama.cpp: bytes of the model's, the caches' and the computing buffers, as its log has them."""

    def ask(path, **sizes):
        caplog.clear()
        with caplog.at_level(logging.INFO, "localsmc.llama"):
            # Not mapped: a mapped file is counted whole, header and all.
            options = LoadOptions(n_gpu_layers=0, cpu_only=True, load_mode="none")
            with LlamaModel(path, options) as model:
                open_context(model, ContextOptions(**sizes))
        found = re.findall(r"(\w+) +buffer size = +([\d.]+) MiB", caplog.text)
        kinds = {"model": 0, "KV": 1, "RS": 1, "compute": 2, "output": 2}
        sums = [0.0, 0.0, 0.0]
        for kind, size in found:
            sums[kinds[kind]] += float(size) * MIB
        return sums

    return ask


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_ctx": 256, "n_seq_max": 1, "flash_attention": "off"},
        {"n_ctx": 4096, "n_seq_max": 1, "flash_attention": "off"},
        {"n_ctx": 4096, "n_seq_max": 256, "flash_attention": "off"},
        {"n_ctx": 4096, "n_seq_max": 16, "flash_attention": "on"},
        {"n_ctx": 4096, "n_seq_max": 16, "n_ubatch": 64, "type_k": "q8_0", "flash_attention": "off"},
    ],
    ids=["small", "one", "many", "by blocks", "another type"],
)
@pytest.mark.parametrize("kind", ["tiny", "random_llama", "random_mamba"])
def test_as_llama_cpp_reserves_it(kind, sizes, reserved, request):
    import localsmc_models

    path = localsmc_models.path("tiny") if kind == "tiny" else request.getfixturevalue(kind)
    found = estimate.estimate(
        reader.read_header(path),
        n_cells=sizes["n_ctx"],
        n_sequences=sizes["n_seq_max"],
        n_ubatch=sizes.get("n_ubatch", 512),
        type_k=sizes.get("type_k", "f16"),
        flash=sizes["flash_attention"] == "on",
    )
    weights, cache, compute = reserved(path, **sizes)
    rounding = 0.02 * MIB  # the log has two decimals, and there are two numbers at most
    assert found.weights == pytest.approx(weights, abs=rounding)
    assert found.cache == pytest.approx(cache, abs=rounding)
    assert compute - rounding <= found.compute <= 1.1 * compute + rounding
    assert found.total == found.weights + found.cache + found.compute


# --- by the header alone ------------------------------------------------------------------------------


def header(*, tensors=(), **values):
    """A header of a model of 4 layers, 64 wide, with other `values` for some keys."""
    values = {"block_count": 4, "embedding_length": 64, "attention.head_count": 4} | values
    metadata = {f"test.{key}": value for key, value in values.items()} | {
        "general.architecture": "test",
        "tokenizer.ggml.tokens": ArrayInfo("string", N_VOCAB),
    }
    found = tuple(TensorInfo(name, (n_bytes,), "I8", 0, n_bytes) for name, n_bytes in tensors)
    return Header(path=Path("x.gguf"), parts=(), size=0, version=3, metadata=metadata, tensors=found)


def counts(*values):
    return ArrayInfo("int32", len(values), values)


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        ({}, [128, 128, 128, 128]),
        ({"attention.head_count_kv": 2}, [64, 64, 64, 64]),
        ({"attention.key_length": 32, "attention.value_length": 8}, [160, 160, 160, 160]),
        # Attention in some layers only; transposed values are as wide as the widest layer's.
        ({"attention.head_count_kv": counts(0, 2, 0, 4)}, [0, 2 * 16 + 64, 0, 128]),
        ({"full_attention_interval": 2}, [0, 128, 0, 128]),
        ({"attention.head_count_kv": 1, "attention.key_length_mla": 24}, [16, 16, 16, 16]),
        ({"attention.head_count": counts(2, 4, 4, 4), "attention.head_count_kv": 2}, [64, 64, 64, 64]),
    ],
    ids=["plain", "shared heads", "widths", "some layers", "every other", "compressed", "by layer"],
)
def test_elements_of_a_cell(values, elements):
    assert [layer.keys + layer.values for layer in estimate.layers(header(**values))] == elements
    assert estimate.bytes_per_cell(header(**values), "f16", "f16") == 2 * sum(elements)


def test_types_of_a_cell():
    assert estimate.bytes_per_cell(header(), "q8_0", "f32") == 4 * 64 * (34 / 32 + 4)


MAMBA = {"ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 16, "ssm.group_count": 1}


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ({}, [0, 0, 0, 0]),
        (MAMBA, [4 * (3 * (128 + 32) + 16 * 128)] * 4),
        (MAMBA | {"full_attention_interval": 2}, [4 * (3 * (128 + 32) + 16 * 128), 0] * 2),
        ({"wkv.head_size": 8}, [4 * 64 * 10] * 4),
        ({"shortconv.l_cache": 3}, [4 * 64 * 2] * 4),
    ],
    ids=["none", "mamba", "hybrid", "rwkv", "convolution"],
)
def test_states_of_a_sequence(values, states):
    head = header(**values)
    assert [layer.state for layer in estimate.layers(head)] == states
    one, nine = (estimate.estimate(head, n_cells=256, n_sequences=n).cache for n in (1, 9))
    assert nine - one == 8 * sum(states)


def test_weights_of_layers():
    tensors = [("blk.0.a", 1), ("blk.3.a", 10), ("blk.0.b", 100), ("output", 1000), ("blk.9.a", 10_000)]
    head = header(tensors=tensors)
    assert [layer.weights for layer in estimate.layers(head)] == [101, 0, 0, 10]
    assert estimate.estimate(head, n_cells=1).weights == 11_111


def test_logits_of_every_sequence_and_cells_in_full_pages():
    few, many = (estimate.estimate(header(), n_cells=300, n_sequences=n) for n in (1, 201))
    assert many.compute - few.compute == 200 * N_VOCAB * 4
    assert few.cache == 512 * estimate.bytes_per_cell(header(), "f16", "f16")


def test_experts_that_a_token_uses():
    used = {"expert_used_count": 8, "expert_feed_forward_length": 10_000}
    dense, sparse = (estimate.estimate(header(**values), n_cells=256).compute for values in ({}, used))
    assert sparse - dense > 256 * 4 * 80_000


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
@pytest.mark.parametrize(
    "key",
    ["block_count", "embedding_length", "attention.head_count", "attention.head_count_kv"]
    + ["attention.key_length", "feed_forward_length", "full_attention_interval", "ssm.state_size"],
)
def test_nonsense_is_some_number(key, value):
    found = estimate.estimate(header(**{key: value}), n_cells=512, n_sequences=4)
    assert min(found.weights, found.cache, found.compute) >= 0


def test_arrays_of_few_whole_numbers_are_read(tmp_path):
    path = tmp_path / "arrays.gguf"
    writer = writing.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.add_array("test.few", [3, -1, 0])
    writer.add_array("test.flags", [True, False])
    writer.add_array("test.many", list(range(2000)))
    writer.add_array("test.fractions", [0.5, 1.5])
    writer.add_tensor("output.weight", np.zeros(4, dtype=np.float32))
    for write in ("write_header_to_file", "write_kv_data_to_file", "write_tensors_to_file", "close"):
        getattr(writer, write)()
    found = reader.read_header(path).metadata
    assert found["test.few"].values == (3, -1, 0)
    assert found["test.flags"].values == (1, 0)
    assert found["test.many"].values == found["test.fractions"].values == ()
    assert found["test.many"].length == 2000
