"""The llama.cpp bindings: pitfalls that abort or mislead, logs, tokens, timings, lifetimes."""

import ctypes
import gc
import logging
import shutil

import numpy as np
import pytest
from tiny_gguf import N_VOCAB, write_llama

from localsmc.errors import ConfigError, ContextError, ModelLoadFailed, SequenceError
from localsmc.llama import (
    MAX_SEQUENCES,
    ContextOptions,
    LlamaModel,
    LoadOptions,
    build_info,
    devices,
    open_context,
)
from localsmc.llama.binding import C, set_fields


def options(**changed):
    return ContextOptions(**{"n_ctx": 256, "n_seq_max": 4, "n_batch": 32, "n_threads": 1, **changed})


@pytest.fixture(scope="module")
def model(random_llama, load_options):
    with LlamaModel(random_llama, load_options) as model:
        yield model


def test_unknown_struct_fields_are_refused():
    """ctypes takes any attribute: `use_mmap` was renamed and would do nothing."""
    with pytest.raises(TypeError, match="use_mmap"):
        set_fields(C.llama_model_default_params(), use_mmap=True)


BLANKS = [*" \t\n\v\f\r", "\x1c", "\x1f", "\x85", "\u00a0", "\u2003", "\u2028", "\u3000"]


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_blanks_after_a_control_token_are_those_that_llama_cpp_strips(blank, tmp_path, load_options):
    """Tokens of Phi-3 take the blanks after them, also where these begin the next part of a prompt."""
    controls = ["<|end|>", "<|endoftext|>", "<|user|>", "<unk>", "<s>", "</s>"]
    path = write_llama(tmp_path / "m.gguf", controls=controls, metadata={"general.name": b"phi-3"})
    with LlamaModel(path, load_options) as model:
        whole = model.tokenize(f"<|user|>{blank}a", special=True).tolist()
        assert model.tokenize_parts([("<|user|>", True), (f"{blank}a", False)]).tolist() == whole
        assert (len(whole) == 2) == (blank in BLANKS[:6])


