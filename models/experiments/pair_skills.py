"""Measure the other skills of the embedded pair: agreement, rating steps, choosing strategies.

    python -m localsmc_models.experiments.pair_skills agreement|ratings|strategies|all [--problems 500]

Everything runs on llama.cpp and on held-out problems. Intervals are 95 %: Wilson intervals for shares,
and a seeded percentile bootstrap over the problems for the rest.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

import localsmc
from localsmc import Model
from localsmc.llama import ContextOptions, open_context
from localsmc.lm.interface import TokenIds
from localsmc.methods import Method, Request, Sample
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.statistics import paired, resampled, wilson
from localsmc.text import answers
from localsmc.text.stop_rule import StopRule
from localsmc_models import path
from localsmc_models.corpus import FAMILIES, Problem, problems
from localsmc_models.corpus.ratings import SCORE, RatedStep, rated_step
from localsmc_models.corpus.solutions import STYLES
from localsmc_models.corpus.strategies import BEST, STRATEGIES, choice_request, style_under, under
from localsmc_models.corpus.template import prompt_text
from localsmc_models.corpus.trees import rating_request
from localsmc_models.error_boundary import run

LEAST_ACCEPTED = 7
"""Minimum rating for a step to be accepted, as in SpecReason."""

Doubles = NDArray[np.float64]


class ModelReader:
    """One model with one context: log-probabilities of texts, and replies to prompts."""

    def __init__(self, model: Model, n_predict: int) -> None:
        self.model, self.n_predict = model, n_predict
        self.context = open_context(
            model.llama,
            ContextOptions(n_ctx=model.llama.n_ctx_train, n_seq_max=1, n_batch=model.llama.n_ctx_train),
        )

    def tokens(self, text: str) -> TokenIds:
        """The token ids of a text; the template's special tokens are parsed."""
        return self.model.llama.tokenize(text, special=True)

    def logp(self, ids: TokenIds) -> Doubles:
        """log p (T, V) of every possible next token after each of these tokens, in float64."""
        self.context.clear()
        places = np.arange(len(ids))
        logits = self.context.decode(ids, places, np.zeros_like(places)).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def reply(self, prompt: str, method: Method, seed: Sequence[int]) -> TokenIds:
        """The tokens of one reply, including the end of turn if it is reached."""
        request = Request(
            model=self.context,
            prompt=self.tokens(prompt),
            n_tokens=self.n_predict,
            stop=StopRule(self.context.pieces),
            draw=RandomSampler(np.random.default_rng(list(seed))),
        )
        run = method.start(request)
        for _ in run:
            pass
        [ending] = run.endings()
        return ending.tokens

    def is_right(self, problem: Problem, prompt: str, seed: Sequence[int]) -> bool:
        """Whether a reply sampled at temperature 1 has the right answer."""
        text = self.model.llama.text(self.reply(prompt, Sample(), seed)).decode(errors="replace")
        return answers.same(answers.extract(text), problem.answer)


def agreement(target: ModelReader, draft: ModelReader, drawn: Sequence[Problem], seed: int) -> None:
    """How often the target would accept a token that the draft proposes after the target's completion.

    For distributions p and q at a position this is Σ min(p, q), the expected acceptance of lossless
    speculative sampling (Leviathan et al., 2023). The mean is over all tokens of one reply of the
    target per problem, at temperature 1.
    """
    accepted, counts = [], []
    for i, problem in enumerate(drawn):
        prompt = prompt_text(problem.question)
        ids = target.tokens(prompt)
        reply = target.reply(prompt, Sample(), (seed, i))
        whole = np.concatenate([ids, reply])
        distributions = (np.exp(reader.logp(whole)[len(ids) - 1 : -1]) for reader in (target, draft))
        accepted.append(float(np.minimum(*distributions).sum()))
        counts.append(len(reply))
    sums, totals = np.array(accepted), np.array(counts)
    rate = resampled(len(drawn), lambda some: float(sums[some].sum() / totals[some].sum()))
    print(f"\n## Agreement on {len(drawn)} held-out problems\n")
    print(f"tokens of the draft that the target accepts, temperature 1: {_numbers(rate)}", flush=True)


def p_accepted(reader: ModelReader, problem: Problem, step: RatedStep) -> float:
    """P(rating ≥ 7), normalised over the ten digits."""
    lines = "\n".join((*step.before, step.line))
    ids = reader.tokens(prompt_text(problem.question) + lines + rating_request() + SCORE)
    digits = [int(reader.tokens(str(digit))[0]) for digit in range(10)]
    p = np.exp(reader.logp(ids)[-1, digits])
    return float(p[LEAST_ACCEPTED:].sum() / p.sum())


def auc(right: Doubles, wrong: Doubles) -> float:
    """The probability that a right step scores above a wrong one; ties count half."""
    if not len(right) or not len(wrong):
        return float("nan")
    order = np.sort(wrong)
    below = np.searchsorted(order, right, "left") + np.searchsorted(order, right, "right")
    return float(below.mean() / (2 * len(wrong)))


@dataclass(frozen=True, slots=True)
class StepScore:
    """The style and kind of a rated step, and its P(rating ≥ 7)."""

    style: str
    kind: str
    score: float


