"""Compare two models of lm-evaluation-harness (`lm_eval`) request by request on a multiple-choice task.

    python -m localsmc_models.experiments.harness_agreement task DATA.jsonl FOLDER [--rows 100]
    python -m localsmc_models.experiments.harness_agreement compare FIRST SECOND
    python -m localsmc_models.experiments.harness_agreement tokens MODEL.gguf FIRST

`task` writes the task `four_numbers`: problems with whole numbers as answers, each with four options. Run it
with `lm_eval --include_path FOLDER --tasks four_numbers --log_samples --output_path FIRST`, once per model.
`compare` takes both output folders, or the files of samples in them. `tokens` tokenises the requests of a run
with localsmc and with Transformers (`pip install transformers`), both from the GGUF file.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import TaskError
from localsmc_models.error_boundary import run

NAME = "four_numbers"

N_CHOICES = 4

TASK = """\
task: four_numbers
dataset_path: json
dataset_kwargs: {where}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""


# --- the task ---


def options(question: str, answer: int) -> list[int]:
    """The answer and three other numbers that the problem suggests, in ascending order.

    They are sums, differences and products of the numbers in the question, then neighbours of the answer.
    """
    given = [int(text) for text in re.findall(r"\d+", question)]
    results = [found for a, b in itertools.combinations(given, 2) for found in (a + b, abs(a - b), a * b)]
    near = [answer + by for by in (1, -1, 10, 2)]
    others = [n for n in dict.fromkeys([*results, *given, *near]) if n != answer and n >= 0]
    return sorted([answer, *others[: N_CHOICES - 1]])


def rows(lines: Iterable[str], limit: int) -> Iterator[dict[str, Any]]:
    """The first `limit` problems whose answer is a whole number from 0, as rows of the task.

    Raises TaskError for a line that is no problem.
    """
    found = 0
    for number, line in enumerate(lines, start=1):
        try:
            problem = json.loads(line)
            question, answer = str(problem["question"]), str(problem["answer"])
        except (ValueError, KeyError, TypeError) as error:
            raise TaskError(
                f"line {number} is no problem with `question` and `answer`",
                hint='a line is {"question": "What is 2 + 3?", "answer": "5"}',
            ) from error
        if found == limit:
            return
        if re.fullmatch(r"[0-9]+", answer):
            choices = options(question, int(answer))
            yield {
                "question": question,
                "choices": list(map(str, choices)),
                "gold": choices.index(int(answer)),
            }
            found += 1


def write_task(data: Path, folder: Path, limit: int) -> int:
    """Write the rows and the task into the folder; the number of rows. Raises TaskError if there are none."""
    with data.open(encoding="utf-8") as lines:
        found = list(rows(lines, limit))
    if not found:
        raise TaskError(f"`{data}` has no problem whose answer is a whole number")
    folder.mkdir(parents=True, exist_ok=True)
    written = folder.resolve() / f"{NAME}.jsonl"
    written.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    where = json.dumps({"data_files": {"test": str(written)}})
    (folder / f"{NAME}.yaml").write_text(TASK.format(where=where), encoding="utf-8")
    return len(found)


# --- what the runs found ---


@dataclass(frozen=True, slots=True)
class Sample:
    """One row in a run: its requests, and per option log p, whether greedy decoding writes it, and length."""

    requests: tuple[tuple[str, str], ...]
    logps: NDArray[np.float64]
    are_greedy: tuple[bool, ...]
    lengths: NDArray[np.int64]
    acc: float
    acc_norm: float

    @classmethod
    def of(cls, line: dict[str, Any]) -> Sample:
        """Read a line of lm-eval's samples; a log-likelihood is written there as two texts."""
        arguments = line["arguments"]
        requests = tuple((one["arg_0"], one["arg_1"]) for one in arguments.values())
        return cls(
            requests,
            np.array([float(logp) for logp, _ in line["filtered_resps"]]),
            tuple(str(is_greedy) == "True" for _, is_greedy in line["filtered_resps"]),
            # lm-eval divides by the characters of the option, without the blank before it.
            np.array([len(text.removeprefix(" ")) for _, text in requests]),
            line["acc"],
            line["acc_norm"],
        )


