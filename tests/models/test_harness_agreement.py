"""The experiment on lm-eval's log-likelihoods: its task, and what it says of two runs, computed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localsmc.errors import TaskError
from localsmc_models.experiments import harness_agreement


def written(path: Path, lines: list) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def sample(i: int, logps: list[float], *, acc: float, greedy: int = -1, options: tuple = ("7", "35")) -> dict:
    """A line of lm-eval's samples, in its form."""
    return {
        "doc_id": i,
        "arguments": {
            f"gen_args_{n}": {"arg_0": f"Question {i}\nAnswer:", "arg_1": f" {text}"}
            for n, text in enumerate(options)
        },
        "filtered_resps": [[str(logp), str(n == greedy)] for n, logp in enumerate(logps)],
        "acc": acc,
        "acc_norm": acc,
    }


# The task


def test_the_first_whole_answers_are_rows_with_four_options(tmp_path: Path) -> None:
    problems = [
        {"question": "Ann has 4 boxes of 6 pens, and gives 1 away. How many are left?", "answer": "23"},
        {"question": "What is half of 3?", "answer": "1.5"},
        {"question": "How many days has a week?", "answer": "7"},
        {"question": "What is 2 + 3?", "answer": "5"},
    ]
    data, folder = written(tmp_path / "data.jsonl", problems), tmp_path / "a task"
    assert harness_agreement.write_task(data, folder, 2) == 2
    rows = [json.loads(line) for line in (folder / "four_numbers.jsonl").read_text().splitlines()]
    assert [(row["choices"], row["gold"]) for row in rows] == [
        (["2", "10", "23", "24"], 2),
        (["6", "7", "8", "17"], 1),
    ]
    assert [row["question"] for row in rows] == [problems[0]["question"], problems[2]["question"]]
    assert json.dumps(str(folder / "four_numbers.jsonl")) in (folder / "four_numbers.yaml").read_text()


def test_options_are_four_distinct_numbers_from_0() -> None:
    for question, answer in (("What is 0 + 0?", 0), ("1 and 1", 1), ("3 and 3 and 3", 9), ("", 0)):
        found = harness_agreement.options(question, answer)
        assert len(set(found)) == 4
        assert answer in found
        assert min(found) >= 0


@pytest.mark.parametrize("line", ['{"question": "What is 2 + 3?"}', "no JSON", "[]", "5"])
def test_a_line_that_is_no_problem_is_named(tmp_path: Path, line: str) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"question": "What is 2 + 3?", "answer": "5"}\n' + line)
    with pytest.raises(TaskError, match="line 2 is no problem"):
        harness_agreement.write_task(data, tmp_path, 5)


# The comparison


def test_two_runs_are_compared_request_by_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = [sample(0, [-1.0, -3.0], acc=1.0, greedy=0), sample(1, [-2.0, -2.5], acc=0.0)]
    second = [sample(1, [-2.75, -2.5], acc=1.0), sample(0, [-1.25, -3.0], acc=1.0)]
    folders = tmp_path / "first", tmp_path / "second"
    for folder, lines in zip(folders, (first, second), strict=True):
        (folder / "model").mkdir(parents=True)
        written(folder / "model/samples_four_numbers_2030.jsonl", lines)
    harness_agreement.main(["compare", *map(str, folders)])
    found = {line[:26].strip(): line[26:].strip() for line in capsys.readouterr().out.splitlines()}
    assert found == {
        "rows, requests": "2, 4",
        "acc": "0.5000, 1.0000",
        "acc_norm": "0.5000, 1.0000",
        "choice differs (acc)": "1 rows",
        # Divided by one character and by two: -2 to -1.25, and -2.75 to -1.25.
        "choice differs (acc_norm)": "0 rows",
        "greedy or not differs": "1 requests",
        "log p apart, largest": "0.750000",
        "log p apart, mean": "0.250000",
    }


def test_runs_of_other_rows_are_refused(tmp_path: Path) -> None:
    one = written(tmp_path / "one.jsonl", [sample(0, [-1.0, -3.0], acc=1.0)])
    other = written(tmp_path / "other.jsonl", [sample(0, [-1.0, -3.0], acc=1.0, options=("7", "36"))])
    with pytest.raises(TaskError, match="different"):
        harness_agreement.main(["compare", str(one), str(other)])


def test_a_folder_without_samples_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="0 files of samples"):
        harness_agreement.samples_of(tmp_path)
    with pytest.raises(TaskError, match="no file of lm-eval's samples"):
        harness_agreement.samples_of(written(tmp_path / "other.jsonl", [{"question": "5"}]))


def test_no_rows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        harness_agreement.main(["task", str(tmp_path / "data.jsonl"), str(tmp_path), "--rows", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err
