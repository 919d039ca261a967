"""Reports of made-up runs: figures by hand, broken folders, and files."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run_folder

import localsmc
from localsmc.evals.json_fields import JsonReader
from localsmc.evals.result_records import result_record
from localsmc.evals.run_folder import read_run
from localsmc.numerics import statistics
from localsmc.report import page, report, table
from localsmc.report.html.prefix_tree import prefix_tree, trace_tree
from localsmc.report.trace_file import read_trace
from localsmc_cli.ui.trace_writer import TraceWriter

POWER = "power-smc:N=16,alpha=4,select=majority"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = run_folder.lines()
    made[3] = run_folder.failed(made[3])
    return run_folder.write(tmp_path_factory.mktemp("runs") / "run", made)


@pytest.fixture(scope="module")
def found(folder):
    return report([folder])


@pytest.fixture
def small(tmp_path):
    return run_folder.write(tmp_path / "small", n_problems=3, models={"m": 0.0}, seeds=(0,))


def rows(found, name):
    return found.table(name).to_json()


# --- figures --------------------------------------------------------------------------------------


def test_every_method_has_one_row_and_one_for_each_selector_elsewhere(found):
    told = [(row["model"], row["method"], row["select"]) for row in rows(found, "accuracy")]
    each = [("sample", ""), ("greedy", ""), (POWER, "majority")]
    assert told == [(model, *one) for model in run_folder.MODELS for one in each]
    told = [(row["model"], row["method"], row["select"]) for row in rows(found, "selectors")]
    others = ("majority", "draw, expected", "argmax", "distinct", "best", "best-mean")
    assert told == [(model, POWER, other) for model in run_folder.MODELS for other in others]


def test_accuracy_is_the_mean_of_the_problems_with_what_went_wrong_beside_it(folder, found):
    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    for row in rows(found, "accuracy"):
        if row["select"] in ("", "majority"):
            ours = [one for one in lines if (one["model"], one["method"]) == (row["model"], row["method"])]
            assert row["accuracy"] == pytest.approx(np.mean([one["verdict"] == "right" for one in ours]))
            assert row["truncated"] == pytest.approx(np.mean([one["verdict"] == "truncated" for one in ours]))
            assert row["failed"] == pytest.approx(np.mean([one["verdict"] == "failed" for one in ours]))
            assert row["problems"] == 40
            assert row["interval"][0] <= row["accuracy"] <= row["interval"][1]


def test_sources_of_answers_have_shares_and_grades(tmp_path):
    made = run_folder.lines(seeds=(0,), models={"m": 0.0})
    for i, one in enumerate(made):
        result = one["result"]
        found = ("boxed", "stated", "concluded", "fallback")[i % 4] if result["answer"] is not None else None
        for completion in result["completions"]:
            completion["source"] = None if completion["answer"] is None else found
        result |= {"source": found, "answer_kind": "numeric"}
    manifest = run_folder.manifest(seeds=(0,), models={"m": 0.0})
    told = report([run_folder.write(tmp_path / "sources", made, manifest)])
    for label in run_folder.METHODS:
        ours = [one for one in made if one["method"] == label]
        of_label = {row["source"]: row for row in rows(told, "sources") if row["method"] == label}
        assert sum(row["share"] for row in of_label.values()) == pytest.approx(1.0)
        for source, row in of_label.items():
            wanted = None if source == "none" else source
            these = [one for one in ours if one["result"]["source"] == wanted]
            assert row["answers"] == len(these)
            assert row["share"] == pytest.approx(len(these) / len(ours))
            assert row["accuracy"] == pytest.approx(np.mean([one["verdict"] == "right" for one in these]))
        [main] = [
            row
            for row in rows(told, "accuracy")
            if row["method"] == label and row["select"] in ("", "majority")
        ]
        n_fallbacks = sum(one["result"]["source"] == "fallback" for one in ours)
        assert main["fallback"] == pytest.approx(n_fallbacks / len(ours))


def test_runs_that_recorded_no_source_have_no_table_of_them(found):
    assert found.table("sources") is None
    assert {row["fallback"] for row in rows(found, "accuracy")} == {None}


def test_one_seed_has_wilsons_interval_and_mcnemars_test(tmp_path):
    made = run_folder.lines(seeds=(0,), models={"m": 0.0})
    found = report(
        [run_folder.write(tmp_path / "one", made, run_folder.manifest(seeds=(0,), models={"m": 0.0}))]
    )
    right = {
        label: [one["verdict"] == "right" for one in made if one["method"] == label]
        for label in run_folder.METHODS
    }
    for row in rows(found, "accuracy"):
        if row["select"] != "draw, expected":
            n_right = round(row["accuracy"] * 40)
            assert row["interval"] == pytest.approx(statistics.wilson(n_right, 40))
    (row,) = [row for row in rows(found, "differences") if row["method"] == "greedy"]
    assert (row["difference"], *row["interval"]) == statistics.paired(right["greedy"], right["sample"])
    assert row["p"] == (statistics.mcnemar(round(row["won"]), round(row["lost"])),)
    assert row["against"] == "sample"


def one_line(**changes):
    """A line with two answers: 7 is right and has 0.6 of the weight, in two histories of 0.3."""
    completions = [
        run_folder.completion("9", ["a"], 0.4, 2),
        run_folder.completion("7", ["b"], 0.3, 1),
        run_folder.completion("14/2", ["c"], 0.3, 1),
    ]
    line = run_folder.line(np.random.default_rng(0), 0, POWER, "tiny-F16", 0)
    line["result"]["completions"] = completions
    line["result"]["answers"] = [
        {"answer": "7", "weight": 0.6, "count": 2},
        {"answer": "9", "weight": 0.4, "count": 2},
    ]
    verdicts = {"7": "right", "14/2": "right", "9": "wrong"}
    return {**line, "gold": "7", "answer": "7", "verdict": "right", "verdicts": verdicts, **changes}


def test_selectors_are_computed_from_the_weighted_set():
    line = result_record(JsonReader(one_line(), "here", "hint"))
    assert line.outcome("majority") == {"right": 1.0}
    assert line.outcome("argmax") == {"wrong": 1.0}
    assert line.outcome("draw") == pytest.approx({"right": 0.6, "wrong": 0.4})


def test_each_spelling_has_the_verdict_of_its_own():
    line = result_record(
        JsonReader(one_line(verdicts={"7": "right", "14/2": "wrong", "9": "wrong"}), "here", "hint")
    )
    assert line.outcome("draw") == pytest.approx({"right": 0.3, "wrong": 0.7})


def refused_line(**changes):
    """A line with two refusals, one of them cut, that have 0.6 of the weight together, and a wrong answer."""
    line = one_line(answer=None, verdict="no-answer", verdicts={"9": "wrong"}, **changes)
    refusals = [
        {**run_folder.completion(None, [text], weight, 1, finish), "is_refused": True}
        for text, weight, finish in (("b", 0.35, "stop"), ("c", 0.25, "length"))
    ]
    line["result"]["completions"] = [run_folder.completion("9", ["a"], 0.4, 2), *refusals]
    line["result"]["answers"] = [
        {"answer": None, "weight": 0.6, "count": 2, "is_refused": True},
        {"answer": "9", "weight": 0.4, "count": 2},
    ]
    line["result"]["is_refused"] = True
    return line


def test_refusals_are_one_candidate_without_an_answer_under_every_selector():
    line = result_record(JsonReader(refused_line(), "here", "hint"))
    assert line.outcome("majority") == {"no-answer": 1.0}
    assert line.outcome("argmax") == {"wrong": 1.0}
    assert line.outcome("draw") == pytest.approx({"wrong": 0.4, "no-answer": 0.6})
    assert [line.refused(name) for name in ("majority", "argmax", "draw")] == pytest.approx([1.0, 0.0, 0.6])


def test_refusals_have_a_column_where_there_are_any(tmp_path):
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    made = [(refused_line if k else one_line)(problem_id=f"p{k}") for k in range(4)]
    found = report([run_folder.write(tmp_path / "some", made, about)])
    shares = {row["select"]: (row["no_answer"], row["refused"]) for row in rows(found, "selectors")}
    assert shares["majority"] == (0.75, 0.75)
    assert shares["argmax"] == (0.0, 0.0)
    assert shares["draw, expected"] == pytest.approx((0.45, 0.45))
    assert '"refusal"' in page(found)
    made = [one_line(problem_id=f"p{k}") for k in range(4)]
    plain = report([run_folder.write(tmp_path / "none", made, about)])
    assert {row["refused"] for row in rows(plain, "accuracy")} == {None}


def test_a_method_that_gives_up_losers_has_its_own_selector_only(tmp_path):
    """What is left of its samples is no sample of its texts: the short ones finish first."""
    made = [one_line(problem_id=f"p{k}") for k in range(4)]
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    assert len(rows(report([run_folder.write(tmp_path / "whole", made, about)]), "selectors")) == 6
    for one in made:
        one["result"]["method"]["config"]["early"] = True
    found = report([run_folder.write(tmp_path / "partial", made, about)])
    (row,) = rows(found, "accuracy")
    assert row["select"] == "majority"
    assert not {"calibration", "bins", "spread", "selectors"} & {table.name for table in found.tables}


def test_metropolis_steps_have_columns_where_there_are_any(tmp_path):
    made = [one_line(problem_id=f"p{k}") for k in range(4)]
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    (row,) = rows(report([run_folder.write(tmp_path / "none", made, about)]), "cost")
    assert (row["accepted"], row["swapped"]) == (None, None)
    for k, one in enumerate(made):
        one["result"]["usage"] |= {"proposals": 10, "accepted": k, "swap_proposals": 2, "swaps": 1}
    (row,) = rows(report([run_folder.write(tmp_path / "some", made, about)]), "cost")
    assert (row["accepted"], row["swapped"]) == (6 / 40, 0.5)


def test_a_draft_has_columns_where_there_is_one(tmp_path):
    made = [one_line(problem_id=f"p{k}") for k in range(4)]
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    alone = report([run_folder.write(tmp_path / "none", made, about)])
    (row,) = rows(alone, "cost")
    assert {row[name] for name in ("kept", "rated", "rewritten", "wasted")} == {None}
    assert "target" not in alone.table("cost").notes
    both = [run_folder.drafted(one, drafted=10, kept=k, wasted=2 * k) for k, one in enumerate(made)]
    found = report([run_folder.write(tmp_path / "both", both, about)])
    (row,) = rows(found, "cost")
    assert (row["kept"], row["rated"], row["rewritten"], row["wasted"]) == (6 / 40, None, None, 3.0)
    assert "count the target only" in found.table("cost").notes
    for one, has_it in ((alone, False), (found, True)):
        assert (": FLOPs</figcaption>" in page(one)) == has_it


def test_flops_are_compared_like_rows(folder, found, small):
    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    told = [one for one in lines if one["model"] == "tiny-Q4_K_M"]
    ours, base = (
        sum(one["result"]["usage"]["flops"] for one in told if one["method"] == method)
        for method in (POWER, "sample")
    )
    (row,) = [one for one in rows(found, "cost") if (one["model"], one["method"]) == ("tiny-Q4_K_M", POWER)]
    assert row["flops"] == pytest.approx(ours / 80)
    assert row["times_flops"] == pytest.approx(ours / base)


def test_runs_from_before_flops_were_counted_are_read(small):
    """Some lines of a folder may be older than others: the problems of these have no FLOPs."""
    lines = [json.loads(text) for text in (small / "results.jsonl").read_text().splitlines()]
    for n_old, n_known in ((5, 4), (len(lines), 0)):
        for one in lines[:n_old]:
            one["result"]["usage"].pop("flops", None)
            one["result"]["usage"].pop("draft", None)
        (small / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        found = report([small])
        assert sum(row["flops"] is not None for row in rows(found, "cost")) == min(3, n_known)
        assert ("GFLOPs" in found.to_markdown()) == (n_known > 0)
        assert page(found)


def test_texts_whose_probability_nobody_knows_are_not_selected_by_it(tmp_path):
    made = [run_folder.drafted(one_line(problem_id=f"p{k}")) for k in range(4)]
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    found = report([run_folder.write(tmp_path / "run", made, about)])
    told = [row["select"] for row in rows(found, "selectors")]
    assert told == ["majority", "draw, expected", "argmax", "distinct"]


def test_one_text_a_problem_has_nothing_to_select(tmp_path):
    """Several chains that give one text: no selector, and no claim to calibrate."""
    made = [one_line(problem_id=f"p{k}") for k in range(4)]
    for one in made:
        one["result"]["completions"] = one["result"]["completions"][1:2]
        one["result"]["completions"][0] |= {"weight": 1.0, "count": 1}
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    found = report([run_folder.write(tmp_path / "single", made, about)])
    assert [row["select"] for row in rows(found, "accuracy")] == [""]
    assert "calibration" not in [table.name for table in found.tables]


def test_a_draw_that_was_made_is_taken_as_it_is():
    raw = one_line(answer="9", verdict="wrong")
    raw["result"]["method"]["config"]["select"] = "draw"
    line = result_record(JsonReader(raw, "here", "hint"))
    assert line.outcome("draw") == {"wrong": 1.0}
    assert line.outcome("majority") == {"right": 1.0}


def test_what_is_cut_off_or_was_not_graded_counts_under_its_name():
    raw = one_line(verdicts={"9": "wrong"})
    raw["result"]["completions"].append(run_folder.completion(None, ["d"], 1.0, 1, "length"))
    line = result_record(JsonReader(raw, "here", "hint"))
    assert line.outcome("draw") == pytest.approx({"wrong": 0.2, "grader-failed": 0.3, "truncated": 0.5})


def test_cost_is_relative_to_plain_sampling(folder, found):
    lines = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    (row,) = [one for one in rows(found, "cost") if (one["model"], one["method"]) == ("tiny-Q4_K_M", POWER)]
    ours, base = (
        [one["result"]["usage"] for one in lines if (one["model"], one["method"]) == ("tiny-Q4_K_M", method)]
        for method in (POWER, "sample")
    )
    assert row["times_rows"] == pytest.approx(sum(u["rows"] for u in ours) / sum(u["rows"] for u in base))
    seconds = [sum(u["seconds"]["total"] - u["seconds"]["load"] for u in some) for some in (ours, base)]
    assert row["times_seconds"] == pytest.approx(seconds[0] / seconds[1])
    assert row["rows_share"] == pytest.approx(
        sum(u["rows"] for u in ours) / sum(16 * u["steps"] for u in ours)
    )
    assert "× is relative to sample," in found.table("cost").note


def test_the_parts_add_up_to_the_whole(found):
    (whole,) = [
        row for row in rows(found, "accuracy") if (row["model"], row["method"]) == ("tiny-F16", "greedy")
    ]
    for name in ("family", "level", "seed"):
        parts = [row for row in rows(found, name) if (row["model"], row["method"]) == ("tiny-F16", "greedy")]
        n = sum(row["problems"] for row in parts)
        assert sum(row["accuracy"] * row["problems"] for row in parts) / n == pytest.approx(whole["accuracy"])


def test_pass_at_k_needs_independent_samples(tmp_path, found):
    assert found.table("pass") is None
    assert any("pass@k is left out" in line for line in found.heading)
    methods = {"sample:N=8": ("sample", 8, 0.3, "majority")}
    shape = {"methods": methods, "models": {"m": 0.0}, "n_problems": 10}
    with_samples = report([run_folder.write(tmp_path / "samples", **shape)])
    told = rows(with_samples, "pass")
    assert [row["k"] for row in told] == [1, 2, 4, 8, 16]
    assert [row["pass"] for row in told] == sorted(row["pass"] for row in told)
    per_problem = {}
    for one in run_folder.lines(**shape):
        right = sum(c["count"] for c in one["result"]["completions"] if c["answer"] == one["gold"])
        per_problem[one["problem_id"]] = per_problem.get(one["problem_id"], 0) + right
    assert told[0]["pass"] == pytest.approx(np.mean([right / 16 for right in per_problem.values()]))


def test_evidence_is_spread_over_the_seeds_of_a_problem(tmp_path):
    made = []
    for k, estimates in enumerate([(-5.0, -5.0), (-1.0, -3.0), (None, -2.0)]):
        for seed, log_z in enumerate(estimates):
            made.append({**one_line(problem_id=f"p{k}"), "seed": seed})
            made[-1]["result"]["log_z"] = log_z
    about = run_folder.manifest(n_problems=3, seeds=(0, 1))
    (row,) = rows(report([run_folder.write(tmp_path / "few", made, about)]), "evidence")
    # Of the third problem one estimate is there: it has no spread.
    assert (row["problems"], row["median"], row["root"]) == (2, pytest.approx(2**0.5 / 2), pytest.approx(1.0))
    assert row["most"] == pytest.approx(0.9 * 2**0.5)


def test_words_are_held_against_outcomes(tmp_path):
    made = [one_line(problem_id=f"p{k}", verdict="right" if k else "wrong") for k in range(5)]
    for k, word in enumerate(("high", "high", "high", "low", None)):
        made[k]["result"]["confidence"] = word
    about = run_folder.manifest(n_problems=5, seeds=(0,))
    told = rows(report([run_folder.write(tmp_path / "few", made, about)]), "confidence")
    assert [(row["confidence"], row["problems"], row["accuracy"]) for row in told] == [
        ("high", 3, pytest.approx(2 / 3)),
        ("low", 1, 1.0),
    ]


def test_weights_are_held_against_outcomes(tmp_path):
    made = [one_line(problem_id=f"p{k}", gold="7" if k < 3 else "9") for k in range(4)]
    made[3] |= {"verdict": "wrong", "verdicts": {"7": "wrong", "14/2": "wrong", "9": "right"}}
    about = run_folder.manifest(n_problems=4, seeds=(0,))
    found = report([run_folder.write(tmp_path / "few", made, about)])
    (row,) = rows(found, "calibration")
    assert row["brier"] == pytest.approx((3 * 0.4**2 + 0.6**2) / 4)
    assert row["ece"] == pytest.approx(0.15)
    (each,) = rows(found, "bins")
    assert (each["answers"], each["weight"], each["accuracy"]) == (4, pytest.approx(0.6), 0.75)


def test_another_method_can_be_the_one_to_compare_with(folder):
    told = rows(report([folder], against="greedy"), "differences")
    assert {row["against"] for row in told} == {"greedy"}
    assert {row["method"] for row in told} == {"sample", POWER}


def test_models_are_compared_by_the_same_method(found):
    told = rows(found, "models")
    assert {(row["model"], row["against"]) for row in told} == {("tiny-Q4_K_M", "tiny-F16")}


# --- several runs ---------------------------------------------------------------------------------


def test_runs_of_different_work_are_put_together(tmp_path, folder):
    other = run_folder.write(tmp_path / "other", methods={"sample:N=4": ("sample", 4, 0.3, "draw")})
    found = report([folder, other])
    assert {group.run for group in found.groups} == {""}
    assert any(
        row["against"] == "sample" and row["method"] == "sample:N=4" for row in rows(found, "differences")
    )


def test_runs_of_the_same_work_are_told_apart(tmp_path, folder):
    again = run_folder.write(tmp_path / "again", n_problems=5)
    found = report([folder, again, folder])
    assert {row["run"] for row in rows(found, "accuracy")} == {"run", "again"}
    assert "| run " in found.to_markdown()


def test_an_unfinished_run_says_so(tmp_path, cli):
    made = run_folder.lines()[:100]
    folder = run_folder.write(tmp_path / "part", made, run_folder.manifest())
    text = (folder / "results.jsonl").read_text()
    (folder / "results.jsonl").write_text(text[:-40])
    code, out, err = cli(folder)
    assert code == 0
    assert "99 of 480 problems are done" in err
    assert "the run is unfinished" in err
    assert "line 100 of" in err
    assert "is incomplete and skipped" in err
    assert "## Not done yet" in out


def test_without_answers_there_are_distributions_only(tmp_path, cli):
    folder = run_folder.write(tmp_path / "asked", is_graded=False, n_problems=4)
    code, out, err = cli(folder, "--all", "--html", tmp_path / "asked.html")
    assert code == 0
    assert "no accuracy table: none of these problems has a known answer" in err
    assert "## Accuracy" not in out
    assert "## Answers" in out
    assert "## Spread of answers" in out
    assert "By family and level" not in (tmp_path / "asked.html").read_text()


def test_the_rest_of_the_tables_is_asked_for(tmp_path, cli):
    folder = run_folder.write(tmp_path / "run", n_problems=4)
    _, main, err = cli(folder)
    _, whole, _ = cli(folder, "--all")
    assert "## Accuracy" in main
    assert "## By family" not in main
    assert "## By family" in whole
    assert f"`--all` shows {whole.count('## ') - main.count('## ')} more tables" in err


# --- what cannot be read --------------------------------------------------------------------------


def broken(folder, number, text):
    lines = (folder / "results.jsonl").read_text().splitlines()
    lines[number - 1] = text(lines[number - 1]) if callable(text) else text
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")


def changed(**fields):
    return lambda line: json.dumps({**json.loads(line), **fields})


MISTAKES = [
    (lambda folder: folder / "nowhere", 7, "no run at `"),
    (lambda folder: folder.parent, 7, "it has no manifest.json"),
    (lambda folder: folder / "results.jsonl", 7, "is part of a run", "localsmc report "),
    (lambda folder: folder / "manifest.json", 7, "is neither a run folder nor a trace"),
    (lambda folder: (folder / "results.jsonl").unlink(), 7, "has no completed problem yet", "to resume"),
    (lambda folder: (folder / "results.jsonl").write_text(""), 7, "has no completed problem yet"),
    (lambda folder: (folder / "manifest.json").write_text("{"), 7, "manifest.json` is not JSON"),
    (lambda folder: (folder / "manifest.json").write_text("[]"), 7, "is not a JSON object"),
    (lambda folder: (folder / "manifest.json").write_text('{"format": 2}'), 7, "has format 2", "pip install"),
    (lambda folder: (folder / "manifest.json").write_text('{"format": 1}'), 7, "`tasks` is missing"),
    (lambda folder: broken(folder, 2, '{"task": '), 7, "line 2 of", "sets the line aside"),
    (lambda folder: broken(folder, 2, "\x00\xff"), 7, "line 2 of"),
    (lambda folder: broken(folder, 2, "[" * 5000), 7, "line 2 of"),
    (lambda folder: broken(folder, 2, "3"), 7, "is not a JSON object"),
    (lambda folder: broken(folder, 9, changed(verdict="fine")), 7, "`verdict` is not one of right, wrong"),
    (lambda folder: broken(folder, 9, changed(seed="0")), 7, "line 9 of", "`seed` is not an integer"),
    (
        lambda folder: broken(folder, 9, changed(model="gpt")),
        7,
        "the model `gpt` is not in the run's manifest",
    ),
    (lambda folder: broken(folder, 9, changed(result={})), 7, "line 9 of", "is missing"),
    (
        lambda folder: broken(folder, 9, changed(verdicts={"1": 2})),
        7,
        "`verdicts` is not an object of strings",
    ),
]


@pytest.mark.parametrize(
    ("mistake", "code", "parts"),
    [pytest.param(one, code, parts, id=parts[-1]) for one, code, *parts in MISTAKES],
)
def test_mistakes_are_said_in_a_sentence(cli, small, mistake, code, parts):
    asked = mistake(small)
    found, out, err = cli(asked if isinstance(asked, Path) else small)
    assert (found, out) == (code, "")
    assert "Traceback" not in err
    assert "hint: " in err
    for part in parts:
        assert part in err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "no run is given"),
        (["{run}", "--html", "{tmp}/none/page.html"], "cannot be written: there is no folder"),
        (["{run}", "--csv", "{tmp}"], "cannot be written: it is a folder"),
        (["{run}", "--csv", "-", "--json", "-"], "standard output is given twice"),
        (["{run}", "--csv", "{tmp}/x", "--json", "{tmp}/x"], "two outputs go to"),
        (["{run}", "--against", "gredy"], "no method of these runs is called `gredy`"),
        (["{run}", "--hmtl", "x"], "unknown option `--hmtl`"),
    ],
)
def test_usage_mistakes(cli, small, tmp_path, arguments, part):
    code, out, err = cli(*(one.format(run=small, tmp=tmp_path) for one in arguments))
    assert (code, out) == (2, "")
    assert part in err
    assert "hint: " in err


def test_numbers_that_no_float_holds_are_refused(small, cli):
    broken(small, 2, lambda line: line.replace('"log_z": null', f'"log_z": {"9" * 400}'))
    code, _, err = cli(small)
    assert code == 7
    assert "`log_z` is not a finite number" in err


# --- what is written ------------------------------------------------------------------------------


def test_files_and_standard_output(cli, small, tmp_path):
    targets = {kind: tmp_path / f"report.{kind}" for kind in ("html", "csv", "json", "markdown")}
    code, out, err = cli(small, *(part for kind, path in targets.items() for part in (f"--{kind}", path)))
    assert code == 0
    assert out.startswith("## Accuracy, 3 problems\n\n| method")
    assert "wrote" in err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    told = json.loads(targets["json"].read_text())
    assert told["runs"][0]["done"] == told["runs"][0]["of"] == 9
    assert told["tables"]["accuracy"][0]["method"] == "sample"
    read = list(csv.DictReader(io.StringIO(targets["csv"].read_text())))
    assert [row["by"] for row in read if row["method"] == "greedy"] == ["", *["family"] * 3, *["level"] * 3]
    assert {row["method"] for row in read if row["by"] == "selector"} == {POWER}
    assert float(read[0]["low"]) <= float(read[0]["accuracy"]) <= float(read[0]["high"])
    assert targets["markdown"].read_text().startswith("# localsmc report\n")
    # Columns stand below each other.
    lines = [line for line in out.split("\n\n")[1].splitlines()]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("kind", ["csv", "json", "markdown", "html"])
def test_one_of_them_may_go_to_standard_output(cli, small, kind):
    code, out, _ = cli(small, f"--{kind}", "-", "-q")
    assert code == 0
    assert out.startswith({"csv": "by,value", "json": "{", "markdown": "# local", "html": "<!DOCTYPE"}[kind])


def test_a_disk_that_is_full_leaves_what_was_there(cli, small, tmp_path, monkeypatch):
    target = tmp_path / "page.html"
    target.write_text("old")

    def full(path, data):
        path.open("w").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    code, out, err = cli(small, "--html", target)
    assert (code, out) == (7, "")
    assert "No space left on device" in err
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if "page" in path.name] == ["page.html"]


def browser(folder, exit_code=0):
    """A program in the browser's place, and the file into which it writes the address that it is given."""
    program, seen = folder / "browser.py", folder / "seen.txt"
    program.write_text(f"import sys; open({str(seen)!r}, 'w').write(sys.argv[1]); sys.exit({exit_code})")
    return f"{sys.executable} {program} %s", seen


