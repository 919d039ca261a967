"""The experiments on early stopping, on the growth of cost and on wordings of the instruction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localsmc_models.experiments import cost_growth, early_stopping_savings, instruction_wordings

# What settling saves


def test_settling_is_compared_on_the_same_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    early_stopping_savings.main(["--problems", "12", "--ess-threshold", "0", "--threads", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == list(early_stopping_savings.WAYS)
    assert rows[0][3:8] == ["0", "0", "0.0%", "0.0%", "0.0% |"]
    # Without resampling the bound is certain: no answer is another one.
    settled = {row[0].removeprefix("| "): int(row[3]) for row in rows}
    assert 0 < settled["0.9"] <= settled["0.6"]
    assert [row[4] for row in rows[1:3]] == ["0", "0"]


def test_settling_without_problems_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        early_stopping_savings.main(["--problems", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err


# How cost grows


def test_curves_without_repetitions_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cost_growth.main(["--quick", "-r", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err


def test_every_curve_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cost_growth.main(["--quick", "-r", "1", "--output", str(tmp_path / "curves")])
    lines = [json.loads(line) for line in (tmp_path / "curves.jsonl").read_text().splitlines()]
    points = {
        curve.name: [line["at"] for line in lines if line["curve"] == curve.name]
        for curve in cost_growth.CURVES
    }
    assert points == {curve.name: list(curve.quick) for curve in cost_growth.CURVES}
    assert capsys.readouterr().out.count("| in llama.cpp |") == len(cost_growth.CURVES)
    rows = {line["at"]: line["peak_rows"] for line in lines if line["curve"] == "rows"}
    assert rows == {rows: rows for rows in rows}


# Wordings of the instruction


def test_every_wording_is_a_task_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "sums.jsonl"
    data.write_text('{"question": "What is 17 * 23?", "answer": "391"}\n')
    arguments = ["tiny", str(tmp_path / "run"), "--data", str(data), "--method", "greedy", "--predict", "80"]
    instruction_wordings.main([*arguments, "--threads", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]
    assert [row[0].removeprefix("| ") for row in rows] == list(instruction_wordings.WORDINGS)
    lines = [json.loads(line) for line in (tmp_path / "run/results.jsonl").read_text().splitlines()]
    assert [line["question"] for line in lines] == [
        "What is 17 * 23?" if wording is None else f"What is 17 * 23?\n\n{wording}"
        for wording in instruction_wordings.WORDINGS.values()
    ]
    assert all(line["result"]["method"]["config"]["instruction"] is None for line in lines)
    plain = rows[0]
    assert plain[1:4] + plain[5:6] == ["greedy", "1", "100.0%", "100.0%"]
    # The same command prints the same table from the folder, without running anything.
    instruction_wordings.main([*arguments, "--threads", "1"])
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [line.split(" | ") for line in again][2:] == rows
