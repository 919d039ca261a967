"""The child process of a trial load, which `localsmc.store.trial_load` runs before the real load."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from localsmc.errors import LocalSMCError, ModelLoadFailed
from localsmc.llama import sequence_trial
from localsmc.llama.binding import C
from localsmc.llama.load_options import LoadOptions
from localsmc.llama.weights import CORRUPT_HINT, LlamaModel
from localsmc.lm.cache_layout import CacheLayout
from localsmc.system.child_process import Replies

# Characters that cover every byte in UTF-8: some tokenizers throw or loop if the vocabulary lacks one.
_LETTERS = (*range(1, 0x100), *range(0x100, 0xD800, 0x40), 0xE000, 0xF000, *range(0x10000, 0x110000, 0x10000))
# Each ASCII character twice as well: a pre-tokenizer that does not fit its vocabulary leaves blanks in words,
# and llama.cpp aborts where it would join two of them.
_SAMPLE = "Hello 12" + "".join(map(chr, _LETTERS)) + "".join(2 * chr(code) for code in range(1, 0x80))


def probe_load(path: str, layouts: Sequence[str], trying: Callable[[str], None]) -> str:
    """Load a model on the CPU, convert every token to text, tokenise a sample and decode several sequences.

    Returns the first of the layouts that gives right logits; `trying` is called before each trial. Run it
    only in a child process: llama.cpp aborts, throws or loops on some files. Raises a LocalSMCError if
    llama.cpp reports damage, or if no layout works.
    """
    with LlamaModel(Path(path), LoadOptions(n_gpu_layers=0, cpu_only=True)) as model:
        _probe_vocabulary(model)
        for layout in map(CacheLayout, layouts):
            trying(layout)
            if sequence_trial.supports(model, layout):
                return layout
    raise ModelLoadFailed(f"`{path}` cannot be decoded", hint=CORRUPT_HINT)


def _probe_vocabulary(model: LlamaModel) -> None:
    if C.llama_vocab_type(model.vocab) == C.LLAMA_VOCAB_TYPE_NONE:
        raise ModelLoadFailed(f"`{model.path}` has no vocabulary", hint="use a text-generation GGUF")
    for name in ("bos", "eos", "eot", "nl", "pad"):
        token = getattr(C, f"llama_vocab_{name}")(model.vocab)
        if token >= model.n_vocab:  # a default id outside a small vocabulary: reading its text aborts
            raise ModelLoadFailed(f"`{model.path}` has no token {token} ({name})", hint=CORRUPT_HINT)
    model.text(np.arange(model.n_vocab, dtype=np.int32))
    _ = model.is_eog, model.control_texts, model.chat_template  # read as in a real run
    for special in (False, True):
        for add_bos in (False, True):
            model.tokenize(_SAMPLE, special=special, add_bos=add_bos)


def serve(replies: Replies) -> None:
    """Entry point of the child: test the path on each line of standard input, and reply to each."""
    replies.send(outcome="ready")
    for line in sys.stdin:
        path, layouts = json.loads(line)
        try:
            layout = probe_load(path, layouts, lambda layout: replies.send(outcome="trying", layout=layout))
        except LocalSMCError as error:
            replies.send(outcome="refused", message=str(error), hint=error.hint or "")
        else:
            replies.send(outcome="loaded", layout=layout)
