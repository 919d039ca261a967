"""`localsmc score` as a process and in this one: tables, JSON, files of rows, pipes, Ctrl-C, refusals."""

import json
import signal
import subprocess
import sys

import pytest
import run_folder
from program import PROGRAM

import localsmc

PROMPT, TEXTS = "17 * 23 =", (" 391", " 381")
# Every text is told of at once.
CHATTY = "import localsmc_cli.ui.progress; localsmc_cli.ui.progress.PERIOD = 0; " + PROGRAM


@pytest.fixture(scope="module")
def expected(embedded):
    return localsmc.score(
        embedded, [(PROMPT, text) for text in TEXTS], settings=localsmc.Settings(n_threads=1)
    )


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_a_line_per_text(cli, expected):
    code, out, _ = cli("score", "-t", "1", "-p", PROMPT, *TEXTS)
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split() == ["log", "p", "tokens", "per", "token", "greedy", "text"]
    for i, (line, one) in enumerate(zip(lines, expected, strict=True)):
        assert line.split() == [
            str(i + 1), f"{one.logp:.4f}", str(one.n_tokens), f"{one.mean:.4f}", "no", '"', f'{one.text[1:]}"'
        ]  # fmt: skip


def test_json_is_what_the_library_returns(cli, expected):
    code, out, err = cli("score", "-t", "1", "-p", PROMPT, *TEXTS, "--json", "--tokens", "-q")
    assert (code, err) == (0, "")
    assert rows(out) == [
        json.loads(json.dumps({"index": i} | one.to_json(with_tokens=True))) for i, one in enumerate(expected)
    ]
    assert all("tokens" not in row for row in rows(cli("score", "-t", "1", *TEXTS, "--json")[1]))


def test_tokens_have_a_line_each(cli, expected):
    code, out, _ = cli("score", "-t", "1", "-p", PROMPT, *TEXTS, "--tokens")
    assert code == 0
    first, second = out.strip().split("\n\n")
    assert first.splitlines()[0] == f'1: " 391", log p {expected[0].logp:.4f}'
    for block, one in zip((first, second), expected, strict=True):
        lines = block.splitlines()[2:]
        assert [line.split()[0] for line in lines] == [str(token.token) for token in one.tokens]
        assert all(f"{token.logp:.4f}" in line for token, line in zip(one.tokens, lines, strict=True))


def test_rows_of_a_file_in_order(cli, expected, tmp_path):
    path = tmp_path / "my texts.jsonl"
    path.write_text(
        "".join(json.dumps({"ask": PROMPT, "reply": text}) + "\n" for text in (*TEXTS, "z", *TEXTS))
    )
    code, out, _ = cli(
        "score", "-t", "1", "--data", path, "--question", "ask", "--completion", "reply", "--json"
    )
    assert code == 0
    found = rows(out)
    assert [row["index"] for row in found] == [0, 1, 2, 3, 4]
    assert [row["text"] for row in found] == [*TEXTS, "z", *TEXTS]
    assert found[0]["logp"] == found[3]["logp"] == pytest.approx(expected[0].logp, abs=0.05)
    path.write_text('{"text": "Tom"}\n{"text": ""}\n')
    code, _, err = cli("score", "--data", path)
    assert code == 2
    assert f"the text in row 2 of `{path}` is empty" in err


QUESTIONS = [
    {"question": "What is 2 + 3?", "choices": ["4", "5", "six"], "answer": 1},
    {"question": "What is 9 - 4?", "choices": ["5", "3"], "answer": "A"},
    {"question": "What is 7 * 8?", "choices": ["54", "56"]},
]


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "my questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    return path


def test_questions_are_recognised_and_have_accuracies(cli, questions):
    code, out, _ = cli("score", "-t", "1", "--data", questions, "--json")
    assert code == 0
    found = rows(out)
    assert [row["index"] for row in found] == [0, 1, 2]
    assert [row["gold"] for row in found] == [[1], [0], []]
    known = found[:2]
    code, out, err = cli("score", "-t", "1", "--data", questions)
    assert code == 0
    for line, name in zip(out.splitlines(), ("acc", "acc_norm"), strict=True):
        right = [row[name] for row in known]
        error = 0.5 if right[0] != right[1] else 0.0
        assert line.split() == [name, f"{sum(right) / 2:.4f}", "±", f"{error:.4f}"]
    assert "1 of 3 questions have no right option" in err


