"""Models with random weights: names, shapes, types, GGUF files and the cache."""

from __future__ import annotations

import errno
import math
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from localsmc.bench import SHAPES, FileSpec, cached, parse
from localsmc.bench.synthetic import gguf_writer
from localsmc.bench.synthetic.file_spec import MIN_VOCAB
from localsmc.bench.synthetic.quant_mix import QUANTIZATIONS
from localsmc.bench.synthetic.random_blocks import BLOCKS, block_bytes, block_size, random_blocks
from localsmc.errors import ConfigError, RunError
from localsmc.gguf.reader import read_header
from localsmc.gguf.tensor_types import TENSOR_TYPES
from localsmc.llama import ContextOptions, LlamaModel, LoadOptions, open_context
from localsmc.llama.quantize import Quantization, quantize

# --- as it is written -----------------------------------------------------------------------------

WRITTEN = {
    "test": FileSpec("test", "Q4_0"),
    "test:q4_k_m": FileSpec("test", "Q4_K_M"),
    "Qwen2.5-7B:Q5_K_M": FileSpec("qwen2.5-7b", "Q5_K_M"),
    "test:Q8_0:vocab=65536": FileSpec("test", "Q8_0", 65_536),
    "test:vocab=300": FileSpec("test", "Q4_0", 300),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_specs_are_read(text):
    spec = parse(text)
    assert spec == WRITTEN[text]
    assert parse(str(spec)) == spec


def test_a_vocabulary_of_ones_own_changes_nothing_else():
    assert parse("test:vocab=300").shape == replace(SHAPES["test"], n_vocab=300)
    assert parse("test").shape is SHAPES["test"]


BAD = {
    "qwen2.5-7": ("no shape is called `qwen2.5-7`", "did you mean `qwen2.5-7b`?"),
    "": ("no shape", "choose from: qwen2.5-0.5b,"),
    "test:Q4_K": ("called `Q4_K`", "did you mean `Q4_K_M`?"),
    "test:": ("called ``", "choose from: Q4_0,"),
    "test:Q4_0:vocab=257": ("a vocabulary of 257 tokens", "use 258 to"),
    "test:vocab=1048577": ("a vocabulary of 1,048,577 tokens", "to 1,048,576"),
    "test:vocab=-5": ("a vocabulary of -5 tokens", "use 258 to"),
    "test:vocab=many": ("`vocab=many` is not a number", "SHAPE[:QUANT][:vocab=N]"),
    "test:Q4_0:Q8_0": ("is not a valid synthetic model", "SHAPE[:QUANT][:vocab=N]"),
    "test:vocab=300:Q4_0": ("is not a valid synthetic model", "SHAPE[:QUANT][:vocab=N]"),
}


@pytest.mark.parametrize("text", BAD)
def test_bad_specs_are_refused(text):
    with pytest.raises(ConfigError) as refused:
        parse(text)
    message, hint = BAD[text]
    assert message in str(refused.value)
    assert hint in refused.value.hint


# --- shapes and blocks ----------------------------------------------------------------------------

# What the safetensors of each add up to.
PARAMETERS = {
    "qwen2.5-0.5b": 494_032_768,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen2.5-3b": 3_085_938_688,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-14b": 14_770_033_664,
    "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824,
    "llama-3-8b": 8_030_261_248,
}


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith("test")])
def test_the_shapes_are_the_real_ones(name):
    own = gguf_writer.tensors(FileSpec(name))
    assert sum(tensor.n_out * tensor.n_in for tensor in own) == PARAMETERS[name]


