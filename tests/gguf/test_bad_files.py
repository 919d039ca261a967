"""Bad model files: `read_header` rejects them with a reason, and a trial load never kills this process.

The mutations start from a two-layer model with random weights, written here by the `gguf` package.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from localsmc.errors import ModelError, ModelLoadFailed, ModelNotFound
from localsmc.gguf.header import ArrayInfo
from localsmc.gguf.reader import read_header
from localsmc.lm.cache_layout import CacheLayout
from localsmc.store import trial_load as probing
from localsmc.store.trial_load import ProbeResult, ensure_loadable, probe

SEED = 20_240_817
N_EMBD, N_FF, N_LAYER, N_VOCAB = 64, 128, 2, 300
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"

Fields = dict[str, tuple[str, object]]
Tensors = dict[str, np.ndarray]


# The model


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in a GPT-2 vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


def tiny_fields() -> Fields:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    merges = [f"{a} {b}" for a in "eothi" for b in "abcdefgh"] + ["i n"]
    tokens = [*byte_letters(), *(merge.replace(" ", "") for merge in merges), *special]
    return {
        "general.name": ("string", "a test"),
        "general.file_type": ("uint32", 0),
        "llama.context_length": ("uint32", 512),
        "llama.embedding_length": ("uint32", N_EMBD),
        "llama.block_count": ("uint32", N_LAYER),
        "llama.feed_forward_length": ("uint32", N_FF),
        "llama.attention.head_count": ("uint32", 4),
        "llama.attention.head_count_kv": ("uint32", 2),
        "llama.attention.layer_norm_rms_epsilon": ("float32", 1e-5),
        "llama.rope.dimension_count": ("uint32", 16),
        "llama.rope.freq_base": ("float32", 10000.0),
        "llama.vocab_size": ("uint32", N_VOCAB),
        "tokenizer.ggml.model": ("string", "gpt2"),
        "tokenizer.ggml.pre": ("string", "qwen2"),
        "tokenizer.ggml.tokens": ("array", tokens),
        "tokenizer.ggml.token_type": ("array", [1] * (N_VOCAB - 3) + [3] * 3),
        "tokenizer.ggml.merges": ("array", merges),
        "tokenizer.ggml.bos_token_id": ("uint32", N_VOCAB - 3),
        "tokenizer.ggml.eos_token_id": ("uint32", N_VOCAB - 1),
        "tokenizer.ggml.add_bos_token": ("bool", False),
        "tokenizer.chat_template": ("string", TEMPLATE),
    }


def tiny_tensors() -> Tensors:
    rng = np.random.default_rng(SEED)

    def weight(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / 8).astype(np.float32)

    tensors = {"token_embd.weight": weight(N_VOCAB, N_EMBD), "output_norm.weight": weight(N_EMBD)}
    for i in range(N_LAYER):
        shapes = {
            "attn_norm": (N_EMBD,),
            "attn_q": (N_EMBD, N_EMBD),
            "attn_k": (N_EMBD // 2, N_EMBD),
            "attn_v": (N_EMBD // 2, N_EMBD),
            "attn_output": (N_EMBD, N_EMBD),
            "ffn_norm": (N_EMBD,),
            "ffn_gate": (N_FF, N_EMBD),
            "ffn_up": (N_FF, N_EMBD),
            "ffn_down": (N_EMBD, N_FF),
        }
        tensors |= {f"blk.{i}.{name}.weight": weight(*shape) for name, shape in shapes.items()}
    return tensors | {"output.weight": weight(N_VOCAB, N_EMBD)}


def write_model(path: Path, fields: Fields, tensors: Tensors, architecture: str = "llama") -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    for key, (kind, value) in fields.items():
        getattr(writer, f"add_{kind}")(key, value)
    for name, array in tensors.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf", tiny_fields(), tiny_tensors())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "probed.json"


Spans = dict[str, tuple[int, int]]


def find_spans(path: Path) -> Spans:
    """Where each field of the header lies: "key:<part>" and "tensor:<part>" -> (offset, length)."""
    reader = gguf.GGUFReader(path)
    spans: Spans = {"version": (4, 4), "n_tensors": (8, 8), "n_keys": (16, 8)}
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            parts = ["length", "key", "type"] + (
                ["items", "n", "first"] if len(field.types) > 1 else ["value"]
            )
            if field.types == [gguf.GGUFValueType.STRING]:
                parts[3:] = ["n", "value"]
            spans |= lay_out(key, field, parts)
    for tensor in reader.tensors:
        parts = ["length", "name", "n_dims", "dims", "type", "offset"]
        spans |= lay_out(tensor.name, tensor.field, parts)
    spans["data"] = (int(reader.data_offset), path.stat().st_size - int(reader.data_offset))
    return spans


def lay_out(label: str, field: gguf.ReaderField, names: list[str]) -> Spans:
    offset, spans = field.offset, {}
    for name, part in zip(names, field.parts, strict=False):
        spans[f"{label}:{name}"] = (offset, part.nbytes)
        offset += part.nbytes
    return spans


@pytest.fixture(scope="session")
def spans(tiny: Path) -> Spans:
    return find_spans(tiny)


def patched(data: bytes, offset: int, piece: bytes) -> bytes:
    return data[:offset] + piece + data[offset + len(piece) :]


def number(value: int, width: int) -> bytes:
    return (value % (1 << 8 * width)).to_bytes(width, "little")


# Good files


def test_header_of_a_good_file(tiny: Path) -> None:
    header = read_header(tiny)
    assert (header.architecture, header.name, header.file_type) == ("llama", "a test", "F32")
    assert header.n_params == sum(array.size for array in tiny_tensors().values())
    assert header.metadata["tokenizer.chat_template"] == TEMPLATE
    assert header.metadata["tokenizer.ggml.tokens"] == ArrayInfo("string", N_VOCAB)
    assert header.metadata["tokenizer.ggml.token_type"] == ArrayInfo("int32", N_VOCAB)
    assert header.metadata["tokenizer.ggml.add_bos_token"] is False
    assert (header.size, header.parts, header.version) == (tiny.stat().st_size, (tiny,), 3)


def test_tensor_table_agrees_with_the_reference_reader(tiny: Path) -> None:
    reader = gguf.GGUFReader(tiny)
    expected = [
        (t.name, tuple(t.shape.tolist()), t.tensor_type.name, t.data_offset - reader.data_offset, t.n_bytes)
        for t in reader.tensors
    ]
    assert [(t.name, t.shape, t.type, t.offset, t.n_bytes) for t in read_header(tiny).tensors] == expected


# The `gguf` package gives Q8_1, which is never in a file, 40 bytes; ggml_type_size says 36.
STORED = [kind for kind in gguf.GGMLQuantizationType if kind.name != "Q8_1"]


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.name)
def test_block_sizes_agree_with_the_reference(kind: gguf.GGMLQuantizationType, tmp_path: Path) -> None:
    n_block, n_bytes = gguf.GGML_QUANT_SIZES[kind]
    rows = np.zeros((2, 3 * n_bytes), np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "one.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a"])
    writer.add_tensor("x", rows, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensor = read_header(tmp_path / "one.gguf").tensors[0]
    assert (tensor.type, tensor.shape, tensor.n_bytes) == (kind.name, (3 * n_block, 2), 6 * n_bytes)


@pytest.mark.parametrize("kind", list(gguf.LlamaFileType), ids=lambda kind: kind.name)
def test_file_types_agree_with_the_reference(kind: gguf.LlamaFileType, tmp_path: Path) -> None:
    fields = tiny_fields() | {"general.file_type": ("uint32", int(kind))}
    header = read_header(write_model(tmp_path / "m.gguf", fields, {"x": np.zeros(1, np.float32)}))
    known = {"ALL_F32": "F32", "MOSTLY_MXFP4_MOE": "MXFP4", "GUESSED": "F32"}
    assert header.file_type == known.get(kind.name, kind.name.removeprefix("MOSTLY_"))


def test_name_and_file_type_may_be_absent(tmp_path: Path) -> None:
    fields = tiny_fields()
    del fields["general.name"], fields["general.file_type"]
    header = read_header(write_model(tmp_path / "some-model.gguf", fields, {"x": np.zeros(1, np.float32)}))
    assert (header.name, header.file_type) == ("some-model", "unknown")


def test_a_large_vocabulary_is_skipped_quickly(tmp_path: Path) -> None:
    tokens = [f"token-{i}" for i in range(152_000)]
    fields = tiny_fields() | {"tokenizer.ggml.tokens": ("array", tokens)}
    del fields["tokenizer.ggml.token_type"]
    path = write_model(tmp_path / "large.gguf", fields, {"x": np.zeros(1, np.float32)})
    start = os.times()
    assert read_header(path).metadata["tokenizer.ggml.tokens"] == ArrayInfo("string", 152_000)
    stop = os.times()
    assert stop.user + stop.system - start.user - start.system < 1.0  # 0.03 s when the machine is idle


# Bad files, by kind


def refusal(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_header(path)
    error = caught.value
    assert error.exit_code == 3
    assert error.hint
    assert not str(error).endswith((".", "\n"))
    return error


FOREIGN = {
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git-LFS pointer", "git lfs pull"),
    "zip": (b"PK\x03\x04" + bytes(60), "PyTorch", "convert"),
    "pickle": (b"\x80\x02\x8a\x0al\xfc" + bytes(60), "pickle", "convert"),
    "gzip": (b"\x1f\x8b\x08" + bytes(60), "gzip", "unpack"),
    "safetensors": (
        struct.pack("<Q", 40) + b'{"__metadata__":{"format":"pt"}}' + bytes(60),
        "safetensors",
        "convert",
    ),
    "html": (b"\n<!DOCTYPE html><html><body>Not found</body>", "web page", "link"),
    "xml": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "web page", "link"),
    "json": (b'{"weight_map": {"a": "model-00001.gguf"}}', "JSON", "GGUF file"),
    "old": (b"tjgg\x03\x00\x00\x00" + bytes(60), "before GGUF", "convert"),
    "swapped": (b"FUGG" + bytes(60), "byte-swapped", "little-endian"),
    "zeros": (bytes(4096), "zeros", "download"),
    "short": (b"GG", "cut after a few bytes", "download"),
    "text": (b"This is a file about models, not one of them.", "some other kind of file", "language model"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_named(kind: str, tmp_path: Path) -> None:
    content, what, hint = FOREIGN[kind]
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    error = refusal(path)
    assert isinstance(error, ModelLoadFailed)
    assert str(path) in str(error)
    assert "is not a GGUF file" in str(error)
    assert what in str(error)
    assert hint in (error.hint or "")


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path / "no" / "folder.gguf"):
        error = refusal(path)
        assert isinstance(error, ModelNotFound)
        assert str(error) == f"`{path}` does not exist"


def test_a_path_through_a_file(tiny: Path) -> None:
    assert isinstance(refusal(tiny / "x.gguf"), ModelNotFound)


def test_a_path_that_cannot_exist() -> None:
    assert isinstance(refusal(Path("a\0b")), ModelNotFound)
    assert "cannot be read" in str(refusal(Path("x" * 5000)))


def test_a_directory_names_the_model_inside(tmp_path: Path) -> None:
    assert refusal(tmp_path).hint == "give the GGUF file itself"
    (tmp_path / "a.gguf").touch()
    error = refusal(tmp_path)
    assert str(error) == f"`{tmp_path}` is a directory, not a GGUF file"
    assert str(tmp_path / "a.gguf") in (error.hint or "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in str(refusal(tmp_path / "pipe"))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.gguf"
    path.write_bytes(tiny.read_bytes())
    path.chmod(0)
    error = refusal(path)
    assert "cannot be read" in str(error)
    assert "permissions" in (error.hint or "")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    error = refusal(tmp_path / "empty.gguf")
    assert "is empty" in str(error)
    assert "download" in (error.hint or "")


# A field of the header, the number written there, a piece of the message.
EDITS = [
    ("version", 0, "version 0; this release supports 2 and 3"),
    ("version", 1, "version 1, which llama.cpp no longer reads"),
    ("version", 4, "version 4; this release supports 2 and 3"),
    ("version", 3 << 24, "big-endian"),
    ("n_tensors", -1, "18,446,744,073,709,551,615 tensors"),
    ("n_tensors", 1000, "is damaged"),
    ("n_keys", -1, "metadata keys"),
    ("n_keys", 1 << 18, "is damaged"),
    ("general.name:length", 1 << 40, "bytes in a metadata key"),
    ("general.name:length", 0, "a metadata key is ''"),
    ("general.name:key", -1, "a metadata key is"),
    ("general.name:type", 13, "the value of 'general.name' has the unknown type 13"),
    ("general.name:n", 1 << 33, "bytes in the value of 'general.name'"),
    ("general.name:n", 1 << 23, "its metadata runs past the end"),
    ("tokenizer.ggml.tokens:n", 1 << 40, "strings in 'tokenizer.ggml.tokens'"),
    ("tokenizer.ggml.tokens:n", 1 << 20, "its metadata runs past the end"),
    ("tokenizer.ggml.tokens:items", 9, "elements of the unknown type 9"),
    ("tokenizer.ggml.token_type:n", 1 << 62, "its metadata runs past the end"),
    ("llama.context_length:value", 0, "llama.context_length is 0"),
    ("llama.context_length:value", -1, "llama.context_length is 4294967295"),
    ("tokenizer.ggml.merges:n", 1 << 24, "its metadata runs past the end"),
    ("token_embd.weight:length", 64, "64 bytes in a tensor's name"),
    ("token_embd.weight:n_dims", 5, "has 5 dimensions"),
    ("token_embd.weight:dims", 1 << 63, "has the shape"),
    ("token_embd.weight:dims", 1 << 40, "overlap"),
    ("token_embd.weight:type", 4, "of the unknown type 4"),
    ("token_embd.weight:type", 99, "of the unknown type 99"),
    ("token_embd.weight:type", 12, "of type Q4_K has rows of 64"),
    ("output_norm.weight:offset", 1, "does not start at a multiple of 32"),
    ("output_norm.weight:offset", 32, "overlap"),
    ("output.weight:offset", 1 << 40, "is truncated: its tensors end at byte"),
]


@pytest.mark.parametrize(("field", "value", "message"), EDITS)
def test_a_wrong_number(
    field: str, value: int, message: str, tiny: Path, spans: Spans, tmp_path: Path
) -> None:
    offset, width = spans[field]
    path = tmp_path / "bad.gguf"
    path.write_bytes(patched(tiny.read_bytes(), offset, number(value, min(width, 8))))
    error = refusal(path)
    assert isinstance(error, ModelLoadFailed)
    assert str(path) in str(error)
    assert message in str(error)


def without(*keys: str) -> Fields:
    return {key: value for key, value in tiny_fields().items() if key not in keys}


# What is written instead of the tiny model's fields, and a piece of the message.
METADATA = {
    "no tokens": (without("tokenizer.ggml.tokens"), "has no tokenizer"),
    "no tokenizer": (without("tokenizer.ggml.model"), "has no tokenizer"),
    "tokens are numbers": (
        tiny_fields() | {"tokenizer.ggml.tokens": ("array", [1, 2])},
        "tokenizer.ggml.tokens is not a list of strings",
    ),
    "few types": (
        tiny_fields() | {"tokenizer.ggml.token_type": ("array", [1] * 9)},
        "tokenizer.ggml.token_type does not match the 300 tokens",
    ),
    "few scores": (
        tiny_fields() | {"tokenizer.ggml.scores": ("array", [0.5])},
        "tokenizer.ggml.scores does not match the 300 tokens",
    ),
    "alignment": (
        tiny_fields() | {"general.alignment": ("uint64", 24)},
        "general.alignment is 24, not a power of two",
    ),
    "adapter": (tiny_fields() | {"general.type": ("string", "adapter")}, "is a LoRA adapter"),
    "imatrix": (tiny_fields() | {"general.type": ("string", "imatrix")}, "is an importance matrix"),
    "split": (tiny_fields() | {"split.count": ("uint16", 3)}, "its name has no part number"),
    "split count": (tiny_fields() | {"split.count": ("string", "x")}, "split.count is 'x'"),
}


@pytest.mark.parametrize("kind", METADATA)
def test_wrong_metadata(kind: str, tmp_path: Path) -> None:
    fields, message = METADATA[kind]
    assert message in str(refusal(write_model(tmp_path / "bad.gguf", fields, tiny_tensors())))


def test_a_projector_is_not_a_model(tmp_path: Path) -> None:
    path = write_model(tmp_path / "mmproj.gguf", tiny_fields(), tiny_tensors(), architecture="clip")
    assert "projector (mmproj), not a language model" in str(refusal(path))


def test_files_without_weights(tmp_path: Path) -> None:
    vocabulary = write_model(tmp_path / "vocab.gguf", tiny_fields(), {})
    assert str(refusal(vocabulary)) == f"`{vocabulary}` contains a vocabulary but no weights"
    bare = write_model(tmp_path / "bare.gguf", {}, {})
    assert str(refusal(bare)) == f"`{bare}` contains no tensors"


def test_no_architecture(tiny: Path, spans: Spans, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(patched(tiny.read_bytes(), spans["general.architecture:key"][0], b"G"))
    assert "does not name its architecture" in str(refusal(path))


def test_names_that_appear_twice(tiny: Path, spans: Spans, tmp_path: Path) -> None:
    path, data = tmp_path / "bad.gguf", tiny.read_bytes()
    path.write_bytes(patched(data, spans["blk.1.attn_q.weight:name"][0], b"blk.0"))
    assert "two tensors have the same name" in str(refusal(path))
    key = spans["tokenizer.ggml.eos_token_id:key"][0]
    path.write_bytes(patched(data, key, b"tokenizer.ggml.bos"))
    assert "'tokenizer.ggml.bos_token_id' appears twice" in str(refusal(path))


def test_every_truncation_of_the_header_is_refused(tiny: Path, spans: Spans, tmp_path: Path) -> None:
    data, path = tiny.read_bytes(), tmp_path / "cut.gguf"
    for length in [*range(1, 200), *range(200, spans["data"][0], 61), len(data) - 1]:
        path.write_bytes(data[:length])
        assert refusal(path).hint


def split(folder: Path, count: int) -> list[Path]:
    """The tiny model in `count` parts; the first has the metadata only."""
    names, tensors = list(tiny_tensors()), tiny_tensors()
    paths = [folder / f"m-{i:05}-of-{count:05}.gguf" for i in range(1, count + 1)]
    for i, path in enumerate(paths):
        fields: Fields = tiny_fields() if i == 0 else {}
        fields |= {"split.no": ("uint16", i), "split.count": ("uint16", count)}
        fields["split.tensors.count"] = ("int32", len(names))
        mine = names[i - 1 :: count - 1] if i else []
        write_model(path, fields, {name: tensors[name] for name in mine})
    return paths


def test_a_split_model_is_read_whole(tiny: Path, tmp_path: Path) -> None:
    parts = split(tmp_path, 3)
    header = read_header(parts[0])
    assert header.parts == tuple(parts)
    assert header.size == sum(part.stat().st_size for part in parts)
    assert header.n_params == read_header(tiny).n_params


def test_split_models_with_something_wrong(tmp_path: Path) -> None:
    parts = split(tmp_path, 3)
    error = refusal(parts[1])
    assert "is not the first of its 3 parts" in str(error)
    assert str(parts[0]) in (error.hint or "")
    whole = parts[2].read_bytes()
    parts[2].write_bytes(whole[:-9])
    assert f"`{parts[2]}` is truncated" in str(refusal(parts[0]))
    parts[2].write_bytes(parts[1].read_bytes())
    assert "it should be part 3 of 3" in str(refusal(parts[0]))
    parts[2].unlink()
    error = refusal(parts[0])
    assert f"{parts[2].name} is missing" in str(error)
    assert "all parts" in (error.hint or "")


# The trial load


def test_a_split_model_loads_whole_and_through_links(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    links = split(tmp_path, 3)
    for i, link in enumerate(links):  # as the Hugging Face cache keeps files
        link.rename(tmp_path / "blobs" / str(i))
        link.symlink_to(tmp_path / "blobs" / str(i))
    assert read_header(links[0]).parts == tuple(links)
    assert probe(links[:1]) == [ProbeResult(links[0], "loaded")]


def test_a_good_file_is_remembered(
    tiny: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(tiny.read_bytes())
    ensure_loadable(path, read_header(path))
    assert list(json.loads(cache.read_text())) == [str(path.resolve())]

    def no_child(*_: object) -> list[ProbeResult]:
        raise AssertionError("a second trial")

    monkeypatch.setattr(probing, "probe", no_child)
    ensure_loadable(path, read_header(path))
    os.utime(path, ns=(1, 1))
    with pytest.raises(AssertionError, match="a second trial"):
        ensure_loadable(path, read_header(path))


def child_that(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the child's `probe_load` the given Python instead of llama.cpp."""
    fake = f"from localsmc.llama import trial_load_worker; exec({body!r}, trial_load_worker.__dict__)"
    monkeypatch.setattr(probing, "_SERVE", f"{fake}; {probing._SERVE}")


