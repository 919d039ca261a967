"""Models on the hub, with a local test hub: names, file choice, cache, downloads and failures."""

import hashlib
import json
import shutil
import threading

import pytest
from loopback_hub import COMMIT, TOKEN, LoopbackHub

import localsmc
from localsmc.errors import ConfigError, DownloadFailed, ModelNotFound, RunError
from localsmc.store import hub
from localsmc.store.hub import Access, HubName, cache, download
from localsmc.store.hub.file_choice import candidates, choose

# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("user/repo", HubName("user/repo")),
        ("user/repo:q4_k_m", HubName("user/repo", "q4_k_m")),
        ("user/repo:UD-Q4_K_XL", HubName("user/repo", "UD-Q4_K_XL")),
        ("user/repo/model.gguf", HubName("user/repo", None, "model.gguf")),
        ("user/repo/Q8_0/a b.gguf", HubName("user/repo", None, "Q8_0/a b.gguf")),
        ("a.b_c-d/e", HubName("a.b_c-d/e")),
        ("hf.co/user/repo:Q8_0", HubName("user/repo", "Q8_0")),
        ("https://huggingface.co/user/repo", HubName("user/repo")),
        ("https://huggingface.co/user/repo/blob/main/x.gguf", HubName("user/repo", None, "x.gguf")),
        ("user", None),
        ("user/model.gguf", None),
        ("./user/repo", None),
        ("../user/repo", None),
        ("/user/repo", None),
        ("~/repo", None),
        ("user/re po", None),
        ("user/repo:", None),
        ("user/repo/x", None),
        ("user/repo/../../x.gguf", None),
        ("us--er/repo", None),
        ("user/re..po", None),
        ("user/repo.git", None),
        ("üser/repo", None),
        ("", None),
    ],
)
def test_names(text, name):
    assert hub.parse(text) == name
    if name is not None:
        assert hub.parse(str(name)) == name


def test_a_repository_and_a_file_are_one_name():
    assert hub.joined("user/repo", None) == "user/repo"
    assert hub.joined("user/repo:q8_0", None) == "user/repo:q8_0"
    assert hub.joined("user/repo:q8_0", "sub/x.gguf") == "user/repo/sub/x.gguf"
    for repo, file in (
        ("user", None),
        ("user/repo/x.gguf", None),
        ("user/repo", "x.bin"),
        ("user/repo", "../x.gguf"),
    ):
        with pytest.raises(ConfigError):
            hub.joined(repo, file)


# --- which file is meant --------------------------------------------------------------------------

MANY = [
    "README.md",
    "m-BF16.gguf",
    "m-IQ4_XS.gguf",
    "m-Q4_K_M.gguf",
    "m-Q8_0.gguf",
    "m-UD-Q4_K_XL.gguf",
    "m.fp16.gguf",
    "mmproj-F16.gguf",
    "m-imatrix.gguf",
    "mtp-m-Q4_K_M.gguf",
    "big/m-Q6_K-00001-of-00002.gguf",
    "big/m-Q6_K-00002-of-00002.gguf",
    "m-Q5_K_M-00001-of-00002.gguf",
]


