"""The embedded models' tokenizer: byte-level BPE with single digits, trained on the corpus.

Split rule and special tokens are llama.cpp's `qwen2` pre-tokenizer and a ChatML-like template,
so that `localsmc`'s ordinary path (llama.cpp tokenises, the GGUF's template renders) is used.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from localsmc_models.corpus import STYLES, problems, solution

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PRE_TOKENIZER = "qwen2"
"""llama.cpp's name for SPLIT (tokenizer.ggml.pre); its regular expression keeps digits single."""

SPLIT = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def prompt_text(question: str) -> str:
    """The template applied to one user message, as the model is trained on it."""
    return f"{TURN_START}user\n{question}{TURN_END}\n{TURN_START}assistant\n"


def train_tokenizer(seed: int, vocab_size: int, n_problems: int) -> Tokenizer:
    """Learn the merges from `n_problems` training problems in every style."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (
        f"user\n{problem.question}\nassistant\nsystem\n{solution(problem, style)}"
        for problem in itertools.islice(problems(seed, "train"), n_problems)
        for style in STYLES
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer written by the trainer beside its checkpoint."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