def loading(statement: str) -> str:
    """A `probe_load` that executes a statement for bad files, and loads any other."""
    head = "import os, sys, time\ndef probe_load(path, layouts, trying):\n    if 'bad' in path: "
    return f"{head}{statement}\n    return layouts[0]"


def test_the_file_that_kills_the_child_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that(
        loading("os.write(2, b'x.cpp:7: GGML_ASSERT(a == b) failed\\n(gdb)\\n'); os.abort()"), monkeypatch
    )
    paths = [tmp_path / name for name in ("a", "bad-1", "b", "bad-2", "c")]
    results = probe(paths)
    assert [result.outcome for result in results] == ["loaded", "died", "loaded", "died", "loaded"]
    with pytest.raises(
        ModelLoadFailed, match=r"aborted while loading `.*bad-1`: GGML_ASSERT\(a == b\) failed \(SIGABRT\)"
    ) as caught:
        results[1].check()
    assert "SHA-256" in (caught.value.hint or "")
    results[0].check()


def test_a_child_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that(loading("time.sleep(60)"), monkeypatch)
    results = probe([tmp_path / "bad", tmp_path / "a"], seconds=0.5)
    assert [result.outcome for result in results] == ["late", "loaded"]
    assert "did not finish loading" in results[0].message


def test_what_a_library_prints_is_no_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that(loading("os.write(1, b'{}\\n'); print('noise')"), monkeypatch)
    assert [result.outcome for result in probe([tmp_path / "bad", tmp_path / "a"])] == ["loaded", "loaded"]