@pytest.mark.parametrize(
    ("wanted", "files", "found"),
    [
        ("r/r", MANY, "m-Q4_K_M.gguf"),
        ("r/r:Q4_K_M", MANY, "m-Q4_K_M.gguf"),
        ("r/r:q4_k_m", MANY, "m-Q4_K_M.gguf"),
        ("r/r:iq4_xs", MANY, "m-IQ4_XS.gguf"),
        ("r/r:UD-Q4_K_XL", MANY, "m-UD-Q4_K_XL.gguf"),
        ("r/r:q4_k_xl", MANY, "m-UD-Q4_K_XL.gguf"),
        ("r/r:f16", MANY, "m.fp16.gguf"),
        ("r/r:FP16", MANY, "m.fp16.gguf"),
        ("r/r:bf16", MANY, "m-BF16.gguf"),
        ("r/r:Q6_K", MANY, "big/m-Q6_K-00001-of-00002.gguf"),
        ("r/r:Q5_K_M", MANY, None),  # a part is missing
        ("r/r:Q4_K", MANY, None),
        ("r/r:Q4", MANY, None),
        ("r/r/mmproj-F16.gguf", MANY, "mmproj-F16.gguf"),
        ("r/r/M-q8_0.GGUF", MANY, "m-Q8_0.gguf"),
        ("r/r/big/m-Q6_K-00002-of-00002.gguf", MANY, "big/m-Q6_K-00001-of-00002.gguf"),
        ("r/r/none.gguf", MANY, None),
        ("r/r", ["m-Q8_0.gguf", "m-BF16.gguf"], "m-Q8_0.gguf"),
        ("r/r", ["b-Q2_K.gguf", "a-Q3_K_L.gguf"], "a-Q3_K_L.gguf"),
        ("r/r", ["sub/a.gguf", "b.gguf"], "b.gguf"),
        ("r/r", ["lora-a.gguf", "model-draft.gguf", "x.gguf"], "x.gguf"),
        ("r/r", ["model-draft-Q8_0.gguf"], "model-draft-Q8_0.gguf"),
        ("r/r", ["mmproj-x.gguf"], None),
        ("r/r", [], None),
        ("r/r:Q4_K_M", ["Q4_K_M/m-00001-of-00001.gguf"], "Q4_K_M/m-00001-of-00001.gguf"),
        ("r/r:Q4_K_M", ["m.Q4_K_M.gguf"], "m.Q4_K_M.gguf"),
        ("r/r:Q4_K_M", ["m_q4_k_m.gguf"], "m_q4_k_m.gguf"),
        ("r/r:MXFP4", ["m-mxfp4.gguf"], "m-mxfp4.gguf"),
        ("r/r:special", ["m-special.gguf", "n.gguf"], "m-special.gguf"),
        ("r/r:Q8_0", ["qwen-q4_k_m.gguf", "qwen-q8_0.gguf"], "qwen-q8_0.gguf"),
    ],
)
def test_the_file_that_a_name_means(wanted, files, found):
    chosen = choose(hub.parse(wanted), files)
    assert (chosen and chosen.file) == found
    assert choose(hub.parse(wanted), reversed(files)) == chosen


def test_quantizations_are_told_by_the_names_of_files():
    assert [one.quantization for one in candidates(MANY)] == [
        "BF16", "IQ4_XS", "Q4_K_M", "Q8_0", "UD-Q4_K_XL", "F16", "Q6_K",
    ]  # fmt: skip


# --- where the cache is ---------------------------------------------------------------------------

FOLDERS = {
    "LLAMA_CACHE": "/llama",
    "HF_HUB_CACHE": "/hub cache",
    "HUGGINGFACE_HUB_CACHE": "/old",
    "HF_HOME": "/home",
    "XDG_CACHE_HOME": "/xdg",
}


def test_the_cache_is_where_llama_cpp_has_it(monkeypatch, tmp_path):
    for name, value in FOLDERS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = ["/llama", "/hub cache", "/old", "/home/hub", "/xdg/huggingface/hub"]
    for name, folder in zip(FOLDERS, expected, strict=True):
        assert str(cache.folder()) == folder
        assert str(cache.folder(is_llamas=False)) == (folder if folder != "/llama" else "/hub cache")
        monkeypatch.setenv(name, "")
    assert cache.folder() == tmp_path / ".cache/huggingface/hub"


# --- a hub of our own -----------------------------------------------------------------------------

SMALL = b"GGUF" + bytes(range(256)) * 8
OTHER = SMALL[::-1]
ONE = HubName("user/one-GGUF")


@pytest.fixture(scope="module")
def session():
    """One for all tests: making it costs more than a download here."""
    from huggingface_hub.utils import close_session

    yield
    close_session()


@pytest.fixture
def server(tmp_path, monkeypatch, session):
    files = {
        "user/one-GGUF/one-Q4_K_M.gguf": SMALL,
        "user/one-GGUF/one-Q8_0.gguf": OTHER,
        "user/one-GGUF/README.md": b"read me",
        "user/split-GGUF/s-Q4_K_M-00001-of-00003.gguf": SMALL,
        "user/split-GGUF/s-Q4_K_M-00002-of-00003.gguf": OTHER,
        "user/split-GGUF/s-Q4_K_M-00003-of-00003.gguf": SMALL + OTHER,
        "user/none/config.json": b"{}",
    }
    for name, data in files.items():
        path = tmp_path / "hub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    server = LoopbackHub(tmp_path / "hub")
    for name, value in server.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    from huggingface_hub import constants

    # Read when huggingface_hub is imported: a developer's own must not be sent.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(download, "WAITS", (0.0, 0.0))
    with server.running():
        yield server


