"""Export a trained model as a GGUF: `python -m localsmc_models.training.export NAME --run FOLDER`.

Writes `NAME.gguf` (F16 matrices, F32 norms, tokenizer and chat template included), `checks.json`
(reference results of PyTorch and `tokenizers`, so that the tests need neither), the checksum in
`card.json`, and a copy of the loss curve. Does not run llama.cpp: `tests/models/test_embedded.py`
compares it with the reference results. Needs the extra `localsmc[train]`.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import itertools
import json
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from localsmc.errors import ConfigError
from localsmc_models import error_boundary, title
from localsmc_models.corpus import STYLES, Problem, problems, solution
from localsmc_models.corpus.ratings import SCORE, rated_step
from localsmc_models.corpus.strategies import STRATEGIES, draw_choice
from localsmc_models.corpus.template import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    SPECIAL_TOKENS,
    TURN_END,
    prompt_text,
    turn,
)
from localsmc_models.corpus.trees import rating_request
from localsmc_models.training.network import RMS_EPSILON, ROPE_BASE, Network, NetworkShape
from localsmc_models.training.recipe import load_recipe
from localsmc_models.training.tokenizer import PRE_TOKENIZER, load_tokenizer

MODELS = Path(__file__).parents[1]
"""The folder with one folder per embedded model."""

CHECK_SEED = 2_000_000_011
"""Seed of the problems for the checks; these are held out, so never part of the training data."""

N_PROBLEMS = 6
N_GREEDY = 160
MOST_TRIED = 500
LEAST_WORK = 4
"""Minimum number of steps of a problem for a long greedy check."""

LEAST_GAP = 0.35
"""A greedy check is stored only if the best logit leads by this much at every token.

With F16 weights and another order of summation, the order of closer logits may change;
the margin is about ten times the largest difference observed."""

HARD_TEXTS = (
    turn("system", "Answer at once.")
    + turn("user", "Ada buys 3 pens at 12 coins each. How many coins is that?")
    + turn("assistant", "Answer: \\boxed{36}")
    + prompt_text("And 4 pens?"),
    prompt_text(
        "Wie viel ist 12\u00a0×\u00a034 — in € oder ½ kg?\r\n\tनमस्ते 你好 🦙👩‍🚀 e\u0301 ٣٤ I'LL they've"
    )
    + f"\u2028 x  =\t 7 \n\n  3,000.50{END_OF_TEXT}",
)
"""A conversation of several turns, and characters that the corpus never uses: the byte fallback."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The content of a training folder."""

    name: str
    recipe: dict[str, Any]
    tokenizer: Tokenizer
    network: Network
    history: list[tuple[int, float]]

    @property
    def final_loss(self) -> float:
        """The mean loss of the last 100 steps."""
        losses = [loss for _, loss in self.history[-100:]]
        return sum(losses) / len(losses)


def load(name: str, folder: Path) -> Trained:
    """Read a training folder's newest checkpoint."""
    recipe = load_recipe(name)
    if not (folder / "checkpoint.pt").exists():
        raise ConfigError(
            f"no checkpoint in `{folder}`",
            hint=f"train it: python -m localsmc_models.training.train {name} --out {folder}",
        )
    tokenizer = load_tokenizer()
    network = Network(NetworkShape(n_vocab=tokenizer.get_vocab_size(), **recipe["shape"]))
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    return Trained(name, recipe, tokenizer, network.eval(), state["history"])


