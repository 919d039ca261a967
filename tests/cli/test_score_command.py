"""`localsmc score` as a process and in this one: tables, JSON, files of rows, pipes, Ctrl-C, refusals."""

import json
import signal
import subprocess
import sys

import pytest
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
