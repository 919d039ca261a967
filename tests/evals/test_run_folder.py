"""Run folders when things go wrong: damaged lines, full disks, two writers, clocks that jump, failed runs."""

import errno
import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from program import PROGRAM

from localsmc.engine.settings import Settings
from localsmc.errors import RunError
from localsmc.evals.model_specs import parse_models
from localsmc.evals.run_folder import RunFolder, key_of, read_run
from localsmc.evals.runner import Evaluation, Plan
from localsmc.evals.tasks import Item, Task, load_task
from localsmc.methods.spec import parse_method
from localsmc.text.templates import today

needs_posix = pytest.mark.skipif(os.name == "nt", reason="locks, limits and signals of POSIX")


def plan(n=3):
    return Plan(
        tasks=(load_task("tiny", limit=n),),
        models=parse_models(()),
        methods=tuple(map(parse_method, ("sample:N=2", "greedy"))),
        seeds=(0,),
        settings=Settings(n_predict=30, n_threads=1),
    )


def run(path, wanted=None):
    wanted = wanted or plan()
    with RunFolder(path, wanted.manifest(), wanted.keys()) as folder:
        return list(Evaluation(wanted, folder)), folder


def lines(path):
    return [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]


def outcomes(found):
    """What does not depend on the time: the texts and the answers."""
    return {
        key_of(line): (
            line["answer"],
            line["result"] and [one["text"] for one in line["result"]["completions"]],
        )
        for line in found
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(path)
    return path


@pytest.fixture
def copy(undisturbed, tmp_path):
    path = tmp_path / "a copy"
    path.mkdir()
    for name in ("manifest.json", "results.jsonl"):
        (path / name).write_bytes((undisturbed / name).read_bytes())
    return path


# --- damaged lines ----------------------------------------------------------------------------------


def without_field(line):
    broken = json.loads(line)
    del broken["verdicts"], broken["gold"], broken["result"]["usage"]
    return json.dumps(broken).encode()


DAMAGES = {
    "cut": lambda line: line[: len(line) // 2],
    "zeros": lambda line: b"\0" * len(line),
    "no UTF-8": lambda line: b"\xff" + line[1:],
    "not JSON": lambda line: line.replace(b":", b";", 1),
    "a list": lambda line: b"[1]",
    "a field less": without_field,
    "another problem": lambda line: line.replace(b'"problem_id": "', b'"problem_id": "7'),
    "another model": lambda line: line.replace(b'"model": "tiny"', b'"model": "tini"', 1),
    "two in one": lambda line: line + line,
}


def test_damaged_lines_are_named_and_kept_aside_and_their_problems_run_again(tmp_path):
    path, wanted = tmp_path / "run", plan(5)
    whole = outcomes(run(path, wanted)[0])
    good = (path / "results.jsonl").read_bytes().splitlines()
    damaged = [damage(line) for damage, line in zip(DAMAGES.values(), good, strict=False)]
    assert all(one != line for one, line in zip(damaged, good, strict=False))
    (path / "results.jsonl").write_bytes(b"\n".join([*damaged, *good[len(damaged) :], b""]))
    new, folder = run(path, wanted)
    places = [f"line {number} of `{path / 'results.jsonl'}`" for number in range(1, len(damaged) + 1)]
    assert len(folder.damaged) == len(places)
    assert all(what.startswith(place) for what, place in zip(folder.damaged, places, strict=True))
    assert (path / "damaged.jsonl").read_bytes() == b"".join(line + b"\n" for line in damaged)
    assert [key_of(line) for line in new] == [key_of(json.loads(line)) for line in good[: len(damaged)]]
    assert outcomes(lines(path)) == whole
    assert run(path, wanted)[1].damaged == []


def test_random_damage_never_loses_or_repeats_a_problem(copy, undisturbed):
    rng, whole = random.Random(2), (undisturbed / "results.jsonl").read_bytes()
    for _ in range(4):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(1, 40)] = rng.randbytes(rng.randrange(0, 40))
        (copy / "results.jsonl").write_bytes(bytes(data))
        run(copy)
        found = lines(copy)
        assert {key_of(line) for line in found} == set(plan().keys())
        assert len(found) == len(plan())


def test_a_report_on_a_damaged_run_says_how_to_mend_it(copy):
    path = copy / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(b"{", b"(", 1))
    with pytest.raises(RunError, match="line 1 of .* is not JSON") as caught:
        read_run(copy)
    assert "run the same `localsmc eval` command again" in caught.value.hint
    run(copy)
    assert len(read_run(copy).lines) == len(plan())