def write_gguf(trained: Trained, file: Path) -> None:
    """Write the model in llama.cpp's format."""
    writer = gguf.GGUFWriter(file, arch="llama")
    _add_shape(writer, trained.network.shape)
    writer.add_name(title(trained.name))
    writer.add_license("mit")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_tokenizer(writer, trained.tokenizer)
    for name, tensor in trained.network.state_dict().items():
        kind = np.float16 if tensor.ndim == 2 else np.float32
        writer.add_tensor(_gguf_name(name), tensor.numpy().astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(name: str) -> str:
    # The network's names equal the GGUF's, except for the module that groups the attention matrices.
    return name.replace(".attn.", ".")


def _add_shape(writer: gguf.GGUFWriter, shape: NetworkShape) -> None:
    writer.add_vocab_size(shape.n_vocab)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_block_count(shape.n_layer)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_rope_dimension_count(shape.n_embd // shape.n_head)
    writer.add_rope_freq_base(ROPE_BASE)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    tokens = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    kinds = [gguf.TokenType.CONTROL if token in SPECIAL_TOKENS else gguf.TokenType.NORMAL for token in tokens]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.token_to_id(TURN_END))
    writer.add_pad_token_id(tokenizer.token_to_id(END_OF_TEXT))
    # Texts have no BOS token; without an id, llama.cpp would use token 11, a bracket, as BOS.
    writer.add_bos_token_id(tokenizer.token_to_id(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def rounded(network: Network) -> Network:
    """A copy of the network with its matrices rounded to F16, as in the GGUF."""
    twin = copy.deepcopy(network)
    for parameter in twin.parameters():
        if parameter.ndim == 2:
            parameter.data = parameter.data.half().float()
    return twin


@torch.inference_mode()
def logits_of(network: Network, ids: list[int]) -> np.ndarray:
    """The logits (T, V) after each token, in float32."""
    return network(torch.tensor([ids]))[0].numpy()


def greedy(network: Network, ids: list[int], end: int) -> tuple[list[int], float]:
    """Greedy decoding up to and including the end of turn; also returns the smallest gap to a runner-up."""
    reply: list[int] = []
    gap = np.inf
    while len(reply) < N_GREEDY and end not in reply:
        last = logits_of(network, ids + reply)[-1]
        second, best = np.partition(last, -2)[-2:]
        gap = min(gap, float(best - second))
        reply.append(int(last.argmax()))
    return reply, gap


def greedy_checks(trained: Trained) -> Iterator[dict[str, Any]]:
    """Held-out problems of different families, each with PyTorch's greedy completion and its smallest gap."""
    end = trained.tokenizer.token_to_id(TURN_END)
    families: set[str] = set()
    for problem in itertools.islice(problems(CHECK_SEED, "held-out"), MOST_TRIED):
        worked = len(families) % 2 == 1
        if problem.family in families or (worked and len(problem.steps) < LEAST_WORK):
            continue
        start = _start(problem, worked=worked)
        reply, gap = greedy(trained.network, trained.tokenizer.encode(start).ids, end)
        if gap < LEAST_GAP:
            continue
        families.add(problem.family)
        text = trained.tokenizer.decode(reply, skip_special_tokens=True)
        yield {"family": problem.family, "start": start, "ids": reply, "text": text, "gap": round(gap, 3)}
        if len(families) == N_PROBLEMS:
            return


def _start(problem: Problem, *, worked: bool) -> str:
    # The most likely reply is terse; a first line of work leads to a longer completion.
    return prompt_text(problem.question) + (f"{problem.steps[0].detail[0]}\n" if worked else "")


def text_checks(trained: Trained) -> Iterator[dict[str, Any]]:
    """Texts with their token ids and, at three positions, all logits."""
    drawn = list(itertools.islice(problems(CHECK_SEED + 1, "held-out"), N_PROBLEMS + 3))
    texts = [
        prompt_text(problem.question) + solution(problem, STYLES[i % len(STYLES)]) + TURN_END
        for i, problem in enumerate(drawn[:N_PROBLEMS])
    ]
    texts += _formats(*drawn[N_PROBLEMS:])
    twin = rounded(trained.network)
    for text in (*texts, *HARD_TEXTS):
        ids = trained.tokenizer.encode(text).ids
        positions = [len(ids) // 3, 2 * len(ids) // 3, len(ids) - 1]
        exact, close = (logits_of(network, ids)[positions] for network in (trained.network, twin))
        yield {
            "text": text,
            "ids": ids,
            "positions": positions,
            "logits": [[round(float(value), 4) for value in row] for row in exact],
            "rounding": round(float(np.abs(exact - close).max()), 5),
        }


def _formats(chosen: Problem, rated: Problem, other: Problem) -> Iterator[str]:
    rng = random.Random(CHECK_SEED)
    request, reply = draw_choice(chosen, list(STRATEGIES), rng)
    yield prompt_text(request) + reply + TURN_END
    step = rated_step(rated, "worked", other, rng)
    lines = "\n".join((*step.before, step.line))
    yield prompt_text(rated.question) + lines + rating_request() + SCORE + step.rating + TURN_END


def checks(trained: Trained, file: Path) -> dict[str, Any]:
    """The reference results that `tests/models/test_embedded.py` compares llama.cpp with.

    Logits and greedy completions are those of the trained network in float32; `rounding` is the largest
    change of the logits if only the matrices are rounded to F16.
    """
    return {
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
        "parameters": sum(parameter.numel() for parameter in trained.network.parameters()),
        "recipe": trained.recipe,
        "steps": len(trained.history),
        "final_loss": round(trained.final_loss, 4),
        "texts": list(text_checks(trained)),
        "greedy": list(greedy_checks(trained)),
    }


def write_json(data: dict[str, Any], file: Path) -> None:
    """Write JSON with one top-level key per line and compact values."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in data.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def export(name: str, run: Path, out: Path) -> None:
    """Write all files of an embedded model; its `card.json` must exist, and gets the checksum."""
    card_file = MODELS / name / "card.json"
    if not card_file.exists():
        sys.exit(f"{card_file} is missing: write the recommended settings there first")
    trained = load(name, run)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.gguf"
    write_gguf(trained, file)
    stored = checks(trained, file)
    write_json(stored, out / "checks.json")
    write_json(
        json.loads(card_file.read_text(encoding="utf-8")) | {"sha256": stored["sha256"]}, out / "card.json"
    )
    if (run / "loss.png").exists():
        shutil.copy(run / "loss.png", out / "loss.png")
    print(f"{file}: {stored['bytes']:,} bytes, {stored['parameters']:,} parameters, {stored['steps']} steps")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the model in recipe.toml")
    parser.add_argument("--run", type=Path, required=True, help="training folder")
    parser.add_argument("--out", type=Path, help="output folder (default: the model's folder)")
    options = parser.parse_args()
    export(options.name, options.run, options.out or MODELS / options.name)


if __name__ == "__main__":
    error_boundary.run(main)
