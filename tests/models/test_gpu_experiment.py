"""The GPU experiment, as far as it needs no GPU: libraries, environment, and output of the parts."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from localsmc.errors import ConfigError, LocalSMCError
from localsmc.llama import devices
from localsmc_models.experiments import gpu, gpu_offline_bundle
from localsmc_models.experiments.gpu import GpuPart

LIBRARIES = [f"{name}.so.0" for name in (*gpu_offline_bundle.LEAST, "libggml-cuda")]


def archive(path, names):
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            tar.addfile(entry, io.BytesIO(name.encode()))
    return path


# --- libraries and packages -----------------------------------------------------------------------


@pytest.mark.parametrize("is_folder", [False, True], ids=["tgz", "folder"])
def test_libraries_get_the_names_that_they_are_opened_by(tmp_path, is_folder):
    source = archive(tmp_path / "libraries.tgz", LIBRARIES)
    if is_folder:
        source = tmp_path / "built"
        source.mkdir()
        for name in LIBRARIES:
            (source / name).write_text(name)
    folder = gpu_offline_bundle.place_libraries(source, tmp_path / "placed")
    for name in LIBRARIES:
        plain = folder / name.removesuffix(".0")
        assert plain.read_text() == (folder / name).read_text() == name
        # One file under both names: loaded twice, it would be two libraries.
        assert plain.samefile(folder / name)


def test_an_archive_writes_nowhere_else(tmp_path):
    source = archive(
        tmp_path / "x.tgz", ["../../libevil.so.0", "sub/README.md", *(f"a/{x}" for x in LIBRARIES)]
    )
    folder = gpu_offline_bundle.place_libraries(source, tmp_path / "a" / "b" / "placed")
    assert sorted(path.name for path in folder.glob("*.0")) == sorted([*LIBRARIES, "libevil.so.0"])
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"x.tgz", "a"}
    assert not list(tmp_path.glob("a/*.so.0"))


def test_what_is_no_set_of_libraries_is_refused(tmp_path):
    (tmp_path / "text.tgz").write_text("hello")
    archive(tmp_path / "few.tgz", LIBRARIES[:2])
    for name, words in {
        "none.tgz": "does not exist",
        "text.tgz": "unpacked",
        "few.tgz": "libllama.so",
    }.items():
        with pytest.raises(ConfigError, match=words) as caught:
            gpu_offline_bundle.place_libraries(tmp_path / name, tmp_path / "placed")
        assert caught.value.hint


def test_children_find_the_libraries_and_those_of_pytorch(tmp_path, monkeypatch):
    cublas = tmp_path / "site" / "nvidia" / "cu13" / "lib"
    cublas.mkdir(parents=True)
    (cublas / "libcublas.so.13").touch()
    (tmp_path / "site" / "nvidia" / "empty" / "lib").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "site"), *sys.path])
    monkeypatch.setenv("LD_LIBRARY_PATH", "/before")
    own = gpu_offline_bundle.environment(tmp_path / "libraries", [tmp_path / "packages"])
    assert own["LLAMA_CPP_LIB_PATH"] == str(tmp_path / "libraries")
    folders = own["LD_LIBRARY_PATH"].split(os.pathsep)
    assert folders[:2] == [str(tmp_path / "libraries"), str(cublas)]
    assert folders[-1] == "/before"
    path = own["PYTHONPATH"].split(os.pathsep)
    assert path[:3] == [str(tmp_path / "packages"), os.getcwd(), str(tmp_path / "site")]
    assert own["PATH"] == os.environ["PATH"]


def test_installed_libraries_are_left_alone(monkeypatch):
    monkeypatch.delenv("LLAMA_CPP_LIB_PATH", raising=False)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert not {"LLAMA_CPP_LIB_PATH", "LD_LIBRARY_PATH"} & set(gpu_offline_bundle.environment(None, []))


def test_devices_are_asked_of_the_libraries_that_compute(tmp_path):
    """The binding's own copy of libggml does not heed LLAMA_CPP_LIB_PATH."""
    import llama_cpp

    installed = Path(llama_cpp.__file__).parent / "lib"
    folder = gpu_offline_bundle.place_libraries(installed, tmp_path / "placed")
    code = "from localsmc.llama.binding import libggml; print(libggml._name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=gpu_offline_bundle.environment(folder, []),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == folder


