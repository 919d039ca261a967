"""Train an embedded model: `python -m localsmc_models.train NAME --out FOLDER`.

Reads every number from recipe.toml, runs on the CPU or on CUDA (bf16 there), writes
checkpoints, resumes from the newest one, and ends with `loss.csv` and `loss.png`. Problems
are drawn fresh from the corpus, so no example is seen twice but by chance; the loss counts
the solution's tokens only. Needs the extra `localsmc[train]`.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from localsmc_models.corpus import STYLES, problems, solution
from localsmc_models.muon import Muon
from localsmc_models.network import Network, Shape
from localsmc_models.tokenizer import END_OF_TEXT, TURN_END, load_tokenizer, prompt_text, train_tokenizer

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

RECIPE = Path(__file__).with_name("recipe.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The `training` table of a recipe."""

    steps: int
    tokens_per_step: int
    learning_rate: float
    matrix_learning_rate: float
    warmup_steps: int
    final_fraction: float
    weight_decay: float
    pool: int
    checkpoint_steps: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids (B, T) and targets (B, T) with -1 where the loss does not count."""

    tokens: torch.Tensor
    targets: torch.Tensor


def encode(tokenizer: Tokenizer, prompts: list[str], replies: list[str]) -> list[tuple[list[int], int]]:
    """Each text's token ids, end of turn included, and the length of its prompt."""
    heads = tokenizer.encode_batch(prompts)
    tails = tokenizer.encode_batch([reply + TURN_END for reply in replies])
    return [(head.ids + tail.ids, len(head.ids)) for head, tail in zip(heads, tails, strict=True)]


def batches(tokenizer: Tokenizer, training: Training, seed: int) -> Iterator[Batch]:
    """An endless stream of batches; texts of similar length share one, so little is padding."""
    rng = random.Random(f"{seed}/styles")
    stream = problems(seed, "train")
    padding = tokenizer.token_to_id(END_OF_TEXT)
    while True:
        pool = list(itertools.islice(stream, training.pool))
        styles = rng.choices(list(STYLES), list(STYLES.values()), k=len(pool))
        replies = [solution(problem, style) for problem, style in zip(pool, styles, strict=True)]
        texts = encode(tokenizer, [prompt_text(problem.question) for problem in pool], replies)
        texts.sort(key=lambda text: len(text[0]))
        groups = list(_groups(texts, training.tokens_per_step))
        rng.shuffle(groups)
        for group in groups:
            yield _padded(group, padding)


def _groups(texts: list[tuple[list[int], int]], budget: int) -> Iterator[list[tuple[list[int], int]]]:
    group: list[tuple[list[int], int]] = []
    for text in texts:
        if group and (len(group) + 1) * len(text[0]) > budget:
            yield group
            group = []
        group.append(text)
    if group:
        yield group


def _padded(group: list[tuple[list[int], int]], padding: int) -> Batch:
    width = max(len(ids) for ids, _ in group)
    tokens = np.full((len(group), width), padding)
    targets = np.full((len(group), width), -1)
    for row, (ids, n_prompt) in enumerate(group):
        tokens[row, : len(ids)] = ids
        targets[row, n_prompt - 1 : len(ids) - 1] = ids[n_prompt:]
    return Batch(torch.from_numpy(tokens), torch.from_numpy(targets))


