"""The command `localsmc models`, and model names in the other commands."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from loopback_hub import LoopbackHub
from program import PROGRAM

import localsmc_models
from localsmc.errors import ConfigError, ModelNotFound
from localsmc.store import aliases, hub, model_source, pip_packages
from localsmc.store.hub import download
from localsmc.store.recommended import recommendations

DEADLINE = 60
FAST = ["-t", "1", "-N", "2", "-n", "4", "What is 1 + 1?"]


@pytest.fixture
def served(tmp_path, monkeypatch, random_llama):
    """A hub with a repository of two quantizations and one of drafts, and folders of our own."""
    for name, file in {
        "user/tiny-GGUF/tiny-Q4_K_M.gguf": localsmc_models.path("tiny"),
        "user/tiny-GGUF/tiny-Q8_0.gguf": localsmc_models.path("draft"),
        "user/random-GGUF/random-F32.gguf": random_llama,
        "user/draft-GGUF/draft-F16.gguf": localsmc_models.path("draft"),
    }.items():
        path = tmp_path / "hub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path)
    junk = tmp_path / "hub/user/junk-GGUF/junk.gguf"
    junk.parent.mkdir()
    junk.write_bytes(b"this is no model at all, and neither what one begins with")
    server = LoopbackHub(tmp_path / "hub")
    for name in [name for name in os.environ if name.startswith("LLAMA_ARG_")]:
        monkeypatch.delenv(name)
    for name, value in {
        **server.environment(tmp_path / "home"),
        "HF_TOKEN_PATH": str(tmp_path / "no token"),
        "LOCALSMC_CONFIG": str(tmp_path / "config"),
        "LOCALSMC_CACHE": str(tmp_path / "cache"),
        # Models of other programs are not under test here.
        "HOME": str(tmp_path),
        "OLLAMA_MODELS": str(tmp_path / "no ollama"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pip_packages.metadata, "distributions", list)
    from huggingface_hub import constants

    # Read when huggingface_hub is imported: a developer's own token must not be sent.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(download, "WAITS", (0.0,))
    with server.running():
        yield server


@pytest.fixture(scope="module", autouse=True)
def session():
    from huggingface_hub.utils import close_session

    yield
    close_session()


@pytest.fixture
def cli(served, cli):
    """With a hub within reach."""
    return cli


def popen(*arguments, **settings):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **settings,
    )


def ended(child):
    out, err = child.communicate(timeout=DEADLINE)
    return child.returncode, out.decode(), err.decode()


# --- pull -----------------------------------------------------------------------------------------


def test_pull_prints_the_path_and_tells_how_it_went(cli, served):
    code, out, err = cli("models", "pull", "user/tiny-GGUF")
    assert code == 0
    assert out.endswith("/tiny-Q4_K_M.gguf\n")
    assert err.splitlines()[0] == "downloading tiny-Q4_K_M.gguf (7.9 MiB)"
    assert err.splitlines()[1].startswith("downloaded tiny-Q4_K_M.gguf (7.9 MiB) in ")
    n_requests = len(served.requests)
    assert cli("models", "pull", "user/tiny-GGUF") == (0, out, "`user/tiny-GGUF` is already downloaded\n")
    assert cli("models", "pull", "-q", "user/tiny-GGUF:Q8_0")[2] == ""
    assert len(served.requests) == n_requests + 2


MISTAKES = [
    (["pull"], 2, "no model is named", "localsmc models pull "),
    (["pull", ""], 2, "no model is named", "localsmc models pull "),
    (["pull", "a", "b"], 2, "unexpected extra argument", "--help"),
    (["pull", "user/unknown"], 3, "the hub has no repository `user/unknown`", "no local file `user/unknown`"),
    (["pull", "user/tiny-GGUF:Q2_K"], 3, "has no quantization `Q2_K`", "choose from: Q4_K_M, Q8_0"),
    (["pull", "user/tiny-GGUF/x.gguf"], 3, "has no file `x.gguf`", "choose from: tiny-Q4_K_M.gguf"),
    (["pull", "--offline", "user/tiny-GGUF"], 3, "offline mode is on", "--offline"),
    (["pull", "-hft", "hf_wrong", "user/tiny-GGUF"], 3, "requires a token", "HF_TOKEN"),
    (["pull", "user/junk-GGUF"], 3, "is not a GGUF file", "complete language model"),
    (["pull", "my model"], 3, "no model is called `my model`", "user/repo"),
    (["pull", "tinny"], 3, "no model is called `tinny`", "did you mean `tiny`?"),
    (["pull", "~nobody/at/all.gguf"], 3, "no model at `~nobody/at/all.gguf`", "user/repo"),
    (["pull", "x" * 5000], 3, "no model is called `xxx", "user/repo"),
    (["pull", "a/\0.gguf"], 3, "no model at `a/", "user/repo"),
    (["pull", "-q", "-v", "tiny"], 2, "cannot be used together", "remove one"),
    (["show", "user/tiny-GGUF"], 3, "is not downloaded yet", "localsmc models pull user/tiny-GGUF"),
    (["show", "/none.gguf"], 3, "no model at `/none.gguf`", "user/repo"),
    (["show", "tiny", "-N", "0"], 2, "'0' is not", "--help"),
    (["rm"], 2, "no model is named", "localsmc models rm "),
    (["rm", "tiny"], 2, "`tiny` ships with localsmc", "cannot"),
    (["rm", "-y", "user/tiny-GGUF"], 3, "is not in the cache", "localsmc models list"),
    (["rm", "-y", __file__], 2, "is not in the Hugging Face cache", "yourself"),
    (["alias", "tiny", "user/x"], 2, "`tiny` is an embedded model", "another name"),
    (["alias", "a b", "user/x"], 2, "`a b` is not a valid alias", "letters"),
    (["alias", "user/x", "tiny"], 2, "`user/x` is not a valid alias", "letters"),
    (["alias", "a", "none"], 3, "no model is called `none`", "user/repo"),
    (["alias", "a"], 2, "no alias is called `a`", "localsmc models alias a MODEL"),
    (["alias", "--rm", "a"], 2, "no alias is called `a`", "no aliases yet"),
    (["alias", "--rm", "a", "b"], 2, "`--rm` deletes one alias and takes no model", "remove `b`"),
    (["shw"], 2, "has no command `shw`", "did you mean `localsmc models show`?"),
    (["frobnicate"], 2, "has no command `frobnicate`", "choose from: list"),
    (["--json", "show", "tiny"], 2, "`--json` must come after the command", "localsmc models show --json"),
]


@pytest.mark.parametrize(("arguments", "code", "message", "hint"), MISTAKES)
def test_mistakes(cli, arguments, code, message, hint):
    found, out, err = cli("models", *arguments)
    assert (found, out) == (code, "")
    error, _, hinted = err.partition("\n\nhint: ")
    assert message in error
    assert hint in hinted
    assert "Traceback" not in err


def test_ctrl_c_keeps_what_came_and_the_same_command_goes_on(served):
    served.gate.clear()
    child = popen("models", "pull", "user/tiny-GGUF")
    assert served.reached.wait(DEADLINE)
    # What was sent before the gate is on its way: it counts when it is in the file.
    (partial,) = wait_for(lambda: hub.cache.partials(hub.parse("user/tiny-GGUF")))
    wait_for(lambda: partial.stat().st_size)
    child.send_signal(signal.SIGINT)
    code, out, err = ended(child)
    assert (code, out) == (130, "")
    assert "Interrupted, the part that was downloaded is kept: run the same command to resume" in err
    size = partial.stat().st_size
    assert size > 0
    served.gate.set()
    code, out, err = ended(popen("models", "pull", "user/tiny-GGUF"))
    assert code == 0
    assert "MiB of it done)" in err
    assert served.requests[-1].endswith(f" bytes={size}-")


def wait_for(condition):
    """What `condition` gives as soon as it is something."""
    until = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < until
    return found


@pytest.mark.skipif(os.name != "posix", reason="needs limits of processes")
def test_a_disk_that_becomes_full_is_said_and_the_same_command_goes_on(served):
    import resource

    limit = 1 << 20

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code, out, err = ended(popen("models", "pull", "user/tiny-GGUF", preexec_fn=small_files))
    assert (code, out) == (7, "")
    assert "cannot be written: File too large" in err
    code, out, err = ended(popen("models", "pull", "user/tiny-GGUF"))
    assert code == 0
    assert served.requests[-1].endswith(f" bytes={limit}-")


def test_two_processes_download_it_once(served):
    children = [popen("models", "pull", "user/tiny-GGUF") for _ in range(2)]
    (one, out, _), (other, same, _) = map(ended, children)
    assert (one, other) == (0, 0)
    assert out == same
    assert len([request for request in served.requests if "/resolve/" in request]) == 1


# --- list and show --------------------------------------------------------------------------------


def test_the_list_has_embedded_cached_and_broken_models_and_aliases(cli):
    cli("models", "pull", "user/tiny-GGUF:Q8_0")
    cli("models", "pull", "user/junk-GGUF")
    cli("models", "alias", "small", "user/tiny-GGUF:Q8_0")
    code, out, err = cli("models")
    assert (code, err) == (0, "")
    assert cli("models", "list")[1] == out
    lines = out.splitlines()
    assert lines[0].split() == ["model", "type", "size", "params", "context", "chat"]
    assert lines[2].split() == ["tiny", "F16", "7.9", "MiB", "4.13M", "1024", "yes"]
    assert any(line.startswith("user/tiny-GGUF:Q8_0 ") for line in lines)
    assert any(line.startswith("user/junk-GGUF/junk.gguf: ") and "not a GGUF" in line for line in lines)
    assert lines[-1] == "small -> user/tiny-GGUF:Q8_0"

    rows = {row["name"]: row for row in json.loads(cli("models", "--json")[1])}
    assert rows == {row["name"]: row for row in json.loads(cli("models", "list", "--json")[1])}
    assert rows["tiny"]["origin"] == "embedded"
    assert rows["user/tiny-GGUF:Q8_0"]["origin"] == "hub"
    assert rows["tiny"]["bytes"] == localsmc_models.path("tiny").stat().st_size
    assert rows["user/tiny-GGUF:Q8_0"]["aliases"] == ["small"]
    assert "bytes" not in rows["user/junk-GGUF/junk.gguf"]
    assert "not a GGUF" in rows["user/junk-GGUF/junk.gguf"]["error"]


def test_the_list_reads_a_file_again_only_when_it_changed(cli, monkeypatch):
    from localsmc.gguf import reader

    cli("models", "pull", "user/tiny-GGUF:Q8_0")
    read, whole = [], reader.read_header
    monkeypatch.setattr(reader, "read_header", lambda path: read.append(path.name) or whole(path))
    out = cli("models")[1]
    assert read == ["draft.gguf", "tiny.gguf", "tiny-Q8_0.gguf"]
    assert cli("models")[1] == out
    assert len(read) == 3
    path = hub.cache.find(hub.parse("user/tiny-GGUF")).path
    path.write_bytes(localsmc_models.path("tiny").read_bytes())
    assert "7.9 MiB" in cli("models")[1].splitlines()[3]
    assert read[3:] == ["tiny-Q8_0.gguf"]


def test_every_listed_name_is_one_that_is_understood(cli):
    cli("models", "pull", "user/tiny-GGUF:Q8_0")
    cli("models", "pull", "user/random-GGUF")
    for row in json.loads(cli("models", "--json")[1]):
        assert str(model_source.resolve(row["name"], hub.Access(offline=True)).path) == row["path"]


def test_show_tells_metadata_template_and_memory(cli):
    code, out, _ = cli("models", "show", "tiny", "-N", "4", "-c", "1000")
    assert code == 0
    assert "F16, 16.01 bits per weight" in out
    assert "for 4 particles and 1000 tokens: 7.9 MiB weights" in out
    assert "general.architecture" in out
    assert "{% for message in messages %}" in out
    shown = json.loads(cli("models", "show", "tiny", "--json")[1])
    need = shown["memory"]
    assert (need["particles"], need["n_ctx"]) == (16, 16384)
    assert need["total"] == need["weights"] + need["cache"] + need["compute"]
    assert shown["metadata"]["general.name"] == "localsmc tiny"
    assert shown["metadata"]["tokenizer.ggml.tokens"] == "768 of string"
    assert shown["chat_template"].startswith("{% for")


def test_a_file_cannot_say_anything_to_a_terminal(cli, tmp_path, monkeypatch):
    data = localsmc_models.path("draft").read_bytes()
    (tmp_path / "evil.gguf").write_bytes(data.replace(b"localsmc draft", b"local\x1b[31mdraf"))
    code, out, _ = cli("models", "show", tmp_path / "evil.gguf")
    assert code == 0
    assert "local\ufffd[31mdraf" in out
    assert "\x1b" not in out


def test_recommended_models_can_be_named(cli):
    code, out, _ = cli("models", "recommended")
    assert code == 0
    assert "was not tested with these models" in out
    assert max(map(len, out.splitlines())) <= 60
    rows = json.loads(cli("models", "recommended", "--json")[1])
    assert [row["name"] for row in rows] == [one.name for one in recommendations()]
    for row in rows:
        assert hub.parse(row["name"]).quantization == "Q4_K_M"
    assert [row["bytes"] for row in rows] == sorted(row["bytes"] for row in rows)


# --- aliases --------------------------------------------------------------------------------------


def test_an_alias_is_set_told_used_and_taken_away(cli, tmp_path, monkeypatch):
    code, out, err = cli("models", "alias", "t", "user/tiny-GGUF")
    assert (code, out) == (0, "")
    assert err == "t -> user/tiny-GGUF\nit is not downloaded yet; to download it: localsmc models pull t\n"
    assert cli("models", "alias", "again", "t")[0] == 0
    assert cli("models", "alias")[1] == "again -> t\nt -> user/tiny-GGUF\n"
    assert cli("models", "alias", "t")[1] == "t -> user/tiny-GGUF\n"
    assert json.loads(cli("models", "alias", "--json")[1]) == {"again": "t", "t": "user/tiny-GGUF"}
    assert cli("solve", "-m", "again", *FAST)[0] == 0
    assert cli("models", "alias", "--rm", "again") == (0, "", "deleted the alias `again` of t\n")
    assert aliases.read() == {"t": "user/tiny-GGUF"}
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["aliases.json"]


def test_an_alias_of_a_file_holds_in_every_folder(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(localsmc_models.path("draft"), "a b.gguf")
    assert cli("models", "alias", "d", "a b.gguf")[0] == 0
    assert aliases.read() == {"d": str(tmp_path / "a b.gguf")}


def test_an_alias_does_not_go_in_a_circle(cli):
    cli("models", "alias", "a", "tiny")
    cli("models", "alias", "b", "a")
    code, _, err = cli("models", "alias", "a", "b")
    assert code == 2
    assert "refers to itself: a -> b -> a" in err
    assert aliases.read() == {"a": "tiny", "b": "a"}
    aliases.file().write_text('{"a": "b", "b": "a"}')
    for model in "a", "b":
        with pytest.raises(ConfigError, match="refers to itself"):
            model_source.resolve(model)
    assert cli("models", "alias", "a", "tiny")[0] == 0
    assert model_source.resolve("b").is_embedded


def test_a_path_wins_over_an_alias_and_that_is_said(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(localsmc_models.path("draft"), "mine")
    err = cli("models", "alias", "mine", "tiny")[2]
    assert "Warning: the file `mine` in this folder takes precedence over the alias here" in err
    assert model_source.resolve("mine").path.name == "mine"


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', "\xff"])
def test_a_broken_file_of_aliases_is_named(cli, content):
    aliases.file().parent.mkdir(exist_ok=True)
    aliases.file().write_text(content, encoding="latin-1")
    code, out, err = cli("models", "alias")
    assert (code, out) == (2, "")
    assert "aliases.json` " in err


# --- rm -------------------------------------------------------------------------------------------


def test_rm_asks_and_deletes(cli):
    cli("models", "pull", "user/tiny-GGUF:Q8_0")
    cli("models", "alias", "small", "user/tiny-GGUF:Q8_0")
    code, _, err = cli("models", "rm", "small")
    assert (code, "add `-y`" in err) == (2, True)
    code, out, err = cli("models", "rm", "small", stdin=b"n\n", is_terminal=True)
    assert (code, out) == (0, "")
    assert "Delete user/tiny-GGUF/tiny-Q8_0.gguf (1.8 MiB)? [y/N]: " in err
    assert "nothing was deleted" in err
    assert len(hub.cache.models()) == 1
    code, out, err = cli("models", "rm", "small", stdin=b"y\n", is_terminal=True)
    assert (code, out) == (0, "")
    assert "the alias `small` still refers to it; to delete it: localsmc models alias --rm small" in err
    assert hub.cache.models() == []


def test_rm_of_a_repository_with_several_says_which(cli):
    for label in "Q4_K_M", "Q8_0":
        cli("models", "pull", f"user/tiny-GGUF:{label}")
    code, _, err = cli("models", "rm", "-y", "user/tiny-GGUF")
    assert code == 2
    assert "choose from: user/tiny-GGUF:Q4_K_M, user/tiny-GGUF:Q8_0" in err
    path = hub.cache.find(hub.parse("user/tiny-GGUF:Q4_K_M")).path
    assert cli("models", "rm", "-y", path)[0] == 0
    assert [str(model.name) for model in hub.cache.models()] == ["user/tiny-GGUF:Q8_0"]


def test_rm_deletes_what_a_broken_download_left(cli, served):
    served.cut_after = [1000] + [0] * 10
    assert cli("models", "pull", "user/draft-GGUF")[0] == 3
    assert len(hub.cache.partials(hub.parse("user/draft-GGUF"))) == 1
    code, _, err = cli("models", "rm", "-y", "user/draft-GGUF")
    assert (code, err) == (0, "deleted the partial download of user/draft-GGUF\n")
    assert hub.cache.partials(hub.parse("user/draft-GGUF")) == []


# --- models by name on other commands -------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        ["-m", "user/tiny-GGUF"],
        ["-m", "user/tiny-GGUF:q4_k_m"],
        ["-hf", "user/tiny-GGUF"],
        ["-hfr", "user/tiny-GGUF:Q4_K_M"],
        ["--hf-repo", "user/tiny-GGUF", "--hf-file", "tiny-Q4_K_M.gguf"],
        ["-m", "user/tiny-GGUF/tiny-Q4_K_M.gguf"],
    ],
)
def test_solve_takes_models_of_the_hub(cli, named):
    code, out, err = cli("solve", "--json", *named, *FAST)
    assert code == 0
    assert json.loads(out)["model"]["path"].endswith("/tiny-Q4_K_M.gguf")
    assert "no model is given" not in err


def test_the_environment_names_models_of_the_hub(cli, monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_HF_REPO", "user/tiny-GGUF")
    monkeypatch.setenv("LLAMA_ARG_HF_FILE", "tiny-Q8_0.gguf")
    path = json.loads(cli("solve", "--json", *FAST)[1])["model"]["path"]
    assert path.endswith("/tiny-Q8_0.gguf")
    assert json.loads(cli("solve", "--json", "-m", "tiny", *FAST)[1])["model"]["path"].endswith("tiny.gguf")
    monkeypatch.setenv("LLAMA_ARG_OFFLINE", "enabled")
    code, _, err = cli("solve", "-hf", "user/random-GGUF", *FAST)
    assert code == 3
    assert "offline mode is on" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-hff", "x.gguf"], 2, "`--hf-file` needs one `--hf-repo`"),
        (["-m", "tiny", "-hff", "x.gguf"], 2, "`--hf-file` needs one `--hf-repo`"),
        (["-hf", "user/tiny-GGUF", "-m", "tiny"], 2, "given twice, by `--model` and `--hf-repo`"),
        (["-hf", "tiny"], 2, "`tiny` is not a repository name"),
        (["-hf", "user/tiny-GGUF", "-hff", "x.bin"], 2, "`x.bin` is not the name of a GGUF file"),
        (["-hf", "user/tiny-GGUF:Q4_K_M", "-hff", "x.gguf"], 3, "has no file `x.gguf`"),
        (["-hf", "user/tiny-GGUF", "--offline"], 3, "offline mode is on"),
        (["-md", "tiny", "-hfd", "user/x", "--method", "speculative"], 2, "by `--model-draft` and"),
        (["-hfd", "user/draft-GGUF"], 2, "`--hf-repo-draft` does not apply to `--method power-smc`"),
        (["-m", "user/tiny-GGUF", "--method", "speculative"], 2, "needs a draft model"),
        (["-m", "user/junk-GGUF"], 3, "is not a GGUF file"),
    ],
)
def test_models_that_are_named_wrongly(cli, arguments, code, message):
    found, out, err = cli("solve", *arguments, *FAST)
    assert (found, out) == (code, "")
    assert message in err
    assert "hint: " in err


def test_a_draft_of_the_hub_writes_ahead(cli, served):
    speculative = ["solve", "--method", "speculative", "-t", "1", "-n", "4", "What is 1 + 1?"]
    assert cli(*speculative, "-m", "user/tiny-GGUF", "-hfd", "user/draft-GGUF")[0] == 0
    assert cli(*speculative, "-m", "tiny", "-md", "user/draft-GGUF:f16")[0] == 0
    assert cli(*speculative, "-m", "tiny")[0] == 0  # whose draft ships with it
    assert len([request for request in served.requests if "/resolve/" in request]) == 2


def test_eval_and_bench_take_models_of_the_hub(cli, served, tmp_path):
    folder = tmp_path / "run"
    code, _, err = cli(
        "eval", "--task", "tiny", "--limit", "1", "--method", "greedy", "-n", "4", "-t", "1", "-o", folder,
        "-m", "user/tiny-GGUF", "-hf", "user/tiny-GGUF:Q8_0",
    )  # fmt: skip
    assert code == 0, err
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [model["name"] for model in manifest["models"]] == ["tiny-Q4_K_M", "tiny-Q8_0"]
    n_requests = len(served.requests)
    code, out, err = cli(
        "bench", "-hf", "user/tiny-GGUF:Q8_0", "-N", "2", "-n", "4", "-r", "1", "-t", "1", "-o", "csv"
    )
    assert code == 0, err
    assert "localsmc draft" in out
    assert len(served.requests) == n_requests
    code, _, err = cli("bench", "-hff", "x.gguf")
    assert (code, "`--hf-file` needs one" in err) == (2, True)


def test_what_is_not_a_path_may_have_been_meant_as_one(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(localsmc_models.path("draft"), "qwen-7b-q4_k_m.gguf")
    with pytest.raises(ModelNotFound, match="no model at `qwen-7b-q4_k.gguf`") as caught:
        model_source.resolve("qwen-7b-q4_k.gguf")
    assert caught.value.hint == "did you mean `qwen-7b-q4_k_m.gguf`?"
