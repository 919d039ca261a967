"""Standard sets: rows as they are in each file, and the problems they become; mirrors, parts, wrong names."""

import json
import os
import subprocess
import sys

import pytest
from loopback_hub import LoopbackHub

from localsmc.errors import ConfigError, TaskError
from localsmc.evals.grading import GRADERS
from localsmc.evals.tasks import load_task, runs_code
from localsmc.evals.tasks.standard_tasks import STANDARD
from localsmc_cli.options.choices import CODE
from localsmc_cli.options.choices import GRADERS as TYPED

MATH = [
    {"problem": "What is $1+1$?", "level": "Level 5", "type": "Algebra",
     "solution": "First $\\boxed{1}$, then $\\boxed{\\frac{4}{2}}$."},
    {"problem": "What is $1+2$?", "level": "Level 1", "type": "Number Theory",
     "solution": "It is $\\boxed{3}$."},
]  # fmt: skip
ARC = [
    {"id": "M_1", "question": "Which is hot?", "answerKey": "B",
     "choices": {"text": ["ice", "fire", "snow", "rain"], "label": ["A", "B", "C", "D"]}},
    {"id": "N_2", "question": "Which is cold?", "answerKey": "1",
     "choices": {"text": ["ice", "fire", "lava"], "label": ["1", "2", "3"]}},
]  # fmt: skip
MMLU_PRO = [
    {"question_id": 70, "question": "Which letter?", "options": [f"option {c}" for c in "abcdefghij"],
     "answer": "I", "answer_index": 8, "cot_content": "", "category": "law", "src": "x"},
    {"question_id": 71, "question": "Two?", "options": ["yes", "no"], "answer": "A", "answer_index": 0,
     "cot_content": "", "category": "math", "src": "x"},
]  # fmt: skip
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """ The sum. """\n',
    "canonical_solution": "    return sum(xs)\n",
    "test": "\n\ndef check(candidate):\n    assert candidate([1, 2]) == 3\n",
    "entry_point": "total",
}
MBPP = [
    {"task_id": 11, "prompt": "Double a number.", "code": "", "test_imports": ["import math"],
     "test_list": ["assert double(2) == 4", "assert double(math.inf) == math.inf"]},
    {"task_id": 12, "text": "Negate a number.", "code": "", "test_setup_code": "one = 1",
     "test_list": ["assert negated(one) == -1"], "challenge_test_list": []},
]  # fmt: skip
IFEVAL = {
    "key": 1000,
    "prompt": "Write three words without a comma.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{}, {"relation": "at least", "num_words": 3, "keyword": None}],
}


def loaded(tmp_path, name, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_task(name, data=path)


def test_levels_and_families_of_math(tmp_path):
    task = loaded(tmp_path, "math", *MATH)
    assert [(item.gold, item.level, item.family) for item in task.items] == [
        ("\\frac{4}{2}", 5, "Algebra"),
        ("3", 1, "Number Theory"),
    ]
    assert [item.gold for item in loaded(tmp_path, "math:levels=1-2", *MATH).items] == ["3"]
    hard = loaded(tmp_path, "math:levels=4-5,family=algebra", *MATH)
    assert (hard.name, [item.level for item in hard.items]) == ("math:levels=4-5,family=algebra", [5])


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("math:levels=3", "has no such problems", "choose levels from: 1, 5"),
        ("math:family=Algebr", "no family `Algebr`", "did you mean `Algebra`"),
        ("math:family=Zoo", "no family `Zoo`", "choose from: Algebra, Number Theory"),
        ("math:seed=1", "`seed=1` is not an option of the task `math`", "math:levels=4-5,family=NAME"),
    ],
)
def test_problems_that_a_set_does_not_have(tmp_path, spec, message, hint):
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(tmp_path, spec, *MATH)
    assert hint in caught.value.hint


def test_options_are_listed_in_the_order_of_the_file(tmp_path):
    first, second = loaded(tmp_path, "arc-challenge", *ARC).items
    assert (first.gold, second.gold) == ("B", "A")
    assert "A) ice\nB) fire\nC) snow\nD) rain\n" in first.question
    assert second.question.endswith("C) lava\n\nAnswer with the letter of one option.")
    ten, two = loaded(tmp_path, "mmlu-pro", *MMLU_PRO).items
    assert (ten.problem_id, ten.gold, ten.family, two.gold) == ("70", "I", "law", "A")
    assert "\nJ) option j\n" in ten.question
    [law] = loaded(tmp_path, "mmlu-pro:family=law", *MMLU_PRO).items
    assert law == ten