def ratings(reader: ModelReader, drawn: Sequence[Problem], seed: int) -> None:
    """Print the area under the ROC curve of P(rating ≥ 7) for right against corrupted steps."""
    rng = random.Random(f"{seed}/ratings")
    scored = []
    for i, problem in enumerate(drawn):
        other = drawn[(i + 1) % len(drawn)]
        for style in STYLES:
            step = rated_step(problem, style, other, rng)
            scored.append(StepScore(style, step.kind, p_accepted(reader, problem, step)))
    print(
        f"\n## Ratings of {reader.model.source.path.stem}: one step of {len(drawn)} problems in each style\n"
    )
    print("| right steps against | all styles |", *(f"{style} |" for style in STYLES))
    print("|", *("--- |" for _ in range(2 + len(STYLES))))
    for kinds in (("slip", "nonsense"), ("slip",), ("nonsense",)):
        cells = [_auc_of(scored, kinds, styles) for styles in (STYLES, *((style,) for style in STYLES))]
        print("|", " or ".join(kinds), "|", *(f"{cell} |" for cell in cells), flush=True)


def _auc_of(scored: Sequence[StepScore], kinds: Sequence[str], styles: Sequence[str]) -> str:
    some = [one for one in scored if one.style in styles and one.kind in ("right", *kinds)]
    scores = np.array([one.score for one in some])
    is_right = np.array([one.kind == "right" for one in some])
    area = resampled(len(some), lambda part: auc(scores[part][is_right[part]], scores[part][~is_right[part]]))
    return f"{_numbers(area)} on {len(some)}"


def strategies(reader: ModelReader, drawn: Sequence[Problem], seed: int) -> None:
    """Compare replies at temperature 1 with the strategy that the model chooses and with a random one.

    The model chooses from the whole pool twice: listed in the standard order, and in a random one.
    """
    rng, pool = random.Random(f"{seed}/strategies"), list(STRATEGIES)
    names = ("chosen", "chosen, list shuffled", "random", "none named")
    right: dict[str, list[bool]] = {name: [] for name in names}
    fits: dict[str, list[bool]] = {name: [] for name in names[:-1]}
    for i, problem in enumerate(drawn):
        lists = pool, rng.sample(pool, len(pool))
        named = [*(listed[choose(reader, problem, listed)] for listed in lists), rng.choice(pool), None]
        for k, (name, strategy) in enumerate(zip(names, named, strict=True)):
            question = problem.question
            if strategy is not None:
                fits[name].append(style_under(strategy, problem.family) == "worked")
                question = under(strategy, question)
            right[name].append(reader.is_right(problem, prompt_text(question), (seed, i, k)))
    print(f"\n## Strategies, {len(drawn)} held-out problems, one reply at temperature 1\n")
    print("| strategy | fits the family | right |\n| --- | --- | --- |")
    for name, found in right.items():
        fit = _share(sum(fits[name]), len(drawn)) if name in fits else ""
        print(f"| {name} | {fit} | {_share(sum(found), len(drawn))} |")
    points = [f"{100 * value:+.1f}" for value in paired(right["chosen"], right["random"])]
    print(f"\nchosen minus random, percentage points: {points[0]} ({points[1]} to {points[2]})", flush=True)


def choose(reader: ModelReader, problem: Problem, listed: Sequence[str]) -> int:
    """The index of the listed strategy that the model most probably names first."""
    ids = reader.tokens(prompt_text(choice_request(problem.question, listed, 1)) + BEST)
    codes = [int(reader.tokens(f" {code}")[0]) for code in ascii_uppercase[: len(listed)]]
    return int(reader.logp(ids)[-1, codes].argmax())


def _numbers(found: tuple[float, float, float]) -> str:
    value, low, high = found
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def _share(n: int, total: int) -> str:
    low, high = wilson(n, total)
    return f"{n / total:.1%} ({low:.1%} to {high:.1%})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.pair_skills", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("skill", choices=("agreement", "ratings", "strategies", "all"))
    add("--problems", type=int, default=500, help="number of held-out problems (default: 500)")
    add("--seed", type=int, default=1, help="seed of problems and replies (default: 1)")
    add("--model", type=Path, help="target model (default: the embedded one)")
    add("--draft", type=Path, help="draft model (default: the embedded one)")
    add("--families", default=",".join(FAMILIES), metavar="NAME,...", help="families (default: all)")
    options = parser.parse_args(arguments)
    families = tuple(options.families.split(","))
    if not set(families) <= set(FAMILIES):
        parser.error(f"`--families` has an unknown one; choose from: {', '.join(FAMILIES)}")
    if options.problems < 2:
        parser.error("--problems must be at least 2")
    stream = problems(options.seed, "held-out", families=families)
    drawn = list(itertools.islice(stream, options.problems))
    with localsmc.load(options.model) as model, localsmc.load(options.draft or path("draft")) as small:
        target, draft = (ModelReader(one, 256) for one in (model, small))
        if options.skill in ("agreement", "all"):
            agreement(target, draft, drawn, options.seed)
        if options.skill in ("ratings", "all"):
            for reader in (target, draft):
                ratings(reader, drawn, options.seed)
        if options.skill in ("strategies", "all"):
            strategies(target, drawn, options.seed)


if __name__ == "__main__":
    run(main)
