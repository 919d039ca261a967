"""Tasks: how rows become problems, and the errors for rows that cannot."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack

import pytest
from loopback_hub import LoopbackHub

from localsmc.errors import ConfigError, TaskError
from localsmc.evals.tasks import TASKS, load_task, user_task
from localsmc.text import answers
from localsmc_models.corpus import FAMILIES, TRAINED_LEVELS

GSM8K = [
    {"question": "Ada has 3 boxes of 400 nails. How many?", "answer": "3*400=<<3*400=1200>>1200\n#### 1,200"},
    {"question": "And without 2?", "answer": "1200-2=1198\n#### 1198"},
]
MATH = [{"problem": "What is $1/2+1/3$?", "answer": "\\frac{5}{6}", "subject": "Algebra", "level": 2,
         "unique_id": "test/algebra/1.json"}]  # fmt: skip
GPQA = [
    {"Question": f"Which is right ({i})?", "Correct Answer": "this", "Incorrect Answer 1": "that",
     "Incorrect Answer 2": "none", "Incorrect Answer 3": "all", "Record ID": f"rec{i}"}
    for i in range(20)
]  # fmt: skip


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def jsonl(rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


def test_standard_sets_from_a_file(tmp_path):
    task = load_task("gsm8k", data=written(tmp_path, "a set.jsonl", jsonl(GSM8K)))
    assert [(item.problem_id, item.gold) for item in task.items] == [("1", "1200"), ("2", "1198")]
    assert (task.name, task.grader, task.version) == ("gsm8k", "numeric", 3)
    [item] = load_task("math-500", data=written(tmp_path, "math.json", MATH)).items
    assert (item.gold, item.family, item.level) == ("\\frac{5}{6}", "Algebra", 2)
    assert item.problem_id == "test/algebra/1.json"


def test_choices_are_lettered_in_an_order_of_their_own(tmp_path):
    header = ",".join(GPQA[0])
    rows = "\n".join(",".join(row.values()) for row in GPQA)
    task = load_task("gpqa", data=written(tmp_path, "gpqa.csv", f"{header}\n{rows}\n"))
    for item in task.items:
        assert f"\n{item.gold}) this\n" in item.question
        assert item.question.endswith("Answer with the letter of one option.")
    assert {item.gold for item in task.items} == set("ABCD")
    assert task.items == load_task("gpqa", data=tmp_path / "gpqa.csv").items


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\\boxed{B}", "B"),
        ("\\boxed{(C)}", "C"),
        ("The answer is D.", "D"),
        ("Answer: A) this", "A"),
        ("\\boxed{\\text{B}}", "B"),
        ("\\boxed{Berlin}", None),
        ("I think so.", None),
        ("The answer is A lower temperature.", None),  # a word, no option
        ("\\boxed{(C) this}", "C"),
    ],
)
def test_letters(text, found):
    assert answers.extract(text, "letter") == found


def test_generated_problems_are_held_out_and_the_same_again():
    task = load_task("tiny", limit=50)
    assert task == load_task("tiny", limit=50)
    assert len(task.items) == 50
    assert {item.level for item in task.items} <= set(TRAINED_LEVELS)
    assert {item.family for item in task.items} <= set(FAMILIES)
    assert task.digest != load_task("tiny:seed=2", limit=50).digest
    harder = load_task("tiny:levels=4-5,family=shopping", limit=5)
    assert {(item.family, item.level) for item in harder.items} <= {("shopping", 4), ("shopping", 5)}


def test_no_question_is_generated_twice():
    few = load_task("tiny:levels=1,family=percentage", limit=100)
    assert 20 < len(few.items) < 40  # a family of few questions: as many as there are
    assert len({item.question for item in few.items}) == len(few.items)
    assert load_task("tiny:levels=1,family=percentage", limit=5).items == few.items[:5]


@pytest.mark.parametrize(
    ("name", "content", "options", "golds"),
    [
        (
            "x.jsonl",
            jsonl([{"question": "1+1?", "answer": 2}, {"question": "2+2?", "answer": 4}]),
            {},
            ["2", "4"],
        ),
        ("x.json", {"data": [{"prompt": "1+1?", "gold": "2"}]}, {}, ["2"]),
        ("x.csv", 'q,a\n"1,\n+1?",2\n', {"question": "q", "answer": "a"}, ["2"]),
        ("x.jsonl", jsonl([{"question": "1+1?"}]), {}, [None]),
        ("bom.csv", "\ufeffquestion,answer\n1+1?,2\n", {}, ["2"]),
    ],
)
def test_files_of_the_user(tmp_path, name, content, options, golds):
    task = user_task(written(tmp_path, name, content), **options)
    assert [item.gold for item in task.items] == golds
    assert task.name == name.split(".")[0]


def test_names_that_are_not_all_different_become_numbers(tmp_path):
    rows = [{"id": "a", "question": "1?"}, {"id": "a", "question": "2?"}, {"id": "b", "question": "3?"}]
    task = user_task(written(tmp_path, "x.jsonl", jsonl(rows)))
    assert [item.problem_id for item in task.items] == ["1", "2", "3"]
    assert user_task(written(tmp_path, "y.jsonl", jsonl(rows[1:]))).items[1].problem_id == "b"


@pytest.mark.parametrize(
    ("name", "content", "options", "message", "hint"),
    [
        ("x.jsonl", '{"question": "1?"}\n{broken\n', {}, "line 2 of", "fix or remove"),
        ("x.jsonl", "[1]\n", {}, "line 1 of `.*` is not a JSON object", "fix or remove"),
        ("x.json", '{"a": 1}', {}, "is not a list of rows", "JSON list"),
        ("x.json", "[", {}, "is not JSON: Expecting value", "fix or remove"),
        ("x.json", "[]", {}, "has no rows", "at least one"),
        ("x.csv", "question,answer\n1,2\n3\n", {}, "line 3 of .* does not have the 2 fields", "fix or"),
        ("x.csv", 'question,answer\n"1,2\n', {}, "is malformed", "fix or remove"),
        ("x.txt", "1+1?", {}, "has an unsupported file type", ".jsonl, .ndjson, .json"),
        ("x.xlsx", "PK", {}, "has an unsupported file type", "save the sheet as CSV"),
        ("x.jsonl", '{"question": "1?", "answr": "2"}\n', {"answer": "answer"}, "no field `answer`",
         "did you mean `--answer answr`"),
        ("x.jsonl", '{"question": " ", "answer": "2"}\n', {}, "empty question", "fix or remove"),
        ("x.jsonl", '{"question": "1\\ud83d?"}\n', {}, "in row 1 of .* has a lone surrogate, .ud83d",
         "fix or remove"),
        ("x.jsonl", '{"text": "1?"}\n', {}, "no field `question` or `problem`", "available fields: `text`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file(tmp_path, name, content, options, message, hint):
    with pytest.raises(TaskError, match=message) as caught:
        user_task(written(tmp_path, name, content), **options)
    assert hint in caught.value.hint


def test_a_file_that_is_no_copy_of_a_set_is_said_to_be_none(tmp_path):
    with pytest.raises(TaskError, match="no field `question`") as caught:
        load_task("gsm8k", data=written(tmp_path, "x.jsonl", '{"text": "1?", "answer": "2"}\n'))
    assert "this is not a copy of `gsm8k`" in caught.value.hint


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(TaskError, match="no file at"):
        user_task(tmp_path / "none.jsonl")
    with pytest.raises(TaskError, match="no file at"):
        user_task(tmp_path / "none")
    (tmp_path / "x.jsonl").write_bytes(b'{"question": "\xff"}')
    with pytest.raises(TaskError, match="not UTF-8: byte 14 is 0xff"):
        user_task(tmp_path / "x.jsonl")
    (tmp_path / "dir.json").mkdir()
    with pytest.raises(TaskError, match="cannot be read: Is a directory"):
        user_task(tmp_path / "dir.json")


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("gsm8", "no task is called `gsm8`", "did you mean `gsm8k`"),
        ("nothing", "no task", ", ".join(TASKS)),
        ("gsm8k:levels=1", "takes no options", "write `gsm8k`"),
        ("tiny:seed=1,seed=2", "`seed` is given twice", "remove one"),
        ("tiny:level=4", "`level=4` is not an option", "levels, family and seed"),
        ("tiny:levels=4-", "is not a whole number", "levels=2"),
        ("tiny:levels=5-4", "not a range of levels", "levels=4-5"),
        ("tiny:family=shoping", "no family `shoping`", "did you mean `shopping`"),
        ("tiny:seed=x", "is not a whole number", "seed=2"),
    ],
)
def test_tasks_that_do_not_exist(spec, message, hint):
    with pytest.raises(ConfigError, match=message) as caught:
        load_task(spec)
    assert hint in caught.value.hint


def test_a_set_that_is_not_cached_is_named_when_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(TaskError, match="`openai/gsm8k` is not in the Hugging Face cache") as caught:
        load_task("gsm8k", offline=True)
    assert "--data" in caught.value.hint


# --- the hub, as a server of the tests' own --------------------------------------------------------


@pytest.fixture
def hub(tmp_path):
    """A function that loads a task from a loopback hub, in a process with a cache of its own."""
    for name in ("HuggingFaceH4/MATH-500", "Idavidrein/gpqa"):
        folder = tmp_path / "hub/datasets" / name
        folder.mkdir(parents=True)
        for file in ("test.jsonl", "gpqa_diamond.csv"):
            (folder / file).write_text(jsonl(MATH))
    server = LoopbackHub(tmp_path / "hub")
    server.gated.add("Idavidrein/gpqa")
    with ExitStack() as stack:
        stack.enter_context(server.running())

        def load(name, *, up=True, offline=False):
            if not up:
                stack.close()
            code = (
                "import sys\nfrom localsmc.evals.tasks import load_task\n"
                "from localsmc.errors import TaskError\n"
                f"try: print(load_task({name!r}, offline={offline}).items[0].gold)\n"
                "except TaskError as error: print(error, error.hint, sep='|')"
            )
            environment = {**os.environ, **server.environment(tmp_path / "hf home")}
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        load.requests = server.requests
        yield load


def test_a_set_is_downloaded_once_and_then_there_without_a_network(hub):
    assert hub("math-500") == "\\frac{5}{6}"
    n_requests = len(hub.requests)
    assert n_requests > 0
    assert hub("math-500", offline=True) == "\\frac{5}{6}"
    assert len(hub.requests) == n_requests
    assert hub("math-500", up=False) == "\\frac{5}{6}"


def test_a_hub_that_cannot_be_reached_is_said_with_the_set(hub):
    message, hint = hub("math-500", up=False).split("|")
    assert message.startswith("`HuggingFaceH4/MATH-500` cannot be downloaded: the hub at http://127.0.0.1:")
    assert "--data FILE" in hint


def test_a_gated_set_names_the_page_of_its_terms(hub):
    message, hint = hub("gpqa").split("|")
    assert message == "`Idavidrein/gpqa` requires you to accept its terms"
    assert re.search(r"http://127.0.0.1:\d+/datasets/Idavidrein/gpqa, then", hint)
