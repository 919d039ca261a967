"""Train an embedded model: `python -m localsmc_models.training.train NAME --out FOLDER`.

Reads all hyperparameters from recipe.toml, runs on the CPU or on CUDA (in bf16), writes checkpoints,
resumes from the newest one, and finally writes `loss.csv` and `loss.png`. Problems are newly generated
by the corpus, so an example repeats only by chance. The loss counts only the tokens of replies.
Needs the extra `localsmc[train]`.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from localsmc.errors import ConfigError
from localsmc_models import error_boundary
from localsmc_models.corpus import problems
from localsmc_models.corpus.template import END_OF_TEXT
from localsmc_models.corpus.trees import Mixture, Tree, trees
from localsmc_models.training.muon import Muon
from localsmc_models.training.network import Network, NetworkShape
from localsmc_models.training.recipe import load_recipe
from localsmc_models.training.tokenizer import load_tokenizer
from localsmc_models.training.tree_batches import TreeBatch, TreeRow, groups, padded, row


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
    rating_steps: int
    """Number of final steps whose data include rated steps: earlier, the model cannot learn to rate yet."""


def corpus(seed: int, mixture: Mixture) -> Iterator[Tree]:
    """The training trees."""
    return trees(problems(seed, "train", weights=mixture.families), mixture, seed)


def batches(
    tokenizer: Tokenizer, training: Training, mixture: Mixture, step: int, seed: int
) -> Iterator[TreeBatch]:
    """An endless stream of batches, starting at a step; rows of similar length are batched together."""
    rng = random.Random(f"{seed}/batches")
    plain, rated = (corpus(seed, some) for some in (replace(mixture, ratings=0), mixture))
    padding = tokenizer.token_to_id(END_OF_TEXT)
    while True:
        stream = rated if step >= training.steps - training.rating_steps else plain
        pool = rows(tokenizer, list(itertools.islice(stream, training.pool)))
        mixed = list(groups(pool, training.tokens_per_step))
        rng.shuffle(mixed)
        for group in mixed:
            yield padded(group, padding)
        step += len(mixed)


def rows(tokenizer: Tokenizer, grown: Sequence[Tree]) -> Iterator[TreeRow]:
    """Tokenise trees. Tokens never cross segment boundaries, so each segment is encoded separately."""
    texts = [segment.text for tree in grown for segment in tree.segments]
    encoded = iter(tokenizer.encode_batch(texts))
    for tree in grown:
        yield row(tree, [next(encoded).ids for _ in tree.segments])


def exported_weights(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a GGUF that `export` wrote, in float32, by the names of the network."""
    tensors = gguf.GGUFReader(file).tensors
    return {_network_name(one.name): torch.from_numpy(np.array(one.data, np.float32)) for one in tensors}


def _network_name(name: str) -> str:
    return re.sub(r"\.(attn_(?:q|k|v|output))\.", r".attn.\1.", name)


def on_device(batch: TreeBatch, device: str) -> TreeBatch:
    """Convert a batch to tensors on a device."""
    return TreeBatch(*(torch.from_numpy(getattr(batch, field.name)).to(device) for field in fields(batch)))


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
    """The factor of the learning rate at a step: linear warm-up, then half a cosine."""
    if step < training.warmup_steps:
        return (step + 1) / training.warmup_steps
    progress = (step - training.warmup_steps) / max(1, training.steps - training.warmup_steps)
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return training.final_fraction + (1 - training.final_fraction) * fall


