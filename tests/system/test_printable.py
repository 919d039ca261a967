"""Texts of others without control characters."""

import json
import sys
import unicodedata

import pytest

from localsmc.system.printable import escaped, one_line, printable

WRITTEN = {
    "no-break space": "Bonjour\u00a0!",
    "narrow no-break space": "12\u202f000",
    "ideographic space": "新しい\u3000フォルダ",
    "zero-width non-joiner": "می\u200cخواهم",
    "zero-width joiner": "👩\u200d💻",
    "private use": "\ue0b0 \U000f0001",
    "soft hyphen": "Wör\u00adter",
    "unassigned": "\u0378",
}
OBEYED = [
    "\x1b",
    "\x9b",
    "\0",
    "\x7f",
    "\n",
    "\r",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u2028",
    "\u2029",
    "\ud800",
]


def test_what_a_terminal_would_obey_is_replaced():
    assert printable("a\x1b\u202eb\x9b\n\0\ud800ü中") == "a\ufffd\ufffdb" + 4 * "\ufffd" + "ü中"
    assert printable("a\n\tb", keep="\n") == "a\n\ufffdb"
    assert printable("a\n\tb", keep="\n", instead=" ") == "a\n b"


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_what_people_write_stays(text):
    assert printable(text) == one_line(text) == escaped(text) == text


@pytest.mark.parametrize("char", OBEYED, ids=ascii)
def test_every_way_to_show_a_text_leaves_out_the_same_characters(char):
    assert printable(f"a{char}b") == "a\ufffdb"
    assert one_line(f"{char}a{char} {char}b{char}") == "a b"
    assert escaped(f"a{char}b") == f"a\\u{ord(char):04x}b"
    assert json.loads(f'"{escaped(char)}"') == char


def test_every_control_character_is_replaced():
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        is_control = unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        is_bidirectional = char in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        assert (printable(char) == "\ufffd") == (is_control or is_bidirectional or char == "\ufffd"), ascii(
            char
        )
