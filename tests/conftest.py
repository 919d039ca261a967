"""Fixtures shared by the test files."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import sys
import tempfile

# One thread each: tests compare, they do not race; busy machines stay usable.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Not under a name of localsmc's own: the command warns of a LOCALSMC_ variable that it does not know.
if "LOCALSMC_TEST_MODELS" in os.environ:
    os.environ["TEST_MODELS_FOLDER"] = os.path.abspath(os.environ["LOCALSMC_TEST_MODELS"])

# What whoever runs the tests has configured, logged in to or downloaded is not under test.
_THEIRS = ("LOCALSMC_", "_LOCALSMC_", "LLAMA_ARG_", "LLAMA_CACHE", "HF_", "HUGGINGFACE_", "HUGGING_FACE_")
_THEIRS += ("TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME")
for _name in [name for name in os.environ if name.startswith(_THEIRS)]:
    del os.environ[_name]
_HOME = tempfile.mkdtemp(prefix="localsmc-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
for _name in ("LOCALSMC_CACHE", "LOCALSMC_CONFIG", "LOCALSMC_DATA", "HF_HOME"):
    os.environ[_name] = os.path.join(_HOME, _name.lower())

import huggingface_hub.constants  # noqa: E402, F401 - reads HF_HUB_OFFLINE once, on import: before tests set it
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from tiny_gguf import write_llama, write_mamba  # noqa: E402
from tolerances import LAWS_ON_GPU, ON_CPU, ON_GPU  # noqa: E402


def pytest_addoption(parser):
    """Add options for GPU tests; the defaults are those of `localsmc`."""
    group = parser.getgroup("localsmc")
    group.addoption("--gpu-layers", type=int, help="number of GPU layers (default: -1, all)")
    group.addoption(
        "--flash-attention", choices=("auto", "on", "off"), help="flash attention (default: auto)"
    )


def pytest_terminal_summary(terminalreporter, config):
    """Print the largest differences of logits in GPU tests, from which the tolerances are set."""
    if config.getoption("gpu_layers") is None and config.getoption("flash_attention") is None:
        return
    largest = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        for name, found in getattr(report, "user_properties", ()):
            if name == "apart":
                kind, apart, allowed = found
                largest[kind] = max(apart, largest.get(kind, (0.0,))[0]), allowed
    for kind, (apart, allowed) in largest.items():
        terminalreporter.write_line(f"logits apart at most, {kind}: {apart:.3g} ({allowed:g} is allowed)")


@pytest.fixture(scope="session")
def load_options(request):
    """The options for loading GGUFs."""
    from localsmc.llama import LoadOptions

    n_layers = request.config.getoption("gpu_layers")
    return LoadOptions() if n_layers is None else LoadOptions(n_gpu_layers=n_layers)


@pytest.fixture(scope="session")
def flash_attention(request):
    """The flash attention setting for contexts."""
    return request.config.getoption("flash_attention") or "auto"


@pytest.fixture(scope="session")
def on_gpu(load_options):
    """Whether layers are on a GPU."""
    from localsmc.llama import devices

    return load_options.n_gpu_layers != 0 and any(device.is_gpu for device in devices())


@pytest.fixture
def tolerance(kind, on_gpu):
    """The tolerance for logits of the same tokens, by the test's `kind` of model."""
    return (ON_GPU if on_gpu else ON_CPU)[kind]


@pytest.fixture
def close_to(kind, tolerance, record_property):
    """A function that asserts that logits are close to the expected ones, and records the difference."""
    apart = [0.0]

    def check(actual, expected):
        apart.append(float(np.abs(np.asarray(actual) - np.asarray(expected)).max()))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)

    yield check
    record_property("apart", (kind, max(apart), tolerance))


@pytest.fixture(scope="session")
def law_tolerance(on_gpu):
    """Relative tolerance between a distribution computed by prefills and that of a run."""
    return LAWS_ON_GPU if on_gpu else 0.0


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run a command in this process; returns its exit code, standard output and standard error."""
    from localsmc_cli.main import run

    def call(*arguments, stdin=b"", is_terminal=False):
        stream = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        stream.isatty = lambda: is_terminal
        monkeypatch.setattr(sys, "stdin", stream)
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def random_llama(tmp_path_factory):
    return write_llama(tmp_path_factory.mktemp("gguf") / "random llama.gguf")


@pytest.fixture(scope="session")
def random_mamba(tmp_path_factory):
    return write_mamba(tmp_path_factory.mktemp("gguf") / "random-mamba.gguf")


@pytest.fixture(scope="session")
def random_hybrid(tmp_path_factory):
    """A model of Qwen3.5's architecture: a layer with a recurrent state, and one with a KV cache."""
    from random_models import write_random

    return write_random(tmp_path_factory.mktemp("gguf") / "random-qwen35.gguf", "qwen35")


@pytest.fixture(scope="session")
def random_window(tmp_path_factory):
    """A model of Gemma 3's architecture: a layer has a sliding window of 16 tokens."""
    from random_models import write_random

    return write_random(tmp_path_factory.mktemp("gguf") / "random-gemma3.gguf", "gemma3")


@pytest.fixture
def general(embedded, monkeypatch):
    """The embedded model as if it had not been trained to state its answers in a box."""
    from dataclasses import replace

    defaults = replace(embedded.source.defaults, boxes_unasked=False)
    monkeypatch.setattr(embedded, "source", replace(embedded.source, defaults=defaults))
    return embedded


@pytest.fixture(scope="session")
def embedded(load_options):
    """The embedded model, loaded once."""
    import localsmc

    with localsmc.load(options=load_options, draft_options=load_options) as model:
        yield model
