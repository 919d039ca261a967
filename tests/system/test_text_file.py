"""Text files that an option names."""

import os

import pytest

from localsmc.errors import ConfigError
from localsmc.system import text_file


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="the system has no device without an end")
def test_a_file_without_an_end_is_refused():
    with pytest.raises(ConfigError, match="larger than 64 MiB"):
        text_file.read_text("/dev/zero", "the problem", "--file")


@pytest.mark.parametrize(
    ("content", "expected"), [(b"a\n", "a"), (b"\xef\xbb\xbfa\r\n", "a"), (b"a\n\n", "a\n"), (b"", "")]
)
def test_the_newline_that_ends_a_file_is_not_part_of_its_text(content, expected, tmp_path):
    path = tmp_path / "a b.txt"
    path.write_bytes(content)
    assert text_file.read_text(path, "the problem", "--file") == expected


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff", "is not UTF-8 text"), (b"a\0b", "is not text"), (None, "is a folder")]
)
def test_what_is_not_text_is_refused(content, message, tmp_path):
    path = tmp_path / "file"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        text_file.read_text(path, "the problem", "--file")
