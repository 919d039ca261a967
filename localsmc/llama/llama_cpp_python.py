"""llama-cpp-python's `Llama` class, used as its users do: the baseline of `bench`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from localsmc.gguf.tensor_types import KV_TYPES
from localsmc.llama.binding import Llama
from localsmc.llama.devices import default_threads
from localsmc.llama.load_options import SPLIT_MODES, ContextOptions
from localsmc.llama.weights import LlamaModel
from localsmc.lm.interface import TokenIds


class PlainLlama:
    """Samples one completion at a time at temperature 1.

    With `keeps_logits`, `log_probability` is available. Loads the weights a second time, because `Llama`
    cannot share them.
    """

    def __init__(self, model: LlamaModel, options: ContextOptions, *, keeps_logits: bool) -> None:
        n_threads, loaded = options.n_threads or default_threads(model.n_params), model.options
        self._llama = Llama(
            str(model.path),
            n_gpu_layers=loaded.n_gpu_layers,
            main_gpu=loaded.main_gpu,
            split_mode=SPLIT_MODES[loaded.split_mode],
            tensor_split=list(loaded.tensor_split) or None,
            n_ctx=options.n_ctx,
            n_batch=options.n_batch,
            n_ubatch=options.n_ubatch,
            n_threads=n_threads,
            n_threads_batch=n_threads,
            # `Llama` supports only on and off.
            flash_attn=options.flash_attention == "on"
            or (options.flash_attention == "auto" and bool(model.gpus)),
            type_k=KV_TYPES[options.type_k],
            type_v=KV_TYPES[options.type_v],
            logits_all=keeps_logits,
            verbose=False,
        )

    def close(self) -> None:
        """Free the weights and the context."""
        self._llama.close()

    def tokens(self, prompt: TokenIds, seed: int) -> Iterator[int]:
        """Sampled tokens, endlessly; a prompt that is still in the KV cache is not decoded again."""
        self._llama.set_seed(seed)
        return self._llama.generate(
            prompt.tolist(), temp=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0
        )

    def log_probability(self, n_prompt: int) -> float:
        """Log-probability of the decoded tokens after the prompt, as `Llama` computes it for `logprobs`."""
        tokens = np.array(self._llama.eval_tokens)[n_prompt:]
        scores = self._llama.scores[n_prompt - 1 : n_prompt - 1 + len(tokens)]
        return float(self._llama.logits_to_logprobs(scores)[np.arange(len(tokens)), tokens].sum())