@pytest.mark.parametrize(
    ("name", "row", "question", "gold"),
    [
        ("gsm-symbolic", {"id": 0, "instance": 3, "question": "2+2?", "answer": "So\n#### 1,004"},
         "2+2?", "1004"),
        ("svamp", {"ID": "chal-1", "Body": "Tom has 3 pens", "Question": "How many are 2 more?",
                   "Answer": "5.0", "Type": "Addition"}, "Tom has 3 pens. How many are 2 more?", "5"),
        ("svamp", {"question_concat": "Tom has 3. How many?", "Answer": 3.5, "Type": "x"},
         "Tom has 3. How many?", "3.5"),
    ],
)  # fmt: skip
def test_word_problems(tmp_path, name, row, question, gold):
    [item] = loaded(tmp_path, name, row).items
    assert (item.question, item.gold) == (question, gold)


def test_code_is_graded_by_the_tests_of_its_row(tmp_path):
    [item] = loaded(tmp_path, "humaneval", HUMANEVAL).items
    assert item.problem_id == "HumanEval/0"
    assert f"```python\n{HUMANEVAL['prompt'].strip()}\n```" in item.question
    assert json.loads(item.gold) == {name: HUMANEVAL[name] for name in ("test", "prompt", "entry_point")}
    first, second = loaded(tmp_path, "mbpp", *MBPP).items
    assert first.question.startswith("Double a number.\n")
    assert "assert double(2) == 4\n" in first.question
    tests = [json.loads(one.gold)["test"].splitlines()[0] for one in (first, second)]
    assert tests == ["import math", "one = 1"]
    assert runs_code("humaneval")
    assert not runs_code("math:levels=1")


def test_instructions_are_graded_as_they_are_in_the_row(tmp_path):
    [item] = loaded(tmp_path, "ifeval", IFEVAL).items
    assert item.question == IFEVAL["prompt"]
    grade = GRADERS["format"].grade
    assert grade("one two three", item.gold).is_right
    assert not grade("one, two three", item.gold).is_right


@pytest.mark.parametrize("name", ["svamp", "humaneval", "mbpp", "ifeval", "mmlu-pro"])
def test_a_row_of_another_set_is_refused(tmp_path, name):
    with pytest.raises(TaskError, match="has no field"):
        loaded(tmp_path, name, {"text": "1+1?", "label": 2})


def test_the_command_line_names_all_tasks_and_graders(capsys):
    from localsmc_cli.main import run

    assert tuple(GRADERS) == TYPED
    assert [name for name, rule in GRADERS.items() if rule.runs_code] == [CODE]
    assert run(["eval", "--help-all"]) == 0
    words = {word.strip(".,") for word in capsys.readouterr().out.split()}
    assert sorted(set(STANDARD) - words) == []


# --- a mirror of the hub ---------------------------------------------------------------------------

LOAD = """
import sys
from localsmc.errors import TaskError
from localsmc.evals.tasks import load_task
try:
    print(*[item.gold for item in load_task(sys.argv[1]).items])
except TaskError as error:
    print(error, error.hint, sep="|")
"""


@pytest.fixture
def mirror(tmp_path):
    """A function that loads a task through HF_ENDPOINT, from these files."""

    def load(name, files):
        folder = tmp_path / "hub/datasets" / STANDARD[name].repository
        for file, rows in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write(folder / file, rows)
        server = LoopbackHub(tmp_path / "hub")
        with server.running():
            environment = {**os.environ, **server.environment(tmp_path / "hf home")}
            done = subprocess.run(
                [sys.executable, "-c", LOAD, name],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            )
        return done.stdout.strip()

    return load


def write(path, rows):
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_set_of_several_files_comes_from_a_mirror(mirror):
    known = STANDARD["math"]
    assert len(known.files) == 7
    assert mirror("math", {file: MATH[:1] for file in known.files}) == " ".join(["\\frac{4}{2}"] * 7)


def test_lists_and_objects_of_parquet_are_read(mirror):
    assert mirror("arc-easy", {"ARC-Easy/test-00000-of-00001.parquet": ARC}) == "B A"


def test_a_file_that_the_hub_has_no_more_is_an_error_with_those_it_has(mirror):
    message, hint = mirror("ifeval", {"data.jsonl": [IFEVAL], "README.md": [{}]}).split("|")
    assert message == "`google/IFEval` on the hub has no file `ifeval_input_data.jsonl`"
    assert hint.startswith(
        "this file name is unverified; it has data.jsonl, README.md; see http://127.0.0.1:"
    )
    assert hint.endswith("or pass a file with `--data FILE`")
