"""The measuring command: the random model, one small run of all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import localsmc
from localsmc_models import figures, settling

# The command


def test_prompts_are_those_of_solve() -> None:
    question = "Ada buys 3 pens at 12 coins each. How many coins is that?"
    with localsmc.load() as model:
        bench = figures.Bench(model, [question], n_predict=4, n_threads=1)
        settings = localsmc.Settings(n_predict=4, n_threads=1)
        with localsmc.start(model, question, method=localsmc.Greedy(), settings=settings) as solving:
            np.testing.assert_array_equal(bench.prompts[0], solving.prompt)


def test_runs_repeat_and_endless_ones_go_on() -> None:
    spec = figures.Spec("some", localsmc.PowerSMC(particles=4, alpha=4.0, ramp=4), ("draw", "majority"))
    with localsmc.load() as model:
        bench = figures.Bench(model, ["What is 7 * 8?", "Compute 12 + 9."], n_predict=30, n_threads=1)
        first, between, again = (bench.run(spec, problem, "56", seed=5) for problem in (0, 1, 0))
        assert (first.rows, first.steps, first.ess) == (again.rows, again.steps, again.ess)
        assert first.right.keys() == {"draw", "majority"}
        assert between.problem == 1
        assert 0 < first.decode_seconds < first.step_seconds < first.seconds
        plain = figures.Spec("plain", localsmc.Greedy(), endless=True)
        # A terse answer has fewer than 29 tokens, and a sample of one row decodes all but its last token.
        assert (bench.run(plain, 0, n_tokens=30).steps, bench.run(plain, 0, n_tokens=30).rows) == (30, 29)


def test_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path))
    sizes = "--problems 2 --rounds 1 --particles 2,4 --predict 10 --threads 1 --shape test --tokens 4"
    figures.main(["all", *sizes.split(), "--json", str(tmp_path / "figures.json")])
    printed = capsys.readouterr().out
    assert printed.count("\n## ") == 5
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| Power-SMC N=4 α=4 |")]
    assert [row[1] for row in rows[:3]] == ["draw", "argmax", "majority"]
    saved = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert saved.keys() == {"environment", "accuracy", "sharing", "latency", "share"}
    assert len(saved["accuracy"]) == 11
    assert all(len(runs) == 2 for runs in saved["accuracy"].values())
    assert {run["reductions"] for runs in saved["accuracy"].values() for run in runs} == {0}
    one, many = (saved["latency"][name][0]["steps"] for name in ("one sample", "Power-SMC N=4 α=4"))
    assert one == many
    assert all(0 < value < 1 for kind in saved["share"].values() for value in kind["shares"].values())


# What settling saves


def test_settling_is_compared_on_the_same_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    settling.main(["--problems", "4", "--ess-threshold", "0", "--threads", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == list(settling.WAYS)
    assert rows[0][3:8] == ["0", "0", "0.0%", "0.0%", "0.0% |"]
    # Without resampling the bound is certain: no answer is another one.
    settled = {row[0].removeprefix("| "): int(row[3]) for row in rows}
    assert 0 < settled["0.9"] <= settled["0.6"]
    assert [row[4] for row in rows[1:3]] == ["0", "0"]


def test_settling_without_problems_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        settling.main(["--problems", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err
