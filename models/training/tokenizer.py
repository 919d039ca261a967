"""The tokenizer of the embedded models: byte-level BPE with single digits, learned from the corpus.

It uses the split rule of llama.cpp's `qwen2` pre-tokenizer and the special tokens of a ChatML-like
template, so that the models run through the normal path of `localsmc` (llama.cpp tokenises, the GGUF's
template renders). Both models share `tokenizer.json`, which was learned once.
`python -m localsmc_models.training.tokenizer FILE` learns a new one from the current corpus, with the
`tokenizer` table of the recipe. Needs the extra `localsmc[train]`.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from localsmc_models import error_boundary
from localsmc_models.corpus import problems
from localsmc_models.corpus.template import SPECIAL_TOKENS
from localsmc_models.corpus.trees import Mixture, trees
from localsmc_models.training.recipe import tables

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = Path(__file__).with_name("tokenizer.json")

PRE_TOKENIZER = "qwen2"
"""llama.cpp's name for SPLIT (tokenizer.ggml.pre); the regular expression makes each digit a token."""

SPLIT = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn the merges from texts; the template's special tokens are removed from them first."""
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
    marks = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))
    tokenizer.train_from_iterator((marks.sub("", text) for text in texts), trainer)
    return tokenizer


def load_tokenizer() -> Tokenizer:
    """Load the tokenizer that both models share."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(TOKENIZER))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="output file")
    options = parser.parse_args()
    recipe = tables()
    table = recipe["tokenizer"]
    mixture = replace(Mixture(**recipe["corpus"]), ratings=table["ratings"])
    grown = trees(problems(table["seed"], "train"), mixture, table["seed"])
    texts = (segment.text for tree in itertools.islice(grown, table["trees"]) for segment in tree.segments)
    train_tokenizer(texts, table["vocab_size"]).save(str(options.file))


if __name__ == "__main__":
    error_boundary.run(main)
