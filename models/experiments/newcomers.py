"""Measure what the embedded model makes of a newcomer's questions, by plain `localsmc.solve`.

    python -m localsmc_models.experiments.newcomers asked FILE.jsonl    questions written by hand
    python -m localsmc_models.experiments.newcomers chats FILE.jsonl    chats written by hand
    python -m localsmc_models.experiments.newcomers sums        one step, whole numbers of up to three digits
    python -m localsmc_models.experiments.newcomers families    held-out problems, a row for each family
    python -m localsmc_models.experiments.newcomers refusals    refusals on held-out problems

A line of FILE is `{"question": ..., "answer": ..., "kind": ...}`; the answer null, or none, means that the
model must decline. Of chats it is `{"turns": [questions with answers]}`. `--alpha` and `--seed` are those of
`localsmc solve`, `--problems` the number of generated ones (per row of `families`), `--model` another file.
The handwritten files are `tests/first_hundred.jsonl` and those of `tests/newcomers`. Intervals are Wilson's,
95 %. `-v` prints every question that went wrong.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import localsmc
from localsmc import PowerSMC, Result, Sample, Settings
from localsmc.methods import Method
from localsmc.numerics.statistics import wilson
from localsmc.text import answers
from localsmc_models.corpus import FAMILIES, problems
from localsmc_models.corpus.refusals import OPENINGS
from localsmc_models.error_boundary import run

SEED = 20
"""Seed of the held-out problems."""

POWER = re.compile(
    r"square|cube|root|power|\^|\*\*|sqrt|[\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}\N{SQUARE ROOT}]", re.I
)
"""What a question about a power or a root contains."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its answer (None: the model must decline), and the row of the table that it counts in."""

    question: str
    answer: str | None
    kind: str


@dataclass(slots=True)
class Tally:
    """Counts of one row."""

    total: int = 0
    right: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, asked: Asked, result: Result) -> None:
        """Count one result."""
        is_refused = result.text.strip().startswith(OPENINGS)
        if asked.answer is None:
            is_right = is_refused
        else:
            is_right = not is_refused and answers.same(result.answer, asked.answer, "any")
        self.total += 1
        self.right += is_right
        self.refused += is_refused
        if not is_right:
            given = "refused" if is_refused else repr(result.answer)
            self.wrong.append(f"{asked.question!r}: {given}, not {asked.answer!r}")

    def row(self, name: str) -> str:
        """The row as it is printed."""
        share, (low, high) = self.right / self.total, wilson(self.right, self.total)
        return (
            f"{name:24} {self.right:5} of {self.total:5}  {share:6.1%} ({low:.1%} to {high:.1%})"
            f"  refused {self.refused}"
        )


class Questioner:
    """One model, asked with one method and one seed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.model = localsmc.load(options.model)
        card = self.model.source.defaults
        alpha = options.alpha or card.alpha or 4.0
        plain: Method = Sample()
        ramp = card.ramp or 40
        self.method = (
            plain if options.temperature_1 else PowerSMC(particles=options.particles, alpha=alpha, ramp=ramp)
        )
        self.settings = Settings(seed=options.seed, n_threads=options.threads, n_predict=256)
        self.is_verbose = options.verbose

    def ask(self, questions: Iterable[Asked]) -> None:
        """Print a row per kind, and their sum."""
        tallies: dict[str, Tally] = defaultdict(Tally)
        for asked in questions:
            result = localsmc.solve(self.model, asked.question, method=self.method, settings=self.settings)
            tallies[asked.kind].add(asked, result)
        self._print(tallies)

    def chat(self, chats: Iterable[list[Asked]]) -> None:
        """The same for chats."""
        tallies: dict[str, Tally] = defaultdict(Tally)
        for turns in chats:
            with localsmc.Conversation(self.model) as conversation:
                for asked in turns:
                    solving = conversation.ask(asked.question, method=self.method, settings=self.settings)
                    for _ in solving:
                        pass
                    result = solving.result()
                    conversation.keep(solving, result)
                    tallies[asked.kind].add(asked, result)
        self._print(tallies)

    def _print(self, tallies: dict[str, Tally]) -> None:
        for name, tally in sorted(tallies.items()):
            print(tally.row(name))
            if self.is_verbose:
                print(*(f"    {line}" for line in tally.wrong), sep="\n")
        whole = Tally(
            *(sum(getattr(one, name) for one in tallies.values()) for name in ("total", "right", "refused"))
        )
        print(whole.row("all"), flush=True)


def read(file: Path) -> Iterator[Asked]:
    """The questions of a file."""
    for line in file.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        answer = found.get("answer")
        yield Asked(found["question"], answer, found.get("kind", "refuse" if answer is None else "answer"))


def read_chats(file: Path) -> Iterator[list[Asked]]:
    """The chats of a file; a row for each turn's place, and one for the turns to decline."""
    for line in file.read_text(encoding="utf-8").splitlines():
        turns = json.loads(line)["turns"]
        yield [
            Asked(turn["question"], turn["answer"], "refuse" if turn["answer"] is None else f"turn {i}")
            for i, turn in enumerate(turns, start=1)
        ]


def one_step_sums(n: int) -> Iterator[Asked]:
    """Held-out calculations of one step with whole numbers of up to three digits, in all spellings."""
    drawn = problems(SEED, "held-out", levels=(1, 2), families=("calculation",))
    whole = (one for one in drawn if one.answer.lstrip("-").isdecimal())
    for problem in itertools.islice(whole, n):
        yield Asked(problem.question, problem.answer, _spelled(problem.question))


def _spelled(question: str) -> str:
    if POWER.search(question):
        return "powers and roots"
    return "numbers in digits" if re.search(r"\d", question) else "numbers in words"


def every_family(n: int) -> Iterator[Asked]:
    """Held-out problems of every family, n of each."""
    for family in FAMILIES:
        for problem in itertools.islice(problems(SEED, "held-out", families=(family,)), n):
            yield Asked(problem.question, problem.answer, family)


def held_out(n: int) -> Iterator[Asked]:
    """Held-out problems of all families together."""
    for problem in itertools.islice(problems(SEED, "held-out"), n):
        yield Asked(problem.question, problem.answer, "held-out problems")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("asked", "chats", "sums", "families", "refusals"))
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--alpha", type=float)
    parser.add_argument("--temperature-1", action="store_true", help="one sample instead of Power-SMC")
    parser.add_argument("--particles", type=int, default=16)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if options.what in ("asked", "chats") and options.file is None:
        parser.error(f"`{options.what}` needs a FILE.jsonl")
    questioner = Questioner(options)
    if options.what == "chats":
        questioner.chat(read_chats(options.file))
    elif options.what == "asked":
        questioner.ask(read(options.file))
    else:
        drawn = {"sums": one_step_sums, "families": every_family, "refusals": held_out}[options.what]
        questioner.ask(drawn(options.problems))


if __name__ == "__main__":
    run(main)