# --- a full disk --------------------------------------------------------------------------------------


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
"""


def command(path, *arguments):
    settings = ("--method", "sample:N=2", "--method", "greedy", "-n", 30, "-t", 1)
    return list(map(str, ("eval", "--task", "tiny", "--limit", 3, *settings, "-o", path, *arguments)))


@needs_posix
def test_a_disk_that_fills_up_costs_the_problem_at_work_only(tmp_path, undisturbed):
    path, size = tmp_path / "run", (undisturbed / "results.jsonl").stat().st_size
    code = [sys.executable, "-c", LIMITED + PROGRAM, size // 2, *command(path)]
    full = subprocess.run(list(map(str, code)), capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout) == (7, "")
    assert "cannot be written: File too large" in full.stderr
    assert "free disk space, then run the same command to resume" in full.stderr
    assert "Traceback" not in full.stderr
    n = len(lines(path))
    assert 0 < n < 6
    rest = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command(path)], capture_output=True, text=True, check=False
    )
    assert rest.returncode == 0, rest.stderr
    assert outcomes(lines(path)) == outcomes(lines(undisturbed))


@needs_posix
def test_a_disk_without_room_for_the_manifest_leaves_nothing_that_hinders(tmp_path):
    path = tmp_path / "run"
    code = [sys.executable, "-c", LIMITED + PROGRAM, "10", *command(path)]
    full = subprocess.run(code, capture_output=True, text=True, check=False)
    assert full.returncode == 7
    assert "free disk space" in full.stderr
    assert [file.name for file in path.iterdir()] == [".lock"]
    assert len(run(path)[0]) == 6


# --- two writers ----------------------------------------------------------------------------------------


@needs_posix
def test_of_processes_that_start_at_once_one_runs(tmp_path, undisturbed):
    path = tmp_path / "run"
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, *command(path)],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                )
            )
            for _ in range(3)
        ]  # fmt: skip
        ended = [(one.communicate()[1], one.returncode) for one in started]
    codes = sorted(code for _, code in ended)
    assert codes[0] == 0
    assert set(codes) <= {0, 7}
    assert all("another process is writing" in err for err, code in ended if code)
    assert len(lines(path)) == 6
    assert outcomes(lines(path)) == outcomes(lines(undisturbed))


@needs_posix
def test_the_lock_holds_while_damaged_lines_are_moved(copy):
    (copy / "results.jsonl").write_bytes(b"{}\n")
    with RunFolder(copy, plan().manifest()), pytest.raises(RunError, match="another process is writing"):
        RunFolder(copy, plan().manifest())


# --- a clock that jumps -----------------------------------------------------------------------------------


def test_a_run_goes_on_with_the_date_on_which_it_began(copy, monkeypatch):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["started"] = "2020-02-29T23:59:58Z"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (copy / "results.jsonl").write_bytes(b"")
    seen = []
    wanted = plan()
    with RunFolder(copy, wanted.manifest(), wanted.keys()) as folder:
        for _ in Evaluation(wanted, folder):
            seen.append(today.now())
    assert set(seen) == {datetime(2020, 2, 29, 23, 59, 58)}
    assert today.fixed_at() is None


def test_a_clock_that_jumps_back_changes_nothing(tmp_path, undisturbed, monkeypatch):
    hours = iter(range(10**9, 0, -3600))
    monkeypatch.setattr("time.time", lambda: float(next(hours)))
    new, _ = run(tmp_path / "run")
    assert outcomes(new) == outcomes(lines(undisturbed))
    assert all(line["result"]["usage"]["seconds"]["total"] >= 0 for line in new)


# --- failed runs ----------------------------------------------------------------------------------------


def test_failed_runs_are_repeated_when_asked(copy, undisturbed):
    found = lines(copy)
    nothing = {"answer": None, "correct": None, "verdicts": {}, "result": None, "steps": None, "cells": None}
    found[1] |= {**nothing, "verdict": "failed", "error": "no memory"}
    found[4] |= {"verdict": "grader-failed", "correct": None}
    (copy / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    assert run(copy)[0] == []
    wanted = plan()
    with RunFolder(copy, wanted.manifest(), wanted.keys()) as folder:
        assert folder.take_failed() == 2
        new = list(Evaluation(wanted, folder))
    assert {key_of(line) for line in new} == {key_of(found[1]), key_of(found[4])}
    assert outcomes(lines(copy)) == outcomes(lines(undisturbed))
    with RunFolder(copy, wanted.manifest(), wanted.keys()) as folder:
        assert folder.take_failed() == 0


def test_failed_runs_stay_if_the_disk_is_full(copy, monkeypatch):
    found = lines(copy)
    found[1] |= {"verdict": "failed", "answer": None, "correct": None, "verdicts": {}, "result": None}
    (copy / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    before = (copy / "results.jsonl").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    wanted = plan()
    with RunFolder(copy, wanted.manifest()) as folder:
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(RunError, match="No space left"):
            folder.take_failed()
    monkeypatch.undo()
    assert (copy / "results.jsonl").read_bytes() == before
    with RunFolder(copy, wanted.manifest()) as folder:
        assert folder.take_failed() == 1


@needs_posix
def test_a_drive_without_locks_is_named(copy, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(RunError, match="cannot be locked: No locks available"):
        RunFolder(copy, plan().manifest())


# --- messages before a question ---------------------------------------------------------------------------


def test_messages_of_a_problem_do_not_depend_on_the_problems_before(tmp_path):
    turns = ({"role": "user", "content": "Compute 2 + 3."}, {"role": "assistant", "content": "5"})
    items = (
        Item(problem_id="plain", question="Compute 7 + 8.", gold=("15", "fifteen")),
        Item(problem_id="told", question="Compute 7 + 8.", gold="15", system="You are terse. " * 9),
        Item(problem_id="talk", question="Compute 7 + 8.", gold="15", earlier=turns),
        Item(problem_id="both", question="Compute 7 + 8.", system="You are kind. " * 9, earlier=turns),
    )
    found = []
    for name, order in (("forward", items), ("backward", items[::-1])):
        task = Task(name="mine", version=1, source="here", grader="math", items=order)
        methods = tuple(map(parse_method, ("power-smc:N=3", "sample:N=2", "speculative")))
        found.append(outcomes(run(tmp_path / name, replace(plan(), tasks=(task,), methods=methods))[0]))
    assert found[0] == found[1]
    sampled = [line for line in lines(tmp_path / "forward") if line["method"] == "sample:N=2"]
    written = {line["problem_id"]: line for line in sampled}
    assert written["plain"]["messages"] is None
    assert written["both"]["messages"] == [{"role": "system", "content": "You are kind. " * 9}, *turns]
    assert written["plain"]["gold"] == ["15", "fifteen"]
    n_prompt = {name: line["result"]["usage"]["prompt_tokens"] for name, line in written.items()}
    assert n_prompt["plain"] < n_prompt["talk"] < n_prompt["both"]
    records = {line.problem: line for line in read_run(tmp_path / "forward").lines}
    assert records["plain"].gold == "15 or fifteen"