def asked_for_files(server):
    return [request for request in server.requests if "/resolve/" in request]


def blobs(name=ONE):
    return {path.name for path in (cache.folder() / name.repository.folder / "blobs").iterdir()}


def test_what_is_downloaded_is_read_by_huggingface_hub_and_not_asked_for_again(server):
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    found = hub.find_model(ONE)
    assert found.path.read_bytes() == SMALL
    assert (str(found.name), found.quantization) == ("user/one-GGUF/one-Q4_K_M.gguf", "Q4_K_M")
    assert server.requests == [
        "GET /api/models/user/one-GGUF/revision/main",
        f"GET /user/one-GGUF/resolve/{COMMIT}/one-Q4_K_M.gguf",
    ]
    assert try_to_load_from_cache("user/one-GGUF", "one-Q4_K_M.gguf", cache.folder()) == str(found.path)
    scanned = scan_cache_dir(cache.folder())
    assert not scanned.warnings
    (repository,) = scanned.repos
    assert (repository.repo_id, repository.size_on_disk, set(repository.refs)) == (
        "user/one-GGUF", len(SMALL), {"main"},
    )  # fmt: skip
    assert found.path.resolve().name == hashlib.sha256(SMALL).hexdigest()

    server.requests.clear()
    for name in "user/one-GGUF", "user/one-GGUF:q4_k_m", "user/one-GGUF/ONE-q4_k_m.gguf":
        assert hub.find_model(hub.parse(name)).path == found.path
        assert hub.find_model(hub.parse(name), Access(offline=True)).path == found.path
    assert server.requests == []


