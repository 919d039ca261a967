"""A diff of two made-up runs: what it pairs, what it counts, and what it refuses."""

from __future__ import annotations

import pytest
import run_folder

from localsmc.report import page, report

ONE = {"n_problems": 12, "models": {"m": 0.0}, "seeds": (0,)}
SAMPLE = {"sample": ("sample", 1, 0.5, "draw")}


def judged(one, answer, verdict):
    """The line with another answer and verdict."""
    result = {**one["result"], "answer": answer}
    return {**one, "answer": answer, "verdict": verdict, "correct": verdict == "right", "result": result}


@pytest.fixture
def runs(tmp_path):
    """Two runs of twelve problems that differ in four: two lost, one won, one wrong in another way."""
    made = [judged(one, "1", "wrong") for one in run_folder.lines(methods=SAMPLE, **ONE)]
    made[0], made[1] = (judged(one, one["gold"], "right") for one in made[:2])
    newer = [judged(one, "1", "wrong") for one in made]
    newer[2] = judged(made[2], made[2]["gold"], "right")
    newer[3] = judged(made[3], "2", "wrong")
    about = run_folder.manifest(methods=SAMPLE, **ONE)
    later = {**about, "settings": {"n_predict": 64}, "version": "0.2.0"}
    return [
        run_folder.write(tmp_path / "a b" / "old", made, about),
        run_folder.write(tmp_path / "new", newer, later),
    ]


def test_what_changed_is_named_and_counted(runs):
    found = report(runs, is_diff=True)
    (row,) = found.table("diff").to_json()
    assert (row["problems"], row["won"], row["lost"]) == (12, 1, 2)
    assert row["difference"] == pytest.approx(-1 / 12)
    changed = found.table("changed").to_json()
    assert [(one["problem"], one["before"], one["after"]) for one in changed] == [
        ("tiny/held-out/0", ("40", "right"), ("1", "wrong")),
        ("tiny/held-out/1", ("41", "right"), ("1", "wrong")),
        ("tiny/held-out/2", ("1", "wrong"), ("42", "right")),
    ]
    assert "3 of 12 outcomes changed. Another answer with the same verdict: 1." in found.notes
    assert [(one["part"], one["change"]) for one in found.table("made_of").to_json()] == [
        ("settings", "n_predict is 64, but was 256"),
        ("version", "version is 0.2.0, but was 0.1.0"),
    ]


def test_the_older_run_comes_first(runs):
    (row,) = report(runs[::-1], is_diff=True).table("diff").to_json()
    assert row["difference"] == pytest.approx(1 / 12)


def test_the_command_prints_the_diff_only(cli, runs):
    code, out, err = cli(*runs, "--diff")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("## ")] == [
        "## What the runs were made of",
        "## Accuracy: new less old, 12 problems",
        "## Problems whose outcome changed, sample, seed 0",
    ]
    assert "3 of 12 outcomes changed" in err
    assert "`--all` shows" in err


def test_a_narrow_window_names_the_columns_of_words(runs, monkeypatch):
    from localsmc_cli.commands import report as command

    monkeypatch.setattr(command, "is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "40")
    shown = command.shown([report(runs, is_diff=True).table("changed")])
    assert " ".join(shown.split()) == (
        "Problems whose outcome changed, sample, seed 0"
        " problem · right answer · old · new"
        " 1 tiny/held-out/0 · 40 · 40, right · 1, wrong"
        " 2 tiny/held-out/1 · 41 · 41, right · 1, wrong"
        " 3 tiny/held-out/2 · 42 · 1, wrong · 42, right"
    )


def test_a_copy_has_no_differences(runs, tmp_path):
    copy = run_folder.write(tmp_path / "copy", methods=SAMPLE, **ONE)
    again = run_folder.write(tmp_path / "again", methods=SAMPLE, **ONE)
    found = report([copy, again], is_diff=True)
    assert found.table("made_of") is None
    assert found.table("changed") is None
    assert "None of 12 outcomes changed." in found.notes


def test_one_method_against_another(tmp_path):
    """Where each run has one method, they are compared, whatever they are called."""
    other = {"greedy": ("greedy", 1, 0.4, "draw")}
    old = run_folder.write(tmp_path / "old", methods=SAMPLE, **ONE)
    new = run_folder.write(tmp_path / "new", methods=other, **ONE)
    found = report([old, new], is_diff=True)
    (row,) = found.table("diff").to_json()
    assert (row["method"], row["against"]) == ("greedy", "sample")
    changes = [one["change"] for one in found.table("made_of").to_json()]
    assert changes == ["sample is removed", "greedy is added"]


def test_ungraded_answers_are_compared_by_value(tmp_path):
    made = run_folder.lines(methods=SAMPLE, is_graded=False, **ONE)
    made = [judged(one, "0.5", "ungraded") | {"correct": None} for one in made]
    newer = [dict(one) for one in made]
    newer[0] = judged(made[0], "1/2", "ungraded") | {"correct": None}
    newer[1] = judged(made[1], "7", "ungraded") | {"correct": None}
    about = run_folder.manifest(methods=SAMPLE, **ONE)
    paths = [run_folder.write(tmp_path / name, some, about) for name, some in (("old", made), ("new", newer))]
    found = report(paths, is_diff=True)
    assert found.table("diff") is None
    (row,) = found.table("changed").to_json()
    assert (row["problem"], row["after"]) == ("tiny/held-out/1", ("7", "ungraded"))


def test_problems_that_were_asked_otherwise_are_counted_apart(tmp_path):
    made = run_folder.lines(methods=SAMPLE, **ONE)
    newer = [dict(one) for one in made]
    newer[0] = judged({**made[0], "question": "Something else?"}, "1", "wrong")
    about = run_folder.manifest(methods=SAMPLE, **ONE)
    paths = [run_folder.write(tmp_path / name, some, about) for name, some in (("old", made), ("new", newer))]
    found = report(paths, is_diff=True)
    assert "None of 11 outcomes changed. Asked otherwise, so not compared: 1." in found.notes


def test_the_page_begins_with_the_diff_and_links_the_problems(runs):
    text = page(report(runs, is_diff=True)).split("<main>")[1]
    section = text.split("</section>")[0]
    assert "Differences between the runs" in section
    assert section.count('<a href="#problem-') == 3


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["old"], "`--diff` compares two run folders, but 1 is given"),
        (["old", "old"], "1 is given"),
        (["old", "same", "other"], "3 are given"),
        (["old", "trace.jsonl"], "a trace is given"),
        (["old", "other"], "have no problem in common"),
        (["old", "methods"], "have no task, model and method in common"),
        (["old", "same", "--against", "sample"], "`--against` has no effect with `--diff`"),
    ],
)
def test_what_cannot_be_compared_is_refused(cli, tmp_path, trace_file, names, part):
    two = {**SAMPLE, "greedy": ("greedy", 1, 0.4, "draw")}
    others = {f"{name}:N=1": values for name, values in two.items()}
    for name, shape in {
        "old": {"methods": two},
        "same": {"methods": two},
        "other": {"methods": two, "task": "elsewhere"},
        "methods": {"methods": others},
    }.items():
        run_folder.write(tmp_path / name, **ONE, **shape)
    (tmp_path / "trace.jsonl").write_bytes(trace_file.read_bytes())
    arguments = [tmp_path / name if (tmp_path / name).exists() else name for name in names]
    code, out, err = cli(*arguments, "--diff")
    assert (code, out) == (2, "")
    assert part in err
    assert "hint: " in err
