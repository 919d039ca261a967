"""Transcripts survive writing and reading, and invalid files are rejected."""

import json

import pytest

from localsmc.engine import transcript
from localsmc.engine.transcript import Exchange, Transcript
from localsmc.errors import ConfigError, RunError

TALK = Transcript(
    exchanges=(
        Exchange(user="a\nb\u2028\x85\x1c", text="c é", about={"seed": 1, "answers": []}),
        Exchange(user="d", text="e</think>f", instruction="in a box", closing="</think>"),
    ),
    system="be brief",
    model="m.gguf",
)
QUOTING = Transcript(exchanges=(Exchange(user="g", text="a <think> tag", reply="a <think> tag"),))
SEPARATED = Transcript(exchanges=(Exchange(user="a\x85b", text="c\u2028d\u2029\x1e"),))


@pytest.mark.parametrize("talk", [TALK, QUOTING, SEPARATED, Transcript(exchanges=())])
def test_what_is_written_is_read_again(tmp_path, talk):
    path = tmp_path / "new folder" / "talk.jsonl"
    transcript.write(path, talk)
    assert transcript.read(path) == talk
    assert [file.name for file in path.parent.iterdir()] == ["talk.jsonl"]


def test_lines_are_messages_as_everybody_has_them(tmp_path):
    path = tmp_path / "talk.jsonl"
    transcript.write(path, TALK)
    lines = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    assert lines[0] == {"localsmc": "chat", "version": 1, "model": "m.gguf"}
    assert [line["role"] for line in lines[1:]] == ["system", "user", "assistant", "user", "assistant"]
    path.write_text('{"role": "user", "content": "x"}\n\n{"role": "assistant", "content": "y", "z": 1}\n')
    assert transcript.read(path).exchanges == (Exchange(user="x", text="y", about={"z": 1}),)


def test_what_was_said_is_the_text_without_its_reasoning():
    assert [exchange.said for exchange in (*TALK.exchanges, *QUOTING.exchanges)] == [
        "c é",
        "f",
        "a <think> tag",
    ]


def test_what_the_model_saw_has_the_instruction():
    assert [exchange.sent for exchange in TALK.exchanges] == ["a\nb\u2028\x85\x1c", "d\n\nin a box"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"hello", "line 1 is not JSON"),
        (b'{"localsmc": "chat", "version": 2}', "it was written by another version of localsmc"),
        (b"[" * 100_000, "line 1 is not JSON"),
        (b"\n\nhello", "line 3 is not JSON"),
        (b'\n{"role": "tool", "content": "x"}', "line 2 is not a message"),
        (b"[1]", "line 1 is not a JSON object"),
        (b'{"role": "assistant", "content": "x"}', "line 1 is not a message that fits there"),
        (b'{"role": "user", "content": "x"}\n{"role": "user", "content": "y"}', "line 2 is not a message"),
        (b'{"role": "user", "content": 5}', "line 1 is not a message"),
        (b'{"role": "tool", "content": "x"}', "line 1 is not a message"),
        (b'{"role": "user", "content": "x"}\n{"localsmc": "chat"}', "line 2 is not a message"),
    ],
)
def test_what_is_no_transcript_is_refused(tmp_path, text, why):
    path = tmp_path / "talk.jsonl"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=f"is not a transcript: {why}"):
        transcript.read(path)


def test_a_file_that_is_not_there_and_one_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        transcript.read(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        transcript.write(tmp_path / "file" / "talk.jsonl", TALK)


def test_a_name_for_people_is_written_for_people(tmp_path):
    path = tmp_path / "talk.md"
    transcript.write(path, TALK)
    assert path.read_text() == "> a\n> b\u2028\x85\x1c\n\nc é\n\n> d\n\ne</think>f\n"


@pytest.mark.parametrize("name", ["", "none/talk.jsonl", "file/talk.jsonl"])
def test_where_nothing_can_be_written_is_known_before(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written: .* folder"):
        transcript.require_writable(tmp_path / name)
    transcript.require_writable(tmp_path / "talk.jsonl")