@pytest.mark.parametrize("type_", [*BLOCKS, "F16"])
def test_blocks_are_what_ggml_reads(type_):
    assert (type_, block_size(type_), block_bytes(type_)) in TENSOR_TYPES.values()
    rms = 1 / math.sqrt(3584)
    data = random_blocks(type_, 2**20 // block_size(type_), rms, np.random.default_rng(3))
    values = gguf.dequantize(data.reshape(1, -1), gguf.GGMLQuantizationType[type_]).ravel()
    assert values.size == 2**20
    # 2^20 values, whose means over blocks have a random sign: five standard errors are below a hundredth.
    assert abs(values.mean(dtype=float)) < 0.01 * rms
    assert np.sqrt(np.mean(values.astype(float) ** 2)) == pytest.approx(rms, rel=0.01)
    # All levels, and within a block neither the first half nor the second is favoured.
    steps = 256 if type_ == "F16" else 2 ** BLOCKS[type_].bits
    assert len(np.unique(values.round(7))) >= steps
    halves = np.square(values.reshape(-1, 2, max(block_size(type_) // 2, 1))).mean(axis=(0, 2))
    assert halves == pytest.approx(rms**2, rel=0.02)


# --- types ----------------------------------------------------------------------------------------

QUANTIZED = [name for name in QUANTIZATIONS if name != "F16"]
MIXED = [
    # architecture, tied, layers and width, of which the last two decide with what the types are.
    ("qwen2", True, 2, 64),
    ("qwen2", True, 10, 256),
    ("llama", False, 10, 256),
]


def other_test_shape(monkeypatch, architecture, is_tied, n_layer, width):
    """A name for a small shape of any kind."""
    shape = replace(
        SHAPES["test-256"],
        architecture=architecture,
        is_tied=is_tied,
        n_layer=n_layer,
        n_embd=width,
        n_ff=width,
        n_vocab=MIN_VOCAB,
    )
    monkeypatch.setitem(SHAPES, "other", shape)
    return "other"


@pytest.mark.parametrize("kind", MIXED, ids=str)
def test_types_are_what_llama_quantize_chooses(kind, tmp_path, monkeypatch):
    name = other_test_shape(monkeypatch, *kind)
    gguf_writer.write(tmp_path / "F16.gguf", FileSpec(name, "F16"))
    source = read_header(tmp_path / "F16.gguf")
    for quantization in QUANTIZED:
        options = Quantization(type=quantization, n_threads=1)
        theirs = quantize(source, tmp_path / f"{quantization}.gguf", options).header
        gguf_writer.write(tmp_path / "ours.gguf", FileSpec(name, quantization))
        ours = read_header(tmp_path / "ours.gguf")
        assert ours.file_type == theirs.file_type == quantization
        assert {t.name: (t.type, t.shape) for t in ours.tensors} == {
            t.name: (t.type, t.shape) for t in theirs.tensors
        }


# --- the file -------------------------------------------------------------------------------------


def logits(path):
    """(tokens, V) behind every byte of a text, which must come back from its tokens."""
    text = "3 pens, ½ kg\n"
    with LlamaModel(path, LoadOptions(cpu_only=True)) as model:
        assert list(np.flatnonzero(model.is_eog)) == [257]
        tokens = model.tokenize(text, special=False)
        assert model.text(tokens) == text.encode()
        context = open_context(model, ContextOptions(n_ctx=256, n_seq_max=1, n_threads=1))
        places = np.arange(len(tokens))
        return context.decode(tokens.astype(np.int64), places, np.zeros_like(places)).copy()


@pytest.mark.parametrize("name", ["test", "test-256"])
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_every_quantization_decodes(name, quantization, tmp_path):
    spec, told = FileSpec(name, quantization), []
    gguf_writer.write(tmp_path / "m.gguf", spec, progress=lambda *numbers: told.append(numbers))
    found = logits(tmp_path / "m.gguf")
    assert found.shape[1] == 512
    assert np.isfinite(found).all()
    assert 0.7 < found.std() < 1.4
    written = [bytes_ for bytes_, _ in told]
    assert written == sorted(written)
    assert {in_all for _, in_all in told} == {written[-1]}
    size = (tmp_path / "m.gguf").stat().st_size
    assert written[-1] < size < gguf_writer.file_bytes(spec) + 8192


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("is_tied", [True, False])
def test_architectures_decode_with_one_matrix_or_two(architecture, is_tied, tmp_path, monkeypatch):
    spec = FileSpec(other_test_shape(monkeypatch, architecture, is_tied, 2, 256), "Q4_K_M")
    gguf_writer.write(tmp_path / "m.gguf", spec)
    assert 0.7 < logits(tmp_path / "m.gguf").std() < 1.4
    header = read_header(tmp_path / "m.gguf")
    names = {tensor.name for tensor in header.tensors}
    assert header.architecture == architecture
    assert ("output.weight" in names) == (not is_tied)
    assert ("blk.0.attn_q.bias" in names) == (architecture == "qwen2")


@pytest.mark.parametrize("n_vocab", [MIN_VOCAB, 3000])
def test_vocabularies_of_any_size(n_vocab, tmp_path):
    gguf_writer.write(tmp_path / "m.gguf", parse(f"test:vocab={n_vocab}"))
    assert logits(tmp_path / "m.gguf").shape[1] == n_vocab


def test_the_header_has_the_published_constants(tmp_path, monkeypatch):
    shape = replace(SHAPES["llama-3-8b"], n_layer=1, n_embd=64, n_head=2, n_head_kv=1, n_ff=64, n_vocab=300)
    monkeypatch.setitem(SHAPES, "other", shape)
    gguf_writer.write(tmp_path / "m.gguf", FileSpec("other"))
    metadata = read_header(tmp_path / "m.gguf").metadata
    assert metadata["llama.context_length"] == 8192
    assert metadata["llama.rope.freq_base"] == 5e5
    assert metadata["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)


def test_the_seed_decides_and_slices_do_not_show(tmp_path, monkeypatch):
    for name, seed in ("some", 1), ("same", 1), ("other", 2):
        gguf_writer.write(tmp_path / name, FileSpec("test"), seed=seed)
    some, same, other = ((tmp_path / name).read_bytes() for name in ("some", "same", "other"))
    assert some == same != other
    monkeypatch.setattr(gguf_writer, "_SLICE", 3 * 256)  # 24 blocks at once, and a rest
    gguf_writer.write(tmp_path / "sliced", FileSpec("test"))
    assert len((tmp_path / "sliced").read_bytes()) == len(some)
    assert 0.7 < logits(tmp_path / "sliced").std() < 1.4


# --- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "synthetic"


def test_files_are_written_once(folder):
    spec, told = FileSpec("test"), []
    path = cached(spec, progress=lambda *numbers: told.append(numbers))
    stamp, n_told = path.stat().st_mtime_ns, len(told)
    assert cached(spec, progress=lambda *numbers: told.append(numbers)) == path
    assert (path.stat().st_mtime_ns, len(told)) == (stamp, n_told)
    assert list(folder.iterdir()) == [path]
    assert cached(parse("test:vocab=512")) == path
    assert len({path, cached(parse("test:vocab=513")), cached(parse("test:q8_0")), cached(spec, seed=2)}) == 4


def no_room(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def ctrl_c(*_):
    raise KeyboardInterrupt


def nobody_reads(*_):
    raise BrokenPipeError


@pytest.mark.parametrize(
    ("failure", "error"),
    [(no_room, RunError), (ctrl_c, KeyboardInterrupt), (nobody_reads, BrokenPipeError)],
)
def test_a_failure_leaves_nothing(failure, error, folder):
    with pytest.raises(error) as failed:
        cached(FileSpec("test"), progress=failure)
    assert list(folder.iterdir()) == []
    if error is RunError:
        assert str(failed.value).endswith("cannot be written: No space left on device")
        assert "LOCALSMC_CACHE" in failed.value.hint
        assert failed.value.exit_code == 7


def test_a_disk_that_is_too_small_is_seen_before(folder, monkeypatch):
    usage = namedtuple("usage", "free")(10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RunError, match=r"needs 4\.68 GB, but only 1\.00 GB are free") as failed:
        cached(parse("qwen2.5-7b:Q4_K_M"))
    assert "LOCALSMC_CACHE" in failed.value.hint
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match="cannot be written") as failed:
        cached(FileSpec("test"))
    assert "LOCALSMC_CACHE" in failed.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_noticed_at_the_end_too():
    """What fits into the buffer is written as the file is closed."""
    with pytest.raises(OSError, match="No space left"):
        gguf_writer.write(Path("/dev/full"), FileSpec("test"))
