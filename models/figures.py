"""The figures that localsmc is judged by, measured: accuracy, sharing, host time, latency.

    python -m localsmc_models.figures accuracy|sharing|share|latency|all [--json FILE]

Methods that are compared take turns within each problem, in an order shuffled anew, in one
process and on contexts that are kept: whatever else the machine does hits all of them alike.
Seconds count from before the prompt to the graded answers; loading a model is not counted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import platform
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import localsmc
from localsmc import Model, answers, prompts
from localsmc.bench import cached, parse
from localsmc.draws import RandomDraw
from localsmc.llama import ContextOptions, LlamaContext, build_info, default_threads
from localsmc.methods import Ending, Greedy, Method, PowerSMC, Request, Sample
from localsmc.model import TokenIds
from localsmc.prompts import StopRule
from localsmc.records import Completion
from localsmc.selection import SELECTORS
from localsmc.statistics import paired, wilson
from localsmc_models.command import run
from localsmc_models.corpus import TRAINED_LEVELS, Problem, problems

SHARE_TARGETS = {"embedded": 0.5, "synthetic": 0.9}
SHARING_TARGET, LATENCY_TARGET = 4.0, 2.0

SYNTHETIC_ROUNDS = 2
SYNTHETIC_PROBLEM = "Ada buys 3 pens at 12 coins each. How many coins is that?"


@dataclass(frozen=True, slots=True)
class Spec:
    """A method to measure, and the selectors applied to each of its runs."""

    label: str
    method: Method
    selectors: tuple[str, ...] = ("draw",)
    endless: bool = False
    """End tokens do not end: the run takes all its tokens."""

    @property
    def n(self) -> int:
        """Particles."""
        return int(getattr(self.method, "particles", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run. Step and decode seconds are those after the prompt; `ess` is the mean share of N."""

    problem: int
    seconds: float
    step_seconds: float
    decode_seconds: float
    steps: int
    rows: int
    ess: float
    reductions: int
    right: dict[str, bool]


class Bench:
    """One model with one context for each number of particles, used again by every run."""

    def __init__(self, model: Model, questions: Sequence[str], *, n_predict: int, n_threads: int) -> None:
        self.model, self.n_threads = model, n_threads
        self.prompts = [_prompt(model, question) for question in questions]
        longest = max(map(len, self.prompts))
        self.n_predict = min(n_predict, model.llama.n_ctx_train - longest)
        self.length = longest + self.n_predict
        self._contexts: dict[tuple[int, bool], LlamaContext] = {}

    def context(self, spec: Spec) -> LlamaContext:
        """The context of all runs like this one, with cells for N histories that share nothing."""
        key = spec.n, spec.endless
        if key not in self._contexts:
            n_ctx = self.length * spec.n
            options = ContextOptions(n_ctx=n_ctx, n_seq_max=spec.n, n_threads=self.n_threads)
            context = self.model.llama.context(options)
            if spec.endless:
                context.is_eog = np.zeros_like(context.is_eog)
            self._contexts[key] = context
        return self._contexts[key]

    def run(self, spec: Spec, problem: int, answer: str = "", *, seed: int = 0, n_tokens: int = 0) -> Outcome:
        """Run a method on one of the problems, to the end, and grade what each selector takes."""
        context = self.context(spec)
        streams = np.random.SeedSequence([seed, problem, zlib.crc32(spec.label.encode())]).spawn(2)
        prompt, n_tokens, stop = self.prompts[problem], n_tokens or self.n_predict, StopRule(context.pieces)
        draw = RandomDraw(np.random.default_rng(streams[0]))
        request = Request(model=context, prompt=prompt, n_tokens=n_tokens, stop=stop, draw=draw)
        began = time.perf_counter()
        run = spec.method.start(request)
        after_prompt = time.perf_counter()
        ess = [info.ess for info in run]
        after_steps = time.perf_counter()
        right = self._graded(run.endings(), spec.selectors, answer, streams[1])
        return Outcome(
            problem=problem,
            seconds=time.perf_counter() - began,
            step_seconds=after_steps - after_prompt,
            decode_seconds=run.decode_seconds,
            steps=run.steps,
            rows=run.sequences.rows,
            ess=float(np.mean(ess)) / spec.n,
            reductions=run.reductions,
            right=right,
        )

    def _graded(
        self, endings: Iterable[Ending], selectors: Iterable[str], answer: str, stream: np.random.SeedSequence
    ) -> dict[str, bool]:
        completions = [self._completion(ending) for ending in endings]
        right = {}
        for name in selectors:
            found = SELECTORS[name](completions, np.random.default_rng(stream)).answer
            right[name] = answers.same(found, answer)
        return right

    def _completion(self, ending: Ending) -> Completion:
        text = self.model.llama.text(ending.tokens).decode(errors="replace")
        values = {name: getattr(ending, name) for name in ("logp", "weight", "finish_reason", "count")}
        return Completion(text=text, answer=answers.extract(text), n_tokens=len(ending.tokens), **values)

    def interleaved(
        self, specs: Sequence[Spec], solutions: Sequence[str], seed: int
    ) -> dict[str, list[Outcome]]:
        """Every method on every problem, the order shuffled for each problem."""
        rng = np.random.default_rng(seed)
        outcomes: dict[str, list[Outcome]] = {spec.label: [] for spec in specs}
        for spec in specs:
            self.run(spec, 0, seed=seed, n_tokens=2)  # opens contexts, warms caches
        for problem, answer in enumerate(solutions):
            for k in rng.permutation(len(specs)):
                outcomes[specs[k].label].append(self.run(specs[k], problem, answer, seed=seed))
            _progress(problem + 1, len(solutions))
        return outcomes


