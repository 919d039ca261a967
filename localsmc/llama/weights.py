"""The weights and the vocabulary of one GGUF."""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ConfigError, ModelLoadFailed, SequenceError
from localsmc.llama.binding import C, errors, last_errors, set_fields
from localsmc.llama.builtin_templates import BuiltInTemplate
from localsmc.llama.devices import Device, gpus_in_use
from localsmc.llama.load_options import LOAD_MODES, SPLIT_MODES, LoadOptions
from localsmc.llama.tokenization import Tokenizer
from localsmc.lm.interface import TokenIds
from localsmc.text.chat_template import ChatTemplate, Template, is_jinja, tags
from localsmc.text.templates.disguise import Part

_MARK = "\n"
"""Prefix for text that continues other text, if the tokenizer would add a space at a beginning."""

_NAMED_TOKENS = ("bos", "eos", "eot", "eom", "padding", "fim_pad", "fim_rep", "fim_sep", "suffix", "middle")
"""Names under which a GGUF can give token ids."""

_KNOWN_TOKENS = ("bos", "eos", "eot", "pad", "sep", "nl", "fim_pad", "fim_rep", "fim_sep")
"""Tokens whose ids llama.cpp gives, -1 if the vocabulary has none."""

_SPACES = " \t\n\v\f\r"
"""What isspace of C takes for blanks."""

CORRUPT_HINT = "the file may be damaged or newer than this llama.cpp: compare its checksum, download it again"


class Closable(Protocol):
    """A context, as seen by the weights."""

    def close(self) -> None:
        """Free the context; safe to call twice."""