def test_what_huggingface_hub_downloaded_is_found(server):
    folder = cache.folder() / "models--user--one-GGUF"
    snapshot = folder / "snapshots" / COMMIT
    (folder / "refs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (folder / "refs/main").write_text(COMMIT)
    (snapshot / "x-Q8_0.gguf").write_bytes(SMALL)
    older = folder / "snapshots" / ("0" * 40)
    older.mkdir()
    (older / "x-Q8_0.gguf").write_bytes(OTHER)
    (older / "x-Q2_K.gguf").write_bytes(OTHER)
    assert hub.find_model(ONE).path == snapshot / "x-Q8_0.gguf"
    assert hub.find_model(HubName("user/one-GGUF", "q2_k")).path == older / "x-Q2_K.gguf"
    assert [str(model.name) for model in cache.models()] == ["user/one-GGUF:Q8_0", "user/one-GGUF:Q2_K"]
    assert server.requests == []


def test_a_cache_in_disorder_is_read_as_far_as_it_goes(server):
    for name in (
        "models--a--b/refs/main/x",
        "models--a--b/snapshots/s/b-Q4_K_M.gguf",
        "models--a--b/snapshots/s/folder.gguf/x",
        "models--c--d/snapshots",
        "models--e--f",
        "models--g/snapshots/s/g.gguf",
        "models--h--i--j/snapshots/s/h.gguf",
        "models--k--l/refs/main",
        "datasets--m--n/snapshots/s/m.gguf",
    ):
        path = cache.folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xfe")
    broken = cache.folder() / "models--k--l/snapshots/s/k-Q4_K_M.gguf"
    broken.parent.mkdir(parents=True)
    broken.symlink_to("../../blobs/none")
    assert [str(model.name) for model in cache.models()] == ["a/b:Q4_K_M"]
    assert cache.find(HubName("k/l")) is None


def test_progress_is_told_and_ends_with_the_check(server):
    told = []
    hub.find_model(ONE, Access(progress=told.append))
    assert (told[0].step, told[0].done, told[0].total) == ("downloading", 0, len(SMALL))
    assert (told[-1].step, told[-1].done) == ("checking", len(SMALL))
    assert {one.file for one in told} == {"one-Q4_K_M.gguf"}


def test_a_download_goes_on_after_the_line_broke(server):
    server.cut_after = [1000, 0, 500]
    assert hub.find_model(ONE).path.read_bytes() == SMALL
    ranges = [request.partition(".gguf")[2] for request in asked_for_files(server)]
    assert ranges == ["", " bytes=1000-", " bytes=1000-", " bytes=1500-"]


def test_what_came_before_giving_up_is_not_asked_for_again(server):
    server.cut_after = [1000, 0, 0, 0]
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        hub.find_model(ONE)
    assert cache.find(ONE) is None
    assert [path.stat().st_size for path in cache.partials(ONE)] == [1000]
    server.requests.clear()
    assert hub.find_model(ONE).path.read_bytes() == SMALL
    assert asked_for_files(server)[0].endswith(".gguf bytes=1000-")
    assert cache.partials(ONE) == []


def test_a_server_that_always_begins_again_is_understood(server):
    server.has_ranges = False
    server.cut_after = [1000]
    assert hub.find_model(ONE).path.read_bytes() == SMALL


def test_a_damaged_file_is_deleted_and_said(server):
    server.damaged.add("one-Q4_K_M.gguf")
    with pytest.raises(DownloadFailed, match="`one-Q4_K_M.gguf` is corrupt"):
        hub.find_model(ONE)
    assert blobs() == set()
    server.damaged.clear()
    assert hub.find_model(ONE).path.read_bytes() == SMALL


@pytest.mark.parametrize("left", [b"wrong" * 10, SMALL + b"more", OTHER])
def test_what_an_earlier_download_left_is_not_trusted(server, left):
    folder = cache.folder() / ONE.repository.folder / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{hashlib.sha256(SMALL).hexdigest()}.incomplete").write_bytes(left)
    if len(left) <= len(SMALL):
        with pytest.raises(DownloadFailed, match="is corrupt"):
            hub.find_model(ONE)
    assert hub.find_model(ONE).path.read_bytes() == SMALL


def test_all_parts_of_a_split_model_are_taken(server):
    name = HubName("user/split-GGUF")
    server.cut_after = [len(SMALL), 100, 0, 0, 0]
    with pytest.raises(DownloadFailed):
        hub.find_model(name)
    assert cache.find(name) is None
    server.requests.clear()
    found = hub.find_model(name)
    assert found.path.name == "s-Q4_K_M-00001-of-00003.gguf"
    assert [path.read_bytes() for path in found.paths] == [SMALL, OTHER, SMALL + OTHER]
    assert [request.partition("M-")[2] for request in asked_for_files(server)] == [
        "00002-of-00003.gguf bytes=100-", "00003-of-00003.gguf",
    ]  # fmt: skip
    assert [str(model.name) for model in cache.models()] == ["user/split-GGUF:Q4_K_M"]


def test_two_at_once_download_it_once(server):
    server.gate.clear()
    waiting, found = threading.Event(), []

    def pull(progress=None):
        found.append(hub.find_model(ONE, Access(progress=progress)))

    def watch(transfer):
        if transfer.step == "waiting":
            waiting.set()

    first, second = threading.Thread(target=pull), threading.Thread(target=pull, args=(watch,))
    first.start()
    assert server.reached.wait(20)
    second.start()
    assert waiting.wait(20)
    server.gate.set()
    first.join()
    second.join()
    assert [one.path.read_bytes() for one in found] == [SMALL, SMALL]
    assert len(asked_for_files(server)) == 1


def test_a_hub_that_falls_silent_is_given_up(server, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    monkeypatch.setattr(download, "WAITS", ())
    server.gate.clear()
    with pytest.raises(DownloadFailed, match="cannot be reached: .*timed out"):
        hub.find_model(ONE)
    assert [path.stat().st_size for path in cache.partials(ONE)] == [len(SMALL) // 2]


# --- what the hub refuses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error", "message", "hint"),
    [
        ("user/unknown", ModelNotFound, "the hub has no repository `user/unknown`", "HF_TOKEN"),
        ("user/none", ModelNotFound, "`user/none` has no GGUF model", "-GGUF"),
        ("user/one-GGUF:Q3_K", ModelNotFound, "has no quantization `Q3_K`", "choose from: Q4_K_M, Q8_0"),
        ("user/one-GGUF/x.gguf", ModelNotFound, "has no file `x.gguf`", "one-Q4_K_M.gguf, one-Q8_0.gguf"),
    ],
)
def test_names_that_the_hub_does_not_know(server, name, error, message, hint):
    with pytest.raises(error, match=message) as caught:
        hub.find_model(hub.parse(name))
    assert hint in caught.value.hint
    assert not cache.folder().exists()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ([401], "the hub requires a token"),
        ([403], "the token does not give access to `user/one-GGUF`"),
        ([404], "the hub cannot find"),
        ([429], "too many requests"),
        ([500], "the hub returned status 500"),
        ([200, 401], "the hub requires a token, or rejects this one"),
        ([200, 404], "the hub cannot find"),
        ([200, 503, 503, 503, 503], "the hub returned status 503"),
    ],
)
def test_answers_of_the_hub(server, status, message):
    server.status = list(status)
    with pytest.raises((ModelNotFound, DownloadFailed), match=message) as caught:
        hub.find_model(ONE)
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_a_hub_with_too_much_to_do_is_asked_again(server):
    server.status = [200, 503, 429]
    assert hub.find_model(ONE).path.read_bytes() == SMALL


