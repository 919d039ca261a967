"""Rows of files as people have them: any delimiter and quotes, JSON in its shapes, Parquet, UTF-16, gzip."""

import csv
import gzip
import io
import json
import random

import pytest

from localsmc.errors import TaskError
from localsmc.system.row_files import MISSING, is_missing, read_rows, value_of

ROWS = [
    {"question": "What is 1, 2; or 3?", "answer": "3"},
    {"question": 'Say "hi", then\nadd 2 + 2.', "answer": "4"},
    {"question": r"It's $\frac{1}{2}$ | of 8\t", "answer": "4"},
]


def written(tmp_path, content, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(rows, **dialect):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":", "~", "^", "\x1f"])
@pytest.mark.parametrize(
    ("quoting", "quote"),
    [
        (csv.QUOTE_MINIMAL, '"'), (csv.QUOTE_ALL, '"'), (csv.QUOTE_NONNUMERIC, '"'), (csv.QUOTE_ALL, "'"),
    ],
)  # fmt: skip
def test_what_the_csv_module_writes_is_read_back(tmp_path, delimiter, quoting, quote):
    text = table(ROWS, delimiter=delimiter, quoting=quoting, quotechar=quote)
    assert read_rows(written(tmp_path, text)) == ROWS


def test_random_tables_are_read_back(tmp_path):
    rng, pieces = random.Random(1), ["a", ",", ";", "|", "\t", '"', "\n", " 7", "é", "'", "x=1"]
    for _ in range(150):
        rows = [
            {"question": f"q{''.join(rng.choices(pieces, k=9))}.", "answer": str(rng.randrange(99))}
            for _ in range(rng.randrange(1, 6))
        ]
        text = table(rows, delimiter=rng.choice(",;|"), lineterminator=rng.choice(["\n", "\r\n"]))
        assert read_rows(written(tmp_path, text)) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("\ufeffid;question\r\n1;2,5 + 1?\r\n\r\n;\r\n", [{"id": "1", "question": "2,5 + 1?"}]),
        ("question, answer\n\"1, 2?\", 5\n", [{"question": "1, 2?", "answer": "5"}]),
        ("sep=|\nq,r|a\nx|4\n", [{"q,r": "x", "a": "4"}]),
        ('question\n"one\nproblem"\n', [{"question": "one\nproblem"}]),
        ("question\nWhat is 1, 2 or 3?\n", [{"question": "What is 1, 2 or 3?"}]),
        ("\n \r\nsep=;\r\nquestion;answer\n1?;2\n", [{"question": "1?", "answer": "2"}]),
        ("question;answer;;\n1?;2;;\n", [{"question": "1?", "answer": "2"}]),
        ('question\tanswer\n"Hello" she said\t4\n', [{"question": '"Hello" she said', "answer": "4"}]),
        ('q,a\n"he \\"s, aid\\" x",4\n', [{"q": 'he "s, aid" x', "a": "4"}]),
        ('q,a\n"$\\frac{1}{2}$, ""x""",3\n', [{"q": '$\\frac{1}{2}$, "x"', "a": "3"}]),
        ("'q','a'\n'it, is','4'\n", [{"q": "it, is", "a": "4"}]),
        ("q,a\rx,1\ry,2\r", [{"q": "x", "a": "1"}, {"q": "y", "a": "2"}]),
    ],
)  # fmt: skip
def test_tables_as_programs_write_them(tmp_path, text, rows):
    assert read_rows(written(tmp_path, text)) == rows


