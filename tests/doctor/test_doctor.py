"""The command `localsmc doctor`: each check alone, and the whole command in broken environments."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from program import PROGRAM

import localsmc_models
from localsmc.doctor import Verdict, examine, model_checks, network_checks, system_checks
from localsmc.doctor.llama_build import LlamaBuild, install, pip
from localsmc.errors import ConfigError
from localsmc.memory import host
from localsmc.memory.host import HostMemory
from localsmc_cli.main import run

GIB = 2**30
NAMES = [
    "Python", "llama.cpp", "GPU", "CPU", "memory", "embedded models", "a problem", "cache", "configuration",
    "conversations", "hub cache", "hub", "token", "extras",
]  # fmt: skip

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals")


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    """Nothing of the user's is looked at, and nobody is asked over the network."""
    for name in ("LLAMA_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CPP_LIB_PATH", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LOCALSMC_CONFIG", "LOCALSMC_DATA", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


# --- a check ------------------------------------------------------------------------------------------


def raising(error):
    def check():
        raise error

    return check


@pytest.mark.parametrize(
    ("check", "found"),
    [
        (lambda: Verdict("ok", "fine"), ("ok", "fine", None)),
        (raising(ConfigError("it is wrong", hint="right it")), ("broken", "it is wrong", "right it")),
        (
            raising(PermissionError(13, "Permission denied", "/x")),
            ("broken", "/x: Permission denied", "check the path and its permissions"),
        ),
        (
            raising(ZeroDivisionError("no")),
            ("broken", "ZeroDivisionError: no", "this is unexpected: please report it"),
        ),
    ],
)
def test_a_check_that_fails_has_found_something(check, found):
    finding = examine("x", check)
    assert (finding.status, finding.line, finding.hint) == found
    assert finding.to_json()["name"] == "x"


# --- the engine ---------------------------------------------------------------------------------------


def engine(*, devices=(), build="llama-cpp-python 1 (CPU : AVX = 1 | FMA = 0)", **others):
    found = LlamaBuild()
    facts = {"build": build, "devices": [*devices], "can_offload": bool(devices), "threads": [1, 8]}
    found.__dict__["replies"] = {"engine": facts} | others
    return found


H200 = {"description": "NVIDIA H200", "is_gpu": True, "free": 138 * GIB, "total": 140 * GIB}
CPU = {"description": "a CPU", "is_gpu": False, "free": 0, "total": 0}


@pytest.mark.parametrize(
    ("devices", "makers", "build", "status", "line", "hint"),
    [
        ([CPU], [], "", "ok", "no GPU found: llama.cpp runs on the CPU", None),
        ([CPU, H200], ["NVIDIA"], "", "ok", "used: NVIDIA H200, 138.0 GiB of 140.0 GiB free", None),
        (
            [CPU],
            ["NVIDIA"],
            "",
            "warning",
            "NVIDIA GPU found, but llama.cpp is built without",
            "-DGGML_CUDA=on",
        ),
        ([CPU], ["AMD"], "", "warning", "AMD GPU found, but llama.cpp is built without", "-DGGML_HIP=on"),
        ([CPU], ["Apple"], "", "warning", "Apple GPU found, but", "-DGGML_METAL=on"),
        ([CPU], ["NVIDIA", "AMD"], "", "warning", "NVIDIA and AMD GPU found", "-DGGML_VULKAN=on"),
        (
            [CPU],
            ["NVIDIA"],
            "CUDA : ARCHS = 900 | ",
            "warning",
            "although built with GPU support, does not see it",
            "nvidia-smi",
        ),
    ],
)
def test_a_gpu_is_used_or_it_is_said_how(devices, makers, build, status, line, hint):
    found = engine(devices=devices, build=f"llama-cpp-python 1 ({build}CPU : AVX = 1)").gpu(makers)
    assert found.status == status
    assert line in found.line
    assert (found.hint is None) if hint is None else (hint in found.hint)


@pytest.mark.parametrize(
    ("system_", "before"),
    [("linux", 'CMAKE_ARGS="-DGGML_CUDA=on" '), ("win32", '$env:CMAKE_ARGS="-DGGML_CUDA=on"; ')],
)
def test_the_command_that_builds_it_for_a_gpu(system_, before):
    first, _, second = install("NVIDIA", system_).splitlines()
    assert first == f"{before}{pip()} install --force-reinstall --no-cache-dir llama-cpp-python"
    assert "VULKAN" in second


def test_pip_is_this_pythons(monkeypatch):
    words = [*shlex.split(pip()), "--version"]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert f"python {sys.version_info[0]}.{sys.version_info[1]}" in out
    monkeypatch.setattr(sys, "executable", "/a b/python")
    assert pip() == '"/a b/python" -m pip'


SOLVED = {
    "answer": "12",
    "expected": "12",
    "speed": 1234.5,
    "seconds": 0.25,
    "place": "all 6 layers on the CPU",
}


@pytest.mark.parametrize(
    ("others", "status", "line"),
    [
        (
            {"solve": SOLVED},
            "ok",
            "right answer: 1,234 tokens/s, 0.2 s including loading; all 6 layers on the CPU",
        ),
        ({"solve": SOLVED | {"answer": None}}, "broken", "wrong answer None instead of 12: "),
        ({"failed": "the process ended with signal 4: "}, "broken", "the process ended with signal 4"),
        ({}, "broken", "no result"),
    ],
)
def test_the_embedded_model_answers(others, status, line):
    found = engine(**others).solve()
    assert found.status == status
    assert found.line.startswith(line)


def test_a_build_that_does_not_start_leaves_the_rest_unknown():
    dead = LlamaBuild()
    dead.__dict__["replies"] = {"failed": "the process ended with signal 4: illegal"}
    assert dead.build() == Verdict("broken", "the process ended with signal 4: illegal", dead.build().hint)
    assert "pip install --force-reinstall" in dead.build().hint
    assert [dead.gpu([]).status, dead.processor().status, dead.solve().status] == [
        "warning",
        "warning",
        "broken",
    ]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "the process ended with signal 9: it left no message"),
        (
            "raise SystemExit('no such instruction')",
            "the process ended with exit code 1: no such instruction",
        ),
        ("import time; time.sleep(60)", "llama.cpp did not finish within 1 s"),
        ("replies.send(engine={}); raise SystemExit(3)", "the process ended with exit code 3: "),
    ],
    ids=["killed", "refused", "hanging", "half"],
)
def test_the_child_may_end_in_any_way(monkeypatch, code, reason):
    from localsmc.doctor import llama_build as module

    monkeypatch.setattr(module, "_CHILD", code)
    monkeypatch.setattr(module, "SECONDS", 1.0)
    assert LlamaBuild().replies["failed"].startswith(reason)


