"""Compare the vocabularies of a target and a draft model."""

from __future__ import annotations

from localsmc.errors import ConfigError
from localsmc.llama.binding import C
from localsmc.llama.weights import LlamaModel


def shared_tokens(target: LlamaModel, draft: LlamaModel) -> int:
    """The number of token ids, from 0, that both models have; raises ConfigError if any token differs.

    Models of one family may pad their vocabularies to different sizes; ids that only one has do not count.
    """
    if C.llama_vocab_type(target.vocab) != C.llama_vocab_type(draft.vocab):
        raise _refusal(target, draft, "they have different kinds of tokenizer")
    n_shared = min(target.n_vocab, draft.n_vocab)
    for token in range(n_shared):
        texts = [C.llama_vocab_get_text(model.vocab, token) for model in (target, draft)]
        if texts[0] != texts[1]:
            in_target, in_draft = (text.decode(errors="replace") for text in texts)
            reason = f"token {token} is `{in_target}` in the target and `{in_draft}` in the draft"
            raise _refusal(target, draft, reason)
    return n_shared


def _refusal(target: LlamaModel, draft: LlamaModel, why: str) -> ConfigError:
    return ConfigError(
        f"`{draft.path}` cannot draft for `{target.path}`: {why}",
        hint="use a draft model with the target's vocabulary, such as a small model of the same family;"
        " `--method ssr` works with any draft model",
    )
