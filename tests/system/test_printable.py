"""Texts of others without control characters."""

from localsmc.system.printable import printable


def test_what_a_terminal_would_obey_is_replaced():
    assert printable("a\x1b\u202eb\x9b\n\0\ud800ü中") == "a\ufffd\ufffdb" + 4 * "\ufffd" + "ü中"
    assert printable("a\n\tb", keep="\n") == "a\n\ufffdb"