# --- the system ---------------------------------------------------------------------------------------


def test_memory_is_a_containers_where_there_is_one(monkeypatch):
    monkeypatch.setattr(host, "available", lambda: HostMemory(4 * GIB, 3 * GIB, True))
    assert system_checks.memory().line == "3.0 GiB of 4.0 GiB free (a container's limit)"


FOLDERS = [
    (system_checks.cache, "LOCALSMC_CACHE", "broken"),
    (system_checks.config, "LOCALSMC_CONFIG", "warning"),
    (system_checks.data, "LOCALSMC_DATA", "warning"),
    (system_checks.models, "HF_HUB_CACHE", "warning"),
]


@pytest.mark.parametrize(("check", "variable", "bad"), FOLDERS)
def test_folders(check, variable, bad, monkeypatch, tmp_path):
    def found(path):
        monkeypatch.setenv(variable, str(path))
        return check()

    file, folder = tmp_path / "file", tmp_path / "a folder"
    file.write_text("")
    folder.mkdir()
    assert found(folder).status == "ok"
    assert found(folder).line.startswith(f"{folder}, ")
    assert "not created yet" in found(folder / "below" / "it").line
    assert list(folder.iterdir()) == []  # nothing is left, nothing is made
    for path in (file, file / "below"):
        assert found(path).status == bad
        assert f"{file} is not a folder" in found(path).line
        assert f"set {variable} to " in found(path).hint


@pytest.mark.parametrize(("check", "variable", "bad"), FOLDERS)
def test_folders_that_cannot_be_written(check, variable, bad, monkeypatch, tmp_path):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(system_checks.tempfile, "TemporaryFile", refuse)
    monkeypatch.setenv(variable, str(tmp_path))
    found = check()
    assert (found.status, found.line) == (bad, f"{tmp_path} cannot be written: Permission denied")


