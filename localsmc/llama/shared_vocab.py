"""Whether two models mean the same by a token id."""

from __future__ import annotations

from localsmc.errors import ConfigError
from localsmc.llama.binding import C
from localsmc.llama.weights import LlamaModel


def shared_tokens(target: LlamaModel, draft: LlamaModel) -> int:
    """How many ids both have, from 0 on; raises ConfigError unless each of them is the same token in both.

    Models of a family may pad their vocabularies to different sizes: what only one of them has is not shared.
    """
    if C.llama_vocab_type(target.vocab) != C.llama_vocab_type(draft.vocab):
        raise _refusal(target, draft, "their tokenizers are of different kinds")
    n_shared = min(target.n_vocab, draft.n_vocab)
    for token in range(n_shared):
        texts = [C.llama_vocab_get_text(model.vocab, token) for model in (target, draft)]
        if texts[0] != texts[1]:
            ours, theirs = (text.decode(errors="replace") for text in texts)
            raise _refusal(target, draft, f"token {token} is `{ours}` in the one and `{theirs}` in the other")
    return n_shared


def _refusal(target: LlamaModel, draft: LlamaModel, why: str) -> ConfigError:
    return ConfigError(
        f"`{draft.path}` cannot draft for `{target.path}`: {why}",
        hint="take a draft with the target's vocabulary, as a small model of the same family has;"
        " `--method ssr` does with any",
    )
