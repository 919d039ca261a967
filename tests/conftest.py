"""Fixtures shared by the test files."""

from __future__ import annotations

import os

# One thread each: tests compare, they do not race; busy machines stay usable.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
from tiny_gguf import write_llama, write_mamba  # noqa: E402


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def random_llama(tmp_path_factory):
    return write_llama(tmp_path_factory.mktemp("gguf") / "random llama.gguf")


@pytest.fixture(scope="session")
def random_mamba(tmp_path_factory):
    return write_mamba(tmp_path_factory.mktemp("gguf") / "random-mamba.gguf")


@pytest.fixture(scope="session")
def embedded():
    """The embedded model, loaded once."""
    import localsmc

    with localsmc.load() as model:
        yield model
