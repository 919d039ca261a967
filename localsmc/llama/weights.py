"""The weights and the vocabulary of one GGUF."""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ConfigError, ModelLoadFailed, SequenceError
from localsmc.llama.binding import C, errors, last_errors, set_fields
from localsmc.llama.devices import Device, gpus_in_use
from localsmc.llama.load_options import LOAD_MODES, SPLIT_MODES, LoadOptions
from localsmc.lm.interface import TokenIds
from localsmc.text.chat_template import ChatTemplate

_MARK = "\n"
"""Stands before a text that goes on from another, where a tokenizer would add something to a beginning."""

_NAMED_TOKENS = ("bos", "eos", "eot", "eom", "padding", "fim_pad", "fim_rep", "fim_sep", "suffix", "middle")
"""Tokens whose ids a GGUF may give by these names."""

_KNOWN_TOKENS = ("bos", "eos", "eot", "pad", "sep", "nl", "fim_pad", "fim_rep", "fim_sep")
"""Tokens that llama.cpp tells the ids of, -1 where a vocabulary has none."""

CORRUPT_HINT = "the file may be damaged or newer than this llama.cpp: compare its checksum, download it again"


class Closable(Protocol):
    """A context, as far as the weights know it."""

    def close(self) -> None:
        """Free it; safe to call twice."""