class LlamaModel:
    """The weights and the vocabulary of one GGUF; `open_context` creates a `LanguageModel` from it."""

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
                f"`tensor-split` has {len(options.tensor_split)} values, but llama.cpp supports at most"
                f" {C.llama_max_devices()} devices"
            )
        if options.tensor_split:
            shares = (ctypes.c_float * C.llama_max_devices())(*options.tensor_split)
            set_fields(params, tensor_split=shares)
        self._model = C.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ModelLoadFailed(f"llama.cpp cannot load `{path}`{errors()}", hint=CORRUPT_HINT)
        self._tokenizer = Tokenizer()
        self._finalizer = weakref.finalize(self, _free, self._model, self._tokenizer)
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
            raise ModelLoadFailed(f"`{self.path}` has no vocabulary", hint="use a text-generation GGUF")
        if C.llama_model_has_encoder(self._model) or not C.llama_model_has_decoder(self._model):
            raise ModelLoadFailed(
                f"`{self.path}` has an encoder or no decoder, so it cannot generate text",
                hint="use a causal language model, not an embedding or T5-like model",
            )
        if C.llama_model_is_diffusion(self._model):
            raise ModelLoadFailed(
                f"`{self.path}` is a diffusion model, which has no next-token probabilities",
                hint="use a causal language model",
            )
        if self.metadata(f"{self.metadata('general.architecture')}.attention.causal") == "false":
            # llama.cpp would decode it, with each token attending to later tokens of its batch.
            raise ModelLoadFailed(
                f"`{self.path}` is not a causal model: it attends to later tokens",
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
        """Register a context to close before the weights are freed; llama.cpp requires that order."""
        self._contexts.add(context)

    # --- properties ---

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
        """Number of tokens in the vocabulary."""
        return int(C.llama_vocab_n_tokens(self.vocab))

    @property
    def n_ctx_train(self) -> int:
        """The context length that the model was trained with, in tokens."""
        return int(C.llama_model_n_ctx_train(self.pointer))

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return int(C.llama_model_n_params(self.pointer))

    @property
    def is_hybrid(self) -> bool:
        """Whether some layers have a recurrent state and others a KV cache."""
        return bool(C.llama_model_is_hybrid(self.pointer))

    @property
    def device(self) -> str:
        """The names of the GPUs that hold layers, or "CPU"."""
        return ", ".join(gpu.description for gpu in self.gpus) or "CPU"

    @property
    def gpus(self) -> list[Device]:
        """The GPUs that layers are offloaded to; empty if all layers are on the CPU."""
        return gpus_in_use(self.options)

    def metadata(self, key: str) -> str | None:
        """A metadata value as text, or None."""
        buffer = ctypes.create_string_buffer(1 << 16)
        length = C.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode(errors="replace")

    # --- tokens ---

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> TokenIds:
        """Token ids of a text; with `special`, the texts of control tokens become those tokens.

        `add_bos` adds the tokens that the model's settings put around a text. Raises PromptTooLong for a text
        that is too long to tokenise, or takes too long.
        """
        return self._tokenizer.tokenize(self.vocab, text, special=special, add_bos=add_bos)

    def tokenize_on(self, text: str, *, special: bool = False) -> TokenIds:
        """Token ids of text that continues other text, without the space that SentencePiece would prepend."""
        if C.llama_vocab_type(self.vocab) != C.LLAMA_VOCAB_TYPE_SPM:
            return self.tokenize(text, special=special)
        mark = self.tokenize(_MARK, special=False)
        whole = self.tokenize(_MARK + text, special=special)
        is_marked = np.array_equal(whole[: len(mark)], mark)
        return whole[len(mark) :] if is_marked else self.tokenize(text, special=special)

    def tokenize_parts(self, parts: Sequence[Part]) -> TokenIds:
        """Token ids of the parts of a prompt, as of the whole text; see `Template.parts`."""
        tokens = [np.zeros(0, dtype=np.int32)]
        strips = False
        for text, special in parts:
            # Some control tokens take the blanks after them: there, these must not begin the next part.
            text = text.lstrip(_SPACES) if strips else text
            if text:
                tokens.append(self.tokenize(text, special=special))
                last = tokens[-1][-1:]
                strips = special and bool(len(last)) and self._takes_blanks(int(last[0]))
        return np.concatenate(tokens)

    def _takes_blanks(self, token: int) -> bool:
        return bool(C.llama_vocab_get_attr(self.vocab, token) & C.LLAMA_TOKEN_ATTR_RSTRIP)

    @cached_property
    def control_tokens(self) -> list[int]:
        """The ids of the control tokens: the one pass over the vocabulary, which can be large."""
        vocab, is_control = self.vocab, C.llama_vocab_is_control
        return [token for token in range(self.n_vocab) if is_control(vocab, token)]

    @cached_property
    def is_eog(self) -> NDArray[np.bool_]:
        """(V,) True for each end-of-generation token.

        llama.cpp finds them by text, and then makes them control tokens, or by their id in the file.
        """
        named = (self.metadata(f"tokenizer.ggml.{name}_token_id") for name in _NAMED_TOKENS)
        ids = {int(text) for text in named if text is not None and text.isdecimal()}
        ids |= {int(getattr(C, f"llama_vocab_{name}")(self.vocab)) for name in _KNOWN_TOKENS}
        found = np.zeros(self.n_vocab, dtype=np.bool_)
        for token in ids.union(self.control_tokens):
            if 0 <= token < self.n_vocab:
                found[token] = C.llama_vocab_is_eog(self.vocab, token)
        return found

    @cached_property
    def pieces(self) -> LazyPieces:
        """The bytes of each token."""
        return LazyPieces(self)

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        """The texts of the control tokens, which must not be parsed in a user's text."""
        names = (C.llama_vocab_get_text(self.vocab, token) for token in self.control_tokens)
        return tuple(name.decode(errors="replace") for name in names if name)

    def text(self, tokens: TokenIds) -> bytes:
        """The text of a token sequence, as bytes; control tokens have none."""
        return b"".join(self.pieces[int(token)] for token in tokens)

    def spelled(self, tokens: TokenIds) -> str:
        """The text of a token sequence with the names of its control tokens, for a person to read."""
        controls = set(self.control_tokens)
        pieces = (
            C.llama_vocab_get_text(self.vocab, token) if token in controls else self.pieces[token]
            for token in map(int, tokens)
        )
        return b"".join(piece or b"" for piece in pieces).decode(errors="replace")

    @cached_property
    def chat_template(self) -> Template | None:
        """The chat template of the options, or that stored in the GGUF, or None."""
        given = self.options.chat_template
        if given is not None and not is_jinja(given):
            return BuiltInTemplate(given)
        stored = C.llama_model_chat_template(self.pointer, None)
        source = given or (stored.decode(errors="replace") if stored else "")
        if not source:
            return None
        return ChatTemplate(source, self._name("bos"), self._name("eos"), is_given=bool(given))

    def unknown_tags(self) -> list[str]:
        """What looks like a control token in the chat template, but is none in the vocabulary."""
        found = [] if self.chat_template is None else tags(self.chat_template)
        return [tag for tag in found if len(self.tokenize(tag, special=True)) != 1]

    def token_name(self, token: int) -> str:
        """The text of a token in the vocabulary: that of a control token is its name."""
        if not 0 <= token < self.n_vocab:
            raise IndexError(f"token {token} is not in 0 … {self.n_vocab - 1}")
        return str(C.llama_vocab_get_text(self.vocab, token).decode(errors="replace"))

    def with_bos(self, tokens: TokenIds) -> TokenIds:
        """Prepend the beginning-of-sequence token to a prompt, if the model needs it and it is missing."""
        bos = C.llama_vocab_bos(self.vocab)
        if not C.llama_vocab_get_add_bos(self.vocab) or bos < 0 or (len(tokens) and tokens[0] == bos):
            return tokens
        return np.concatenate((np.array([bos], dtype=np.int32), tokens))

    @property
    def prefix_token(self) -> int | None:
        """What a text without a prompt follows: the beginning-of-sequence token, or else the end token."""
        return next(
            (t for t in (C.llama_vocab_bos(self.vocab), C.llama_vocab_eos(self.vocab)) if t >= 0), None
        )

    def end_token(self, *, of_turn: bool) -> int | None:
        """The token that ends a text, or a turn of a conversation."""
        ends = [C.llama_vocab_eos(self.vocab)]
        ends = [C.llama_vocab_eot(self.vocab), *ends] if of_turn else ends
        return next((token for token in ends if token >= 0), None)

    def _name(self, which: str) -> str:
        # If the file has no id, llama.cpp assumes the default of the tokenizer's family.
        if self.metadata(f"tokenizer.ggml.{which}_token_id") is None:
            return ""
        token = getattr(C, f"llama_vocab_{which}")(self.vocab)
        return "" if token < 0 else C.llama_vocab_get_text(self.vocab, token).decode(errors="replace")


def _free(model: Any, tokenizer: Tokenizer) -> None:
    # A tokenizer that was given up reads the vocabulary for as long as the process lives.
    if not tokenizer.is_busy:
        C.llama_model_free(model)


class LazyPieces:
    """The bytes of each token id, read on first use, because a vocabulary can be large."""

    def __init__(self, model: LlamaModel) -> None:
        self._model = model
        self._known: dict[int, bytes] = {}
        self._n_vocab = model.n_vocab

    def __len__(self) -> int:
        return self._n_vocab

    def __getitem__(self, token: int) -> bytes:
        # For an id out of range llama.cpp throws a C++ exception, which ends the process.
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
