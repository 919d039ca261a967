"""Models of ollama, in folders as ollama writes them."""

import os

import pytest
from model_folders import ADAPTER, MODEL, PROJECTOR, TENSOR, Ollama

from localsmc.errors import ModelLoadFailed, ModelNotFound
from localsmc.store import model_source, ollama

GONE = "0" * 64


@pytest.fixture
def models(tmp_path, monkeypatch, random_llama):
    """ollama's folder, in the user's home, with a model under several names."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    monkeypatch.setattr(ollama, "_SERVICE", tmp_path / "service")
    folder = Ollama(tmp_path / ".ollama" / "models")
    folder.digest = folder.blob(random_llama)
    for name in (
        "registry.ollama.ai/library/qwen3/4b",
        "registry.ollama.ai/library/qwen3/latest",
        "registry.ollama.ai/me/tuned/v1",
        "hf.co/user/repo-GGUF/Q4_K_M",
        "localhost:5000/team/model/latest",
    ):
        folder.add(name, (MODEL, folder.digest), ("template", GONE), ("license", GONE), ("params", GONE))
    return folder


NAMES = [
    ("qwen3:4b", "qwen3:4b"),
    ("qwen3", "qwen3:latest"),
    ("QWEN3:4B", "qwen3:4b"),
    ("library/qwen3:4b", "qwen3:4b"),
    ("registry.ollama.ai/library/qwen3:4b", "qwen3:4b"),
    ("me/tuned:v1", "me/tuned:v1"),
    ("hf.co/user/repo-GGUF:Q4_K_M", "hf.co/user/repo-GGUF:Q4_K_M"),
    ("hf.co/user/repo-gguf:q4_k_m", "hf.co/user/repo-GGUF:Q4_K_M"),
    ("localhost:5000/team/model", "localhost:5000/team/model:latest"),
]


@pytest.mark.parametrize(("typed", "name"), NAMES)
def test_a_model_is_found_by_every_name_that_ollama_takes(models, typed, name):
    found = ollama.find(typed)
    assert found.name == f"ollama:{name}"
    assert found.paths == (models.folder / "blobs" / f"sha256-{models.digest}",)
    assert (found.notice, found.error) == (None, None)
    assert found.removal == f"run: ollama rm {name}"
    assert ollama.find(found.name.removeprefix("ollama:")) == found


def test_all_are_listed_once(models):
    names = [model.name.removeprefix("ollama:") for model in ollama.models()]
    assert sorted(names) == sorted({name for _, name in NAMES})


def test_a_name_with_another_case_that_exists_is_the_exact_one(models):
    models.add("registry.ollama.ai/library/Qwen3/4b", (MODEL, models.digest))
    assert ollama.find("qwen3:4b").name == "ollama:qwen3:4b"
    assert ollama.find("Qwen3:4b").name == "ollama:Qwen3:4b"


def test_the_source_knows_hash_and_name_without_reading_the_file(models):
    source = model_source.resolve("ollama:qwen3:4b")
    assert (source.sha256, source.name, source.file_name) == (models.digest, "qwen3:4b", "qwen3-4b.gguf")
    assert model_source.resolve("ollama:me/tuned:v1").file_name == "me-tuned-v1.gguf"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "qwen3:8b",
            "no model `qwen3:8b`",
            "choose from: ollama:qwen3:4b, ollama:qwen3:latest; or run: ollama",
        ),
        ("qwen:4b", "no model `qwen:4b`", "choose from: ollama:qwen3:4b"),
        ("zzz", "no model `zzz:latest`", "run: ollama pull zzz:latest"),
        ("", "is not a name of ollama", "ollama:qwen3:4b"),
        ("a/b/c/d", "is not a name of ollama", "ollama:qwen3:4b"),
        ("../../../../etc/passwd", "is not a name of ollama", "ollama:qwen3:4b"),
        ("..:4b", "is not a name of ollama", "ollama:qwen3:4b"),
        ("qwen3:", "is not a name of ollama", "ollama:qwen3:4b"),
        ("a b", "is not a name of ollama", "ollama:qwen3:4b"),
        ("x" * 5000, "ollama has no model `xxx", "ollama pull"),
    ],
)
def test_names_of_no_model(models, name, message, hint):
    with pytest.raises(ModelNotFound) as caught:
        ollama.find(name)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_without_any_model_the_folder_may_be_elsewhere(models, tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "nowhere"))
    assert ollama.models() == []
    with pytest.raises(ModelNotFound) as caught:
        ollama.find("qwen3:4b")
    assert caught.value.hint == (
        "run: ollama pull qwen3:4b; if ollama keeps its models in another folder, set OLLAMA_MODELS"
    )


BROKEN = [
    ("{", "is damaged", "ollama pull b:latest"),
    ("[]", "is damaged", "ollama pull"),
    ('{"layers": 3}', "is damaged", "ollama pull"),
    ('{"layers": ["x"]}', "is damaged", "ollama pull"),
    ('{"layers": [{"mediaType": 1, "digest": "x"}]}', "is damaged", "ollama pull"),
    (
        '{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}',
        "is damaged",
        "ollama pull",
    ),
    ([(MODEL, GONE)], "the file of `ollama:b:latest` is missing in", "ollama pull b:latest"),
    ([(ADAPTER, GONE)], "has only an adapter, and no language model", "ollama pull"),
    ([(PROJECTOR, GONE)], "has only a projector for images, and no language model", "ollama pull"),
    ([(MODEL, GONE), (MODEL, "1" * 64)], "consists of 2 files", "hub"),
    ([(TENSOR, GONE), (TENSOR, "1" * 64)], "is not a GGUF file", "hub"),
    ([], "ollama runs it on another machine", "hub"),
]


@pytest.mark.parametrize(("manifest", "message", "hint"), BROKEN)
def test_a_model_that_cannot_be_used_says_why(models, manifest, message, hint):
    name = "registry.ollama.ai/library/b/latest"
    models.write(name, manifest) if isinstance(manifest, str) else models.add(name, *manifest)
    with pytest.raises(ModelLoadFailed) as caught:
        ollama.find("b")
    assert message in str(caught.value)
    assert hint in caught.value.hint
    listed = {model.name: model.error for model in ollama.models()}
    if "hub" in hint and "consists" not in message:  # nothing is wrong, it is only not for llama.cpp
        assert "ollama:b:latest" not in listed
    else:
        assert message in listed["ollama:b:latest"]
    assert listed["ollama:qwen3:4b"] is None


def test_an_adapter_is_not_used_and_that_is_said(models):
    models.add("registry.ollama.ai/library/tuned/latest", (MODEL, models.digest), (ADAPTER, GONE))
    assert "the adapter of `ollama:tuned:latest` is not used" in ollama.find("tuned").notice
    assert "adapter" in model_source.resolve("ollama:tuned").notice


def test_other_files_are_no_manifests(models):
    models.write("registry.ollama.ai/library/qwen3/.DS_Store", "{")
    models.write("registry.ollama.ai/library/stray", "{")
    models.write("registry.ollama.ai/library/skill/a name/latest", "{")
    (models.folder / "manifests/registry.ollama.ai/library/qwen3/folder").mkdir()
    assert len(ollama.models()) == 5


def test_the_services_models_come_after_the_users(models, tmp_path, random_mamba):
    service = Ollama(tmp_path / "service")
    digest = service.blob(random_mamba)
    service.add("registry.ollama.ai/library/qwen3/4b", (MODEL, digest))
    service.add("registry.ollama.ai/library/served/latest", (MODEL, digest))
    assert ollama.find("served").path == service.folder / "blobs" / f"sha256-{digest}"
    assert ollama.find("qwen3:4b").path.parent == models.folder / "blobs"
    assert len(ollama.models()) == 6


def test_a_folder_that_must_not_be_read_is_named(models, tmp_path, monkeypatch):
    whole = os.scandir

    def refusing(path):
        if str(path).startswith(str(tmp_path / "service")):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert ollama.unreadable() == [tmp_path / "service"]
    assert ollama.find("qwen3:4b").name == "ollama:qwen3:4b"
    with pytest.raises(ModelNotFound, match="cannot be read") as caught:
        ollama.find("served")
    assert "sudo usermod -aG ollama" in caught.value.hint