class LlamaModel:
    """The weights and the vocabulary of one GGUF; `open_context` gives a `LanguageModel` over them."""

    def __init__(self, path: Path, options: LoadOptions | None = None) -> None:
        options = LoadOptions() if options is None else options
        self.path = path
        self.options = options
        began = time.perf_counter()
        last_errors.clear()
        params = C.llama_model_default_params()
        set_fields(
            params,
            n_gpu_layers=options.n_gpu_layers,
            main_gpu=options.main_gpu,
            split_mode=SPLIT_MODES[options.split_mode],
            load_mode=LOAD_MODES[options.load_mode],
        )
        no_devices = (ctypes.c_void_p * 1)(None)  # an empty list; must outlive the load
        if options.cpu_only:
            set_fields(params, devices=ctypes.cast(no_devices, ctypes.c_void_p))
        if len(options.tensor_split) > C.llama_max_devices():
            raise ConfigError(
                f"`tensor-split` has {len(options.tensor_split)} shares, but there can be"
                f" {C.llama_max_devices()} devices"
            )
        if options.tensor_split:
            shares = (ctypes.c_float * C.llama_max_devices())(*options.tensor_split)
            set_fields(params, tensor_split=shares)
        self._model = C.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ModelLoadFailed(f"llama.cpp cannot load `{path}`{errors()}", hint=CORRUPT_HINT)
        self._finalizer = weakref.finalize(self, C.llama_model_free, self._model)
        self._vocab = C.llama_model_get_vocab(self._model)
        self._contexts: weakref.WeakSet[Closable] = weakref.WeakSet()
        try:
            self._refuse_what_cannot_generate()
        except ModelLoadFailed:
            self.close()
            raise
        self.load_seconds = time.perf_counter() - began

    def _refuse_what_cannot_generate(self) -> None:
        if self.n_vocab <= 0:
            raise ModelLoadFailed(f"`{self.path}` has no vocabulary", hint="a text-generation GGUF is needed")
        if C.llama_model_has_encoder(self._model) or not C.llama_model_has_decoder(self._model):
            raise ModelLoadFailed(
                f"`{self.path}` is an encoder, which cannot continue a text",
                hint="use a causal language model; embedding and T5-like models are none",
            )
        if C.llama_model_is_diffusion(self._model):
            raise ModelLoadFailed(
                f"`{self.path}` is a diffusion model, which has no next-token probabilities",
                hint="use a causal language model",
            )
        if self.metadata(f"{self.metadata('general.architecture')}.attention.causal") == "false":
            # llama.cpp would decode it, each token attending to later ones of its batch.
            raise ModelLoadFailed(
                f"`{self.path}` attends to later tokens: it is no causal model",
                hint="use a causal language model",
            )

    def close(self) -> None:
        """Free the contexts, then the weights; safe to call twice."""
        for context in list(self._contexts):
            context.close()
        self._finalizer()

    def __enter__(self) -> LlamaModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close_first(self, context: Closable) -> None:
        """Close this context before the weights are freed; llama.cpp needs that order."""
        self._contexts.add(context)

    # --- facts ---

    @property
    def pointer(self) -> Any:
        """The llama_model pointer; raises SequenceError after `close`."""
        if not self._finalizer.alive:
            raise SequenceError("the model is closed")
        return self._model

    @property
    def vocab(self) -> Any:
        """The llama_vocab pointer; raises SequenceError after `close`."""
        _ = self.pointer
        return self._vocab

    @property
    def n_vocab(self) -> int:
        """Tokens in the vocabulary."""
        return int(C.llama_vocab_n_tokens(self.vocab))

    @property
    def n_ctx_train(self) -> int:
        """The longest sequence the model was trained on."""
        return int(C.llama_model_n_ctx_train(self.pointer))

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return int(C.llama_model_n_params(self.pointer))

    @property
    def is_hybrid(self) -> bool:
        """Whether some layers keep a recurrent state and others a cache of tokens."""
        return bool(C.llama_model_is_hybrid(self.pointer))

    @property
    def device(self) -> str:
        """Where the layers are: the GPUs' names, or the CPU's."""
        return ", ".join(gpu.description for gpu in self.gpus) or "CPU"

    @property
    def gpus(self) -> list[Device]:
        """The GPUs that layers were offloaded to; none where all are on the CPU."""
        return gpus_in_use(self.options)

    def metadata(self, key: str) -> str | None:
        """A metadata value as text."""
        buffer = ctypes.create_string_buffer(1 << 16)
        length = C.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode(errors="replace")

    # --- tokens ---

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> TokenIds:
        """Token ids of a text; `special` reads control tokens' names as those tokens.

        `add_bos` adds whatever the model's own settings put around a text.
        """
        data = text.encode()
        size = len(data) + 8
        while True:
            buffer = (ctypes.c_int32 * size)()
            n = C.llama_tokenize(self.vocab, data, len(data), buffer, size, add_bos, special)
            if n >= 0:
                return np.array(buffer[:n], dtype=np.int32)
            size = -n

    def tokenize_on(self, text: str, *, special: bool = False) -> TokenIds:
        """Token ids of a text that goes on from another; SentencePiece would put a blank before it."""
        if C.llama_vocab_type(self.vocab) != C.LLAMA_VOCAB_TYPE_SPM:
            return self.tokenize(text, special=special)
        mark = self.tokenize(_MARK, special=False)
        whole = self.tokenize(_MARK + text, special=special)
        is_marked = np.array_equal(whole[: len(mark)], mark)
        return whole[len(mark) :] if is_marked else self.tokenize(text, special=special)

    @cached_property
    def _control_tokens(self) -> list[int]:
        """The ids of the control tokens: the one pass over the vocabulary, which can be large."""
        vocab, is_control = self.vocab, C.llama_vocab_is_control
        return [token for token in range(self.n_vocab) if is_control(vocab, token)]

    @cached_property
    def is_eog(self) -> NDArray[np.bool_]:
        """(V,) True for each token that ends a generation.

        llama.cpp knows an end by its text, and then makes it a control token, or by its id in the file.
        """
        named = (self.metadata(f"tokenizer.ggml.{name}_token_id") for name in _NAMED_TOKENS)
        ids = {int(text) for text in named if text is not None and text.isdecimal()}
        ids |= {int(getattr(C, f"llama_vocab_{name}")(self.vocab)) for name in _KNOWN_TOKENS}
        found = np.zeros(self.n_vocab, dtype=np.bool_)
        for token in ids.union(self._control_tokens):
            if 0 <= token < self.n_vocab:
                found[token] = C.llama_vocab_is_eog(self.vocab, token)
        return found

    @cached_property
    def pieces(self) -> LazyPieces:
        """The bytes of each token."""
        return LazyPieces(self)

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        """The names of the control tokens, which a user's text must not be read as."""
        names = (C.llama_vocab_get_text(self.vocab, token) for token in self._control_tokens)
        return tuple(name.decode(errors="replace") for name in names if name)

    def text(self, tokens: TokenIds) -> bytes:
        """The bytes of some tokens; control tokens have none."""
        return b"".join(self.pieces[int(token)] for token in tokens)

    @cached_property
    def chat_template(self) -> ChatTemplate | None:
        """The GGUF's own chat template, or None."""
        source = C.llama_model_chat_template(self.pointer, None)
        if not source:
            return None
        return ChatTemplate(source.decode(errors="replace"), *map(self._name, ("bos", "eos")))

    def with_bos(self, tokens: TokenIds) -> TokenIds:
        """A prompt behind the beginning-of-sequence token, where the model wants one and it is not there."""
        bos = C.llama_vocab_bos(self.vocab)
        if not C.llama_vocab_get_add_bos(self.vocab) or bos < 0 or (len(tokens) and tokens[0] == bos):
            return tokens
        return np.concatenate((np.array([bos], dtype=np.int32), tokens))

    def _name(self, which: str) -> str:
        # Without an id in the file llama.cpp makes one up from the tokenizer's family.
        if self.metadata(f"tokenizer.ggml.{which}_token_id") is None:
            return ""
        token = getattr(C, f"llama_vocab_{which}")(self.vocab)
        return "" if token < 0 else C.llama_vocab_get_text(self.vocab, token).decode(errors="replace")


class LazyPieces:
    """The bytes of each token id, read when first asked for: a vocabulary can be large."""

    def __init__(self, model: LlamaModel) -> None:
        self._model = model
        self._known: dict[int, bytes] = {}
        self._n_vocab = model.n_vocab

    def __len__(self) -> int:
        return self._n_vocab

    def __getitem__(self, token: int) -> bytes:
        # llama.cpp throws a C++ exception, which ends the process, for an id out of range.
        if not 0 <= token < self._n_vocab:
            raise IndexError(f"token {token} is not in 0 … {self._n_vocab - 1}")
        if token not in self._known:
            self._known[token] = self._read(token)
        return self._known[token]

    def _read(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = C.llama_token_to_piece(self._model.vocab, token, buffer, size, 0, False)
            if n >= 0:
                return buffer.raw[:n]
            size = -n