def test_a_full_disk_is_a_warning_where_models_go(monkeypatch):
    monkeypatch.setattr(system_checks.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert system_checks.cache().status == "warning"
    assert "free disk space" in system_checks.cache().hint
    assert system_checks.config().status == "ok"


def test_packages_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(system_checks, "find_spec", lambda _: None)
    assert system_checks.packages().status == "ok"
    assert "pip install pyarrow" in system_checks.packages().line


# --- the network --------------------------------------------------------------------------------------


class _Hub(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(int(self.path.strip("/") or 200))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def online(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("path", "status", "line"),
    [
        ("", "ok", " is reachable"),
        ("/404", "ok", " is reachable"),
        ("/503", "warning", " is not reachable (status 503): "),
        ("/407", "warning", " is not reachable (status 407): "),
    ],
)
def test_a_hub_that_answers(online, hub, monkeypatch, path, status, line):
    monkeypatch.setenv("HF_ENDPOINT", hub + path)
    found = network_checks.reach()
    assert (found.status, found.line.startswith(hub + path + line)) == (status, True)


def test_a_hub_that_refuses_is_a_warning(online, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    found = network_checks.reach()
    assert (found.status, "ConnectError" in found.line or "ConnectionError" in found.line) == (
        "warning",
        True,
    )


def test_a_hub_that_says_nothing_is_not_waited_for(online, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        found = network_checks.reach(seconds=0.2)
    assert found.status == "warning"


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_off_is_off(online, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert network_checks.reach().status == "ok"


def test_a_token_is_never_shown(monkeypatch):
    assert network_checks.token().line == "none: public models can be downloaded"
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    assert network_checks.token() == Verdict("ok", "configured")


# --- models -------------------------------------------------------------------------------------------


def test_embedded_files_are_whole(monkeypatch, tmp_path):
    assert model_checks.embedded().status == "ok"
    damaged = tmp_path / "tiny.gguf"
    damaged.write_bytes(b"GGUF")
    path = localsmc_models.path
    monkeypatch.setattr(localsmc_models, "path", lambda name: damaged if name == "tiny" else path(name))
    assert model_checks.embedded().line == "tiny is damaged"
    monkeypatch.setattr(localsmc_models, "names", lambda: ("tiny",))
    assert model_checks.embedded().line == "draft is missing; tiny is damaged"


def given(name):
    """The findings on a model, by what was checked."""
    return {
        found.name: found
        for found in (examine(*each) for each in model_checks.GivenModel(str(name), engine()).checks())
    }


def test_a_model_that_works(random_llama):
    found = given(random_llama)
    assert [one.status for one in found.values()] == ["ok"] * 4
    assert found["model"].line.endswith(f": {random_llama}")
    assert found["model memory"].line.endswith("; all 3 layers on the CPU")
    assert found["chat template"].line.startswith("none")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("/no/where.gguf", "no model at `/no/where.gguf`"),
        ("{folder}", "is a directory"),
        ("{text}", "is not a GGUF file"),
        ("{cut}", "is truncated"),
        ("user/repo:Q4_K_M", "user/repo:Q4_K_M is not downloaded"),
    ],
)
def test_a_model_that_is_none_is_said_once(name, line, random_llama, tmp_path):
    text, cut = tmp_path / "a text.gguf", tmp_path / "cut.gguf"
    text.write_text("not a model, but words" * 9)
    cut.write_bytes(random_llama.read_bytes()[:100_000])
    found = given(name.format(folder=tmp_path, text=text, cut=cut))
    assert list(found) == ["model"]
    assert (found["model"].status, line in found["model"].line) == ("broken", True)
    assert found["model"].hint


def test_a_model_that_does_not_fit(random_llama, monkeypatch):
    monkeypatch.setattr(host, "available", lambda: HostMemory(2**18, 2**18))
    assert given(random_llama)["model memory"].status == "broken"
    monkeypatch.setattr(host, "available", lambda: HostMemory(GIB, 2**18))
    assert given(random_llama)["model memory"].status == "warning"
    dead = model_checks.GivenModel(str(random_llama), LlamaBuild())
    dead._engine.__dict__["replies"] = {"failed": "x"}
    assert examine("file", dead.file).status == "ok"
    assert dead.memory().status == "warning"


@pytest.mark.parametrize(
    ("template", "status"),
    [("{{ messages[0].content }}!", "ok"), ("{{ messages[0", "broken"), ("hello", "warning")],
)
def test_templates(template, status, random_llama):
    model = model_checks.GivenModel(str(random_llama), engine())
    model.file()
    model.header.metadata["tokenizer.chat_template"] = template
    assert examine("template", model.template).status == status


# --- the command --------------------------------------------------------------------------------------


def doctor(*arguments, **environment):
    """A real process to its end: exit code, findings by name, standard error."""
    command = [sys.executable, "-c", PROGRAM, "doctor", "--json", *map(str, arguments)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    found = json.loads(done.stdout)
    return done.returncode, {one["name"]: one for one in found["findings"]}, done.stderr


def test_all_is_well():
    code, found, err = doctor()
    assert (code, err) == (0, "")
    assert list(found) == NAMES
    assert {one["status"] for name, one in found.items() if name not in ("GPU", "CPU")} == {"ok"}


def test_a_build_that_is_not_there_does_not_end_it(tmp_path, random_llama):
    code, found, err = doctor("-m", random_llama, LLAMA_CPP_LIB_PATH=str(tmp_path))
    assert (code, err) == (1, "")
    assert {name for name, one in found.items() if one["status"] == "broken"} == {
        "llama.cpp",
        "a problem",
        "model loads",
    }
    assert "llama.cpp cannot be loaded" in found["llama.cpp"]["line"]
    assert found["llama.cpp"]["hint"] == f"unset LLAMA_CPP_LIB_PATH (now `{tmp_path}`)"


def test_other_commands_then_say_that_there_is_a_doctor(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "solve", "1+1"],
        env=os.environ | {"LLAMA_CPP_LIB_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: llama.cpp cannot be loaded: ")
    assert "hint: run `localsmc doctor` for advice" in done.stderr


def test_a_cache_that_is_a_file_is_broken(tmp_path):
    (tmp_path / "file").write_text("")
    code, found, _ = doctor(LOCALSMC_CACHE=str(tmp_path / "file"))
    assert (code, found["cache"]["status"], found["a problem"]["status"]) == (1, "broken", "ok")


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("[[[", "line 1, column 3: invalid", "write TOML"),
        ("model = 'no/where'\npartciles = 3", "line 2: unknown option `partciles`", "did you mean"),
        ("particles = 'x'", "line 1, `particles`: 'x' is not a valid integer", None),
        ("profile = 'nope'", "line 1, `profile`: unknown profile `nope`", "choose from: fast"),
    ],
)
def test_a_configuration_with_a_mistake_leaves_the_others_their_say(tmp_path, capsys, text, line, hint):
    (tmp_path / "LOCALSMC_CONFIG").mkdir()
    (tmp_path / "LOCALSMC_CONFIG" / "config.toml").write_text(text)
    code, captured = run(["doctor", "--json"]), capsys.readouterr()
    findings = {one["name"]: one for one in json.loads(captured.out)["findings"]}
    found = findings.pop("configuration")
    assert (code, captured.err, list(findings)) == (1, "", [name for name in NAMES if name in findings])
    assert len(findings) == len(NAMES) - 1
    assert (found["status"], line in found["line"]) == ("broken", True)
    assert (found["hint"] or "").startswith(hint or "")
    assert "broken" not in {one["status"] for one in findings.values()}


def test_for_people(capsys, monkeypatch):
    found = [
        Verdict("ok", "fine"),
        Verdict("warning", "so so", "do this"),
        Verdict("broken", "bad", "do that"),
    ]
    findings = [examine(f"thing {i}", lambda verdict=verdict: verdict) for i, verdict in enumerate(found)]
    monkeypatch.setattr("localsmc.doctor.checkup", lambda *_, **__: iter(findings))
    code, captured = run(["doctor"]), capsys.readouterr()
    assert code == 1
    assert captured.out == (
        "ok       thing 0  fine\n"
        "warning  thing 1  so so\n"
        "broken   thing 2  bad\n"
        "\nthing 1:\ndo this\n"
        "\nthing 2:\ndo that\n"
    )
    assert captured.err == "\n1 broken, 1 to look at\n"


@pytest.mark.parametrize("arguments", [["what"], ["--modell", "x"], ["-m"]])
def test_what_it_does_not_know_is_refused(arguments, capsys):
    assert run(["doctor", *arguments]) == 2
    assert capsys.readouterr().out == ""


@posix
def test_ctrl_c_ends_it():
    code = "import sys; sys.stderr.write('here'); sys.stderr.flush(); import time; time.sleep(60)"
    hook = f"from localsmc.doctor import system_checks; system_checks.python = lambda: exec({code!r}); "
    with subprocess.Popen([sys.executable, "-c", hook + PROGRAM, "doctor"], stdout=-1, stderr=-1) as child:
        assert child.stderr.read(4) == b"here"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"Interrupted, without a result\n")
