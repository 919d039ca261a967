"""The real models, loaded once per process; without LOCALSMC_TEST_MODELS every test that asks for one skips.

`smollm2` and `gemma` are the loaded models, `smollm2_path` and `gemma_path` their files. A test that runs on
both asks for `real_model` (or `real_path`), and for `real_name` if it must know which one it has.
`smollm2_pair` has a draft model; `real_reference` is llama-cpp-python's own `Llama` on the same file.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from fetch_models import MODELS, problem_with
from reference_llama import ReferenceLlama

HOW = "run `python tests/real/fetch_models.py FOLDER` and set LOCALSMC_TEST_MODELS=FOLDER"


@pytest.fixture(scope="session")
def models_folder():
    """The folder of the real models."""
    folder = os.environ.get("TEST_MODELS_FOLDER")
    if folder is None:
        pytest.skip(f"real models are not at hand: {HOW} (350 MB)")
    return Path(folder)


def checked(folder, name):
    path = folder / MODELS[name].file
    if problem := problem_with(path, MODELS[name]):
        pytest.fail(f"LOCALSMC_TEST_MODELS: {problem}; {HOW}", pytrace=False)
    return path


@pytest.fixture(scope="session")
def smollm2_path(models_folder):
    """SmolLM2-135M-Instruct, Q4_1: ChatML, BPE, context 8,192."""
    return checked(models_folder, "smollm2")


@pytest.fixture(scope="session")
def gemma_path(models_folder):
    """Gemma 3 270M, a base model, Q4_K_M: no template, SentencePiece with BOS, a sliding window of 512."""
    return checked(models_folder, "gemma")


def loaded(path, options):
    import localsmc

    return localsmc.load(path, options, draft_options=options)


@pytest.fixture(scope="session")
def smollm2(smollm2_path, load_options):
    """SmolLM2, loaded once."""
    with loaded(smollm2_path, load_options) as model:
        yield model


@pytest.fixture(scope="session")
def gemma(gemma_path, load_options):
    """Gemma, loaded once."""
    with loaded(gemma_path, load_options) as model:
        yield model


@pytest.fixture(params=list(MODELS), scope="session")
def real_name(request):
    """The names of the models, one after the other: "smollm2" and "gemma"."""
    return request.param


@pytest.fixture(scope="session")
def real_path(real_name, request):
    """Each model's file."""
    return request.getfixturevalue(f"{real_name}_path")


@pytest.fixture(scope="session")
def real_model(real_name, request):
    """Each model, loaded."""
    return request.getfixturevalue(real_name)


@pytest.fixture(scope="session")
def draft_path(smollm2_path, tmp_path_factory):
    """A copy of SmolLM2 in Q2_K: another model with the same vocabulary, as no smaller one is at hand."""
    from localsmc.gguf.reader import read_header
    from localsmc.llama.quantize import Quantization, quantize

    path = tmp_path_factory.mktemp("draft") / "SmolLM2-135M-Instruct.Q2_K.gguf"
    quantize(read_header(smollm2_path), path, Quantization(type="Q2_K", allow_requantize=True, n_threads=1))
    return path


@pytest.fixture(scope="session")
def smollm2_pair(smollm2_path, draft_path, load_options):
    """SmolLM2 with its Q2_K copy as the draft model."""
    import localsmc

    with localsmc.load(smollm2_path, load_options, draft=draft_path, draft_options=load_options) as model:
        yield model


@pytest.fixture(scope="session")
def smollm2_reference(smollm2_path):
    """llama-cpp-python's own `Llama` on SmolLM2, one thread."""
    with contextlib.closing(ReferenceLlama(smollm2_path)) as reference:
        yield reference


@pytest.fixture(scope="session")
def gemma_reference(gemma_path):
    """llama-cpp-python's own `Llama` on Gemma, one thread."""
    with contextlib.closing(ReferenceLlama(gemma_path)) as reference:
        yield reference


@pytest.fixture(scope="session")
def real_reference(real_name, request):
    """llama-cpp-python's own `Llama` on each model."""
    return request.getfixturevalue(f"{real_name}_reference")


@pytest.fixture(scope="session")
def with_spaces(models_folder, tmp_path_factory):
    """A function of a file that links to it from a folder and under a name with spaces."""
    folder = tmp_path_factory.mktemp("my models")

    def link(path):
        target = folder / f"a {path.name}"
        if not target.exists():
            target.symlink_to(path)
        return target

    return link
