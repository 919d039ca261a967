"""The embedded models' tokenizer: byte-level BPE with single digits, learned from the corpus.

Split rule and special tokens are llama.cpp's `qwen2` pre-tokenizer and a ChatML-like template,
so that `localsmc`'s ordinary path (llama.cpp tokenises, the GGUF's template renders) is used.
Both models read `tokenizer.json`, learned once; `python -m localsmc_models.training.tokenizer FILE` learns
one anew, from the corpus as it is now, by the `tokenizer` table of the recipe. Needs the extra
`localsmc[train]`.
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
"""llama.cpp's name for SPLIT (tokenizer.ggml.pre); its regular expression keeps digits single."""

SPLIT = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn the merges from texts; the template's marks in them are tokens of their own."""
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
    """The tokenizer of both models."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(TOKENIZER))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="where to write it")
    options = parser.parse_args()
    recipe = tables()
    table = recipe["tokenizer"]
    mixture = replace(Mixture(**recipe["corpus"]), ratings=table["ratings"])
    grown = trees(problems(table["seed"], "train"), mixture, table["seed"])
    texts = (segment.text for tree in itertools.islice(grown, table["trees"]) for segment in tree.segments)
    train_tokenizer(texts, table["vocab_size"]).save(str(options.file))


if __name__ == "__main__":
    error_boundary.run(main)