def test_questions_without_answers_have_a_table(cli, tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("ask,A,B\n1 + 1 = ?,two,2\n")
    code, out, _ = cli("score", "-t", "1", "--data", path, "--question", "ask", "--letters")
    assert code == 0
    assert out.splitlines()[1].split()[1] in ('"A"', '"B"')


def test_a_reply_in_the_template_begins_without_a_blank(cli, questions, embedded):
    code, out, _ = cli(
        "score", "-t", "1", "--data", questions, "--chat", "--template", "{question}", "--json"
    )
    assert code == 0
    pairs = [(row["question"], choice) for row in QUESTIONS for choice in row["choices"]]
    expected = localsmc.score(embedded, pairs, chat=True)
    logps = [logp for row in rows(out) for logp in row["logps"]]
    assert logps == pytest.approx([one.logp for one in expected], abs=0.05)


def test_mistakes_with_questions_are_refused(cli, questions):
    for arguments, message in (
        (["--tokens"], "`--tokens` does not work with questions"),
        (["--completion", "answer", "--letters"], "`--letters` does not work with `--completion`"),
        (["--letters", "--template", "x"], "so `template` has no effect"),
    ):
        code, out, err = cli("score", "--data", questions, *arguments)
        assert (code, out) == (2, "")
        assert message in err
    code, _, err = cli("score", "--data", questions, "--choices", "options")
    assert code == 6
    assert "row 1 of" in err
    assert "`--choices FIELD`" in err


def test_ranks_of_a_run(cli, tmp_path):
    made = run_folder.lines(n_problems=3, seeds=(0,))
    path = run_folder.write(tmp_path / "a run", made, n_problems=3, seeds=(0,))
    code, out, err = cli("score", "--ranks", path)
    assert code == 0
    assert len(out.splitlines()) == 1 + len(made)
    assert f"{len(made)} answers: " in err
    answer = next(one["result"]["answers"][0]["answer"] for one in made)
    code, out, _ = cli("score", "--ranks", path, answer, "--json")
    assert code == 0
    assert {row["answer"] for row in rows(out)} == {answer}
    assert rows(out)[0]["rank"] is not None
    code, _, err = cli("score", "--ranks", tmp_path)
    assert code == 7
    assert "is not a run folder" in err


def test_standard_input_is_a_text(cli):
    code, out, _ = cli("score", "-t", "1", "-p", PROMPT, "--json", stdin=b" 391\n")
    assert (code, rows(out)[0]["text"]) == (0, " 391")
    code, out, _ = cli("score", "-t", "1", "-p", PROMPT, "--json", " 3", "-", stdin=b" 391")
    assert [row["text"] for row in rows(out)] == [" 3", " 391"]


def test_perplexity_of_a_file_and_of_a_pipe(cli, embedded, tmp_path):
    text = "Tom has 5 apples and buys 4 more.\n" * 12
    path = tmp_path / "a text.txt"
    path.write_text(text)
    settings = localsmc.Settings(n_threads=1)
    found = localsmc.perplexity(embedded, text.removesuffix("\n"), window=64, stride=32, settings=settings)
    sizes = ("-t", "1", "--window", "64", "--stride", "32")
    code, out, _ = cli("score", *sizes, "--perplexity", path, "--json")
    assert (code, json.loads(out)) == (0, found.to_json())
    code, out, err = cli("score", *sizes, "--perplexity", "-", stdin=text.encode())
    assert (code, out) == (0, f"perplexity {found.perplexity:.4f} ± {found.error:.4f}\n")
    assert f"{found.n_scored} of {found.n_tokens} tokens are scored, in {found.n_windows} windows" in err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([], "no text is given", "for example: localsmc score"),
        (["-p", "1", ""], "text 1 is empty", "give a text"),
        (["-", "-"], "`-` is given twice", "remove one"),
        (["--data", "rows.jsonl", "a"], "the texts are given twice", "remove `--data`"),
        (["--data", "rows.jsonl", "-p", "a"], "the texts are given twice", "remove `--data`"),
        (["--question", "q", "a"], "`--question` works with `--data` only", "remove `--question`"),
        (["--window", "5", "a"], "`--window` works with `--perplexity FILE` only", "remove `--window`"),
        (["--perplexity", "f", "a"], "`--perplexity` takes a file", "remove the other texts"),
        (["--perplexity", "f", "--tokens"], "`--tokens` does not work with", "remove `--tokens`"),
        (["--perplexity", ""], "the name of the file with the text is empty", "takes a text file"),
        (["--system", "s", "a"], "`--system` works with `--chat` only", "remove `--system`"),
        (["--chat-template", "chatml", "a"], "`--chat-template` works with `--chat` only", "remove"),
        (["--chat", "--special", "-p", "a", "b"], "`--special` does not work with `--chat`", "remove"),
        (["--choices", "c", "a"], "`--choices` works with `--data` only", "remove `--choices`"),
        (["--perplexity", "f", "--letters"], "`--letters` does not work with", "remove `--letters`"),
        (["--ranks", "run", "--stride", "2"], "`--stride` does not work with `--ranks`", "remove `--stride`"),
        (["--ranks", "run", "-m", "x.gguf"], "`--model` has no effect with `--ranks`", "remove `--model`"),
        (["--ranks", "run", "a", "b"], "`--ranks` takes one answer", "put quotes"),
        (["--chat", "b"], "text 1 has an empty prompt", "add `-p PROMPT`"),
    ],
)
def test_what_has_no_effect_is_refused(cli, arguments, message, hint):
    code, out, err = cli("score", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert hint in err.split("hint:")[1]


def test_a_terminal_as_standard_input_waits_for_nothing(cli):
    code, _, err = cli("score", "-p", "1", is_terminal=True)
    assert code == 2
    assert "no text is given" in err


def start(*arguments):
    command = [sys.executable, "-c", CHATTY, "score", "-t", "1", *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def interrupted(child, mark):
    for line in child.stderr:
        if mark in line:
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"Traceback" not in err
    return out.decode(), err.decode()


def test_ctrl_c_keeps_what_is_scored(tmp_path):
    n, path = 20_000, tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{i} + {i} =", "text": f" {i}"}) + "\n" for i in range(n)))
    with start("--data", path, "--json") as child:
        # A pipe holds little: what is printed must be read.
        first = child.stdout.readline()
        out, err = interrupted(child, b"/20000 texts")
    found = [json.loads(first), *rows(out)]
    assert 0 < len(found) < n
    indices = [row["index"] for row in found]
    assert indices == sorted(set(indices))
    assert f"stopped after {len(found)} of {n} texts" in err


def test_ctrl_c_keeps_the_perplexity_so_far(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"Tom has {i} apples and buys {i + 3} more.\n" for i in range(20_000)))
    with start("--perplexity", path, "--json", "--window", 64) as child:
        out, err = interrupted(child, b" windows ")
    found = json.loads(out)
    assert 0 < found["n_windows"] < found["n_all"]
    assert f"stopped after {found['n_windows']} of {found['n_all']} windows" in err