class TrainingRun:
    """One training run in its folder: network, optimizers, step and loss history."""

    def __init__(self, recipe: dict[str, Any], folder: Path, device: str) -> None:
        self.seed = int(recipe["seed"])
        self.mixture = Mixture(**recipe["corpus"])
        self.training = Training(**recipe["training"])
        self.folder, self.device = folder, device
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer = load_tokenizer()
        self.shape = NetworkShape(n_vocab=self.tokenizer.get_vocab_size(), **recipe["shape"])
        torch.manual_seed(self.seed)
        self.network = Network(self.shape).to(device)
        self.optimizers = optimizers(self.network, self.training)
        self.history: list[tuple[int, float]] = []
        self.step = 0

    @property
    def checkpoint(self) -> Path:
        """The file a run resumes from."""
        return self.folder / "checkpoint.pt"

    def start_from(self, file: Path) -> None:
        """Take the weights of an exported GGUF, for a new run that goes on from an older edition."""
        weights = exported_weights(file)
        shapes = {name: tuple(tensor.shape) for name, tensor in self.network.state_dict().items()}
        if shapes != {name: tuple(tensor.shape) for name, tensor in weights.items()}:
            raise ConfigError(
                f"`{file}` is of a model with another shape",
                hint="give the file of a model that was trained with this recipe",
            )
        self.network.load_state_dict(weights)

    def resume(self) -> None:
        """Resume from the newest checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        shapes = {name: tensor.shape for name, tensor in self.network.state_dict().items()}
        if shapes != {name: tensor.shape for name, tensor in state["network"].items()}:
            raise ConfigError(
                f"`{self.checkpoint}` is of a model with another shape",
                hint="choose another `--out` folder",
            )
        self.network.load_state_dict(state["network"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step = state["step"]
        self.history = [(int(step), float(loss)) for step, loss in state["history"]]

    def save(self) -> None:
        """Write the checkpoint and rename it, so that an interrupted run keeps the previous one."""
        state = {
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "history": self.history,
        }
        draft = self.checkpoint.with_suffix(".writing")
        torch.save(state, draft)
        draft.replace(self.checkpoint)

    def loss(self, batch: TreeBatch) -> torch.Tensor:
        """Weighted mean of the cross-entropy, in nats, over the tokens that count in the loss."""
        batch = on_device(batch, self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            logits = self.network(batch.tokens, batch.positions, batch.mask, batch.before)
        losses = functional.cross_entropy(logits.float(), batch.targets, reduction="none")
        return losses @ batch.weights / batch.weights.sum()

    def advance(self, batch: TreeBatch) -> float:
        """Run one optimizer step and return its loss."""
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
        """Train to the last step; if interrupted, the newest checkpoint remains."""
        try:
            self._run()
        except KeyboardInterrupt:
            # Do not save here: the interrupt may have come in the middle of an update.
            saved = self.step // self.training.checkpoint_steps * self.training.checkpoint_steps
            print(f"interrupted: run the same command to resume from step {saved}", file=sys.stderr)
            raise
        self.save()
        self.write_losses()

    def _run(self) -> None:
        # A resumed run draws a new stream of problems: replaying the old one would take minutes.
        seed = self.seed + 1_000_003 * self.step
        stream = batches(self.tokenizer, self.training, self.mixture, self.step, seed)
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

    def write_losses(self) -> None:
        """Write the loss curve as CSV and as a plot."""
        with (self.folder / "loss.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("step", "loss"), *self.history])
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7, 4))
        axes.plot(*zip(*self.history, strict=True), linewidth=0.6)
        axes.set(xlabel="step", ylabel="loss (nats per token)", yscale="log")
        figure.savefig(self.folder / "loss.png", dpi=120, bbox_inches="tight")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the model in recipe.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and loss curve")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--from", dest="start", type=Path, metavar="GGUF", help="start from the weights of this exported model"
    )
    parser.add_argument("--steps", type=int, help="number of steps, overriding the recipe")
    options = parser.parse_args()
    run = TrainingRun(load_recipe(options.name), options.out, options.device)
    if options.steps is not None:
        run.training = replace(run.training, steps=options.steps)
    if options.start is not None:
        run.start_from(options.start)
    run.resume()
    run.run()


if __name__ == "__main__":
    error_boundary.run(main)