def samples_of(path: Path) -> dict[int, Sample]:
    """The rows of a run by their number; raises TaskError unless the folder has one file of samples."""
    files = sorted(path.rglob(f"samples_{NAME}_*.jsonl")) if path.is_dir() else [path]
    if len(files) != 1:
        raise TaskError(
            f"`{path}` has {len(files)} files of samples of {NAME}",
            hint="name the file, or run lm_eval with --log_samples and a new --output_path",
        )
    try:
        lines = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()]
        return {line["doc_id"]: Sample.of(line) for line in lines}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TaskError(f"`{files[0]}` is no file of lm-eval's samples of {NAME}") from error


def comparison(first: dict[int, Sample], second: dict[int, Sample]) -> Iterator[tuple[str, str]]:
    """What is compared and what was found; raises TaskError if the runs asked different things."""
    if not first or {i: one.requests for i, one in first.items()} != {
        i: one.requests for i, one in second.items()
    }:
        raise TaskError("the runs have no rows, or different ones", hint="run the same task on both models")
    pairs = [(first[i], second[i]) for i in sorted(first)]
    apart = np.abs(np.concatenate([a.logps - b.logps for a, b in pairs]))
    n_greedy = sum(x != y for a, b in pairs for x, y in zip(a.are_greedy, b.are_greedy, strict=True))
    yield "rows, requests", f"{len(pairs)}, {len(apart)}"
    for name in ("acc", "acc_norm"):
        means = [np.mean([getattr(one, name) for one in of_run]) for of_run in zip(*pairs, strict=True)]
        yield name, ", ".join(f"{mean:.4f}" for mean in means)
    yield "choice differs (acc)", f"{sum(a.logps.argmax() != b.logps.argmax() for a, b in pairs)} rows"
    n_norm = sum((a.logps / a.lengths).argmax() != (b.logps / b.lengths).argmax() for a, b in pairs)
    yield "choice differs (acc_norm)", f"{n_norm} rows"
    yield "greedy or not differs", f"{n_greedy} requests"
    yield "log p apart, largest", f"{apart.max():.6f}"
    yield "log p apart, mean", f"{apart.mean():.6f}"


# --- tokens ---


def tokens_apart(model: Path, samples: Iterable[Sample]) -> tuple[int, list[str]]:
    """The number of requests, and a line for each that Transformers tokenises in another way.

    The pair is cut as lm-eval does it: the context's tokens are those of the context alone.
    """
    from transformers import AutoTokenizer

    import localsmc
    from localsmc.scoring.pair_tokens import PairForm, PairTokens

    theirs = AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name)
    pairs = [pair for sample in samples for pair in sample.requests]
    lines = []
    with localsmc.load(str(model)) as loaded:
        ours = PairTokens(loaded, PairForm(), localsmc.Settings())
        for context, text in pairs:
            scored = ours(context, text)
            whole, begin = theirs.encode(context + text), len(theirs.encode(context))
            if (scored.tokens.tolist(), scored.first) != (whole, begin):
                lines.append(
                    f"{context + text!r}: {scored.tokens.tolist()} from {scored.first}, {whole} from {begin}"
                )
    return len(pairs), lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.harness_agreement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    task = commands.add_parser("task", help="write the task")
    task.add_argument("data", type=Path, help='lines of {"question": ..., "answer": ...}')
    task.add_argument("folder", type=Path)
    task.add_argument("--rows", type=int, default=100, help="the first of them (default: 100)")
    compare = commands.add_parser("compare", help="compare two runs")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    tokens = commands.add_parser("tokens", help="compare tokenisers")
    tokens.add_argument("model", type=Path, help="GGUF file")
    tokens.add_argument("first", type=Path)
    given = parser.parse_args(arguments)
    if given.command == "tokens" and importlib.util.find_spec("transformers") is None:
        parser.error("tokens needs Transformers: pip install transformers")
    if given.command == "task":
        if given.rows < 1:
            parser.error("--rows must be at least 1")
        n = write_task(given.data, given.folder, given.rows)
        print(f"{n} rows; lm_eval --include_path {given.folder} --tasks {NAME}")
    elif given.command == "compare":
        for name, found in comparison(samples_of(given.first), samples_of(given.second)):
            print(f"{name:26} {found}")
    else:
        n, lines = tokens_apart(given.model, samples_of(given.first).values())
        print(*lines, f"{len(lines)} of {n} requests are tokenised in another way", sep="\n")


if __name__ == "__main__":
    run(main)
