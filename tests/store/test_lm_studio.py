"""Models of LM Studio, in folders as LM Studio writes them."""

import json

import pytest
from model_folders import link

from localsmc.errors import ModelNotFound
from localsmc.store import lm_studio

QWEN = "community/Qwen3-4B-GGUF"
FILES = [
    f"{QWEN}/Qwen3-4B-Q4_K_M.gguf",
    f"{QWEN}/Qwen3-4B-Q8_0.gguf",
    f"{QWEN}/mmproj-Qwen3-4B-f16.gguf",
    "me/big one/big-Q6_K-00001-of-00002.gguf",
    "me/big one/big-Q6_K-00002-of-00002.gguf",
    "me/plain/model.gguf",
    "other/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
    "me/half/half-00001-of-00002.gguf",
    "loose.gguf",
]


@pytest.fixture
def home(tmp_path, monkeypatch, random_llama):
    monkeypatch.setenv("HOME", str(tmp_path))
    for file in FILES:
        link(random_llama, tmp_path / ".lmstudio/models" / file)
    (tmp_path / ".lmstudio/models" / QWEN / "downloading_x.gguf.part").touch()
    return tmp_path


LISTED = [
    f"{QWEN}:Q4_K_M",
    f"{QWEN}:Q8_0",
    "loose.gguf",
    "me/big one:Q6_K",
    "me/plain/model.gguf",
    "other/Qwen3-4B-GGUF:Q4_K_M",
]


def test_the_list_has_models_and_each_name_finds_its_own(home):
    models = lm_studio.models()
    assert [model.name.removeprefix("lmstudio:") for model in models] == LISTED
    for model in models:
        assert lm_studio.find(model.name.removeprefix("lmstudio:")) == model
        assert all(path.is_file() for path in model.paths)
    assert [len(model.paths) for model in models] == [1, 1, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("typed", "file"),
    [
        (FILES[1], FILES[1]),
        (FILES[1].lower(), FILES[1]),
        (QWEN, FILES[0]),
        (f"{QWEN}/", FILES[0]),
        (f"{QWEN}:q8_0", FILES[1]),
        ("community/qwen3-4b-gguf:Q8_0", FILES[1]),
        ("community", FILES[0]),
        ("Qwen3-4B-Q8_0.gguf", FILES[1]),
        ("q8_0", FILES[1]),
        ("big", FILES[3]),
        ("me/big one", FILES[3]),
        (FILES[4], FILES[3]),
        ("plain", FILES[5]),
        ("loose", FILES[8]),
    ],
)
def test_a_model_is_found_by_path_repository_quantization_or_part(home, typed, file):
    assert lm_studio.find(typed).path == home / ".lmstudio/models" / file


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("", "`lmstudio:` names no model", f"Q4_K_M; choose from: lmstudio:{QWEN}:Q4_K_M, "),
        (":Q8_0", "names no model", "choose from: "),
        ("qwen3", "several models that match `qwen3`", f"lmstudio:{QWEN}:Q8_0, lmstudio:other/"),
        ("Qwen3-4B-Q4_K_M.gguf", "several models", f"lmstudio:{QWEN}:Q4_K_M, lmstudio:other/"),
        (f"{QWEN}:Q2_K", f"no quantization `Q2_K` of `{QWEN}`", f"lmstudio:{QWEN}:Q8_0"),
        ("me/plain:Q4_K_M", "no quantization", "lmstudio:me/plain/model.gguf"),
        ("comunity/Qwen3-4B-GGUF:Q8_0", "no model", f"did you mean `lmstudio:{QWEN}:Q8_0`?"),
        ("mmproj-Qwen3-4B-f16.gguf", "no model", "lmstudio:"),
        ("me/half", "no model", "lmstudio:"),
        ("../../x.gguf", "no model", "choose from: "),
        ("x" * 5000, "no model", "choose from: "),
    ],
)
def test_names_of_no_model(home, typed, message, hint):
    with pytest.raises(ModelNotFound) as caught:
        lm_studio.find(typed)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_without_any_model(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert lm_studio.models() == []
    with pytest.raises(ModelNotFound) as caught:
        lm_studio.find("qwen3")
    assert "LM Studio has no models here" in caught.value.hint


def test_the_folders_of_pointer_settings_and_old_versions(home, random_llama, random_mamba):
    """The folder that LM Studio uses now wins, and every folder counts once."""
    link(random_mamba, home / "elsewhere/models/me/plain/model.gguf")
    link(random_llama, home / "big disk/you/repo/new.gguf")
    link(random_llama, home / ".cache/lm-studio/models/old/repo/old.gguf")
    link(random_llama, home / f".cache/lm-studio/models/{QWEN}/Qwen3-4B-Q5_K_M.gguf")
    (home / ".lmstudio-home-pointer").write_text(f"{home}/elsewhere\n")
    (home / "elsewhere/settings.json").write_text(json.dumps({"downloadsFolder": f"{home}/big disk"}))
    (home / "big disk/loop").symlink_to(home / "big disk")
    names = [model.name.removeprefix("lmstudio:") for model in lm_studio.models()]
    more = ["old/repo/old.gguf", "you/repo/new.gguf", f"{QWEN}:Q5_K_M"]
    assert sorted(names) == sorted([*LISTED, *more])
    assert lm_studio.find("me/plain").path == home / "elsewhere/models/me/plain/model.gguf"
    assert lm_studio.find(f"{QWEN}:Q5_K_M").path.is_file()


@pytest.mark.parametrize("text", ["", "/none", "\xff\xfe", "{"])
def test_a_broken_pointer_or_setting_is_no_obstacle(home, text):
    (home / ".lmstudio-home-pointer").write_text(text, encoding="latin-1")
    (home / ".lmstudio/settings.json").write_text(text, encoding="latin-1")
    assert len(lm_studio.models()) == len(LISTED)