def test_what_a_file_says_cannot_reach_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "from localsmc.errors import PromptError\ndef probe_load(*_):\n    raise PromptError('\\x1b[2J')"
    child_that(body, monkeypatch)
    with pytest.raises(ModelLoadFailed, match=r"^\ufffd\[2J$"):
        probe([tmp_path / "a"])[0].check()


def test_a_binding_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that("raise ImportError('libllama.so is missing')", monkeypatch)
    result = probe([tmp_path / "a"])[0]
    assert "cannot start llama.cpp" in result.message
    assert "ImportError" in result.message
    assert "reinstall" in result.hint


# Several sequences: the child has one test double, `supports(model, layout)`; the rest is llama.cpp.

ABORT = "os.write(2, b'm.cpp:7: GGML_ASSERT(n_ps == 1) failed\\n'); os.abort()"
TRIALS = {
    "all right": ("return True", CacheLayout.UNIFIED, 1),
    "wrong logits in a batch": ("return not layout.mixes_sequences", CacheLayout.UNIFIED_APART, 1),
    "abort in a unified cache": (f"{ABORT} if 'unified' in layout else 0", CacheLayout.STREAMS, 3),
    "abort in a unified cache, wrong logits in a batch": (
        f"{ABORT} if 'unified' in layout else 0; return not layout.mixes_sequences",
        CacheLayout.STREAMS_APART,
        3,
    ),
    "abort with several sequences": (f"{ABORT} if layout != 'one sequence' else 0", CacheLayout.SINGLE, 5),
    "wrong logits with several sequences": ("return layout == 'one sequence'", CacheLayout.SINGLE, 1),
}
"""A double, the layout that is found, and the children that were started."""