def test_wheels_are_used_as_they_are(tmp_path):
    packed = tmp_path / "packed"
    (packed / "llama_cpp").mkdir(parents=True)
    with zipfile.ZipFile(packed / "one-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("one/__init__.py", "")
        wheel.writestr("one-1.data/purelib/two.py", "")
    archive(packed / "libraries.tgz", LIBRARIES)
    assert gpu_offline_bundle.unpack(packed, tmp_path / "site") == [tmp_path / "site", packed]
    assert (tmp_path / "site/one/__init__.py").exists()
    assert (tmp_path / "site/two.py").exists()
    assert gpu_offline_bundle.packed_libraries(packed) == packed / "libraries.tgz"
    with pytest.raises(ConfigError, match="was not packed"):
        gpu_offline_bundle.unpack(tmp_path / "site", tmp_path / "other")


def test_what_is_packed():
    names = {
        line.split(">")[0].split("[")[0].split(";")[0].strip() for line in gpu_offline_bundle.requirements()
    }
    assert {"diskcache", "math-verify", "pytest", "pytest-xdist", "gguf", "rich"} <= names
    assert not {"numpy", "llama-cpp-python"} & names


def test_a_full_folder_is_not_packed_into(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        gpu_offline_bundle.pack(tmp_path, None, None)


# --- the parts ------------------------------------------------------------------------------------


def part(name, code, **own):
    return GpuPart(name=name, command=("-c", code), output=f"{name}.txt", **own)


def carried_out(parts, folder, limit=None):
    return gpu.carry_out(parts, folder, dict(os.environ), limit)


def test_what_was_done_is_kept_where_a_part_fails(tmp_path, capsys):
    parts = [
        part("about", "print('a device')", is_short=True),
        part(
            "bench", "import sys; print('| 1 |'); print('why', file=sys.stderr); sys.exit(5)", log="bench.log"
        ),
        part("last", "import os; print(1); os.abort()"),
        part("more", "print('\\n'.join(map(str, range(100))))"),
    ]
    with pytest.raises(LocalSMCError, match="2 of 4 parts failed: bench, last") as caught:
        carried_out(parts, tmp_path)
    assert caught.value.exit_code == 1
    assert (tmp_path / "bench.txt").read_text() == "| 1 |\n"
    assert (tmp_path / "bench.log").read_text() == "why\n"
    assert len((tmp_path / "more.txt").read_text().splitlines()) == 100
    said = capsys.readouterr().out
    assert "why" in said
    assert "\n80\n" in said
    assert "\n79\n" not in said
    assert (tmp_path / "summary.md").read_text().splitlines()[-1] in said
    assert "| bench | failed (exit code 5) |" in said
    assert "| more | ok |" in said


def test_time_that_is_over_ends_a_part_and_keeps_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "GRACE_SECONDS", 0.2)
    stubborn = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    wait = f"{stubborn}; import time; print('so far', flush=True); time.sleep(60)"
    parts = [part("hangs", wait, share=0.5), part("next", "print(2)"), part("slow", wait), part("never", "")]
    with pytest.raises(LocalSMCError, match="hangs, slow, never"):
        carried_out(parts, tmp_path, limit=3.0)
    assert [(tmp_path / f"{one}.txt").read_text() for one in ("hangs", "slow")] == ["so far\n"] * 2
    rows = (tmp_path / "summary.md").read_text().splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["timed out", "ok", "timed out", "not started"]


def test_all_parts_went_well_and_nothing_is_left_of_an_earlier_time(tmp_path):
    for _ in range(2):
        parts = [part("about", "print(1)", log="about.log")]
        assert carried_out(parts, tmp_path, limit=60.0).endswith("about.txt |")
    assert (tmp_path / "about.txt").read_text() == "1\n"
    assert (tmp_path / "about.log").read_text() == ""


def test_tests_tell_what_has_failed_when_their_time_is_over(tmp_path):
    tests = tmp_path / "test_slow.py"
    tests.write_text(
        "import time\ndef test_a():\n    raise OSError('first')\ndef test_b():\n    time.sleep(60)"
    )
    asked = gpu.parts_of(options("--only", "contract", "--workers", "1", "--tests", str(tests)))[1]
    command = tuple(one for one in asked.command if not one.startswith(("--gpu", "--flash")))
    outcome = gpu.do(replace(asked, command=command), tmp_path, dict(os.environ), 6.0)
    assert outcome.words == "timed out"
    assert "OSError: first" in (tmp_path / asked.output).read_text()


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (gpu.NO_GPU, ConfigError, "llama.cpp sees no GPU"),
        (1, LocalSMCError, "llama.cpp does not run"),
    ],
)
def test_nothing_more_is_done_without_a_gpu(tmp_path, code, error, words):
    parts = [part("about", f"raise SystemExit({code})"), part("never", "print(1)")]
    with pytest.raises(error, match=words) as caught:
        carried_out(parts, tmp_path)
    assert caught.value.exit_code
    assert caught.value.hint
    assert not (tmp_path / "never.txt").exists()