def _prompt(model: Model, question: str) -> TokenIds:
    llama = model.llama
    messages = prompts.conversation(question, None, model.source.defaults.instruction)
    if llama.chat_template is None:
        return llama.with_bos(llama.tokenize(messages[0]["content"], special=False))
    return llama.tokenize(llama.chat_template.render(messages), special=True)


def _total(outcomes: Iterable[Outcome], name: str) -> float:
    return math.fsum(getattr(outcome, name) for outcome in outcomes)


def _mean(outcomes: Sequence[Outcome], name: str) -> float:
    return _total(outcomes, name) / len(outcomes)


def accuracy(bench: Bench, drawn: Sequence[Problem], options: argparse.Namespace) -> dict[str, Any]:
    """Accuracy of every method and selector; its first row, one plain sample, is the unit of time."""
    specs = _accuracy_specs(options)
    solutions, levels = [problem.answer for problem in drawn], [problem.level for problem in drawn]
    outcomes = bench.interleaved(specs, solutions, options.seed)
    plain = _total(outcomes[specs[0].label], "seconds")
    rows = []
    for spec in specs:
        runs = outcomes[spec.label]
        steps = _total(runs, "steps")
        costs = [f"{_total(runs, 'rows') / (spec.n * steps):.3f}", f"{_mean(runs, 'ess'):.2f}"]
        costs += [f"{_mean(runs, 'steps'):.0f}", f"{_mean(runs, 'seconds'):.3f}"]
        costs.append(f"{_total(runs, 'seconds') / plain:.2f}")
        for selector in spec.selectors:
            right = sum(outcome.right[selector] for outcome in runs)
            low, high = wilson(right, len(runs))
            share = f"{right / len(runs):.1%}", f"{low:.1%} to {high:.1%}"
            rows.append([spec.label, selector if spec.n > 1 else "", *share, *costs])
    print(f"\n## Accuracy on {len(solutions)} held-out problems, seed {options.seed}\n")
    heads = "method|selector|accuracy|95 % interval|rows/(N·steps)|ESS/N|steps|seconds|× one sample"
    _table(heads, rows)
    _print_levels(specs, outcomes, levels)
    _print_differences(specs, outcomes)
    return _plain(outcomes)


def _print_levels(specs: Sequence[Spec], outcomes: dict[str, list[Outcome]], levels: Sequence[int]) -> None:
    """The first selector's accuracy level by level."""
    each = sorted(set(levels))
    rows = []
    for spec in specs:
        right = np.array([outcome.right[spec.selectors[0]] for outcome in outcomes[spec.label]])
        shares = [right[np.array(levels) == level] for level in each]
        rows.append([spec.label, *(f"{share.mean():.1%} of {len(share)}" for share in shares)])
    print("\nBy level:\n")
    _table("|".join(("method", *(f"level {level}" for level in each))), rows)


