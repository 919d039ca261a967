"""Messages of the command line about models that do not fit and GPUs that are not used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from program import PROGRAM

import localsmc_models
from localsmc import llama
from localsmc.memory import host
from localsmc.memory.host import HostMemory
from localsmc_cli.ui.model_notices import MERGED

SMALL = ("-t", "1", "-N", "2", "-n", "4", "-c", "256", "-ub", "16", "-s", "1")
IDLE = "this build of llama.cpp does not use the GPU (NVIDIA); to change that, see `localsmc doctor`"


@pytest.fixture
def with_gpu(monkeypatch):
    """A machine with a GPU, which a build of llama.cpp may or may not use."""

    def say(makers, can_offload=False):
        monkeypatch.setattr(host, "gpus", lambda: makers)
        monkeypatch.setattr(llama, "can_offload", lambda: can_offload)

    return say


@pytest.mark.parametrize(
    ("makers", "can_offload", "options", "n_lines"),
    [
        (["NVIDIA"], False, (), 1),
        (["NVIDIA"], False, ("--method", "greedy", "--method", "sample:N=2"), 1),
        (["NVIDIA"], True, (), 0),
        (["NVIDIA"], False, ("-ngl", "0"), 0),
        (["NVIDIA"], False, ("-q",), 0),
        ([], False, (), 0),
    ],
    ids=["idle", "once a run", "used", "not wanted", "quiet", "none"],
)
def test_a_gpu_that_is_not_used_is_one_line(cli, with_gpu, makers, can_offload, options, n_lines):
    with_gpu(makers, can_offload)
    small = [option for option in SMALL if "--method" not in options or option not in ("-N", "2")]
    code, out, err = cli("solve", "1+1", "--json", *small, *options)
    assert code == 0
    assert err.splitlines().count(IDLE) == n_lines
    assert "GPU" not in out
    json.loads(out)


def test_eval_and_bench_say_it_once(cli, with_gpu, tmp_path):
    with_gpu(["NVIDIA"])
    models = [word for name in ("tiny", "draft") for word in ("-m", localsmc_models.path(name))]
    shared = ("--method", "greedy", *models, "-t", "1", "-c", "512")
    _, _, err = cli("eval", "--task", "tiny", "--limit", "1", "-n", "4", "-o", tmp_path / "run", *shared)
    assert err.splitlines().count(IDLE) == 1
    _, _, err = cli("bench", "-n", "2", "-r", "1", *shared)
    assert err.splitlines().count(IDLE) == 1


# --- models that do not fit ---------------------------------------------------------------------------


@pytest.fixture
def little(monkeypatch):
    monkeypatch.setattr(host, "available", lambda: HostMemory(2**18, 2**18))


def test_a_model_that_no_memory_holds_is_refused_with_what_would_fit(cli, little, random_llama):
    code, out, err = cli("solve", "-m", random_llama, "x", *SMALL)
    assert (code, out) == (3, "")
    assert err.startswith(f"Error: `{random_llama}` needs 0.0 GiB (weights 0.0, cache 0.0, compute 0.0), but")
    assert "hint: use a smaller model" in err
    assert "--no-memory-check" in err


def test_or_is_tried_all_the_same(cli, little, random_llama):
    code, _, err = cli("solve", "-m", random_llama, "x", "--no-memory-check", *SMALL)
    assert (code, "needs" in err) == (0, False)


def test_little_free_memory_is_a_warning(cli, monkeypatch, random_llama):
    monkeypatch.setattr(host, "available", lambda: HostMemory(2**34, 2**18))
    code, _, err = cli("solve", "-m", random_llama, "x", *SMALL)
    assert code == 0
    assert err.count("Warning: ") == 1
    assert "what does not fit is read from disk" in err


def test_a_context_beyond_memory_is_refused(cli, random_llama):
    code, _, err = cli("solve", "-m", random_llama, "x", "-c", "2147483647")
    assert code == 4
    assert "Error: a context of 2147483647 tokens needs 1,024.0 GiB, but " in err
    assert "hint: lower `--ctx-size`" in err


def test_details_have_the_place_of_the_layers(cli):
    _, _, err = cli("solve", "x", "-v", *SMALL)
    assert "tiny.gguf: all 6 layers on the CPU" in err.splitlines()


NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)


def test_a_template_without_a_system_message_is_one_line(cli, tmp_path):
    file = tmp_path / "no system.jinja"
    file.write_text(NO_SYSTEM)
    given = ("--chat-template", file, "--system", "Be brief.", "-t", "1", "-c", "512", "-n", "4")
    code, out, err = cli("solve", "1+1", *given, "-N", "2", "-v", "--json", "--box", "off")
    assert code == 0
    assert err.splitlines().count(MERGED) == 1
    assert 'prompt: "[user]Be brief.\\n1+1"\n' in err
    json.loads(out)
    _, _, err = cli(
        "eval", "--task", "tiny", "--limit", "2", "--method", "greedy", "-o", tmp_path / "run", *given
    )
    assert err.splitlines().count(MERGED) == 1
    _, _, err = cli("solve", "1+1", *given[:2], *given[4:], "-N", "2")
    assert MERGED not in err


def test_chat_says_where_a_system_message_goes_when_it_is_set(tmp_path):
    file = tmp_path / "no system.jinja"
    file.write_text(NO_SYSTEM)
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, "chat", "--no-save", "-t", "1", "--chat-template", file],
        input="/system Be brief.\n/system off\n",
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert child.stderr.splitlines().count(MERGED) == 1


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["text", "json"])
def test_a_template_that_never_ends_is_one_sentence(cli, tmp_path, arguments):
    file = tmp_path / "for ever.jinja"
    file.write_text("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
    code, out, err = cli("solve", "1+1", "--chat-template", file, *SMALL, *arguments)
    assert code == 5
    assert "Error: the given chat template failed: it needs too much time\n" in err
    assert "hint: correct or remove `--chat-template`" in err
