"""The command `localsmc solve`, in this process for mistakes in arguments, otherwise in real processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from program import PROGRAM
from renamed_model import renamed

import localsmc_models
from localsmc.engine.settings import Settings
from localsmc.engine.solve import start
from localsmc.errors import ContextFull
from localsmc.methods import METHODS, Greedy
from localsmc.methods.base import unused_of
from localsmc.methods.spec import (
    defaults_of,
    describe,
    first_clause,
    format_value,
    parse_method,
    sections,
    title,
)
from localsmc.results import AnswerShare
from localsmc.text.instructions import BOXED, NEUTRAL
from localsmc_cli.options import choices
from localsmc_cli.root import COMMANDS
from localsmc_cli.ui.follow_run import follow, partial_result
from localsmc_cli.ui.summary import drawn_line, percent, share_lines
from localsmc_cli.ui.trace_writer import TraceWriter

posix = pytest.mark.skipif(os.name != "posix", reason="needs FIFOs, signals and terminals")

SMALL = ["-t", "1", "-N", "4", "-n", "12"]
LONG = ["solve", "--raw", "x", "-t", "1", "-N", "64", "--alpha", "1", "-n", "-1"]
DEADLINE = 120


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path / "cache"))
    # A terminal's width and colours are not under test.
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def popen(*arguments, **pipes):
    defaults = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, **{**defaults, **pipes})


def process(*arguments, stdin=b"", **pipes):
    """Run a real process to its end: exit code, standard output and error."""
    with popen(*arguments, stdin=subprocess.PIPE, **pipes) as child:
        out, err = child.communicate(stdin, timeout=DEADLINE)
    return child.returncode, (out or b"").decode(), (err or b"").decode()


def without_times(out):
    result = json.loads(out)
    del result["usage"]["seconds"]
    return result


# --- mistakes ------------------------------------------------------------------------------------

MISTAKES = [
    (["x", "--chat-template", "chatmll"], 2, "no chat template is called `chatmll`", "did you mean `chatml`"),
    (["x", "--chat-template", "nope"], 2, "no chat template is called `nope`", "choose from: "),
    (["x", "--chat-template", "phi4.5"], 2, "no chat template is called `phi4.5`", "did you mean `phi4`"),
    (["x", "--chat-template", ""], 2, "`--chat-template` is empty", "a name or a file"),
    (["x", "--chat-template", "/no/such.jinja"], 2, "the file `/no/such.jinja` cannot be read", "text file"),
    (["x", "--chat-template", "/"], 2, "`/` is a folder", "the file that holds the chat template"),
    (["x", "--chat-template", "{problem}"], 2, "is not a Jinja template", "chat_template.jinja"),
    (["x", "--chat-template", "{{{{ x"], 2, "the chat template is not a Jinja template: line 1", "correct"),
    (["x", "--chat-template", "ChatML"], 2, "no chat template is called `ChatML`", "did you mean `chatml`"),
    (
        ["x", "--chat-template", "{{{{ raise_exception('no') }}}}"],
        5,
        "the given chat template failed: no",
        "correct or remove `--chat-template`",
    ),
    (["x", "--raw", "-rea", "on"], 2, "`--reasoning` has no effect", "remove `--raw` or"),
    (["--box"], 2, "option '--box' requires an argument", "see `localsmc solve --help`"),
    (["-f", ""], 2, "the name of the file with the problem is empty"),
    (["x", "--raw", "--chat-template", "chatml"], 2, "`--chat-template` has no effect", "remove `--raw` or"),
    (["x", "--special"], 2, "`special` works with `raw` only", "add `--raw`"),
    (["x", "--box", "maybe"], 2, "'maybe' is not `on`, `off` or `auto`", "--help"),
    (["x", "--grammar", "/no/such file"], 2, "the file `/no/such file` cannot be read", "text file"),
    (["x", "--grammar-file", "{folder}"], 2, "is a folder, not a file", "the grammar"),
    (["x", "--grammar", "{binary}"], 2, "is not UTF-8 text"),
    (["x", "--grammar", "{nul}"], 2, "is not text", "the grammar"),
    (["x", "--grammar", ""], 2, "the grammar is empty"),
    (["x", "-j", " "], 2, "the JSON schema is not JSON"),
    (["x", "--grammar", "{problem}"], 2, "line 1 of the grammar: expected `::=` at `is 1 + 1?`"),
    (["x", "--grammar", "rot ::= [0-9]"], 2, "the grammar has no rule `root`"),
    (["x", "--grammar", 'root ::= "a'], 2, "line 1 of the grammar: expected a closed string", "GBNF"),
    (["x", "--grammar", "root ::= \udcff"], 2, "`--grammar` is not UTF-8 text"),
    (["x", "--grammar", 'root ::= root "a"'], 2, "left recursion"),
    (["x", "--grammar", "root ::= [z-a]"], 2, "the grammar allows no token to begin with"),
    (["x", "--grammar", "root ::= .", "-j", "{{}}"], 2, "`grammar` and `json-schema` cannot be combined"),
    (["x", "-j", "{{}}", "-jf", "{problem}"], 2, "the JSON schema is given twice"),
    (["x", "-j", "{{'a': 1}}"], 2, "the JSON schema is not JSON"),
    (["x", "-j", "/no/such file"], 2, "the file `/no/such file` cannot be read"),
    (["x", "-jf", "{problem}"], 2, "the JSON schema is not JSON"),
    (["x", "-j", '{{"type": "strange"}}'], 2, "Unrecognized schema"),
    (
        ["x", "--grammar", "root ::= .", "--method", "ssr"],
        2,
        "`ssr` does not support a grammar",
        "`power-smc`",
    ),
    ([""], 2, "the problem is empty"),
    (["  \n"], 2, "the problem is empty"),
    (["-f", "/no/such file"], 2, "the file `/no/such file` cannot be read"),
    (["-f", "~nobody-here/x"], 2, "the file `~nobody-here/x` cannot be read"),
    (["x", "-o", "~nobody-here/x"], 7, "`~nobody-here/x` cannot be written"),
    (["-f", "{folder}"], 2, "is a folder, not a file"),
    (["x", "-o", "{folder}"], 7, "cannot be written: it is a folder"),
    (["x", "-o", "{folder}/none/x"], 7, "is not a folder that you can write to"),
    (["x", "-o", "y", "--method", "greedy", "--method", "sample"], 2, "`--output` works with one method"),
    (["-f", "{binary}"], 2, "is not UTF-8 text"),
    (["-f", "{nul}"], 2, "is not text"),
    (["x", "-p", "y"], 2, "the problem is given more than once"),
    (["-p", "y", "-f", "{problem}"], 2, "the problem is given more than once"),
    (["What", "is", "this"], 2, "3 problems are given"),
    (["x\udcff"], 2, "the problem is not UTF-8 text"),
    (["x", "--alhpa", "3"], 2, "unknown option `--alhpa`", "did you mean `--alpha`?"),
    (["-3 + 5"], 2, "unknown option `-3`", "put `--` before"),
    (["x", "--alpha", "0.5"], 2, "`alpha` is 0.5"),
    (["x", "--alpha", "nan"], 2, "`alpha` is nan"),
    (["x", "--particles", "0"], 2, "`particles` is 0"),
    (["x", "--ess-threshold", "2"], 2, "`ess_threshold` is 2"),
    (["x", "--resampling", "fair"], 2, "`--resampling`: 'fair'"),
    (
        ["x", "--stop-when-decided", "0.5"],
        2,
        "`stop_when_decided` is 0.5, but must be above 0.5, up to 1, or 0",
        "try 0.9",
    ),
    (["x", "--stop-when-decided", "nan"], 2, "`stop_when_decided` is nan"),
    (["x", "--stop-when-decided", "often"], 2, "`--stop-when-decided`: 'often'"),
    (
        ["x", "--stop-when-decided", "0.9", "--method", "greedy"],
        2,
        "`--stop-when-decided` does not apply to `--method greedy`",
        "remove it, or use `--method power-smc`",
    ),
    (
        ["x", "--method", "power-smc:stop_when_decided=0.9,decided_by=hope"],
        2,
        "`decided_by` is `hope`",
        "choose from: bound, estimate",
    ),
    (
        ["x", "--method", "power-smc:islands=2", "--stop-when-decided", "0.9"],
        2,
        "`stop_when_decided` works with one island",
    ),
    (["x", "-n", "0"], 2, "`--predict`: '0'"),
    (["x", "-n", "-2"], 2, "`--predict`: '-2'"),
    (["x", "--seed", "abc"], 2, "`--seed`: 'abc'"),
    (["x", "--seed", "-2"], 2, "`--seed`: '-2'"),
    (["x", "--budget", "0"], 2, "`--budget`: '0'"),
    (["x", "--budget", "inf"], 2, "`--budget`: 'inf'"),
    (["x", "--method", "power-scm"], 2, "no method is called `power-scm`", "did you mean `power-smc`?"),
    (["x", "--method", "x"], 2, "no method is called `x`", "choose from: power-smc, "),
    (
        ["x", "--method", "sample:temprature=2"],
        2,
        "has no option `temprature`",
        "did you mean `temperature`?",
    ),
    (["x", "--method", "sample:N=0"], 2, "`particles` is 0"),
    (
        ["x", "--method", "sample:select=first"],
        2,
        "`select` is `first`",
        "choose from: draw, argmax, majority",
    ),
    (["x", "--method", "power-smc:N=3", "-N", "3"], 2, "`--particles` is given twice: it is also in"),
    (["x", "--method", "sample:temp=2", "--temp", "3"], 2, "`--temp` is given twice: it is also in"),
    (["x", "--method", "sample:select=best", "--select", "draw"], 2, "`--select` is given twice"),
    (["x", "--method", "greedy", "--method", "power-smc:N=3", "-N3"], 2, "`--particles` is given twice"),
    (["x", "--method", "sample", "--method", "sample:"], 2, "the method `sample` is given twice"),
    (
        ["x", "--method", "sample", "--method", "greedy", "--ramp", "3"],
        2,
        "`--ramp` does not apply to `--method sample` or `--method greedy`",
        "remove it, or use `--method power-smc`",
    ),
    (["x", "--method", "sample", "--method", "greedy", "--temp", "0"], 2, "is greedy decoding"),
    (
        ["x", "--method", "sample", "--method", "greedy", "--trace", "t"],
        2,
        "`--trace` works with one method, but 2 are given",
        "or give one `--method`",
    ),
    (["x", "--method", "greedy", "--alpha", "2"], 2, "`--alpha` does not apply to `--method greedy`"),
    (["x", "--method", "sample", "--ramp", "2"], 2, "`--ramp` does not apply to `--method sample`"),
    (["x", "--temp", "0.5"], 2, "`--temp` does not apply to `--method power-smc`", "`--method sample`"),
    (["x", "--top-k", "3"], 2, "`--top-k` does not apply"),
    (["x", "--method", "greedy", "-N", "3"], 2, "`--particles` does not apply"),
    (["x", "--method", "sample", "--temp", "0"], 2, "is greedy decoding", "`--method greedy`"),
    (["x", "-ngl", "some"], 2, "`--gpu-layers`: 'some'"),
    (["x", "--method", "speculative", "-ngld", "some"], 2, "`--gpu-layers-draft`: 'some'"),
    (
        ["x", "--method", "cascade", "-m", "/no/such model.gguf"],
        2,
        "`--method cascade` needs a draft model",
        "add one with `-md small.gguf`",
    ),
    (
        ["x", "-md", "{problem}"],
        2,
        "`--model-draft` does not apply to `--method power-smc`",
        "remove it, or use `--method speculative`",
    ),
    (["x", "-td", "3"], 2, "`--threads-draft` does not apply to `--method power-smc`"),
    (["x", "--method", "speculative", "-md", "/no/such draft.gguf"], 3, "no model at `/no/such draft.gguf`"),
    (["x", "--method", "speculative", "-md", "{problem}"], 3, "is not a GGUF file"),
    (["x", "--method", "speculative", "--spec-draft-n-max", "0"], 2, "`n_max` is 0"),
    (["x", "--spec-draft-n-max", "3"], 2, "`--spec-draft-n-max` does not apply to `--method power-smc`"),
    (["x", "--method", "speculative", "--temp", "-1"], 2, "`temperature` is -1"),
    (
        ["x", "--method", "cascade:rule=best"],
        2,
        "`rule` is `best`, which is not a rule",
        "choose from: chow, ",
    ),
    (["x", "--method", "cascade:sequential=on"], 2, "`sequential` cannot be used with `rule=token-v3`"),
    (
        ["x", "--method", "draft-smc:resampling=best"],
        2,
        "`resampling` is `best`, which is not a resampling scheme",
    ),
    (
        ["x", "--method", "speculative:top_k=3", "--temp", "0"],
        2,
        "`top_k` has no effect with `temperature=0`",
    ),
    (
        ["x", "--method", "ssr:rating=digit,sure=0.3"],
        2,
        "`sure` has no effect with `rating=digit`",
        "remove it, or use `rating=probability`",
    ),
    (["x", "--method", "ssr", "--select", "best"], 2, "`select=best` needs log-probabilities"),
    (
        ["x", "--method", "cascade:rule=chow,sequential=on", "--select", "best"],
        2,
        "`select=best` needs log-probabilities, which `cascade` does not compute here",
        "remove it",
    ),
    (["x", "-ts", "3,x"], 2, "`--tensor-split`: '3,x'"),
    (["x", "-fa", "maybe"], 2, "`--flash-attn`: 'maybe'"),
    (["x", "-ctk", "f17"], 2, "`--cache-type-k`: 'f17'"),
    (["x", "-b", "0"], 2, "`--batch-size`"),
    (["x", "-q", "-v"], 2, "cannot be used together"),
    (["x", "--stop", ""], 2, "`--stop` is empty"),
    (["x", "-m"], 2, "option '-m' requires an argument"),
    (["x", "--trace", "{folder}/none/trace"], 2, "cannot be written: No such file"),
    (["x", "--trace", "{folder}"], 2, "cannot be written: Is a directory"),
    (["x", "-m", "/no/such model.gguf"], 3, "no model at `/no/such model.gguf`"),
    (["x", "-m", "{folder}"], 3, "is a directory, not a GGUF file"),
    (["x", "-m", "{problem}"], 3, "is not a GGUF file"),
    (["x", "-c", "5"], 4, "the context holds 5", "raise `--ctx-size`, up to the 1024 tokens"),
    (["1 + " * 900, "-c", "4096"], 4, "the context holds 1024", "texts of up to 1024 tokens"),
    (["1 + " * 900, "-c", "100"], 4, "the context holds 100", "texts of up to 1024 tokens"),
    (
        ["x", "--method", "ssr:pool=nix"],
        2,
        "the pool of strategies `nix` cannot be read: No such file",
        "choose from: general, tiny",
    ),
    (["x", "--method", "ssr:pool={problem}"], 2, "is not JSON in UTF-8", "general.json"),
    (["x", "--method", "ssr:rating=often"], 2, "`rating` is `often`", "choose from: probability, digit"),
    (["x", "--method", "ssr:temp=0"], 2, "`temperature` is 0"),
    (["x", "--method", "ssr", "-b", "6"], 4, "the tracks of the draft need 7 sequences"),
]


@pytest.mark.parametrize(("arguments", "code", "sentence", "hint"), [(*row, "")[:4] for row in MISTAKES])
def test_a_mistake_is_one_sentence_a_hint_and_an_exit_code(cli, tmp_path, arguments, code, sentence, hint):
    files = {name: tmp_path / name for name in ("binary", "nul", "problem")}
    files["binary"].write_bytes(b"\x80GGUF")
    files["nul"].write_bytes(b"a\0b")
    files["problem"].write_text("What is 1 + 1?")
    arguments = [argument.format(folder=tmp_path, **files) for argument in arguments]
    got, out, err = cli("solve", *arguments)
    assert (got, out) == (code, "")
    error, _, rest = err[err.index("Error: ") :].partition("\n\n")
    assert sentence in error
    assert "\n" not in error
    assert not error.endswith(".")
    assert rest.startswith("hint: ")
    assert hint in rest
    assert rest.count("\n") == 1
    assert "Traceback" not in err


def test_no_problem_and_a_terminal_on_stdin_does_not_wait(cli):
    code, out, err = cli("solve", is_terminal=True)
    assert (code, out) == (2, "")
    assert err.startswith("Error: no problem is given\n\nhint: for example: localsmc solve")


@pytest.mark.parametrize("option", ["--grammar", "--grammar-file", "-j", "--json-schema", "-jf"])
def test_a_text_keeps_to_the_grammar_in_a_file(cli, tmp_path, option):
    file = tmp_path / "a grammar"
    file.write_text('{"enum": [17, 391]}' if "j" in option else 'root ::= "17" | "391"')
    code, out, _ = cli("solve", "What is 17 * 23?", "-t1", "-N2", option, file)
    assert (code, out) in ((0, "17\n"), (0, "391\n"))
    code, out, _ = cli("solve", "What is 17 * 23?", "-t1", "-N2", "--json", option, file.read_text())
    if option == "-jf":
        assert code == 2
    else:
        assert json.loads(out)["answer"] in ("17", "391")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["pull", "user/repo"], "type: localsmc models pull MODEL"),
        (["slove", "x"], "did you mean `solve`?"),
        (["frobnicate"], f"choose from: {', '.join(COMMANDS)}"),
        (["What is 2 + 2?"], 'did you mean: localsmc solve "What is 2 + 2?"'),
    ],
)
def test_an_unknown_command_gets_a_suggestion(cli, arguments, hint):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert err == f"Error: unknown command `{arguments[0]}`\n\nhint: {hint}\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLAMA_ARG_THREADS", "many"),
        ("LLAMA_ARG_SPLIT_MODE", "half"),
        ("LLAMA_ARG_N_GPU_LAYERS", "some"),
        ("LLAMA_ARG_FLASH_ATTN", "perhaps"),
        ("LLAMA_ARG_TENSOR_SPLIT", "a,b"),
        ("LLAMA_ARG_SPEC_DRAFT_N_MAX", "few"),
    ],
)
def test_a_bad_value_in_the_environment_is_named_as_such(cli, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    code, _, err = cli("solve", "x")
    assert code == 2
    assert err.startswith(f"Error: the environment variable `{name}`: '{value}' is")


def test_what_nobody_foresaw_is_an_internal_error(cli, monkeypatch):
    def break_down(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("localsmc.engine.load.load", break_down)
    code, _, err = cli("solve", "x")
    assert code == 1
    assert err.startswith("Error: internal error: ZeroDivisionError: a bug\n\nhint: please report it, with")
    _, _, err = cli("solve", "x", "-v")
    assert "Traceback" in err
    assert "break_down" in err


# --- answers -------------------------------------------------------------------------------------


def test_stdout_has_the_text_and_stderr_the_rest(cli):
    code, out, err = cli("solve", "What is 17 * 23?", *SMALL, "-s", 1)
    _, record, _ = cli("solve", "What is 17 * 23?", *SMALL, "-s", 1, "--json")
    result = json.loads(record)
    assert code == 0
    assert out == result["text"] + "\n"
    assert "no model is given, so the embedded one answers" in err
    assert "Answer: " in err
    assert "seed 1" in err
    for share in result["answers"]:
        assert percent(share["weight"]) in err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_cut_text_is_called_cut_with_what_to_type(cli, form):
    arguments = ["solve", "What is 17 * 23?", "-t", "1", "-N", "1", "-s", "1", *form]
    assert "the text was cut at 12 tokens; add `-n 24` for more\n" in cli(*arguments, "-n", "12")[2]
    assert "was cut" not in cli(*arguments)[2]
    assert "was cut" not in cli(*arguments, "-n", "12", "-q")[2]
    full = cli(*arguments, "-n", "500", "-c", "40")[2]
    assert re.search(r"the text was cut at \d+ tokens; the context is full: ", full)
    assert "add `-n" not in full


ANSWERS = (("7", 0.5), ("8", 0.3), (None, 0.2))
REFUSED = object()
"""What stands for a refusal among answers."""


def told(answer):
    return {"answer": None if answer is REFUSED else answer, "is_refused": answer is REFUSED}


@pytest.mark.parametrize(
    ("select", "answers", "own", "leading"),
    [
        ("draw", ANSWERS, "8", "7 (50 %)"),
        ("draw", ANSWERS, None, "7 (50 %)"),
        ("draw", ANSWERS, "7", None),
        ("draw", ANSWERS, "14/2", None),
        ("majority", ANSWERS, "8", None),
        ("draw", ((None, 0.9), ("7", 0.1)), None, None),
        ("draw", ((None, 0.8), ("7", 0.15), ("8", 0.05)), "8", "7 (15 %)"),
        ("draw", (("7", 0.5), ("8", 0.5)), "8", None),
        ("draw", ((None, 1.0),), None, None),
        ("draw", ((REFUSED, 0.6), ("7", 0.4)), "7", "a refusal (60 %)"),
        ("draw", ((REFUSED, 0.6), ("7", 0.4)), REFUSED, None),
        ("draw", (("7", 0.6), (REFUSED, 0.4)), REFUSED, "7 (60 %)"),
        ("draw", ((None, 0.5), (REFUSED, 0.3), ("7", 0.2)), REFUSED, None),
        ("draw", ((None, 0.5), (REFUSED, 0.3), ("7", 0.2)), None, None),
    ],
)
def test_a_drawn_text_beside_a_heavier_answer_says_so(select, answers, own, leading):
    config = {"select": select}
    shares = tuple(AnswerShare(**told(answer), weight=weight, count=1) for answer, weight in answers)
    result = SimpleNamespace(**told(own), answers=shares, method=SimpleNamespace(config=config))
    line = drawn_line(result)
    expected = f"this text was drawn by weight; the leading answer is {leading}: add `--select majority`"
    assert line is None if leading is None else line.startswith(expected)


def test_a_drawn_text_that_does_not_lead_is_remarked_on(cli):
    arguments = ["What is 347 * 86?", "-t", "1", "--alpha", "1", "--json"]
    found = [cli("solve", *arguments, "-s", seed)[1:] for seed in range(4)]
    for out, err in found:
        result = json.loads(out)
        weights = {share["answer"]: share["weight"] for share in result["answers"]}
        own = weights[result["answer"]]
        leading = max(weight for answer, weight in weights.items() if answer is not None)
        assert ("was drawn by weight" in err) is (leading > own)
    assert any("was drawn by weight" in err for _, err in found)


def test_quiet_writes_the_text_only(cli):
    code, out, err = cli("solve", "What is 17 * 23?", *SMALL, "-q")
    assert (code, err) == (0, "")
    assert out.endswith("\n")


def test_verbose_tells_what_was_chosen_and_where_the_time_went(cli):
    _, out, err = cli("solve", "What is 17 * 23?", *SMALL, "-v", "--json")
    assert json.loads(out)["seed"] >= 0
    for word in ("llama_model_loader:", " layers on ", "chosen for", "prompt: ", "PowerSMC(", "is decoding"):
        assert word in err
    _, _, err = cli("solve", "x", *SMALL, "-v", "-c", "512")
    assert "context: 512 tokens, given by --ctx-size" in err


JSON_KEYS = {
    "": "answer text method model seed version answers completions log_z ess usage",
    "method": "name config",
    "model": "name path sha256 params quantization n_ctx device",
    "answers": "answer weight count",
    "completions": "text answer logp weight n_tokens finish_reason count",
    "usage": "prompt_tokens completion_tokens steps rows decode_calls resamples peak_rows peak_cells seconds"
    " proposals accepted swap_proposals swaps",
}


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (["-N", "3", "--alpha", "2", "--ramp", "0"], {"particles": 3, "alpha": 2.0, "ramp": 0}),
        (
            ["--method", "sample", "-N", "3", "--temp", "0.5", "--top-k", "5", "--top-p", "0.9"],
            {"particles": 3, "temperature": 0.5, "top_k": 5, "top_p": 0.9, "min_p": 0.0},
        ),
        (["--method", "greedy"], {}),
    ],
)
def test_json_is_one_object_with_the_documented_keys(cli, method, config):
    code, out, _ = cli("solve", "What is 2 + 2?", "-t1", "-n12", "-s7", "--json", *method)
    result = json.loads(out)
    assert code == 0
    assert out.count("\n") == 1
    for part, keys in JSON_KEYS.items():
        value = result[part] if part else result
        for entry in value if isinstance(value, list) else [value]:
            assert set(keys.split()) <= set(entry)
    assert set(result["usage"]["seconds"]) == {
        "load", "prompt", "decode", "sample", "conclude", "total",
    }  # fmt: skip
    assert result["seed"] == 7
    assert result["method"]["config"]["n_predict"] == 12
    assert config.items() <= result["method"]["config"].items()
    assert sum(share["weight"] for share in result["answers"]) == pytest.approx(1)
    assert (result["log_z"] is None) == ("--method" in method)


def test_llama_cpps_variables_for_drafts_are_for_methods_that_have_one(cli, monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_SPEC_DRAFT_N_MAX", "2")
    monkeypatch.setenv("LLAMA_ARG_SPEC_DRAFT_MODEL", "/no/such draft.gguf")
    code, _, _ = cli("solve", "What is 2 + 2?", *SMALL, "--method", "sample")
    assert code == 0
    code, _, err = cli("solve", "What is 2 + 2?", "--method", "speculative")
    assert code == 3
    assert "no model at `/no/such draft.gguf`" in err
    monkeypatch.delenv("LLAMA_ARG_SPEC_DRAFT_MODEL")
    _, out, _ = cli("solve", "What is 2 + 2?", "--method", "speculative", "--json")
    assert json.loads(out)["method"]["config"]["n_max"] == 2


@pytest.mark.parametrize("method", ["power-smc", "sample", "speculative", "draft-smc"])
def test_a_context_of_a_few_cells_holds_few_sequences(cli, method):
    """llama.cpp would end the process: it lowers the batch to the context, below the sequences."""
    code, _, err = cli("solve", "What is 12 * 34?", "-N", 64, "-c", 20, "--method", method)
    assert code == 0
    assert "is lowered to 2" in err


@pytest.mark.parametrize(
    ("method", "flags", "config"),
    [
        ("power-smc:alpha=2,ramp=3", ["-N3"], {"particles": 3, "alpha": 2.0, "ramp": 3, "select": "draw"}),
        ("power-smc:N=2,select=majority", [], {"particles": 2, "alpha": 4.0, "select": "majority"}),
        (
            "best-of-n:early=off",
            ["-N2", "--temp", "0.5"],
            {"early": False, "temperature": 0.5},
        ),
        ("best-of-n:N=2,mean=on", [], {"select": "best-mean"}),
        ("self-consistency", ["-N2"], {"particles": 2, "select": "majority"}),
        ("self-consistency:N=2", ["--select", "distinct"], {"select": "distinct"}),
        ("ssr:pool=none", ["-N2"], {"particles": 2, "pool": "none", "words": "tiny", "select": "majority"}),
        ("ssr:fast=1", ["-N2", "--temp", "1"], {"pool": "tiny", "words": "tiny", "temperature": 1.0}),
    ],
)
def test_a_method_is_written_with_its_options_and_selects_by_itself(cli, method, flags, config):
    code, out, _ = cli("solve", "What is 2 + 2?", "-t1", "-n8", "--json", "--method", method, *flags)
    assert code == 0
    assert config.items() <= json.loads(out)["method"]["config"].items()


def test_settings_reach_the_run(cli):
    arguments = ["--stop", "a", "--stop", "b", "--stop-at-box", "--select", "argmax", "-rea", "off"]
    _, out, _ = cli("solve", "x", *SMALL, "--json", "-sys", "Be brief.", *arguments)
    config = json.loads(out)["method"]["config"]
    assert (config["raw"], config["stop"], config["stop_at_box"]) == (False, ["a", "b"], True)
    assert (config["select"], config["system"], config["thinking"]) == ("argmax", "Be brief.", False)
    _, out, _ = cli("solve", "x", *SMALL, "--json", "--raw")
    assert json.loads(out)["method"]["config"]["raw"] is True


def test_short_options_of_several_letters_are_told_from_short_ones_with_values(cli):
    spelled = [
        ["-n", "5", "-N", "3", "-c", "512", "-s", "2", "-t", "1"],
        ["-n5", "-N3", "-c512", "-s2", "-t1"],
        ["--n-predict=5", "--particles=3", "--ctx-size=512", "--seed=2", "--threads=1"],
    ]
    llama = ["-ngl", "0", "-ctk", "f16", "-ctv", "f16", "-fa", "off", "-b", "512", "-ub", "64", "-mg", "0"]
    llama += ["-sm", "layer", "-ts", "1", "-sys", "Hi", "-rea", "auto"]
    results = [without_times(cli("solve", "x", "--json", *words, *llama)[1]) for words in spelled]
    assert results[0] == results[1] == results[2]
    assert results[0]["method"]["config"]["n_predict"] == 5
    assert results[0]["model"]["n_ctx"] == 512


def test_as_many_tokens_as_fit(cli):
    _, out, err = cli("solve", "x", "--raw", "-t1", "-N1", "-n", "-1", "-c", "64", "--json")
    result = json.loads(out)
    assert result["method"]["config"]["n_predict"] == 64 - result["usage"]["prompt_tokens"]
    assert "Warning" not in err
    _, out, err = cli("solve", "x", "--raw", "-t1", "-N1", "-n", "100", "-c", "64", "--json")
    assert "Warning: --predict 100 is lowered to " in err


def test_llama_cpps_environment_is_read_and_the_command_line_wins(cli, monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_N_PREDICT", "6")
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "512")
    monkeypatch.setenv("LLAMA_ARG_FLASH_ATTN", "disabled")
    monkeypatch.setenv("LLAMA_ARG_REASONING", "off")
    _, out, _ = cli("solve", "x", "-t1", "-N2", "--json")
    result = json.loads(out)
    assert (result["method"]["config"]["n_predict"], result["model"]["n_ctx"]) == (6, 512)
    assert result["method"]["config"]["thinking"] is False
    _, out, _ = cli("solve", "x", "-t1", "-N2", "--json", "-n", "7", "-c", "768")
    result = json.loads(out)
    assert (result["method"]["config"]["n_predict"], result["model"]["n_ctx"]) == (7, 768)
    monkeypatch.setenv("LLAMA_ARG_MODEL", "/no/such.gguf")
    assert cli("solve", "x")[0] == 3


def test_the_budget_gives_the_best_result_so_far(cli):
    code, out, err = cli(*LONG, "--budget", "0.05", "--json")
    result = json.loads(out)
    assert code == 0
    assert "stopped by the budget of 0.05 s: " in err
    assert result["log_z"] is None
    assert {completion["finish_reason"] for completion in result["completions"]} <= {"cancelled", "stop"}


# With this seed a short text takes the lead and two unfinished ones are light.
SETTLED = ["64 is divided by 6. What is left over?", "-t", "1", "-N", "4", "-s", "6"]
SETTLED += ["--resampling", "systematic"]


def test_a_settled_solve_stops_and_says_so(tmp_path):
    trace = tmp_path / "trace.jsonl"
    code, out, err = process("solve", *SETTLED, "--stop-when-decided", "0.8", "--json", "--trace", trace)
    result = json.loads(out)
    assert code == 0
    assert (
        "decided after 8 steps: one answer has at least 80 % of the weight,"
        " with 2 of 3 completions unfinished" in err
    )
    assert result["usage"]["steps"] == 8
    assert result["log_z"] is None
    assert result["answers"][0]["weight"] >= 0.8
    reasons = [completion["finish_reason"] for completion in result["completions"]]
    assert reasons == ["stop", "cancelled", "cancelled"]
    *_, step, end = map(json.loads, trace.read_text(encoding="utf-8").splitlines())
    assert (end["outcome"], step["rows"]) == ("decided", 0)
    assert sorted(history["state"] for history in step["population"]) == ["live", "live", "stop"]
    # Asked for more certainty it goes on, with the same tokens.
    code, out, err = process("solve", *SETTLED, "--stop-when-decided", "1")
    assert code == 0
    assert "decided after" not in err
    assert process("solve", *SETTLED)[:2] == (0, out)


def test_a_settled_method_beside_others():
    code, out, _ = process(
        "solve", *SETTLED, "--method", "power-smc:stop_when_decided=0.8", "--method", "greedy"
    )
    assert code == 0
    assert [row.endswith(" decided early") for row in out.splitlines()] == [False, True, False]


# --- several methods -----------------------------------------------------------------------------

THREE = ["--method", "power-smc:alpha=2", "--method", "sample:temp=0.5", "--method", "greedy"]


def test_several_methods_are_a_table(cli):
    code, out, err = cli("solve", "What is 17 * 23?", *SMALL, "-s3", *THREE)
    _, record, _ = cli("solve", "What is 17 * 23?", *SMALL, "-s3", *THREE, "--json")
    head, *rows = out.splitlines()
    assert code == 0
    assert head.split() == "method answer share ESS decoded tokens seconds relative".split()
    assert [row.split()[0] for row in rows] == THREE[1::2]
    for row, result in zip(rows, json.loads(record)["results"], strict=True):
        assert ("none found" if result["answer"] is None else result["answer"]) in row
        share = sum(share["weight"] for share in result["answers"] if share["answer"] == result["answer"])
        assert f" {percent(share)} " in row
        assert row.split()[-4:-2] == [f"{result['ess']:.1f}", str(result["usage"]["rows"])]
    assert rows[0].endswith(" 1.00×")
    assert err.endswith("\nseed 3\n")
    assert err.count("no model is given") == 1


def test_the_table_tells_which_answers_were_asked_for(cli):
    problem = "Tom has 3 apples and buys 4. How many?"
    command = ["solve", problem, "-t", "1", "-N", "3", "-n", "12", "-s1", *THREE, "--conclude"]
    _, record, _ = cli(*command, "on", "--json")
    labels = [one["label"] for one in json.loads(record)["results"] if one["source"] == "concluded"]
    assert labels
    assert f"concluded for {', '.join(labels)}: the text states no answer" in cli(*command, "on")[2]
    assert "concluded for" not in cli(*command, "off")[2]


def test_several_methods_are_one_object_and_come_again_from_the_seed(cli):
    def results(*arguments):
        code, out, _ = cli("solve", "What is 17 * 23?", *SMALL, *THREE, "--json", *arguments)
        assert (code, out.count("\n")) == (0, 1)
        record = json.loads(out)
        assert list(record) == ["problem", "results"]
        assert record["problem"] == "What is 17 * 23?"
        for result in record["results"]:
            del result["usage"]["seconds"]
        return record["results"]

    first = results()
    assert [result["label"] for result in first] == THREE[1::2]
    assert {result["outcome"] for result in first} == {"done"}
    assert [result["method"]["name"] for result in first] == ["power-smc", "sample", "greedy"]
    # A flag is for every method that has it.
    assert [result["method"]["config"].get("particles") for result in first] == [4, 4, None]
    (seed,) = {result["seed"] for result in first}
    assert results("-s", seed) == first
    alone = without_times(cli("solve", "What is 17 * 23?", *SMALL, *THREE[:2], "--json", "-s", seed)[1])
    assert {"label": THREE[1], "outcome": "done", **alone} == first[0]


def test_the_budget_is_for_each_method(cli):
    methods = ["--method", "power-smc:alpha=2", "--method", "sample"]
    long = ["solve", "--raw", "x", "-t", "1", "-N", "64", "-n", "-1", "--budget", "0.05"]
    code, out, _ = cli(*long, *methods)
    assert code == 0
    assert out.count("stopped by the budget") == 2


def fails(*_):
    raise ContextFull("the memory is too small", hint="make it larger")


def test_a_method_that_fails_does_not_end_the_others(cli, monkeypatch):
    monkeypatch.setattr("localsmc.methods.Sample.start", fails)
    code, out, err = cli("solve", "x", *SMALL, *THREE)
    rows = out.splitlines()[1:]
    assert code == 4
    assert len(rows) == 3
    assert rows[1].split() == ["sample:temp=0.5", *["–"] * 6, "failed"]
    assert "Warning: sample:temp=0.5 failed: the memory is too small\nhint: make it larger\n" in err
    code, out, _ = cli("solve", "x", *SMALL, *THREE, "--json")
    failed = {"label": "sample:temp=0.5", "outcome": "failed", "error": "the memory is too small"}
    assert code == 4
    assert json.loads(out)["results"][1] == failed


def test_where_all_methods_fail_it_is_an_error(cli):
    code, out, err = cli("solve", "x", *SMALL, *THREE, "-c", "5")
    assert (code, out) == (4, "")
    assert "\nError: the prompt has " in err
    assert "Traceback" not in err


def test_several_methods_tell_of_the_same_thing_once(cli):
    _, _, err = cli("solve", "x", "--raw", "-t1", "-N1", "-n", "100", "-c", "64", *THREE)
    assert err.count("Warning: --predict 100 is lowered to ") == 1
    _, _, err = cli("solve", "x", *SMALL, *THREE, "-v")
    assert err.count("llama_model_loader: loaded meta data") == 1
    assert err.count("is decoding") == 3


# --- localsmc methods ----------------------------------------------------------------------------


def test_every_method_documents_what_it_targets_and_costs():
    for method in METHODS.values():
        told = describe(method)
        assert told.target
        assert told.cost
        assert " " in first_clause(told.target)
        assert not first_clause(told.target).endswith((".", ";"))
    assert describe(METHODS["greedy"]).target.startswith("none")
    assert describe(METHODS["greedy"]).proposal == ""
    assert describe(METHODS["sample"]).proposal == "the target itself, N independent draws."
    assert list(sections(METHODS["power-smc"]))[3:] == [
        "Resample",
        "Rollouts",
        "Moves",
        "Islands",
        "Grammar",
        "Stops",
        "Cost",
        "Source",
    ]
    # Lines of a section are one.
    assert "after n_tokens tokens, and p is the model" in describe(METHODS["power-smc"]).target


def test_ssr_says_how_it_ended_and_what_became_of_the_draft(cli):
    code, out, err = cli("solve", "What is 17 * 23?", "-t1", "-s5", "--method", "ssr:N=3,fast=1")
    assert code == 0
    assert out.startswith("Answer: ")
    assert "a finished track has an answer; the other tracks are not finished" in err
    assert re.search(r"Draft: \d+ of \d+ tokens accepted, \d+ tokens decoded to rate them, \d+ written", err)


@pytest.mark.parametrize(
    ("text", "beginning"),
    [("a, b; c. d.", "a, b"), ("one at 0.5, e.g.this. two", "one at 0.5, e.g.this"), ("", ""), ("a.", "a")],
)
def test_a_clause_ends_at_the_first_stop(text, beginning):
    assert first_clause(text) == beginning


def test_methods_lists_all_of_them(cli):
    code, out, err = cli("methods")
    assert (code, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["method", "target", "cost", "select"]
    assert [row.split()[0] for row in rows] == list(METHODS)
    for row, method in zip(rows, METHODS.values(), strict=True):
        told = describe(method)
        for cell in (first_clause(told.target), first_clause(told.cost), method().select):
            assert f"  {cell}" in row


@pytest.mark.parametrize("name", METHODS)
def test_methods_tells_everything_of_one(cli, name):
    code, out, err = cli("methods", name)
    method, lines = METHODS[name], out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == title(method)
    for heading, words in sections(method).items():
        assert any(line.startswith(f"{heading} ") and line.endswith(f" {words}") for line in lines)
    unused = {name: group for group in unused_of(method()) for name in group.names}
    for option, default in defaults_of(method).items():
        assert (f"{option} = {format_value(default)}" in lines) is (option not in unused)
        if option in unused:
            [line] = [line for line in lines if line.startswith(f"no effect {unused[option].when}: ")]
            assert option in re.findall(r"\w+", line.partition(": ")[2])
    assert f"select = {method().select}" in lines
    assert lines[-1].startswith("for solve and eval: --method ")
    spec = parse_method(lines[-1].split()[-1])
    assert spec.name == name
    assert spec.options == {option: defaults_of(method)[option] for option in spec.options}
    assert len(spec.options) == min(2, len(defaults_of(method)))
    everything = ",".join(f"{option}={format_value(value)}" for option, value in defaults_of(method).items())
    assert parse_method(f"{name}:{everything}").options == defaults_of(method)


def test_methods_tells_what_is_recommended_for_the_embedded_model(cli):
    from localsmc.engine.load import Model
    from localsmc.store.model_source import resolve

    embedded = Model(None, resolve(None), None, None, None)  # nothing else is looked at
    for name, method in METHODS.items():
        chosen, told = embedded.method(name), cli("methods", name)[1]
        for option, value in defaults_of(method).items():
            if getattr(chosen, option) != value:
                assert (
                    f"{option} = {format_value(getattr(chosen, option))}"
                    in told.split("for the embedded model: ")[1]
                )
    assert "\nfor the embedded model: alpha = 4, ramp = 40\n" in cli("methods", "power-smc")[1]


BY_SCHEME = {
    "power-smc": ("ess_threshold", "lookahead", "share", "rejuvenate", "rollouts"),
    "draft-smc": ("ess_threshold", "share"),
}


@pytest.mark.parametrize("name", BY_SCHEME)
def test_methods_shows_a_parameter_only_if_it_has_an_effect(cli, name):
    def shown(out):
        return {line.partition(" = ")[0] for line in out.splitlines() if re.match(r"\w+ = ", line)}

    default, other = cli("methods", name)[1], cli("methods", f"{name}:resampling=systematic")[1]
    assert shown(default) & {*BY_SCHEME[name]} == set()
    assert shown(default) | {*BY_SCHEME[name]} == shown(other)
    assert (
        f"\nno effect with `resampling=fearnhead-clifford`: {', '.join(BY_SCHEME[name])}"
        " (choose another scheme, e.g. `resampling=systematic`)\n" in default
    )
    assert "no effect with `resampling" not in other
    assert "\nresampling = systematic\n" in other
    assert other.endswith(f"\nfor solve and eval: --method {name}:resampling=systematic\n")


def test_methods_shows_what_has_an_effect_with_the_options_written(cli):
    for written, option, value in (
        ("power-smc:resampling=systematic,rollouts=2", "block", "16"),
        ("power-smc:stop_when_decided=0.9", "decided_by", "bound"),
        ("cascade:rule=bild", "fallback", "0.5"),
    ):
        name = written.partition(":")[0]
        assert f"\n{option} = {value}\n" in cli("methods", written)[1]
        assert f"\n{option} = " not in cli("methods", name)[1]
    assert "\nfor the embedded model: ramp = 40\n" in cli("methods", "power-smc:alpha=3")[1]
    assert "\nselect = majority\n" in cli("methods", "power-smc:select=majority")[1]
    # What is recommended for a model does not count where it has no effect.
    digit = cli("methods", "ssr:rating=digit")[1]
    assert "\nno effect with `rating=digit`: sure (use `rating=probability`)\n" in digit
    assert "\nfor the embedded model: pool = tiny, words = tiny\n" in digit


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("power-smc:", None, None),
        ("power-smc:resampling=best", "`resampling` is `best`, which is not", "choose from: systematic"),
        ("power-smc:alfa=4", "power-smc has no option `alfa`", "did you mean `alpha`?"),
        ("power-smc:alpha", "`alpha` has no value", "write power-smc:alpha=..."),
        ("power-smc:alpha=x", "`alpha=x` is not a number", "write power-smc:alpha=4"),
        ("power-smc:select=x", "`select` is `x`, which is not a selector", "choose from: draw"),
        (
            "power-smc:ess_threshold=0.3",
            "`ess_threshold` has no effect with `resampling=fearnhead-clifford`",
            "remove it, or choose another scheme, e.g. `resampling=systematic`",
        ),
        ("power-smc:block=8", "`block` has no effect without `rollouts`", "remove it, or set `rollouts`"),
    ],
)
def test_methods_refuses_a_bad_option_in_one_sentence(cli, written, message, hint):
    code, out, err = cli("methods", written)
    if message is None:
        assert (code, out, err) == cli("methods", "power-smc")
        return
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {message}")
    assert f"\n\nhint: {hint}" in err
    assert len(err.splitlines()) == 3


@pytest.mark.parametrize("written", ["power-smc:rollouts=2,block=2,N=3", "power-smc:ess_threshold=0.9,N=3"])
def test_a_flag_gives_an_option_its_effect(cli, written):
    arguments = ("solve", "2 + 2", "-n", "8", "-t1", "--method", written)
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert "has no effect with `resampling=fearnhead-clifford`" in err
    assert cli(*arguments, "--resampling", "systematic")[0] == 0


def test_stop_when_decided_as_a_flag_goes_with_decided_by(cli):
    arguments = ("solve", "2 + 2", "-n", "8", "-t1", "--method", "power-smc:decided_by=estimate,N=3")
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert "`decided_by` has no effect without `stop_when_decided`" in err
    assert cli(*arguments, "--stop-when-decided", "0.9")[0] == 0


def test_methods_as_json(cli):
    code, out, err = cli("methods", "--json")
    records = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert [record["name"] for record in records] == list(METHODS)
    assert {tuple(record) for record in records} == {("name", "target", "cost", "select", "options")}
    assert records[0]["options"] == defaults_of(METHODS["power-smc"])
    assert records[0]["options"]["alpha"] == 2
    [written] = json.loads(cli("methods", "power-smc:alpha=3,select=majority", "--json")[1])
    assert written == {**records[0], "select": "majority", "options": {**records[0]["options"], "alpha": 3}}
    assert json.loads(cli("methods", "greedy", "--json")[1]) == [
        record for record in records if record["name"] == "greedy"
    ]


@pytest.mark.parametrize(
    ("name", "hint"), [("powr-smc", "did you mean `power-smc`?"), ("nope", "choose from: power-smc, ")]
)
def test_an_unknown_method_gets_a_suggestion(cli, name, hint):
    code, out, err = cli("methods", name)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: no method is called `{name}`\n\nhint: {hint}")


def test_methods_loads_no_llama_cpp():
    code = (
        "import sys; from localsmc_cli.main import run; code = run(sys.argv[1:]);"
        "print([name for name in ('gguf', 'llama_cpp', 'rich', 'psutil') if name in sys.modules], code)"
    )
    for arguments in ([], ["power-smc"], ["--json"]):
        child = subprocess.run(
            [sys.executable, "-c", code, "methods", *arguments],
            capture_output=True,
            timeout=DEADLINE,
            check=True,
        )
        assert child.stdout.endswith(b"\n[] 0\n")


@posix
def test_methods_is_folded_to_the_window_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("NO_COLOR", "1")
    shown, plain = out_on_a_terminal("methods"), process("methods")[1]
    assert max(map(len, shown.splitlines())) <= 90 < max(map(len, plain.splitlines()))
    assert sorted(re.findall(r"[\w-]", shown)) == sorted(re.findall(r"[\w-]", plain))
    monkeypatch.setenv("COLUMNS", "20")
    assert out_on_a_terminal("methods").replace("\r\n", "\n") == plain


def out_on_a_terminal(*arguments):
    """Standard output on a pseudo-terminal."""
    import pty

    ours, theirs = pty.openpty()
    with popen(*arguments, stdout=theirs):
        os.close(theirs)
        shown = b"".join(iter(lambda: read_terminal(ours), b""))
    os.close(ours)
    return re.sub("\x1b\\[[0-9;]*m", "", shown.decode())


# --- where the problem comes from ----------------------------------------------------------------


def test_every_way_to_give_the_problem_is_the_same(cli, tmp_path):
    text = "What is 12 + 30?"
    file = tmp_path / "a problem.txt"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
    ways = [[text], ["-p", text], ["-f", file], ["--", text]]
    answers = [without_times(cli("solve", *SMALL, "-s5", "--json", *way)[1]) for way in ways]
    for way in ([], ["-"], ["-f", "-"]):
        out = cli("solve", *way, *SMALL, "-s5", "--json", stdin=text.encode() + b"\n")[1]
        answers.append(without_times(out))
    assert all(answer == answers[0] for answer in answers)


def test_stdin_comes_before_another_source_where_both_are_asked_for(cli):
    joined = json.dumps("1, 2, 3\n\nThe sum?")[1:-1]
    for way in (["-", "The sum?"], ["-", "-p", "The sum?"]):
        _, _, err = cli("solve", *way, *SMALL, "-v", stdin=b"1, 2, 3\n")
        assert joined in err


# --- how the problem is put ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return renamed(tmp_path_factory.mktemp("general") / "general.gguf")


@pytest.fixture
def general(copy, monkeypatch):
    """A model with a template that is not known to state its answers; it is tried only once."""
    monkeypatch.setenv("LOCALSMC_CACHE", str(copy.parent / "cache"))
    return copy


HAIKU, PROBLEM = "Write a haiku about 3 frogs.", "How many legs do 3 frogs have?"


@pytest.mark.parametrize(
    ("problem", "arguments", "added"),
    [
        (PROBLEM, [], NEUTRAL),
        (PROBLEM, ["--box", "on"], BOXED),
        (PROBLEM, ["--box", "off"], None),
        (PROBLEM, ["--system", "Be brief."], None),
        (PROBLEM, ["--raw"], None),
        (PROBLEM, ["-j", "{}"], None),
        (HAIKU, [], None),
        (HAIKU, ["--box", "on"], BOXED),
    ],
)
def test_the_instruction_fits_the_problem(cli, general, problem, arguments, added):
    code, out, err = cli("solve", problem, "-m", general, *SMALL, "-s1", "-v", "--json", *arguments)
    assert code == 0
    (prompt,) = re.findall(r"^prompt: (.*)$", err, re.MULTILINE)
    text = json.loads(prompt)
    if "--raw" in arguments:
        assert text == problem
    else:
        whole = problem if added is None else f"{problem}\n\n{added}"
        assert f"<|im_start|>user\n{whole}<|im_end|>" in text
    assert json.loads(out)["method"]["config"]["instruction"] == added


@pytest.mark.parametrize(
    ("problem", "arguments", "has_line"),
    [
        (HAIKU, [], False),
        (PROBLEM, [], False),
        (PROBLEM, ["--box", "on"], True),
        (HAIKU, ["--box", "on"], True),
        (PROBLEM, ["--box", "off"], False),
        (HAIKU, ["--select", "majority"], True),
        (HAIKU, ["-j", "{}", "-n", "1"], True),
    ],
)
def test_no_answer_is_missed_where_none_was_asked_for(cli, general, problem, arguments, has_line):
    _, _, err = cli("solve", problem, "-m", general, *SMALL, "-n", "2", "-s1", *arguments)
    assert ("Answer: none found" in err) is has_line
    assert has_line or "no answer" not in err
    assert re.search(r"^power-smc \(particles 4, alpha 2\): \d+ step", err, re.MULTILINE)


def test_an_answer_that_is_found_is_shown_unasked(cli, general):
    _, out, err = cli("solve", "17 * 23, thanks", "-m", general, "-t", "1", "-N", "4", "-s1", "--box", "off")
    assert "boxed" in out
    assert "\nAnswer: " in err
    assert "none found" not in err


def test_box_has_no_effect_on_the_embedded_model_which_says_so(cli):
    outs = [cli("solve", PROBLEM, *SMALL, "-s1", *box) for box in ([], ["--box", "on"], ["--box", "off"])]
    assert len({out for _, out, _ in outs}) == 1
    notes = ["states its answers without being asked" in err for _, _, err in outs]
    assert notes == [False, True, False]
    assert all("Answer: none found" in err for _, _, err in outs)


def test_box_of_the_environment_gives_way_to_raw(cli, monkeypatch):
    monkeypatch.setenv("LOCALSMC_BOX", "on")
    assert cli("solve", PROBLEM, *SMALL, "--raw", "-q")[0] == 0
    code, out, err = cli("solve", PROBLEM, *SMALL, "--raw", "--box", "on")
    assert (code, out) == (2, "")
    assert "`raw` adds no instruction, so `box` has no effect\n\nhint: remove one of them" in err


def test_a_base_model_continues_the_text_as_it_is(cli, random_llama, tmp_path):
    text = "Once upon a time  "
    _, _, err = cli("solve", text, "-m", random_llama, *SMALL, "-v")
    assert (
        "is a base model: it has no chat template and continues the problem's text; `--examples FILE`" in err
    )
    assert f'prompt: "{text}"\n' in err
    assert "Answer:" not in err
    assert "base model" not in cli("solve", text, "-m", random_llama, *SMALL, "--raw")[2]
    assert "base model" not in cli("solve", text, "-m", random_llama, *SMALL, "-q")[2]
    _, _, err = cli("solve", text, "-m", random_llama, *SMALL, "-v", "--box", "on")
    assert json.dumps(f"{text}\n\n{BOXED}") in err


JINJA = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"


@pytest.mark.parametrize("way", ["name", "file", "text", "variable", "llama.cpp's variable", "file option"])
def test_a_chat_template_by_name_or_as_text(cli, random_llama, tmp_path, monkeypatch, way):
    file = tmp_path / "my template.jinja"
    file.write_text(JINJA + "\n")
    arguments, prompt = {
        "name": (["--chat-template", "vicuna"], "USER: x\nASSISTANT:"),
        "file": (["--chat-template", file], "[user] x\n[assistant]"),
        "file option": (["--chat-template-file", file], "[user] x\n[assistant]"),
        "text": (["--chat-template", JINJA], "[user] x\n[assistant]"),
    }.get(way, ([], "USER: x\nASSISTANT:"))
    if "variable" in way:
        prefix = "LLAMA_ARG_" if "llama" in way else "LOCALSMC_"
        monkeypatch.setenv(f"{prefix}CHAT_TEMPLATE", "vicuna")
    code, out, err = cli("solve", "x", "-m", random_llama, *SMALL, "-v", "--json", *arguments)
    assert code == 0
    assert f"prompt: {json.dumps(prompt)}\n" in err
    assert "is a base model" not in err
    config = json.loads(out)["method"]["config"]
    assert config["chat_template"] == (JINJA if "user" in prompt else "vicuna")


def test_a_wrong_chat_template_of_the_environment_is_named_as_such(cli, monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_CHAT_TEMPLATE", "chatmll")
    code, out, err = cli("solve", "x", *SMALL)
    assert (code, out) == (2, "")
    assert "the environment variable `LLAMA_ARG_CHAT_TEMPLATE`: no chat template is called `chatmll`" in err
    assert "did you mean `chatml`?" in err


def test_a_chat_template_whose_tokens_the_model_lacks_is_a_warning(cli, random_llama):
    _, _, err = cli("solve", "x", "-m", random_llama, *SMALL, "--chat-template", "chatml", "-rea", "on")
    assert "the chat template has no switch for reasoning" in err
    assert "has no <|im_start|>, <|im_end|>: the model reads these parts of the chat template as plain" in err
    assert "Warning" not in cli("solve", "x", *SMALL, "--chat-template", "chatml")[2]


def test_raw_text_has_control_tokens_only_with_special(cli):
    text = "<|im_start|>user\nWhat is 12 + 30?<|im_end|>\n<|im_start|>assistant\n"
    arguments = [*SMALL, "-n", "40", "-s1", "--json"]
    plain = without_times(cli("solve", "What is 12 + 30?", *arguments)[1])
    special = without_times(cli("solve", text, "--raw", "--special", *arguments)[1])
    raw = without_times(cli("solve", text, "--raw", *arguments)[1])
    assert special["completions"] == plain["completions"]
    assert special["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    assert raw["usage"]["prompt_tokens"] > special["usage"]["prompt_tokens"]
    assert special["method"]["config"]["special"] is True
    code, out, err = cli("solve", text, "--special")
    assert (code, out) == (2, "")
    assert "`special` works with `raw` only" in err
    assert "hint: add `--raw`, or remove `--special`" in err


# --- real processes ------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "--help"], ["solve"]])
def test_help_and_usage_errors_import_nothing_heavy(arguments):
    code = (
        "import sys; from localsmc_cli.main import run; sys.stdin = None; code = run(sys.argv[1:]);"
        "heavy = ('gguf', 'llama_cpp', 'numpy', 'rich', 'jinja2', 'psutil');"
        "print([name for name in heavy if name in sys.modules])"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, timeout=DEADLINE, check=True
    )
    assert child.stdout.endswith(b"[]\n")


def test_help_names_options_and_defaults(cli):
    code, out, err = cli("solve", "--help-all")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    card = localsmc_models.card("tiny")
    for heading in ("Problem", "Method", "Limits", "Output", "Model", "Context", "Help"):
        assert f"\n{heading}:\n" in out
    for default in (
        f"[default: {card.ramp} with the embedded model, else 50]",
        f"[default: {card.n_predict} with the embedded model, else 1024]",
        "[default: by method; power-smc: 16]",
        f"[default: depends on the method; power-smc: {card.alpha:g} with the embedded model, else 2]",
        "[default: power-smc]",
    ):
        # Words are broken after hyphens, too.
        assert default.replace(" ", "") in words.replace(" ", "")


def test_the_choices_and_defaults_written_out_are_the_librarys():
    from localsmc import llama, methods, selection
    from localsmc.methods.base import options_of
    from localsmc.numerics import resampling
    from localsmc.store.model_source import ModelDefaults

    assert choices.METHODS == tuple(methods.METHODS)
    known = {option for method in methods.METHODS.values() for option in options_of(method)}
    assert set(choices.PARAMETERS) <= known
    own = {name: method().select for name, method in methods.METHODS.items()}
    assert own == dict.fromkeys(own, "draw") | {
        "best-of-n": "best",
        "self-consistency": "majority",
        "ssr": "majority",
    }
    assert sorted(choices.RESAMPLING) == sorted((*resampling.SCHEMES, "fearnhead-clifford"))
    assert choices.SELECT == tuple(selection.SELECTORS)
    assert set(choices.KV_TYPES) == set(llama.KV_TYPES)
    assert choices.SPLIT_MODES == tuple(llama.SPLIT_MODES)
    assert (ModelDefaults().alpha, ModelDefaults().ramp, ModelDefaults().n_predict) == (2, 50, 1024)
    smc, sample = methods.PowerSMC(), methods.Sample()
    assert (smc.particles, smc.ess_threshold, smc.resampling) == (16, 0.5, "fearnhead-clifford")
    assert (sample.particles, sample.temperature, sample.top_k, sample.top_p, sample.min_p) == (1, 1, 0, 1, 0)


def test_version_tells_of_llama_cpp_and_devices(cli):
    code, out, err = cli("--version")
    assert (code, err) == (0, "")
    assert out.startswith("localsmc ")
    assert "\nllama-cpp-python " in out
    assert "\nCPU: " in out


def test_the_same_seed_gives_the_same_bytes_traced_or_not(tmp_path):
    trace = tmp_path / "trace.jsonl"
    first = process("solve", "What is 17 * 23?", *SMALL, "-s3", "--json")
    second = process("solve", "What is 17 * 23?", *SMALL, "-s3", "--json", "--trace", trace)
    other = process("solve", "What is 17 * 23?", *SMALL, "-s4", "--json", "-q")
    assert first[0] == second[0] == other[0] == 0
    assert without_times(first[1]) == without_times(second[1])
    cut = first[1].index('"seconds"')
    assert first[1][:cut] == second[1][:cut]
    assert without_times(other[1])["completions"] != without_times(first[1])["completions"]
    check_trace(trace, json.loads(second[1]))


def check_trace(path, result):
    begin, *steps, end = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert begin["event"] == "start"
    assert begin["seed"] == result["seed"]
    assert begin["method"] == result["method"]
    assert begin["model"] == result["model"]
    assert len(begin["prompt_tokens"]) == result["usage"]["prompt_tokens"]
    assert [step["step"] for step in steps] == list(range(1, result["usage"]["steps"] + 1))
    assert sum(step["forks"] for step in steps) == result["usage"]["forks"]
    assert sum(step["resampled"] for step in steps) == result["usage"]["resamples"]
    known = {0}
    for step in steps:
        population = step["population"]
        assert len(population) == step["histories"]
        assert {history["count"] for history in population} == {1}
        assert sum(history["weight"] for history in population) == pytest.approx(1)
        assert {history["parent"] for history in population} <= known
        assert {history["state"] for history in population} <= {"live", "stop", "length"}
        known |= {history["node"] for history in population}
    assert end["event"] == "end"
    assert end["outcome"] == "done"
    assert end["answers"] == result["answers"]


def test_an_older_trace_is_replaced_only_by_a_new_one(cli, tmp_path):
    trace = tmp_path / "trace.jsonl"
    trace.write_text("old\n")
    assert cli("solve", "x", "-m", "/no/such.gguf", "--trace", trace)[0] == 3
    assert trace.read_text() == "old\n"
    assert cli("solve", "x", *SMALL, "--trace", trace)[0] == 0
    assert trace.read_text().startswith('{"event": "start"')


def test_a_model_in_a_folder_with_spaces(random_llama, tmp_path):
    folder = tmp_path / "my models"
    folder.mkdir()
    (folder / "a model.gguf").write_bytes(random_llama.read_bytes())
    code, out, err = process("solve", "2 + 2", *SMALL, "-m", folder / "a model.gguf", "--json", "-v")
    result = json.loads(out)
    assert code == 0
    assert result["model"]["path"] == str(folder / "a model.gguf")
    assert "the embedded one answers" not in err
    assert err.count("a model.gguf is a base model: it has no chat template") == 1
    assert 'prompt: "2 + 2"\n' in err
    assert result["method"]["config"]["instruction"] is None
    assert result["method"]["config"]["alpha"] == 2


@posix
def test_a_silent_pipe_is_named_and_ctrl_c_ends_the_wait():
    reading, writing = os.pipe()
    with popen("solve", "x", *SMALL, stdin=reading) as child:
        first = child.stderr.readline()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=DEADLINE)
    os.close(reading)
    os.close(writing)
    assert b"standard input" in first
    assert b"`</dev/null`" in first
    assert (child.returncode, out, err) == (130, b"", b"Interrupted, without a result\n")


@posix
@pytest.mark.parametrize("how", ["pipe", "socket", "file", "FIFO"])
@pytest.mark.parametrize("way", [["The sum?"], ["-p", "The sum?"]])
def test_what_stdin_holds_comes_before_the_problem(tmp_path, how, way):
    text = "1, 2, 3\nand é\n"
    shown = json.dumps("1, 2, 3\nand é\n\nThe sum?", ensure_ascii=False)[1:-1]
    arguments = ["solve", *way, *SMALL, "-v"]
    if how == "pipe":
        code, _, err = process(*arguments, stdin=text.encode())
    elif how == "socket":
        ours, theirs = socket.socketpair()
        ours.sendall(text.encode())
        ours.close()
        with theirs:
            code, _, err = process_with(theirs, *arguments)
    else:
        path = tmp_path / "notes"
        if how == "FIFO":
            os.mkfifo(path)
            threading.Thread(target=path.write_text, args=[text]).start()
        else:
            path.write_text(text)
        with path.open("rb") as stdin:
            code, _, err = process_with(stdin, *arguments)
    assert code == 0
    assert shown in err


@posix
@pytest.mark.parametrize("text", [b"", b"\n", b"  \n\t\n"])
def test_an_empty_pipe_adds_nothing(text):
    code, _, err = process("solve", "The sum?", *SMALL, "-v", stdin=text)
    assert code == 0
    assert "user\\nThe sum?<|im_end|>" in err


@posix
def test_dev_null_and_a_closed_stdin_add_nothing():
    with open(os.devnull, "rb") as null:
        assert process_with(null, "solve", "x", *SMALL, "-q")[0] == 0
    command = ["bash", "-c", 'exec "$0" "$@" <&-', sys.executable, "-c", PROGRAM, "solve", "x", *SMALL, "-q"]
    child = subprocess.run(command, capture_output=True, timeout=DEADLINE)
    assert (child.returncode, child.stderr) == (0, b"")
    assert child.stdout


@posix
def test_a_pipe_that_is_not_text_is_refused():
    code, out, err = process("solve", "x", *SMALL, stdin=b"\xff\xfe\x00")
    assert (code, out) == (2, "")
    assert "standard input is not UTF-8 text" in err


def process_with(stdin, *arguments):
    with popen(*arguments, stdin=stdin) as child:
        out, err = child.communicate(timeout=DEADLINE)
    return child.returncode, out, err.decode()


@posix
def test_a_reader_that_goes_away_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    with popen("solve", "x", *SMALL, stdout=writing) as child:
        os.close(writing)
        err = child.communicate(timeout=DEADLINE)[1].decode()
    assert child.returncode == 141
    assert "Error" not in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(cli):
    with open("/dev/full", "wb") as full:
        code, _, err = process("solve", "x", *SMALL, "-q", stdout=full)
    assert code == 1
    assert err == "Error: standard output cannot be written: No space left on device\n"
    code, out, err = cli("solve", "x", *SMALL, "--trace", "/dev/full", "-q")
    assert code == 7
    assert out
    assert "is not complete: No space left on device" in err


# --- Ctrl-C --------------------------------------------------------------------------------------
# A FIFO shows how far a run is, and keeps it there: it fills up while nobody reads it.


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(("conclude", "outcome"), [("on", "interrupted"), ("off", "done")])
def test_ctrl_c_in_the_last_step_says_that_answers_were_to_be_asked_for(embedded, conclude, outcome):
    interrupts = SimpleNamespace(is_requested=False)

    def press(_, solving):
        interrupts.is_requested = solving.is_sampled

    problem = "Ada buys 4 pens at 17 coins each and 3 books at 15 coins each. How many coins is that?"
    settings = Settings(n_predict=8, seed=1, n_threads=1, conclude=conclude)
    with start(
        embedded, problem, method=Greedy(), settings=settings, is_stopped=lambda: interrupts.is_requested
    ) as solving:
        result, found = follow(solving, TraceWriter(None), SimpleNamespace(step=press), interrupts)
        assert found == outcome
        assert "all 8 steps are done, but " in partial_result(result, is_sampled=solving.is_sampled)
    assert partial_result(result, is_sampled=False) == "the best result after 8 steps"


@posix
@pytest.mark.parametrize("form", ["json", "text"])
def test_ctrl_c_gives_the_best_result_so_far(fifo, form):
    arguments = ["--json"] if form == "json" else []
    with popen(*LONG, "--trace", fifo, *arguments) as child:
        with fifo.open(encoding="utf-8") as trace:
            for _ in range(4):
                trace.readline()
            child.send_signal(signal.SIGINT)
            end = [json.loads(line) for line in trace][-1]
        out, err = child.communicate(timeout=DEADLINE)
    assert child.returncode == 130
    assert end["outcome"] == "interrupted"
    assert b"interrupted: the best result after " in err
    assert b"Traceback" not in err
    if form == "text":
        assert out.decode() == end["text"] + "\n"
        return
    result = json.loads(out)
    assert result["log_z"] is None
    assert "cancelled" in {completion["finish_reason"] for completion in result["completions"]}


@posix
def test_ctrl_c_twice_ends_at_once(fifo):
    with popen(*LONG, "--trace", fifo) as child, fifo.open() as trace:
        for _ in range(4):
            trace.readline()
        child.send_signal(signal.SIGINT)
        while b"press Ctrl-C again to quit at once" not in (line := child.stderr.readline()):
            assert line
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=DEADLINE)
    assert (child.returncode, out) == (130, b"")
    assert err == b"Interrupted, without a result\n"


@posix
def test_ctrl_c_before_there_is_a_result_is_one_line(fifo):
    with popen("solve", "-f", fifo) as child, fifo.open("w"):  # opens when the other side has
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=DEADLINE)
    assert (child.returncode, out, err) == (130, b"", b"Interrupted, without a result\n")


@posix
@pytest.mark.parametrize("form", ["json", "text"])
def test_ctrl_c_in_the_second_method_keeps_the_first_and_leaves_out_the_third(form):
    methods = ["--method", "greedy", "--method", "power-smc:N=64,alpha=1", "--method", "sample"]
    arguments = ["solve", "--raw", "x", "-t", "1", "-n", "-1", "-v", *methods]
    with popen(*arguments, *(["--json"] if form == "json" else [])) as child:
        while b"method: PowerSMC(" not in (line := child.stderr.readline()):
            assert line
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=DEADLINE)
    assert child.returncode == 130
    assert b"interrupted: not run: sample" in err
    assert b"Traceback" not in err
    if form == "text":
        rows = out.decode().splitlines()
        assert [row.split()[0] for row in rows] == ["method", "greedy", "power-smc:N=64,alpha=1"]
        assert [row.endswith(" interrupted") for row in rows] == [False, False, True]
        return
    first, second = json.loads(out)["results"]
    assert (first["outcome"], second["outcome"]) == ("done", "interrupted")
    assert "cancelled" in {completion["finish_reason"] for completion in second["completions"]}


# --- the live panel ------------------------------------------------------------------------------


@posix
def test_the_panel_shows_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    arguments = ["solve", "What is 17 * 23?", *SMALL, "-s3"]
    code, out, shown = on_a_terminal(*arguments)
    assert code == 0
    for word in (
        "loading the embedded model",
        "╭─",
        "power-smc",
        "tokens/s",
        "histories",
        "ESS",
        "\x1b[?25l",
    ):
        assert word in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("╰─")  # the cursor is back
    assert shown.rindex("Answer: ") > shown.rindex("╰─")
    code, same, err = process(*arguments)
    assert "\x1b" not in err + same
    assert "╭" not in err
    assert (code, same) == (0, out)
    code, same, shown = on_a_terminal(*arguments, "-q")
    assert (code, same, shown) == (0, out, "")


def on_a_terminal(*arguments):
    """As `process`, with standard error on a pseudo-terminal."""
    import pty

    ours, theirs = pty.openpty()
    with popen(*arguments, stderr=theirs) as child:
        os.close(theirs)
        shown = b"".join(iter(lambda: read_terminal(ours), b""))
        out = child.stdout.read().decode()
    os.close(ours)
    return child.returncode, out, shown.decode()


def read_terminal(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (1e-9, "<1 %"), (0.83, "83 %"), (0.9999, ">99 %"), (1 - 1e-16, "100 %"), (1, "100 %")],
)
def test_percent(share, words):
    assert percent(share) == words


def test_share_lines_are_aligned_and_limited():
    shares = [AnswerShare(answer=name, weight=w, count=1) for name, w in (("632", 0.7), (None, 0.2))]
    assert share_lines(shares, 5) == ["632         70 %", "no answer   20 %"]
    many = [AnswerShare(answer=str(i), weight=0.1, count=1) for i in range(10)]
    assert share_lines(many, 3) == ["0          10 %", "1          10 %", "8 others   80 %"]
    long = share_lines([AnswerShare(answer="9" * 99 + "\n\x1b[31m", weight=1.0, count=1)], 3)
    assert long == ["9" * 47 + "…  100 %"]