def _accuracy_specs(options: argparse.Namespace) -> list[Spec]:
    counts, ramp = options.particles or (8, 16, 64), options.ramp
    specs = [Spec("temperature 1", Sample())]
    specs += [Spec(f"temperature 1/{a:g}", Sample(temperature=1 / a)) for a in options.alphas]
    specs.append(Spec("greedy", Greedy()))
    for n in counts:
        specs.append(Spec(f"self-vote, {n} samples at temperature 1", Sample(particles=n), ("majority",)))
    every = tuple(SELECTORS)
    specs += [_power(n, a, ramp, every) for a, n in itertools.product(options.alphas, counts)]
    # The differences are those at this N: 16 of (8, 16, 64).
    no_ramp = _power(counts[len(counts) // 2], options.alphas[-1], 0, every)
    return [*specs, replace(no_ramp, label=f"{no_ramp.label}, no ramp")]


def _power(n: int, alpha: float, ramp: int, selectors: tuple[str, ...] = ("draw",)) -> Spec:
    return Spec(f"Power-SMC N={n} α={alpha:g}", PowerSMC(particles=n, alpha=alpha, ramp=ramp), selectors)


def _print_differences(specs: Sequence[Spec], outcomes: dict[str, list[Outcome]]) -> None:
    """Each Power-SMC at the middle N, against every method that is no Power-SMC, and that without the ramp.

    A vote is compared with the vote, one answer with the draw.
    """
    others = [spec for spec in specs if not isinstance(spec.method, PowerSMC)] + [specs[-1]]
    ours = [spec for spec in specs[:-1] if spec not in others and spec.n == specs[-1].n]
    rows = []
    for spec, other in itertools.product(ours, others):
        selector = other.selectors[0]
        pair = ([outcome.right[selector] for outcome in outcomes[one.label]] for one in (spec, other))
        points = (f"{100 * value:+.1f}" for value in paired(*pair))
        rows.append([f"{spec.label}, {selector}", other.label, *points])
    print("\nDifferences in percentage points, paired by problem:\n")
    _table("method|against|difference|95 % from|to", rows)


def sharing(bench: Bench, solutions: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Seconds with every particle a row of its own, over seconds with one row a distinct history."""
    n, alpha = (options.particles or (32,))[-1], options.alphas[-1]
    specs = [
        Spec(name, replace(_power(n, alpha, options.ramp).method, resampling="systematic", share=is_shared))
        for name, is_shared in (("apart", False), ("shared", True))
    ]
    outcomes = bench.interleaved(specs, solutions, options.seed)
    print(f"\n## Shared prefixes: N={n}, α={alpha:g} (target: apart / shared at least {SHARING_TARGET:g})\n")
    return _ratio(outcomes)


def latency(bench: Bench, solutions: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a run over those of one plain sample that goes on to the same number of tokens."""
    n, alpha = (options.particles or (64,))[-1], options.alphas[-1]
    power = _power(n, alpha, options.ramp)
    plain = Spec("one sample", Sample(), endless=True)
    outcomes: dict[str, list[Outcome]] = {power.label: [], plain.label: []}
    for spec in power, plain:
        bench.run(spec, 0, n_tokens=2)
    for problem, answer in enumerate(solutions):
        ours = bench.run(power, problem, answer, seed=options.seed)
        theirs = bench.run(plain, problem, answer, seed=options.seed, n_tokens=ours.steps)
        outcomes[power.label].append(ours)
        outcomes[plain.label].append(theirs)
        _progress(problem + 1, len(solutions))
    print(f"\n## Latency against one sample of as many tokens (target: at most {LATENCY_TARGET:g})\n")
    return _ratio(outcomes)


def _ratio(outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Print and return how the seconds of the first method compare with those of the second."""
    rows = [
        [label, len(runs), *(f"{_mean(runs, part):.3g}" for part in ("steps", "rows", "seconds"))]
        for label, runs in outcomes.items()
    ]
    _table("method|problems|steps|rows|seconds a problem", rows)
    first, second = (_total(runs, "seconds") for runs in outcomes.values())
    print(f"\nratio: {first / second:.2f}")
    return {"ratio": first / second, **_plain(outcomes)}


def _plain(outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    return {label: [asdict(outcome) for outcome in runs] for label, runs in outcomes.items()}


def share(bench: Bench, name: str, n_rounds: int, options: argparse.Namespace) -> dict[str, Any]:
    """The share of a step's time that llama.cpp has, prompt not counted; ours is the rest."""
    sizes = itertools.product(options.particles or (16, 64), options.alphas)
    specs = [_power(n, alpha, options.ramp) for n, alpha in sizes]
    outcomes = bench.interleaved(specs, [""] * n_rounds, options.seed)
    rows, shares = [], {}
    for spec in specs:
        runs = outcomes[spec.label]
        steps, seconds, decode = (_total(runs, part) for part in ("steps", "step_seconds", "decode_seconds"))
        shares[spec.label] = decode / seconds
        ours = seconds - decode
        milliseconds = (f"{1e3 * part / steps:.2f}" for part in (decode, ours))
        rows_a_step = f"{_total(runs, 'rows') / steps:.1f}"
        rows.append([spec.label, f"{steps:.0f}", rows_a_step, *milliseconds, f"{decode / seconds:.3f}"])
    print(f"\n## llama.cpp's share of a step's time: {name} (target: at least {SHARE_TARGETS[name]:g})\n")
    _table("method|steps|rows a step|llama.cpp ms a step|ours ms a step|share", rows)
    if name == "synthetic":
        print(
            "\nRandom weights make nearly uniform laws: particles part at the first token and share nothing"
            "\nafterwards. Every row is a history of its own, and a row is cheapest where there are many."
        )
    return {"shares": shares, **_plain(outcomes)}


def _table(heads: str, rows: Iterable[Sequence[object]]) -> None:
    names = heads.split("|")
    for row in (names, ["---"] * len(names), *rows):
        print("|", " | ".join(map(str, row)), "|", flush=True)


def _progress(done: int, n: int) -> None:
    if done % 10 == 0 or done == n:
        print(f"{done}/{n}", end="\n" if done == n else " ", file=sys.stderr, flush=True)


def _environment(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    found = {
        "localsmc": localsmc.__version__,
        "llama.cpp": build_info(),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "threads": options.threads or default_threads(model.llama.n_params),
        "model": f"{model.source.path.name}, sha256 {model.source.sha256}",
    }
    print(*(f"- {name}: {value}" for name, value in found.items()), sep="\n")
    return found


def _numbers(kind: type[int] | type[float]) -> Any:
    def numbers(text: str) -> tuple[float, ...]:
        return tuple(kind(part) for part in text.split(","))

    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.figures", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("figure", choices=("accuracy", "sharing", "share", "latency", "all"))
    add("--problems", type=int, default=300, help="held-out problems for accuracy (300)")
    add("--rounds", type=int, default=20, help="of these for sharing, share and latency (20)")
    add("--levels", type=_numbers(int), default=TRAINED_LEVELS, help="of the problems (1,2,3)")
    add("--seed", type=int, default=1, help="of problems and runs (1)")
    add("--particles", type=_numbers(int), help="such as 8,16,64; by default as each figure asks")
    add("--alphas", type=_numbers(float), default=(2.0, 4.0), help="ascending (2,4)")
    add("--ramp", type=int, help="tokens; by default the model's")
    add("--predict", type=int, help="tokens at most; by default the model's")
    add("--threads", type=int, default=0, help="of llama.cpp; 0 is the default (0)")
    add("--model", help="a GGUF in the place of the embedded one")
    add("--shape", default="qwen2.5-0.5b", help="of the synthetic model; `none` leaves it out")
    add("--tokens", type=int, default=48, help="generated on the synthetic model (48)")
    add("--json", type=Path, help="write every run to this file")
    return parser


def _measure(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    n_predict = options.predict or model.source.defaults.n_predict
    stream = problems(options.seed, "held-out", options.levels)
    wanted = list(itertools.islice(stream, max(options.problems, options.rounds)))
    questions, solutions = zip(*((problem.question, problem.answer) for problem in wanted), strict=True)
    bench = Bench(model, questions, n_predict=n_predict, n_threads=options.threads)
    figures: dict[str, Any] = {"environment": _environment(model, options)}
    asked = options.figure
    if asked in ("accuracy", "all"):
        figures["accuracy"] = accuracy(bench, wanted[: options.problems], options)
    for name, figure in ("sharing", sharing), ("latency", latency):
        if asked in (name, "all"):
            figures[name] = figure(bench, solutions[: options.rounds], options)
    if asked in ("share", "all"):
        figures["share"] = {"embedded": share(bench, "embedded", options.rounds, options)}
        if options.shape != "none":
            figures["share"]["synthetic"] = _synthetic_share(options)
    return figures


def _synthetic_share(options: argparse.Namespace) -> dict[str, Any]:
    with localsmc.load(cached(parse(options.shape))) as model:
        questions = [SYNTHETIC_PROBLEM] * SYNTHETIC_ROUNDS
        bench = Bench(model, questions, n_predict=options.tokens, n_threads=options.threads)
        return share(bench, "synthetic", SYNTHETIC_ROUNDS, options)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    with localsmc.load(options.model) as model:
        if options.ramp is None:
            options.ramp = model.source.defaults.ramp
        figures = _measure(model, options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    run(main)
