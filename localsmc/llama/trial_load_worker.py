"""A trial load, for a child process: `probe` runs it before a file is loaded for real."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from localsmc.errors import LocalSMCError, ModelLoadFailed
from localsmc.llama.binding import C
from localsmc.llama.context import open_context
from localsmc.llama.load_options import ContextOptions, LoadOptions
from localsmc.llama.weights import CORRUPT_HINT, LlamaModel
from localsmc.system.child_process import Replies

# A character for every byte that UTF-8 can contain: without one of them some tokenizers throw or loop.
_LETTERS = (*range(1, 0x100), *range(0x100, 0xD800, 0x40), 0xE000, 0xF000, *range(0x10000, 0x110000, 0x10000))
_SAMPLE = "Hello 12" + "".join(map(chr, _LETTERS))


def probe_load(path: str) -> None:
    """Load on the CPU, spell every token, tokenise, decode one token; for a child process that may die.

    llama.cpp aborts, throws or loops on some damaged files; a LocalSMCError is the better outcome.
    """
    with LlamaModel(Path(path), LoadOptions(n_gpu_layers=0, cpu_only=True)) as model:
        _probe_vocabulary(model)
        context = open_context(model, ContextOptions(n_ctx=256, n_batch=32, n_ubatch=32, n_seq_max=1))
        first, zero = np.array([max(0, C.llama_vocab_bos(model.vocab))]), np.array([0])
        if not np.isfinite(context.decode(first, zero, zero)).all():
            raise ModelLoadFailed(f"`{path}` gives logits that are not finite numbers", hint=CORRUPT_HINT)


def _probe_vocabulary(model: LlamaModel) -> None:
    if C.llama_vocab_type(model.vocab) == C.LLAMA_VOCAB_TYPE_NONE:
        raise ModelLoadFailed(f"`{model.path}` has no vocabulary", hint="a text-generation GGUF is needed")
    for name in ("bos", "eos", "eot", "nl", "pad"):
        token = getattr(C, f"llama_vocab_{name}")(model.vocab)
        if token >= model.n_vocab:  # a family's default, beyond a small vocabulary: its name is an abort
            raise ModelLoadFailed(f"`{model.path}` has no token {token}, its {name}", hint=CORRUPT_HINT)
    model.text(np.arange(model.n_vocab, dtype=np.int32))
    _ = model.is_eog, model.control_texts, model.chat_template  # as a solver asks for them
    for special in (False, True):
        for add_bos in (False, True):
            model.tokenize(_SAMPLE, special=special, add_bos=add_bos)


def serve(replies: Replies) -> None:
    """The child: try the path on each line of standard input, and answer each."""
    replies.send(outcome="ready")
    for line in sys.stdin:
        try:
            probe_load(json.loads(line))
        except LocalSMCError as error:
            replies.send(outcome="refused", message=str(error), hint=error.hint or "")
        else:
            replies.send(outcome="loaded", message="", hint="")