def opened(path, command, *arguments):
    environment = {**os.environ, "BROWSER": command, "LOCALSMC_CACHE": str(path / "a cache"), "PATH": ""}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):  # no other browser is tried
        environment.pop(name, None)
    called = [sys.executable, "-m", "localsmc_cli.main", "report", *map(str, arguments), "--open"]
    return subprocess.run(called, capture_output=True, text=True, env=environment, check=False)


def test_the_page_is_opened_in_a_browser(small, tmp_path):
    command, seen = browser(tmp_path)
    for arguments, target in (
        ((), tmp_path / "a cache" / "report.html"),
        (("--html", tmp_path / "my page.html"), tmp_path / "my page.html"),
    ):
        done = opened(tmp_path, command, small, *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("## Accuracy")
        assert seen.read_text() == target.as_uri()
        assert target.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a browser")
def test_without_a_browser_the_page_is_named(small, tmp_path):
    command, _ = browser(tmp_path, exit_code=1)
    done = opened(tmp_path, command, small, "--html", tmp_path / "page.html")
    assert done.returncode == 7
    assert done.stdout.startswith("## Accuracy")
    assert "no browser could be opened" in done.stderr
    assert f"open `{tmp_path / 'page.html'}` yourself" in done.stderr
    assert (tmp_path / "page.html").exists()


def test_a_page_on_standard_output_cannot_be_opened(cli, small):
    code, out, err = cli(small, "--open", "--html", "-")
    assert (code, out) == (2, "")
    assert "`--open` needs a page in a file" in err


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_figure_is_cut_off_in_a_window(found, monkeypatch, width):
    from localsmc_cli.commands import report as command

    monkeypatch.setattr(command, "is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", str(width))
    shown = command.shown(found.tables)
    first = shown.split("Cost per problem")[0]
    for column, value in (("interval", table.interval), ("times_seconds", table.figure)):
        for row in rows(found, "accuracy"):
            assert value(row[column]) in first
    if width >= 80:
        assert max(map(len, shown.splitlines())) <= width


# --- trees and traces -----------------------------------------------------------------------------


def leaves(tree, before=""):
    text = before + tree["t"]
    if "k" not in tree:
        yield text, tree
    for child in tree.get("k", ()):
        yield from leaves(child, text)


def test_the_tree_of_final_histories_spells_each_of_them(found):
    for group in found.groups:
        for line in group.lines:
            if line.drawn is not None:
                tree, n_dropped = prefix_tree(line)
                told = sorted((text, leaf["w"], leaf["c"]) for text, leaf in leaves(tree))
                wanted = sorted((one.text, round(one.weight, 5), one.count) for one in line.drawn.completions)
                assert (told, n_dropped) == (wanted, 0)
                assert tree["w"] == pytest.approx(1, abs=1e-3)


def test_a_trace_gives_the_tree_with_its_dead_branches(trace_file):
    trace = read_trace(trace_file)
    tree, n_dropped = trace_tree(trace)
    alive = [(text, leaf) for text, leaf in leaves(tree) if "d" not in leaf]
    assert trace.text in [text for text, _ in alive]
    assert sum(leaf["w"] for _, leaf in alive) == pytest.approx(1, abs=1e-3)
    assert sum(leaf["c"] for _, leaf in alive) == 16
    assert n_dropped == 0
    seen = {(node.wave, node.node) for step in trace.steps for node in step.population}

    def n_tokens(node):
        return node["n"] + sum(map(n_tokens, node.get("k", ())))

    assert n_tokens(tree) == len(seen)


@pytest.mark.parametrize("name", ["speculative", "cascade", "draft-smc", "ssr"])
def test_a_trace_of_two_models_ends_with_every_text_alive(embedded, tmp_path, name):
    method = embedded.method(name, particles=3)
    settings = localsmc.Settings(seed=4, n_threads=1, n_threads_draft=1)
    path = tmp_path / "trace.jsonl"
    with (
        localsmc.start(embedded, "What is 17 * 23?", method=method, settings=settings) as solving,
        TraceWriter(path) as trace,
    ):
        trace.start(solving)
        for step in solving:
            trace.step(step, solving)
        result = solving.result()
        trace.end(result, "done")
    tree, _ = trace_tree(read_trace(path))
    alive = {text.rstrip() for text, leaf in leaves(tree) if "d" not in leaf}
    assert alive >= {completion.text.rstrip() for completion in result.completions}


def test_a_trace_is_reported_the_same_way(cli, trace_file, tmp_path):
    code, out, err = cli(
        trace_file, "--all", "--html", tmp_path / "trace.html", "--csv", tmp_path / "steps.csv"
    )
    assert code == 0
    assert "a trace of power-smc" in err
    assert "## Steps of the traces" in out
    assert "log Z" in out
    assert "alpha" in (tmp_path / "steps.csv").read_text()


def test_a_trace_that_was_cut_short(cli, trace_file, tmp_path):
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(trace_file.read_bytes()[:9000])
    code, out, err = cli(cut)
    assert code == 0
    assert "is incomplete and skipped" in err
    assert "cut short" in out
    text = trace_file.read_text().splitlines()
    cut.write_text("\n".join([text[0], text[1][:50], *text[2:]]))
    code, _, err = cli(cut)
    assert code == 7
    assert "line 2 of" in err


def test_reading_a_run_twice_gives_the_same(folder, found):
    assert report([folder]).to_json() == found.to_json()
    assert read_run(folder).manifest.n_lines == 480