def test_a_password_in_the_hubs_address_is_not_shown(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://me:secret@127.0.0.1:9")
    with pytest.raises(DownloadFailed) as caught:
        hub.find_model(ONE)
    assert "http://127.0.0.1:9 cannot be reached" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_gated_repository_needs_a_token(server, monkeypatch):
    server.gated.add("user/one-GGUF")
    with pytest.raises(DownloadFailed, match="requires you to accept its terms") as caught:
        hub.find_model(ONE)
    assert f"{server.url}/user/one-GGUF" in caught.value.hint
    with pytest.raises(DownloadFailed, match="the hub requires a token, or rejects this one"):
        hub.find_model(ONE, Access(token="hf_wrong"))
    with pytest.raises(ConfigError, match="contains invalid characters"):
        hub.find_model(ONE, Access(token="hf wrong"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert hub.find_model(ONE).path.read_bytes() == SMALL


def test_a_token_in_the_usual_file_is_used(server, tmp_path):
    server.gated.add("user/one-GGUF")
    (tmp_path / "no token").write_text(f"{TOKEN}\n")
    assert hub.find_model(ONE).path.read_bytes() == SMALL


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_nothing_is_asked_for_offline(server, monkeypatch, variable):
    hub.find_model(HubName("user/one-GGUF", "Q8_0"))
    server.requests.clear()
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(ModelNotFound, match="offline mode is on") as caught:
        hub.find_model(HubName("user/one-GGUF", "Q4_K_M"), Access(offline=variable is None))
    assert "choose from: user/one-GGUF:Q8_0" in caught.value.hint
    # A bare repository is whatever is there.
    assert hub.find_model(ONE, Access(offline=variable is None)).quantization == "Q8_0"
    assert server.requests == []


@pytest.mark.parametrize(
    ("endpoint", "error", "message"),
    [
        ("http://127.0.0.1:1", DownloadFailed, "http://127.0.0.1:1 cannot be reached: .*refused"),
        ("{url}/elsewhere", ModelNotFound, "cannot find"),
        ("huggingface.co", ConfigError, "is `huggingface.co`, which is not a URL"),
        ("http://[::1", ConfigError, "not a URL"),
        ("ftp://x", ConfigError, "not a URL"),
    ],
)
def test_addresses_that_are_no_hub(server, monkeypatch, endpoint, error, message):
    monkeypatch.setenv("HF_ENDPOINT", endpoint.format(url=server.url))
    with pytest.raises(error, match=message):
        hub.find_model(ONE)


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[]", b'{"sha": "x", "siblings": []}', b'{"sha": "' + b"0" * 40 + b'", "siblings": [{}]}'],
)
def test_answers_that_are_none_of_a_hub(server, answer):
    server.listing = answer
    with pytest.raises(DownloadFailed, match="does not respond like a Hugging Face hub"):
        hub.find_model(ONE)


# --- the disk -------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_said_before_anything_is_downloaded(server, monkeypatch):
    usage = type("Usage", (), {"free": len(SMALL) - 1})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RunError, match="the download needs") as caught:
        hub.find_model(ONE)
    assert "localsmc models rm" in caught.value.hint
    assert asked_for_files(server) == []


def test_a_cache_that_cannot_be_written_is_said(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file"))
    with pytest.raises(RunError, match="cannot be written: Not a directory"):
        hub.find_model(ONE)


# --- taking away ----------------------------------------------------------------------------------


def test_a_model_is_deleted_with_what_nothing_else_uses(server, tmp_path):
    (tmp_path / "hub/user/one-GGUF/copy-Q6_K.gguf").write_bytes(SMALL)
    first, copy, other = (
        hub.find_model(HubName("user/one-GGUF", label)) for label in ("Q4_K_M", "Q6_K", "Q8_0")
    )
    assert len(blobs()) == 2
    cache.remove(first)
    assert len(blobs()) == 2
    assert copy.path.read_bytes() == SMALL
    cache.remove(copy)
    assert len(blobs()) == 1
    assert other.path.read_bytes() == OTHER
    cache.remove(other)
    assert not (cache.folder() / ONE.repository.folder).exists()
    assert cache.models() == []


def test_a_split_model_is_deleted_whole(server):
    cache.remove(hub.find_model(HubName("user/split-GGUF")))
    assert cache.models() == []
    assert not list(cache.folder().glob("models--*"))


def no_links(*_, **__):
    raise OSError("no links here")


def test_where_there_are_no_links_the_parts_that_are_there_need_no_room(server, monkeypatch):
    monkeypatch.setattr("pathlib.Path.symlink_to", no_links)
    server.cut_after = [len(SMALL), 100, 0, 0, 0]
    with pytest.raises(DownloadFailed):
        hub.find_model(HubName("user/split-GGUF"))
    usage = type("Usage", (), {"free": len(OTHER) - 100 + len(SMALL + OTHER)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert len(hub.find_model(HubName("user/split-GGUF")).paths) == 3


def test_where_there_are_no_links_there_is_one_copy_all_the_same(server, monkeypatch):
    monkeypatch.setattr("pathlib.Path.symlink_to", no_links)
    found = hub.find_model(ONE)
    assert found.path.read_bytes() == SMALL
    assert not found.path.is_symlink()
    assert blobs() == set()
    assert hub.find_model(ONE).path == found.path
    cache.remove(found)
    assert cache.models() == []


# --- from Python ----------------------------------------------------------------------------------


def test_a_model_of_the_hub_is_loaded_by_its_name(server, tmp_path, random_llama):
    folder = tmp_path / "hub/user/random-GGUF"
    folder.mkdir()
    shutil.copy(random_llama, folder / "random-F32.gguf")
    with localsmc.load("user/random-GGUF:f32") as model:
        assert model.header.name == "random llama"
        assert model.source.sha256 == hashlib.sha256(random_llama.read_bytes()).hexdigest()


def test_files_with_strange_names_are_none(server):
    sha, files = (
        "0" * 64,
        (
            "../up.gguf",
            "/root.gguf",
            "C:/x.gguf",
            "a\\b.gguf",
            "a\x1b[31m.gguf",
            "a\u202eb.gguf",
            "good.gguf",
            "良い\u3000x.gguf",
        ),
    )
    entries = [
        {"rfilename": file, "size": 1, "blobId": "0" * 40, "lfs": {"size": 1, "sha256": sha}}
        for file in files
    ]
    server.listing = json.dumps({"sha": COMMIT, "siblings": entries}).encode()
    with pytest.raises(ModelNotFound) as caught:
        hub.find_model(hub.parse("user/one-GGUF/none.gguf"))
    assert caught.value.hint == "choose from: good.gguf, 良い\u3000x.gguf"


def test_a_token_is_not_given_to_another_server(server, tmp_path):
    """The hub sends large files from elsewhere."""
    with LoopbackHub(tmp_path / "hub").running() as elsewhere:
        server.elsewhere = elsewhere.url
        assert hub.find_model(ONE, Access(token=TOKEN)).path.read_bytes() == SMALL
        assert len(elsewhere.requests) == 1
        assert elsewhere.tokens == [""]
        assert set(server.tokens) == {TOKEN}