def optimizers(network: Network, training: Training) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for the embedding and the norms."""
    matrices = [p for p in network.blk.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=training.matrix_learning_rate, weight_decay=training.weight_decay),
        torch.optim.AdamW(rest, lr=training.learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def schedule(step: int, training: Training) -> float:
    """The share of the learning rate at a step: a linear rise, then half a cosine."""
    if step < training.warmup_steps:
        return (step + 1) / training.warmup_steps
    progress = (step - training.warmup_steps) / max(1, training.steps - training.warmup_steps)
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return training.final_fraction + (1 - training.final_fraction) * fall


class Run:
    """One training run in its folder: network, optimizers, step and loss history."""

    def __init__(self, recipe: dict[str, Any], folder: Path, device: str) -> None:
        self.seed = int(recipe["seed"])
        self.training = Training(**recipe["training"])
        self.folder, self.device = folder, device
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer_file = folder / "tokenizer.json"
        if not tokenizer_file.exists():
            train_tokenizer(self.seed, recipe["vocab_size"], recipe["tokenizer_problems"]).save(
                str(tokenizer_file)
            )
        self.tokenizer = load_tokenizer(tokenizer_file)
        self.shape = Shape(n_vocab=self.tokenizer.get_vocab_size(), **recipe["shape"])
        torch.manual_seed(self.seed)
        self.network = Network(self.shape).to(device)
        self.optimizers = optimizers(self.network, self.training)
        self.history: list[tuple[int, float]] = []
        self.step = 0

    @property
    def checkpoint(self) -> Path:
        """The file a run resumes from."""
        return self.folder / "checkpoint.pt"

    def resume(self) -> None:
        """Go on from the newest checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step = state["step"]
        self.history = [(int(step), float(loss)) for step, loss in state["history"]]

    def save(self) -> None:
        """Write the checkpoint in one rename, so that a cut-off run leaves the older one."""
        state = {
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "history": self.history,
        }
        draft = self.checkpoint.with_suffix(".writing")
        torch.save(state, draft)
        draft.replace(self.checkpoint)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean cross-entropy, in nats, over the solution's tokens."""
        tokens, targets = batch.tokens.to(self.device), batch.targets.to(self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            logits = self.network(tokens)
        return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1)

    def advance(self, batch: Batch) -> float:
        """One optimizer step; returns its loss."""
        share = schedule(self.step, self.training)
        rates = (self.training.matrix_learning_rate, self.training.learning_rate)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        return float(loss.detach())

    def run(self) -> None:
        """Train to the last step, with progress and an estimate of the time left."""
        # A resumed run draws a stream of its own: replaying the old one would cost minutes.
        stream = batches(self.tokenizer, self.training, self.seed + 1_000_003 * self.step)
        began, first = time.monotonic(), self.step
        for batch in stream:
            if self.step >= self.training.steps:
                break
            self.history.append((self.step, self.advance(batch)))
            if self.step % 25 == 0:
                recent = sum(loss for _, loss in self.history[-25:]) / 25
                pace = (time.monotonic() - began) / (self.step - first)
                left = pace * (self.training.steps - self.step) / 60
                print(
                    f"step {self.step:6d}  loss {recent:.4f}  {pace:.3f} s/step  {left:.0f} min left",
                    flush=True,
                )
            if self.step % self.training.checkpoint_steps == 0:
                self.save()
        self.save()
        self.write_losses()

    def write_losses(self) -> None:
        """The loss curve as numbers and as a picture."""
        with (self.folder / "loss.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("step", "loss"), *self.history])
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7, 4))
        axes.plot(*zip(*self.history, strict=True), linewidth=0.6)
        axes.set(xlabel="step", ylabel="loss (nats a token)", yscale="log")
        figure.savefig(self.folder / "loss.png", dpi=120, bbox_inches="tight")


def load_recipe(name: str) -> dict[str, Any]:
    """One model's table of recipe.toml."""
    recipes = tomllib.loads(RECIPE.read_text())
    if name not in recipes:
        sys.exit(f"no model `{name}` in {RECIPE}; there is: {', '.join(recipes)}")
    return recipes[name]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="the model's table in recipe.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and curves")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, help="instead of the recipe's, for a trial")
    options = parser.parse_args()
    run = Run(load_recipe(options.name), options.out, options.device)
    if options.steps is not None:
        run.training = replace(run.training, steps=options.steps)
    run.resume()
    run.run()


if __name__ == "__main__":
    main()
