"""The command `localsmc quantize`: output files, error messages, and cleanup after an interruption."""

import ctypes
import functools
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import gguf
import numpy as np
import psutil
import pytest
import tiny_gguf
from program import PROGRAM

import localsmc
import localsmc_models
from localsmc.errors import ConfigError
from localsmc.gguf.reader import read_header
from localsmc.gguf.tensor_types import FILE_TYPES
from localsmc.llama import ContextOptions, LlamaModel, LoadOptions, open_context
from localsmc.llama.binding import C, set_fields
from localsmc.llama.quantize import BITS_PER_WEIGHT, NEED_IMATRIX, Quantization
from localsmc_cli.commands.quantize import target_path
from localsmc_cli.main import run

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and terminals")

TINY = localsmc_models.path("tiny")
SLOW_TYPE = "IQ3_S"  # seconds of work, even for the embedded model
DEADLINE = 120


@pytest.fixture
def cli(capsys):
    """Run in this process: arguments to exit code, standard output and error."""

    def call(*arguments):
        code = run(["quantize", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def popen(*arguments, before="", **pipes):
    """A real process, which runs `before` first."""
    defaults = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", before + PROGRAM, "quantize", *map(str, arguments)]
    return subprocess.Popen(command, **{**defaults, **pipes})


def process(*arguments, **pipes):
    with popen(*arguments, **pipes) as child:
        out, err = child.communicate(timeout=DEADLINE)
    return child.returncode, (out or b"").decode(), (err or b"").decode()


def wait_until(condition):
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The embedded model by type, and in F16 as it ships."""
    folder = tmp_path_factory.mktemp("copies of tiny")
    for type_ in ("Q8_0", "q4_k_m", "Q4_0", "Q2_K"):
        assert run(["quantize", str(TINY), str(folder), type_, "-q"]) == 0
    paths = {type_: folder / f"tiny-{type_}.gguf" for type_ in ("Q8_0", "Q4_K_M", "Q4_0", "Q2_K")}
    assert names(folder) == sorted(path.name for path in paths.values())
    return {"F16": TINY, **paths}


# --- what is written ------------------------------------------------------------------------------


def test_a_copy_is_smaller_and_otherwise_the_same_model(copies):
    source = read_header(TINY)
    sizes = [path.stat().st_size for path in copies.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.6 * sizes[0]
    changed = ("general.file_type", "general.quantization_version")
    kept = {key: value for key, value in source.metadata.items() if key not in changed}
    for type_, path in copies.items():
        header = read_header(path)
        assert header.file_type == type_
        assert kept.items() <= header.metadata.items()
        assert {(t.name, t.shape) for t in header.tensors} == {(t.name, t.shape) for t in source.tensors}


def test_a_copy_of_the_embedded_model_answers_with_its_settings(copies):
    with localsmc.load(copies["Q4_K_M"]) as model:
        assert model.source.defaults == localsmc.store.model_source.recommended("localsmc tiny")
        assert model.source.defaults.boxes_unasked
        settings = localsmc.Settings(seed=1, n_predict=60, n_threads=1)
        result = localsmc.solve(model, "What is 12 + 30?", method=model.method("greedy"), settings=settings)
    assert result.text
    assert result.model.quantization == "Q4_K_M"


def log_probabilities(path):
    """(tokens, V) of a fixed text, by one decode."""
    with LlamaModel(path, LoadOptions(cpu_only=True)) as model:
        tokens = model.tokenize(
            "Tom has 12 apples and buys 7 more. 12 + 7 = 19. He eats 4: 15 left.", special=False
        )
        positions = np.arange(len(tokens))
        context = open_context(model, ContextOptions(n_ctx=256, n_seq_max=1, n_threads=1))
        logits = context.decode(tokens, positions, np.zeros_like(positions)).astype(float)
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def test_fewer_bits_are_further_from_the_model(copies):
    exact = log_probabilities(TINY)

    def divergence(type_):
        return np.mean(np.sum(np.exp(exact) * (exact - log_probabilities(copies[type_])), axis=1))

    q8, q4, q2 = divergence("Q8_0"), divergence("Q4_K_M"), divergence("Q2_K")
    assert 0 < q8 < 0.05
    assert 3 * q8 < q4 < q2 / 1.5


def test_a_real_process_writes_the_path_on_stdout_and_one_line_on_stderr(tmp_path, random_llama):
    target = tmp_path / "with a space.gguf"
    code, out, err = process(random_llama, target, "q8_0", "-t", "1")
    assert (code, out) == (0, f"{target}\n")
    header = read_header(target)
    bits = 8 * sum(tensor.n_bytes for tensor in header.tensors) / header.n_params
    start = "random llama.gguf (0.3 MiB) -> with a space.gguf (0.1 MiB, "
    assert err.startswith(start + f"{bits:.2f} bits per weight) in ")
    assert err.count("\n") == 1
    assert names(tmp_path) == [target.name]
    assert target.stat().st_mode == random_llama.stat().st_mode


def test_rows_that_do_not_fit_are_told(cli, tmp_path, random_llama):
    code, out, err = cli(random_llama, tmp_path, "Q4_K_M")
    assert (code, out) == (0, f"{tmp_path / 'random llama-Q4_K_M.gguf'}\n")
    assert err.startswith("Warning: 14 of 20 tensors use Q5_0 and Q8_0 instead: their rows cannot be divided")
    assert {t.type for t in read_header(Path(out.strip())).tensors} == {"F32", "Q5_0", "Q8_0"}


def test_pure_and_leave_output_tensor(cli, tmp_path, monkeypatch, copies):
    assert cli(TINY, tmp_path / "pure.gguf", "Q4_K_M", "--pure")[0] == 0
    assert {t.type for t in read_header(tmp_path / "pure.gguf").tensors} == {"F32", "Q4_K"}
    assert {t.type for t in read_header(copies["Q4_K_M"]).tensors} == {"F32", "Q4_K", "Q6_K"}

    finish = tiny_gguf.finish
    monkeypatch.setattr(
        tiny_gguf,
        "finish",
        lambda writer, tensors: finish(
            writer, {**tensors, "output.weight": np.ones((tiny_gguf.N_VOCAB, tiny_gguf.N_EMBD))}
        ),
    )
    source = tiny_gguf.write_llama(tmp_path / "untied.gguf")
    assert cli(source, tmp_path / "left.gguf", "Q8_0", "--leave-output-tensor", "-v")[0] == 0
    types = {t.name: t.type for t in read_header(tmp_path / "left.gguf").tensors}
    assert (types["output.weight"], types["token_embd.weight"]) == ("F32", "Q8_0")


def test_a_split_model_becomes_one_file(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tiny_gguf.gguf, "GGUFWriter", functools.partial(gguf.GGUFWriter, split_max_tensors=12)
    )
    tiny_gguf.write_llama(tmp_path / "split.gguf")
    parts = [f"split-0000{i}-of-00002.gguf" for i in (1, 2)]
    assert names(tmp_path) == parts
    assert cli(tmp_path / parts[1], tmp_path, "Q8_0")[0] == 3
    assert cli(tmp_path / parts[0], tmp_path / parts[1], "Q8_0", "--force")[0] == 2
    code, out, err = cli(tmp_path / parts[0], tmp_path, "Q8_0")
    assert (code, out) == (0, f"{tmp_path / 'split-Q8_0.gguf'}\n")
    assert "(2 parts, 0.3 MiB) -> " in err
    header = read_header(tmp_path / "split-Q8_0.gguf")
    assert (len(header.parts), len(header.tensors)) == (1, 20)
    with LlamaModel(header.path, LoadOptions(cpu_only=True)) as model:
        assert model.n_params == header.n_params


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("model.gguf", "model-Q4_0.gguf"),
        ("model-F16.gguf", "model-Q4_0.gguf"),
        ("a/model.f16.gguf", "model-Q4_0.gguf"),
        ("qwen2.5-0.5b-instruct-fp16.gguf", "qwen2.5-0.5b-instruct-Q4_0.gguf"),
        ("model-q5_k_m.gguf", "model-Q4_0.gguf"),
        ("model-BF16-00001-of-00002.gguf", "model-Q4_0.gguf"),
        ("f16.gguf", "f16-Q4_0.gguf"),
        ("model", "model-Q4_0.gguf"),
    ],
)
def test_in_a_folder_the_file_is_called_after_model_and_type(tmp_path, source, name):
    assert target_path(Path(source), str(tmp_path), "Q4_0") == tmp_path / name
    assert target_path(Path(source), f"{tmp_path}/new/", "Q4_0") == tmp_path / "new" / name
    assert target_path(Path(source), f"{tmp_path}/new", "Q4_0") == tmp_path / "new"


# --- types ----------------------------------------------------------------------------------------


def test_types_lists_them_with_their_size(cli):
    code, out, err = cli("--types")
    assert code == 0
    sizes = [float(line.split()[1]) for line in out.splitlines()]
    assert [line.split()[0] for line in out.splitlines()] == list(BITS_PER_WEIGHT)
    assert sizes == sorted(sizes, reverse=True)
    assert all(name in err for name in NEED_IMATRIX)


@pytest.mark.parametrize("name", [*BITS_PER_WEIGHT, *NEED_IMATRIX])
def test_this_llama_cpp_writes_the_type_as_the_table_says(caplog, name):
    params = C.llama_model_quantize_default_params()
    number = FILE_TYPES.index(name.removesuffix("_MOE"))
    set_fields(params, ftype=number, nthread=1, dry_run=True)
    with caplog.at_level(logging.INFO, logger="localsmc.llama"):
        assert C.llama_model_quantize(os.fsencode(TINY), b"/no/such", ctypes.byref(params)) == 0
    assert ("will require an imatrix" in caplog.text) == (name in NEED_IMATRIX)


def test_every_type_of_llama_cpp_has_its_place():
    known = {"MXFP4_MOE" if name == "MXFP4" else name for name in FILE_TYPES if name != "-"}
    # NVFP4 is an output type of the converter only.
    assert known - {"NVFP4"} == {*BITS_PER_WEIGHT, *NEED_IMATRIX}


@pytest.mark.parametrize("values", [{"type": "q4_0"}, {"type": "Q4_0", "n_threads": -1}])
def test_the_library_takes_canonical_values_only(values):
    with pytest.raises(ConfigError):
        Quantization(**values)


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES = [
    ([], 2, "no model is given", "localsmc quantize model-F16.gguf"),
    (["{tiny}"], 2, "no output and no type are given", "{tiny} model-Q4_K_M.gguf Q4_K_M"),
    (["{tiny}", "q8_0"], 2, "no output is given", "{tiny} . q8_0"),
    (["{tiny}", "x.gguf"], 2, "no type is given", "--types"),
    (["{tiny}", "q8_0", "x.gguf"], 2, "the type must come last", "{tiny} x.gguf q8_0"),
    (["{tiny}", "x.gguf", "q8_0", "4"], 2, "the number of threads is an option", "`-t 4`"),
    (["a", "b", "x.gguf", "q8_0"], 2, "4 arguments are given", "quotes"),
    (["{tiny}", "x.gguf", "q4_k_mm"], 2, "unknown quantization type `q4_k_mm`", "did you mean Q4_K_M?"),
    (["{tiny}", "x.gguf", "small"], 2, "unknown quantization type `small`", "--types"),
    (["{tiny}", "x.gguf", "iq2_xs"], 2, "IQ2_XS needs an importance matrix", "Q2_K"),
    (["{tiny}", "x.gguf", "q8_0", "-t", "x"], 2, "`--threads`: 'x'"),
    (["{tiny}", "x.gguf", "q8_0", "--treads", "1"], 2, "unknown option", "did you mean `--threads`?"),
    (["{tiny}", "x.gguf", "q8_0", "-q", "-v"], 2, "cannot be used together"),
    (["/no/such model.gguf", "x.gguf", "q8_0"], 3, "no model at `/no/such model.gguf`"),
    (["{folder}", "x.gguf", "q8_0"], 3, "is a directory, not a GGUF file"),
    (["{text}", "x.gguf", "q8_0"], 3, "is not a GGUF file"),
    (["{half}", "x.gguf", "q8_0"], 3, "is truncated"),
    (["{tiny}", "{folder}/a b/x.gguf", "q8_0"], 2, "a b` does not exist", "mkdir -p '"),
    (["{tiny}", "{folder}/new/", "q8_0"], 2, "new` does not exist", "mkdir -p "),
    (["{tiny}", "{text}/x.gguf", "q8_0"], 2, "cannot be written: Not a directory"),
    (["{tiny}", "{folder}/" + 260 * "x", "q8_0"], 2, "cannot be written: File name too long"),
    (["{tiny}", "{tiny}", "q8_0", "--force"], 2, "is the model to quantize", "another output file"),
    (["{tiny}", "{link}", "q8_0", "--force"], 2, "is the model to quantize", "another output file"),
    (["{tiny}", "{text}", "q8_0"], 2, "text` already exists", "`--force`"),
    (["{tiny}", "{dangling}", "q8_0"], 2, "dangling` already exists", "`--force`"),
    (["{tiny}", os.devnull, "q8_0", "--force"], 2, "is not a regular file"),
    (["{q8}", "x.gguf", "q4_0"], 2, "is already quantized (Q8_0)", "`--allow-requantize`"),
    (["{alien}", "x.gguf", "q8_0"], 3, "cannot quantize `{alien}`: unknown model architecture: 'llamx'"),
]


@posix
@pytest.mark.parametrize(("arguments", "code", "sentence", "hint"), [(*row, "")[:4] for row in MISTAKES])
def test_a_mistake_is_one_sentence_a_hint_and_an_exit_code(
    cli, tmp_path, monkeypatch, copies, random_llama, arguments, code, sentence, hint
):
    monkeypatch.chdir(tmp_path)
    files = {name: tmp_path / name for name in ("text", "half", "link", "dangling", "alien")}
    files["text"].write_text("a problem")
    files["half"].write_bytes(TINY.read_bytes()[:1_000_000])
    files["link"].symlink_to(TINY)
    files["dangling"].symlink_to("nowhere")
    files["alien"].write_bytes(random_llama.read_bytes().replace(b"llama", b"llamx"))
    files |= {"tiny": TINY, "q8": copies["Q8_0"], "folder": tmp_path}
    before = names(tmp_path)
    got, out, err = cli(*[argument.format(**files) for argument in arguments])
    assert (got, out) == (code, "")
    error, _, rest = err.partition("\n\n")
    assert error.startswith("Error: ")
    assert sentence.format(**files) in error
    assert "\n" not in error
    assert not error.endswith(".")
    assert rest.startswith("hint: ")
    assert hint.format(**files) in rest
    assert rest.count("\n") == 1
    assert names(tmp_path) == before
    assert files["text"].read_text() == "a problem"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(cli, tmp_path):
    tmp_path.chmod(0o500)
    code, _, err = cli(TINY, tmp_path, "Q8_0")
    tmp_path.chmod(0o700)
    assert code == 2
    assert "cannot be written: Permission denied" in err


def test_what_is_asked_for_twice_is_done(cli, tmp_path, copies):
    target = tmp_path / "x.gguf"
    target.write_text("an older file")
    code, out, _ = cli(copies["Q8_0"], target, "Q4_0", "--allow-requantize", "--force")
    assert (code, out) == (0, f"{target}\n")
    assert read_header(target).file_type == "Q4_0"


# --- trouble on the way ---------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_told_before_the_work(cli, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 2**20, 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, out, err = cli(TINY, tmp_path / "x.gguf", "Q8_0")
    assert (code, out) == (7, "")
    assert "x.gguf` needs 4.2 MiB, but only 1.0 MiB are free\n\nhint: free some space in" in err
    assert names(tmp_path) == []


@posix
def test_a_disk_that_fills_up_leaves_nothing(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
    code, out, err = process(TINY, tmp_path / "x.gguf", "Q8_0", before=limit)
    assert (code, out) == (7, "")
    assert err.startswith(
        f"Error: `{tmp_path / 'x.gguf'}` could not be written completely\n\nhint: free some space"
    )
    assert names(tmp_path) == []


def test_a_write_that_failed_without_a_word_is_found_out(cli, tmp_path, monkeypatch, random_llama):
    bad = {"zeros": bytes(1000), "truncated": random_llama.read_bytes()[:50_000]}
    for data, (code, said) in zip(
        bad.values(), [(7, "written completely"), (3, "a bad file: ")], strict=True
    ):

        def follow(child, log, data=data):
            next(tmp_path.glob("*.part")).write_bytes(data)

        monkeypatch.setattr("localsmc.llama.quantize._Child.follow", follow)
        got, out, err = cli(random_llama, tmp_path / "x.gguf", "Q8_0")
        assert (got, out) == (code, "")
        assert said in err
        assert ".part" not in err
        assert names(tmp_path) == []


def test_an_alignment_that_llama_cpp_would_break(cli, tmp_path, monkeypatch):
    finish = tiny_gguf.finish

    def aligned(writer, tensors):
        writer.add_custom_alignment(64)
        finish(writer, tensors)

    monkeypatch.setattr(tiny_gguf, "finish", aligned)
    code, _, err = cli(tiny_gguf.write_llama(tmp_path / "model.gguf"), tmp_path, "Q8_0")
    assert code == 3
    assert "aligns tensors to 64 bytes" in err


@pytest.fixture
def at_work(tmp_path):
    """A process that writes, has written something, and has seconds to go."""
    target = tmp_path / "x.gguf"
    target.write_text("an older file")
    with popen(TINY, target, SLOW_TYPE, "--force", "-t", "1") as child:
        wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob("*.part")))
        yield child
        child.kill()


@posix
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, b"Interrupted, without a result\n"), (signal.SIGKILL, -9, b"")],
)
def test_a_stop_leaves_nothing_but_the_older_file(tmp_path, at_work, number, code, said):
    (worker,) = psutil.Process(at_work.pid).children()
    at_work.send_signal(number)
    out, err = at_work.communicate(timeout=DEADLINE)
    assert (at_work.returncode, out, err) == (code, b"", said)
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert names(tmp_path) == ["x.gguf"]
    assert (tmp_path / "x.gguf").read_text() == "an older file"


@posix
@pytest.mark.parametrize(
    ("number", "hint"), [(signal.SIGABRT, "damaged"), (signal.SIGKILL, "probably out of memory")]
)
def test_a_crash_of_llama_cpp_is_one_sentence(tmp_path, at_work, number, hint):
    (worker,) = psutil.Process(at_work.pid).children()
    worker.send_signal(number)
    out, err = at_work.communicate(timeout=DEADLINE)
    assert (at_work.returncode, out) == (3, b"")
    error, _, rest = err.decode().partition("\n\n")
    assert error.startswith(f"Error: llama.cpp aborted while quantizing `{TINY}`: ")
    assert error.endswith(f"({number.name})")
    assert hint in rest
    assert names(tmp_path) == ["x.gguf"]


@posix
def test_a_terminal_sees_a_bar(tmp_path, random_llama):
    ours, theirs = os.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    arguments = [random_llama, tmp_path, "Q8_0"]
    with popen(*arguments, stderr=theirs, env=environment | {"TERM": "xterm"}) as child:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
        out, _ = child.communicate(timeout=DEADLINE)
    os.close(ours)
    assert (child.returncode, out.decode()) == (0, f"{tmp_path / 'random llama-Q8_0.gguf'}\n")
    assert "╌ tensor 1 of 20" in shown.decode()
    assert shown.decode().rindex("\x1b[?25h") < shown.decode().index("bits per weight")
