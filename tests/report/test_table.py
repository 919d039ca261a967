"""Tables as text: what CSV and Markdown do with texts that mean something to other programs."""

from __future__ import annotations

import csv
import io

import pytest

from localsmc.report import table
from localsmc.report.table import Column, Table

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1,2)",
    '=HYPERLINK("http://localhost:1/?"&A1,"here")',
    '=IMPORTXML("http://localhost:1","//a")',
    "=WEBSERVICE(A1)",
    "  =1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\u00a0=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    '";=1+1',
]


def made(*cells):
    columns = (Column("method", "method"), Column("share", "share", table.percent))
    return Table(name="t", title="T", columns=columns, rows=tuple((cell, 0.5) for cell in cells))


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_csv_file_is_a_formula(formula):
    text = table.csv_text([({}, made(formula, "power-smc:N=16"))])
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    begins_so = not formula.startswith('"')
    assert first["method"] == ("'" if begins_so else "") + table.text(formula)
    assert "=" not in {line.strip()[:1] for line in text.splitlines()}
    assert (second["method"], second["share"]) == ("power-smc:N=16", "0.5")


def test_numbers_below_zero_stay_numbers():
    text = table.csv_text([({}, Table(name="t", title="T", columns=(Column("x", "x"),), rows=((-1.5,),)))])
    assert text == "x\n-1.5\n"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a|b", "a\\|b"),
        ("`x`", "\\`x\\`"),
        ("<b>", "\\<b>"),
        ("1 < 2", "1 < 2"),
        ("2*3*4", "2\\*3\\*4"),
        ("_x_ power_smc", "\\_x\\_ power_smc"),
        ("~~no~~ ~x~", "\\~\\~no\\~\\~ \\~x\\~"),
        ("&lt;b&gt; &#60; a & b", "\\&lt;b\\&gt; \\&#60; a & b"),
        ("[a](b)", "[a]\\(b)"),
        ("a\nb", "a b"),
        ("\\*", "\\\\\\*"),
    ],
)
def test_nothing_in_a_cell_is_markdown(cell, shown):
    row = table.markdown(made(cell)).splitlines()[-1]
    assert row.startswith(f"| {shown} ")


def test_a_value_that_all_rows_share_is_in_the_heading():
    def heading(*counts):
        columns = (Column("problems", "problems", table.count, shared=table.problems),)
        return Table(name="t", title="T", columns=columns, rows=tuple((n,) for n in counts)).heading

    assert [heading(1), heading(2, 2), heading(1, 2)] == ["T, 1 problem", "T, 2 problems", "T"]