BAD_OPTIONS = {
    "batch below sequences": {"n_batch": 3, "n_seq_max": 4},
    "cells below sequences": {"n_ctx": 3, "n_seq_max": 4},
    "too many sequences": {"n_seq_max": 257, "n_batch": 512},
    "no sequence": {"n_seq_max": 0},
    "no cells": {"n_ctx": 0},
    "threads": {"n_threads": -1},
    "cache type": {"type_k": "q3_k"},
    "flash attention": {"flash_attention": "maybe"},
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_options_that_would_abort_are_refused(name):
    with pytest.raises(ConfigError):
        options(**BAD_OPTIONS[name])


@pytest.mark.parametrize("name", ["split_mode", "load_mode"])
def test_unknown_modes_are_refused(name):
    with pytest.raises(ConfigError, match="there is|unknown"):
        LoadOptions(**{name: "sideways"})


def test_the_binding_has_as_many_sequences_as_we_say():
    assert C.llama_max_parallel_sequences() == MAX_SEQUENCES


def test_256_sequences_work(model):
    context = open_context(model, options(n_seq_max=256, n_batch=256, n_ctx=512))
    logits = context.decode(np.full(256, 1), np.zeros(256, int), np.arange(256))
    assert logits.shape == (256, N_VOCAB)
    context.close()


def test_logits_are_read_only(model):
    logits = open_context(model, options()).decode(np.array([1]), np.array([0]), np.array([0]))
    with pytest.raises(ValueError, match="read-only"):
        logits[0, 0] = 1.0


def test_a_quantised_cache_decodes(embedded, on_gpu):
    try:
        context = open_context(embedded.llama, options(type_k="q8_0", type_v="q8_0"))
    except ContextError:
        if not on_gpu:
            raise
        pytest.skip("this build has flash attention on the GPU for f16 caches only")
    assert np.isfinite(context.decode(np.array([1]), np.array([0]), np.array([0]))).all()


def test_a_model_that_attends_to_later_tokens_is_refused(tmp_path):
    with pytest.raises(ModelLoadFailed, match="not a causal model: it attends to later tokens"):
        LlamaModel(write_llama(tmp_path / "m.gguf", causal=False))


def test_llamas_own_words_are_in_the_error_and_nowhere_else(random_llama, tmp_path, capfd):
    broken = tmp_path / "broken.gguf"
    shutil.copy(random_llama, broken)
    with broken.open("r+b") as file:
        file.truncate(broken.stat().st_size - 4096)
    with pytest.raises(ModelLoadFailed, match="corrupted or incomplete|not within the file bounds") as caught:
        LlamaModel(broken)
    assert "llama_model_load" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert capfd.readouterr() == ("", "")


def test_loading_is_silent_and_the_log_is_ours(random_llama, capfd, caplog):
    with caplog.at_level(logging.DEBUG, logger="localsmc.llama"), LlamaModel(random_llama) as model:
        open_context(model, options()).close()
    assert capfd.readouterr() == ("", "")
    levels = {record.levelno for record in caplog.records}
    assert logging.INFO in levels
    assert any("random llama" in record.message for record in caplog.records)


def test_log_levels_are_ggmls_own(caplog):
    from localsmc.llama.binding import _log, last_errors

    with caplog.at_level(logging.DEBUG, logger="localsmc.llama"):
        for level, text in (
            (4, b"bad news\n"),
            (5, b" continued\n"),
            (3, b"careful\n"),
            (2, b"fyi\n"),
            (1, b"deep\n"),
        ):
            _log(level, text, None)
    assert [record.levelno for record in caplog.records] == [40, 40, 30, 20, 10]
    assert list(last_errors) == ["bad news", " continued"]
    last_errors.clear()


def test_tokens_and_bytes_round_trip(model):
    text = "abba, 12 Zürich \n\t¡hola! 😀"
    tokens = model.tokenize(text, special=False)
    assert model.text(tokens).decode() == text
    assert 256 in tokens  # the merge "ab"


def test_control_tokens_are_read_only_where_asked(model):
    assert 257 in model.tokenize("<|end|>", special=True)
    assert 257 not in model.tokenize("<|end|>", special=False)
    assert model.pieces[257] == b""
    assert set(model.control_texts) == {"<|end|>", "<|other_end|>", "<|pad|>"}


@pytest.mark.parametrize("token", [-1, N_VOCAB, 10**9])
def test_token_ids_out_of_range(model, token):
    with pytest.raises(IndexError):
        model.pieces[token]


def test_every_end_token_counts(model):
    assert set(np.flatnonzero(model.is_eog)) >= {257, 258}


def test_end_tokens_are_those_of_the_whole_vocabulary(model, embedded):
    """Only control tokens and named ones are asked about: no other can be an end."""
    for llama in (model, embedded.llama):
        whole = [bool(C.llama_vocab_is_eog(llama.vocab, token)) for token in range(llama.n_vocab)]
        assert llama.is_eog.tolist() == whole


def test_decode_seconds_grow(model):
    context = open_context(model, options())
    context.decode(np.array([1]), np.array([0]), np.array([0]))
    assert context.decode_seconds > 0


def test_closing_twice_and_using_after(random_llama):
    model = LlamaModel(random_llama)
    context = open_context(model, options())
    model.close()
    model.close()
    context.close()
    with pytest.raises(SequenceError, match="closed"):
        context.decode(np.array([1]), np.array([0]), np.array([0]))
    with pytest.raises(SequenceError, match="closed"):
        open_context(model, options())


USES = {
    "n_params": lambda model, _: model.n_params,
    "n_vocab": lambda model, _: model.n_vocab,
    "n_ctx_train": lambda model, _: model.n_ctx_train,
    "chat_template": lambda model, _: model.chat_template,
    "tokens": lambda model, _: model.tokenize("x", special=False),
    "piece": lambda _, pieces: pieces[5],
}


@pytest.mark.parametrize("use", USES)
def test_nothing_reads_freed_weights(random_llama, use):
    model = LlamaModel(random_llama)
    pieces = model.pieces
    model.close()
    with pytest.raises(SequenceError, match="closed"):
        USES[use](model, pieces)


def test_a_batch_is_never_larger_than_the_context(model):
    """llama.cpp lowers n_batch to n_ctx without a word, and aborts on a row more."""
    context = open_context(model, options(n_ctx=256, n_batch=2048))
    assert context.n_batch == 256
    with pytest.raises(SequenceError, match="the batch has 300 tokens, but must have 1 to 256"):
        context.decode(np.ones(300, int), np.arange(300), np.zeros(300, int))


def test_more_shares_than_devices(random_llama):
    with pytest.raises(ConfigError, match="has 100 values"):
        LlamaModel(random_llama, LoadOptions(tensor_split=(1.0,) * 100))


def test_a_model_outlives_the_names_of_its_contexts(random_llama):
    """Freed in the order that llama.cpp needs: contexts first, however Python collects them."""
    model = LlamaModel(random_llama)
    context = open_context(model, options())
    del model
    gc.collect()
    assert np.isfinite(context.decode(np.array([1]), np.array([0]), np.array([0]))).all()
    del context
    gc.collect()


def test_batches_are_filled_in_our_own_memory(model):
    """No llama_batch_init: the pointers are NumPy's."""
    context = open_context(model, options())
    batch = context._batch.fill(np.array([7, 8]), np.array([0, 1]), np.array([2, 2]), np.array([1]))
    assert [batch.token[i] for i in range(2)] == [7, 8]
    assert [batch.seq_id[i][0] for i in range(2)] == [2, 2]
    assert [batch.logits[i] for i in range(2)] == [0, 1]
    assert ctypes.addressof(batch.token.contents) == context._batch._token.ctypes.data


def test_devices_and_build():
    assert any(not device.is_gpu for device in devices())
    assert "llama-cpp-python" in build_info()
