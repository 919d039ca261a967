"""Child processes: messages both ways, noise that is no message, and every way to end."""

import os
import signal

import pytest

from localsmc.system.child_process import ChildProcess, crash_message


def test_messages_go_both_ways_and_noise_is_none_of_them():
    code = (
        "import json, os; print('noise'); os.write(1, b'{\\\"more\\\": 1}\\n');"
        " [replies.send(got=json.loads(line)) for line in sys.stdin]"
    )
    with ChildProcess(code) as child:
        for message in ("text", [1, 2], {"a": None}, "\u2028 \ud800"):
            child.send(message)
            assert child.receive(60.0) == {"got": message}
        assert child.is_alive


def test_the_end_is_none_and_says_why():
    code = "import os; replies.send(last=True); os.write(2, b'a.cpp:1: GGML_ASSERT(x) failed\\n'); os.abort()"
    with ChildProcess(code) as child:
        assert child.receive(60.0) == {"last": True}
        assert child.receive(60.0) is None
        child.send("to nobody")
        child.wait(60.0)
        assert (child.exit_reason, child.crash_message) == ("SIGABRT", "GGML_ASSERT(x) failed")


def test_arguments_and_exit_codes_arrive():
    with ChildProcess("replies.send(all=sys.argv[1:]); raise SystemExit(3)", "a b", "") as child:
        assert child.receive(60.0) == {"all": ["a b", ""]}
        assert child.receive(60.0) is None
        child.wait(60.0)
        assert (child.exit_code, child.exit_reason) == (3, "exit code 3")


def test_a_silent_child_is_a_timeout_and_can_be_stopped_twice():
    with ChildProcess("import time; time.sleep(60)") as child:
        with pytest.raises(TimeoutError):
            child.receive(0.05)
        child.stop()
        assert child.receive(60.0) is None
        assert child.exit_reason == "SIGKILL"


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interrupt_that_is_ignored_never_arrives():
    code = "replies.send(ready=True); replies.send(got=sys.stdin.readline())"
    with ChildProcess(code, ignores_interrupt=True) as child:
        assert child.receive(60.0) == {"ready": True}
        os.kill(child.pid, signal.SIGINT)
        child.send("still here")
        assert child.receive(60.0) == {"got": '"still here"\n'}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "it left no message"),
        (["", "one", "two", " "], "two"),
        (["x.cpp:7: GGML_ASSERT(a == b) failed", "(gdb)"], "GGML_ASSERT(a == b) failed"),
        (["terminate called", "  what():  invalid stoi"], "invalid stoi"),
        (["\x1b[2J"], "\ufffd[2J"),
    ],
)
def test_last_words(lines, words):
    assert crash_message(lines) == words