def trial_that(statement: str) -> str:
    """A `supports` that executes a statement, and returns True."""
    head = "import os\nfrom localsmc.llama import sequence_trial\ndef double(model, layout):"
    return f"{head}\n    {statement}\n    return True\nsequence_trial.supports = double"


@pytest.mark.parametrize("name", TRIALS)
def test_the_layout_of_the_cache_is_the_first_that_works(
    name: str, tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement, layout, n_children = TRIALS[name]
    started = []
    start = probing.ChildProcess.__init__

    def counting(self: Any, *arguments: Any) -> None:
        started.append(arguments)
        start(self, *arguments)

    monkeypatch.setattr(probing.ChildProcess, "__init__", counting)
    child_that(trial_that(statement), monkeypatch)
    header = read_header(tiny)
    assert ensure_loadable(tiny, header) is layout
    assert len(started) == n_children
    assert ensure_loadable(tiny, header) is layout  # remembered
    assert len(started) == n_children


def test_a_child_that_dies_in_every_layout_is_no_success(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_that(trial_that(ABORT), monkeypatch)
    with pytest.raises(ModelLoadFailed, match=r"GGML_ASSERT\(n_ps == 1\) failed \(SIGABRT\)"):
        ensure_loadable(tiny, read_header(tiny))
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff{", b'{"a'])
def test_a_broken_cache_is_no_error(
    content: bytes, tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_that(loading("pass"), monkeypatch)
    cache.parent.mkdir()
    cache.write_bytes(content)
    ensure_loadable(tiny, read_header(tiny))
    assert list(json.loads(cache.read_text())) == [str(tiny.resolve())]


def test_a_cache_that_cannot_be_written_is_no_error(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_that(loading("pass"), monkeypatch)
    monkeypatch.setenv("LOCALSMC_CACHE", str(tiny / "not-a-folder"))
    ensure_loadable(tiny, read_header(tiny))


def test_failures_are_not_remembered(
    tmp_path: Path, tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(tiny.read_bytes())
    child_that(loading("os._exit(3)"), monkeypatch)
    for _ in range(2):
        with pytest.raises(ModelLoadFailed, match=r"left no message \(exit code 3\)"):
            ensure_loadable(path, read_header(path))
    assert not cache.exists()


# Mutations

Mutation = tuple[str, bytes]


def flips(rng: np.random.Generator, data: bytes, start: int, length: int, n: int) -> Iterator[bytes]:
    """`n` copies with one to four bytes changed between `start` and `start + length`."""
    for _ in range(n):
        copy = bytearray(data)
        for offset in rng.integers(start, start + length, size=rng.integers(1, 5)):
            copy[offset] ^= int(rng.integers(1, 256))
        yield bytes(copy)


def header_flips(rng: np.random.Generator, data: bytes, spans: Spans) -> Iterator[Mutation]:
    table = spans["token_embd.weight:length"][0]
    vocabulary = spans["tokenizer.ggml.tokens:first"][0]
    regions = [(0, vocabulary, 40), (vocabulary, table - vocabulary, 20)]
    regions.append((table, spans["data"][0] - table, 25))
    for start, length, n in regions:
        for copy in flips(rng, data, start, length, n):
            yield f"flips from {start}", copy


def number_edits(rng: np.random.Generator, data: bytes, spans: Spans) -> Iterator[Mutation]:
    """Every hyper-parameter and special token set to zero, to something odd, to something huge."""
    for label, (offset, width) in spans.items():
        if label.endswith(":value") and width == 4 and "file_type" not in label:
            odd = int(rng.integers(3, 1000)) | 1
            for value in (0, odd, (1 << 31) - 1, -1):
                yield f"{label} = {value}", patched(data, offset, number(value, 4))


def table_edits(rng: np.random.Generator, data: bytes, spans: Spans) -> Iterator[Mutation]:
    """Counts, types, dimensions and offsets."""
    for label in ("n_tensors", "n_keys"):
        offset, width = spans[label]
        count = int.from_bytes(data[offset : offset + width], "little")
        for value in (0, 1, count - 1, count + 1, 1 << 31, -1):
            yield f"{label} = {value}", patched(data, offset, number(value, width))
    types = [offset for label, (offset, _) in spans.items() if label.endswith((":type", ":items"))]
    for offset in rng.choice(types, size=30, replace=False):
        yield "type", patched(data, int(offset), number(int(rng.integers(0, 14)), 4))
    places = [span for label, span in spans.items() if label.endswith((":dims", ":offset", ":n_dims"))]
    for i in rng.choice(len(places), size=30, replace=False):
        offset, width = places[i]
        old = int.from_bytes(data[offset : offset + min(width, 8)], "little")
        value = (0, old + 1, old * 2, old // 2, 1 << 40, -1)[int(rng.integers(6))]
        yield f"table {old} -> {value}", patched(data, offset, number(value, min(width, 8)))


def list_edits() -> Iterator[tuple[str, Fields]]:
    """Vocabularies whose lists, names or types do not fit together, and missing fields."""
    tokens = tiny_fields()["tokenizer.ggml.tokens"][1]
    merges = tiny_fields()["tokenizer.ggml.merges"][1]
    assert isinstance(tokens, list)
    assert isinstance(merges, list)
    edits: dict[str, tuple[str, object]] = {
        "tokens": ("array", tokens[:200]),
        "tokens ": ("array", [*tokens, "more"]),
        "tokens  ": ("array", [""] * N_VOCAB),
        "tokens   ": ("array", ["same"] * N_VOCAB),
        "token_type": ("array", [7] * N_VOCAB),
        "token_type ": ("array", [0] * N_VOCAB),
        "token_type  ": ("array", [6] * N_VOCAB),
        "token_type   ": ("array", [1.5] * N_VOCAB),
        "merges": ("array", merges[:3]),
        "merges ": ("array", ["", " ", "x", "no such", "a b c"]),
        "merges  ": ("array", [1, 2, 3]),
        "merges   ": ("string", "a b"),
        "bos_token_id": ("string", "299"),
        "eos_token_id": ("int64", -5),
        "scores": ("array", [float("nan")] * N_VOCAB),
        "pre": ("string", "no-such"),
        "pre ": ("uint32", 5),
        "add_bos_token": ("uint32", 5),
    }
    edits |= {
        f"model{' ' * i}": ("string", name)
        for i, name in enumerate(("llama", "bert", "t5", "rwkv", "none", "x"))
    }
    for key, value in edits.items():
        yield f"{key}: {value[0]}", tiny_fields() | {f"tokenizer.ggml.{key.strip()}": value}
    for key in tiny_fields():
        yield f"no {key}", without(key)


def odd_models(folder: Path) -> Iterator[Mutation]:
    """Files that a writer made whole, of the wrong content: other architectures, lists, tensors."""
    path = folder / "scratch.gguf"
    for label, fields in list_edits():
        yield label, write_model(path, fields, tiny_tensors()).read_bytes()
    for architecture in ("bert", "gpt2", "mamba", "qwen2", "gemma3", "t5", "rwkv6", "no-such", "lLama"):
        fields = {key.replace("llama.", f"{architecture}."): value for key, value in tiny_fields().items()}
        data = write_model(path, fields, tiny_tensors(), architecture).read_bytes()
        yield f"architecture {architecture}", data
    for name in ("token_embd.weight", "blk.1.ffn_down.weight", "output_norm.weight"):
        tensors = tiny_tensors()
        tensors[name] = tensors[name][:-1]
        yield f"shorter {name}", write_model(path, tiny_fields(), tensors).read_bytes()
        del tensors[name]
        yield f"no {name}", write_model(path, tiny_fields(), tensors).read_bytes()


def data_mutations(rng: np.random.Generator, data: bytes, spans: Spans) -> Iterator[Mutation]:
    """Truncations, garbage among the weights, strangers in front and behind."""
    start, length = spans["data"]
    for cut in rng.integers(1, len(data), size=50):
        yield f"cut at {cut}", data[: int(cut)]
    for copy in flips(rng, data, start, length, 20):
        yield "flips among the weights", copy
    for _ in range(20):
        offset = start + int(rng.integers(length // 4)) * 4
        yield "garbage", patched(data, offset, rng.bytes(min(4096, len(data) - offset)))
    for filler in (
        b"\0\0\0\0",
        struct.pack("<f", float("nan")),
        struct.pack("<f", float("inf")),
        b"\xff\xff\x7f\x7f",
    ):
        yield f"weights {filler!r}", data[:start] + filler * (length // 4)
    yield "all zeros", bytes(len(data))
    yield "noise", rng.bytes(len(data))
    yield "noise after the magic", data[:4] + rng.bytes(len(data) - 4)
    yield "one byte in front", b"\0" + data
    yield "more behind", data + rng.bytes(1000)
    yield "twice", data + data


@pytest.fixture(scope="module")
def mutants(tiny: Path, spans: Spans, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """At least 200 files, those with a changed header apart from those with changed data."""
    rng, data = np.random.default_rng(SEED), tiny.read_bytes()
    folder = tmp_path_factory.mktemp("mutants")
    header = [
        *header_flips(rng, data, spans),
        *number_edits(rng, data, spans),
        *table_edits(rng, data, spans),
    ]
    kinds = {"header": [*header, *odd_models(folder)], "data": [*data_mutations(rng, data, spans)]}
    files: dict[str, list[Path]] = {}
    for kind, mutations in kinds.items():
        files[kind] = [folder / f"{kind}-{i:03}.gguf" for i in range(len(mutations))]
        for path, (_, content) in zip(files[kind], mutations, strict=True):
            path.write_bytes(content)
        (folder / f"{kind}.json").write_text(json.dumps([label for label, _ in mutations]))
    return files


def refused_by(check: Callable[[], object]) -> ModelError | None:
    try:
        check()
    except (ModelLoadFailed, ModelNotFound) as error:  # anything else fails the test
        return error
    return None


def test_mutated_files_never_kill_this_process(mutants: dict[str, list[Path]], tiny: Path) -> None:
    n_header, n_data = len(mutants["header"]), len(mutants["data"])
    assert n_header + n_data >= 200
    assert n_header >= (n_header + n_data) / 2
    files = [*mutants["header"], *mutants["data"]]
    early = {path: refused_by(partial(read_header, path)) for path in files}
    rest = [path for path in files if early[path] is None]
    results = probe([tiny, *rest, tiny], seconds=5)
    assert [result.outcome for result in (results[0], results[-1])] == ["loaded", "loaded"]
    late = [refused_by(result.check) for result in results]
    for error in [*early.values(), *late]:
        assert error is None or (error.exit_code == 3 and error.hint and str(error).isprintable())
    for result in results:
        assert result.outcome != "died" or "aborted while loading" in result.message
    n_early = sum(error is not None for error in early.values())
    counts = Counter(result.outcome for result in results[1:-1])
    assert n_early > 0.4 * len(files), (n_early, counts)
    assert counts["refused"] + counts["died"] > 0, (n_early, counts)