def test_a_field_can_be_long_and_the_limit_of_the_csv_module_stays(tmp_path):
    before = csv.field_size_limit()
    [row] = read_rows(written(tmp_path, f"question,answer\n{'x' * 200_000},4\n"))
    assert len(row["question"]) == 200_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Two rows, or four with quotes that mean nothing.
        ('q\ta\nx\t1\n"Foo\t5\nx\t4\nbar"\t7\n', "line 3 of .* begins with a quote that can hide"),
        ("a,b;c\nx,y;z\n", "a table with several delimiters: `,` and `;`"),
        ("q,q\n1,2\n", "two columns of .* have the name `q`"),
        ("q,a\n1,2\n3\n", "line 3 of .* does not have the 2 fields of the first line"),
        ("\n\nq,a\n1,2\n3\n", "line 5 of .* does not have the 2 fields"),
        ("q,a\nx\0y,2\n", "line 2 of .* has a zero byte, so it is not UTF-8"),
        ("sep=;\nq;a\n1;2\n3\n", "line 4 of .* does not have the 2 fields"),
        ('q,a\n"1,2\n', "line 2 of .* is malformed"),
        # A backslash before other characters shows that it is no escape.
        ('q,a\n"\\"x\\", \\frac{1}{2}",3\n', "line 2 of .* is malformed"),
        ("", "has no rows"),
        ("question,answer\n", "has no rows"),
    ],
)  # fmt: skip
def test_tables_that_are_none(tmp_path, text, message):
    with pytest.raises(TaskError, match=message):
        read_rows(written(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_encodings_and_gzip(tmp_path, encoding, is_packed):
    data = table([{"question": "Größe? 1; 2", "answer": "3"}], delimiter="\t").encode(encoding)
    path = written(tmp_path, gzip.compress(data) if is_packed else data, "x.tsv.gz" if is_packed else "x.tsv")
    assert read_rows(path) == [{"question": "Größe? 1; 2", "answer": "3"}]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(("name", "text"), [("x.csv", "question,answer\n1?,2"), ("x.jsonl", '{"q": 1}')])
def test_encodings_that_are_not_read(tmp_path, encoding, name, text):
    with pytest.raises(TaskError, match="line 1 of .* has a zero byte"):
        read_rows(written(tmp_path, text.encode(encoding), name))


def test_gzip_that_is_cut_or_none(tmp_path):
    whole = gzip.compress(b"question,answer\n1,2\n" * 50)
    for data in (whole[:-20], b"question"):
        with pytest.raises(TaskError, match="is not a whole gzip file"):
            read_rows(written(tmp_path, data, "x.csv.gz"))


WANTED = [{"q": "1?", "a": 1}, {"q": "2?", "a": 2}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.json", json.dumps(WANTED)),
        ("x.json", json.dumps({"version": 1, "data": WANTED})),
        ("x.json", json.dumps({"q": ["1?", "2?"], "a": [1, 2]})),
        ("x.json", json.dumps({"q": {"0": "1?", "1": "2?"}, "a": {"0": 1, "1": 2}})),
        ("x.json", "\n".join(map(json.dumps, WANTED))),
        ("x.jsonl", "\r\n".join(map(json.dumps, WANTED)) + "\r\n\r\n"),
        ("x.jsonl", json.dumps(WANTED, indent=1)),
        ("x.ndjson", "\n".join(map(json.dumps, WANTED))),
    ],
)
def test_json_in_its_shapes(tmp_path, name, text):
    assert read_rows(written(tmp_path, text, name)) == WANTED


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", '{"train": [{"q": 1}], "test": [{"q": 2}, {"q": 3}]}', "several lists of rows"),
        ("x.json", '{"train": [{"q": 1}], "test": [{"q": 2}]}', "several lists of rows"),
        ("x.jsonl", '{"q": 1, "q": 2}\n', "line 1 of .*: an object has `q` twice"),
        ("x.jsonl", '{"q": 1}\n{"q": 2\n', "line 2 of .* is not JSON"),
    ],
)  # fmt: skip
def test_json_that_would_be_misread(tmp_path, name, text, message):
    with pytest.raises(TaskError, match=message):
        read_rows(written(tmp_path, text, name))


def test_numbers_stay_as_they_are_written(tmp_path):
    [row] = read_rows(written(tmp_path, '{"a": 0.10, "b": 1e400, "c": NaN, "d": 12}\n', "x.jsonl"))
    assert row == {"a": "0.10", "b": "1e400", "c": None, "d": 12}


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    rows = [{"q": "1?", "a": ["1", "one"], "m": [{"role": "user", "content": "x"}]}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a set.parquet")
    assert read_rows(tmp_path / "a set.parquet") == rows
    with pytest.raises(TaskError, match="is not a readable Parquet file"):
        read_rows(written(tmp_path, b"PAR1", "x.parquet"))
    with pytest.raises(TaskError, match="no file at"):
        read_rows(tmp_path / "none.parquet")


def test_parquet_with_numbers_of_few_bits_and_with_a_name_twice(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    few, path = pyarrow.float32(), tmp_path / "x.parquet"
    columns = {
        "a": pyarrow.array([0.1, None], few),
        "b": pyarrow.array([[0.1, 2.5], None], pyarrow.list_(few)),
        "c": pyarrow.array(
            [{"x_float": 0.3, "y": 0.3}, None], pyarrow.struct([("x_float", few), ("y", pyarrow.float64())])
        ),
        "d": pyarrow.array([0.1, 1 / 3]),
    }
    parquet.write_table(pyarrow.table(columns), path)
    assert read_rows(path) == [
        {"a": 0.1, "b": [0.1, 2.5], "c": {"x_float": 0.3, "y": 0.3}, "d": 0.1},
        {"a": None, "b": None, "c": None, "d": 1 / 3},
    ]
    parquet.write_table(pyarrow.Table.from_arrays([pyarrow.array([1])] * 2, names=["a", "a"]), path)
    with pytest.raises(TaskError, match="two columns of .* have the name `a`"):
        read_rows(path)


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(TaskError, match="needs pyarrow") as caught:
        read_rows(written(tmp_path, b"PAR1", "x.parquet"))
    assert caught.value.hint == "run: pip install 'localsmc[parquet]'"


def test_values_at_paths():
    row = {"doc": {"answers": ["4", "four"]}, "a.b": 1, "n": float("nan")}
    assert value_of(row, "doc.answers.1") == "four"
    assert value_of(row, "a.b") == 1
    assert value_of(row, "doc.answer") is MISSING
    assert is_missing(row["n"])
    assert is_missing(value_of(row, "x"))
    assert not is_missing(0)