@pytest.mark.skipif(any(device.is_gpu for device in devices()), reason="there is a GPU here")
def test_this_machine_has_no_gpu(tmp_path, capsys):
    with pytest.raises(ConfigError, match="sees no GPU"):
        gpu.main(["--output", str(tmp_path / "out"), "--only", "bench"])
    assert "llama_supports_gpu_offload() is False" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["about.txt", "summary.md"]


def test_on_a_cpu_where_that_is_said(tmp_path, capsys, monkeypatch):
    """With a stand-in for the bench, which tells what it was called with."""
    monkeypatch.setattr(gpu, "BENCH", ("-c", "import sys; print('| stand-in |', *sys.argv[1:])"))
    gpu.main(["--output", str(tmp_path), "--cpu", "--only", "bench"])
    assert (tmp_path / "bench.md").read_text() == f"| stand-in | {gpu.ON_CPU}\n"
    said = capsys.readouterr().out
    assert "| stand-in |" in said
    assert "the embedded model on CPU" in said


def options(*arguments):
    return gpu._parser().parse_args(["--output", "out", *arguments])


def test_the_parts_on_a_gpu():
    about, on, off, bench = gpu.parts_of(options())
    assert "about(False)" in about.command[1]
    for one, flash in ((on, "on"), (off, "off")):
        assert {"--gpu-layers=-1", f"--flash-attention={flash}", *gpu.CONTRACT} <= set(one.command)
    assert bench.command[:3] == ("-m", "localsmc_cli.main", "bench")
    assert bench.command[3:] == tuple(shlex.split(gpu.ON_GPU))
    files = {name for one in (about, on, off, bench) for name in (one.output, one.log) if name}
    assert len({*files, "summary.md"}) == 6, "a lent machine gives eight files back"


def test_the_parts_that_are_asked_for():
    assert [one.name for one in gpu.parts_of(options("--only", "bench"))] == ["about", "bench"]
    found = gpu.parts_of(options("--only", "contract", "--cpu", "--workers", "1", "--tests", "tests/x.py"))
    assert [one.name for one in found] == ["about", "contract-fa-on", "contract-fa-off"]
    assert found[1].command[-3:] == ("--gpu-layers=0", "--flash-attention=on", "tests/x.py")
    assert "-n" not in found[1].command
    (_, bench) = gpu.parts_of(options("--only", "bench", "--bench", "-N '1,2'"))
    assert bench.command[-2:] == ("-N", "1,2")


def test_the_contract_tests_are_there():
    for name in gpu.CONTRACT:
        assert (gpu.ROOT / name.split("::")[0]).exists()
        assert name.split("::")[-1] in (gpu.ROOT / name.split("::")[0]).read_text() or "::" not in name
