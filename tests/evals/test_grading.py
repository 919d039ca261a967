"""Grading: a table with one row per bug found, and a worker process that survives every answer."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from localsmc.errors import ConfigError, TaskError
from localsmc.evals.grading import GRADERS, Grade, Grader, benchmark
from localsmc.system.child_process import ChildProcess

PATIENCE = 60.0
"""Seconds for an answer that has a verdict: tests share the machine."""

MATH = [
    # numbers
    ("15", "1.5", "wrong"),
    ("5", "-5", "wrong"),
    ("12", "1,2", "wrong"),
    ("12", "(1,2)", "wrong"),
    (r"\frac{14}{3}", "14/3", "right"),
    (r"\frac43", r"\dfrac{4}{3}", "right"),
    (r"\frac 59", "5/9", "right"),
    (r"\frac{1}{3}", "0.333", "wrong"),  # exact, not rounded
    (r"\frac{-3}{-4}", "0.75", "right"),
    (r"1\frac{4}{5}", "9/5", "right"),
    (r"137 \frac{1}{2}", "137.5", "right"),
    ("1,234", "1234", "right"),
    ("(1,234)", "1234", "wrong"),  # a pair
    ("100,200,300", "100, 200, 300", "right"),  # a list after all
    (r"10,\!080", "10,080", "right"),
    (r"11,\! 111,\! 111,\! 100", "11111111100", "right"),
    (".0000672", r"6.72 \times 10^{-5}", "right"),
    (".0000672", ".000067", "wrong"),  # math-verify rounds to six decimals
    (r"5 \cdot 10^{-20}", r"6 \cdot 10^{-20}", "wrong"),  # math-verify: a difference of 0
    ("1024", "2^10", "right"),
    # units
    (r"\$32,\!348", "32348", "right"),
    (r"\$18.90", "18.9 dollars", "right"),
    (r"\$18.90", "1890 cents", "wrong"),
    (r"5.4 \text{ cents}", "5.4", "right"),
    (r"5.4 \text{ cents}", "5.4 dollars", "wrong"),
    (r"15\mbox{ cm}^2", "15 square centimeters", "right"),
    (r"15\mbox{ cm}^2", "15 cm", "wrong"),
    (r"864 \mbox{ inches}^2", r"864 \text{ in}^2", "right"),
    (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}^\circ", "right"),
    (r"90^\circ", "90°", "right"),
    ("5", "5 apples", "right"),
    ("5", "5 m", "right"),
    ("5m", "5", "wrong"),
    ("3t", "3", "wrong"),  # math-verify takes t for a unit
    ("50", r"50\%", "right"),
    ("0.5", r"50\%", "right"),
    (r"50\%", "0.05", "wrong"),
    # bases
    ("4210_{5}", "4210_5", "right"),
    ("52_8", r"52_{\text{eight}}", "right"),
    ("52_8", "52", "right"),
    ("52_8", "52_9", "wrong"),  # math-verify ignores the subscript
    ("52_8", "42", "wrong"),
    # words and letters
    (r"\text{east}", "East", "right"),
    (r"\text{east}", "west", "wrong"),  # both are units to math-verify
    ("even", "odd", "wrong"),
    (r"\text{(C)}", "C", "right"),
    ("C", r"\text{(C)}", "right"),
    (r"\text{(C)}", "D", "wrong"),
    ("A", "B", "wrong"),
    # names and equations
    ("x=5", "5", "right"),
    ("5", "x = 5", "right"),
    ("x=5", "y=5", "wrong"),
    ("x=5", "5 = x", "right"),
    ("x=5", "2x=10", "right"),
    ("5", "x = 2 + 3 = 5", "right"),
    ("5", "x = 4 + 3 = 5", "wrong"),
    ("5", "x + 1 = 5", "wrong"),
    (r"\frac{20000}{\pi}", r"r = 20000/\pi \approx 6366", "right"),
    ("y = 2x + 3", "2x+3", "right"),
    ("y = 2x + 3", "y - 2x = 3", "right"),
    ("5x - 7y + 4 = 0", "10x - 14y + 8 = 0", "right"),
    ("5x - 7y + 4 = 0", "5x - 7y = 4", "wrong"),
    ("f'(x)", "f(x)", "wrong"),  # math-verify drops quotes
    # formulas
    ("2k+2", "2(k+1)", "right"),
    ("p - q", "q - p", "wrong"),
    (r"\frac{3\sqrt{3}}{4}", "(3*sqrt(3))/4", "right"),
    (r"11\sqrt2", "11√2", "right"),
    (r"288 \pi", "288π", "right"),
    (r"\cot x", r"\frac{\cos x}{\sin x}", "right"),
    ("6 - 5i", "-i(5+6i)", "right"),
    ("6 - 5i", "6 + 5i", "wrong"),
    ("R^2 - r^2", "0", "wrong"),  # math-verify reads small letters only
    # lists, tuples, intervals, matrices
    ("1,-2", "x = -2 or x = 1", "right"),
    ("1,-2", r"\{-2, 1\}", "right"),
    ("1,-2", "1", "wrong"),
    ("(6,31,-1)", "(31,6,-1)", "wrong"),
    ("(1,2)", "(x,y) = (1,2)", "right"),
    ("(1,2)", "x=1, y=2", "right"),
    (r"1 \pm \sqrt{19}", r"1-\sqrt{19}, 1+\sqrt{19}", "right"),
    (r"1 \pm \sqrt{19}", r"1+\sqrt{19}", "wrong"),
    ("(3,4]", r"\left(3, 4\right]", "right"),
    ("(3,4]", "(3,4)", "wrong"),
    (r"x \in [-2,7]", r"-2 \le x \le 7", "right"),
    (r"x \in [-2,7]", r"-2 \le x < 7", "wrong"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty)\cup(-\infty,2)", "right"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty)\cup(-\infty,2]", "wrong"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty,2)\cup(3,\infty]", "wrong"),  # SymPy: the same
    (r"(0,9) \cup (9,36)", r"(0,36) \setminus \{9\}", "right"),
    # "\\ 2" was read as a backslash and a thin space
    (r"\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix}", r"\begin{bmatrix}-\frac13\\\frac23\end{bmatrix}", "right"),
    (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "wrong"),
    # wrapping
    ("5", r"So it is \boxed{5}", "right"),
    ("5", r"The answer is \( 5 \).", "right"),
    ("5", "$5$", "right"),
    # what nobody can tell
    ("", "5", "failed"),
    (r"\begin{foo}", "5", "failed"),
    ("5", "", "wrong"),
    ("5", "I do not know", "wrong"),
]

OTHERS = [
    ("numeric", "18", "$18.00 per day", "right"),
    ("numeric", "1,875", "x = 1875", "right"),
    ("numeric", "5", "16 - 3 - 8 = 5 eggs", "right"),
    ("numeric", "25", "25%", "right"),
    ("numeric", "033", "33", "right"),
    ("numeric", "2.5", "2 1/2", "right"),
    ("numeric", "18", "1.8", "wrong"),
    ("numeric", "5", "5 hours 30 minutes", "wrong"),  # two numbers are none
    ("numeric", "2", "2^{10}", "wrong"),
    ("numeric", "5", "-5", "wrong"),
    ("numeric", "5", "5e3", "wrong"),
    ("numeric", "east", "5", "failed"),
    ("exact", r"\text{cat}", " cat ", "right"),
    ("exact", "cat", "Cat", "right"),
    ("exact", "Paris", '"Paris."', "right"),
    ("exact", "cat", "cats", "wrong"),
    ("exact", "0.5", "1/2", "wrong"),
    ("exact", "", "cat", "failed"),
    ("choice", "C", "(C)", "right"),
    ("choice", "C", "C.", "right"),
    ("choice", "(C)", r"\text{(C)}", "right"),
    ("choice", "C", "Answer: C", "right"),
    ("choice", "J", "(J) because", "right"),
    ("choice", "C", "D", "wrong"),
    ("choice", "A", "A cat sat", "wrong"),
    ("choice", "A", "A or B", "wrong"),
    ("choice", "42", "A", "failed"),
]

HOSTILE = [
    "\0", "5\0", "\ud800", "答案", "}{", "{" * 300, "(" * 300, "$" * 1000, "9" * 10_000, "x" * 100_000,
    r"\boxed{" * 5000, "answer is " * 5000, "answer: " + " " * 50_000, r"\frac{1}{0}", r"\frac" * 70,
    "," * 390,
    r"\sqrt(" * 60, r"\begin{array} 1", r"\infty", "\\", "_", "=" * 300, "\n" * 300, "5" + "'" * 300,
]  # fmt: skip


@pytest.fixture(scope="module")
def math():
    with Grader("math", PATIENCE) as grader:
        yield grader


@pytest.mark.parametrize(("gold", "answer", "verdict"), MATH)
def test_math(math, gold, answer, verdict):
    assert math.grade(answer, gold).verdict == verdict


@pytest.mark.parametrize(("name", "gold", "answer", "verdict"), OTHERS)
def test_other_graders(name, gold, answer, verdict):
    assert GRADERS[name].grade(answer, gold).verdict == verdict


@pytest.mark.parametrize("answer", HOSTILE, ids=[ascii(text[:12]) for text in HOSTILE])
def test_an_odd_answer_is_wrong(math, answer):
    assert math.grade(answer, "7").verdict == "wrong"
    for name in ("numeric", "exact", "choice"):
        assert GRADERS[name].grade(answer, "7" if name != "choice" else "C").verdict == "wrong"


def test_ten_thousand_digits_equal_themselves(math):
    assert math.grade("9" * 10_000, "9" * 10_000).is_right


def test_no_answer_is_wrong(math):
    assert math.grade(None, "7") == Grade("wrong", "there is no answer")


def test_an_answer_that_never_ends_costs_its_own_verdict_only():
    with Grader("math", limit=PATIENCE) as grader:
        assert grader.grade("5.5", "5.5").is_right
        grader.limit = 0.5
        endless = r"\int_0^1 \sin(x^{x^{x}}) e^{x^2} dx"
        assert grader.grade(endless, r"\sqrt{5}") == Grade("failed", "took longer than 0.5 s")
        grader.limit = PATIENCE
        assert grader.grade("5.5", "5.5").is_right


class TestWorker:
    """Of the numeric grader, which starts at once."""

    def test_one_process_grades_many_answers(self):
        with Grader("numeric") as grader:
            pids = set()
            for i in range(20):
                assert grader.grade(str(i), "7").is_right == (i == 7)
                pids.add(grader._worker.pid)
        assert len(pids) == 1

    def test_killed_between_two_answers_it_is_replaced(self):
        with Grader("numeric", PATIENCE) as grader:
            grader.grade("7.5", "7.5")
            os.kill(grader._worker.pid, signal.SIGKILL)
            wait_until_dead(grader._worker)
            assert grader.grade("7.5", "7.5").is_right

    @pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal that stops a process")
    def test_killed_while_it_grades_is_a_failure(self):
        with Grader("numeric", PATIENCE) as grader:
            grader.grade("7.5", "7.5")
            os.kill(grader._worker.pid, signal.SIGSTOP)  # it cannot answer before it dies
            threading.Timer(0.2, os.kill, (grader._worker.pid, signal.SIGKILL)).start()
            assert grader.grade("7.5", "7.5") == Grade("failed", "the grading process died")
            assert grader.grade("7.5", "7.5").is_right

    def test_ctrl_c_does_not_reach_it(self):
        with Grader("numeric", PATIENCE) as grader:
            grader.grade("7.5", "7.5")
            pid = grader._worker.pid
            os.kill(pid, signal.SIGINT)
            assert grader.grade("7.5", "7.5").is_right
            assert grader._worker.pid == pid

    def test_any_thread_may_grade(self):
        verdicts = []
        with Grader("numeric", PATIENCE) as grader:

            def grade(i):
                verdicts.append(grader.grade(f"{i}.5", f"{i}.5").verdict)

            threads = [threading.Thread(target=grade, args=(i,)) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert verdicts == ["right"] * 8

    def test_closing_ends_it(self):
        with Grader("numeric", PATIENCE) as grader:
            grader.grade("7.5", "7.5")
            worker = grader._worker
        assert not worker.is_alive

    @pytest.mark.skipif(os.name != "posix", reason="asks by signal whether a process lives")
    def test_it_ends_with_its_parent(self):
        code = (
            "import os, signal; from localsmc.evals.grading import Grader; grader = Grader('numeric', 60.0);"
            "grader.grade('1.5', '1.5'); print(grader._worker.pid, flush=True);"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        assert has_ended(int(printed(code)))

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory cannot be limited")
    def test_its_memory_is_limited(self):
        code = (
            "from localsmc.evals.grading import worker; worker.limit_memory(worker.MEMORY); import sys\n"
            "try: bytearray(worker.MEMORY)\n"
            "except MemoryError: print('limited')"
        )
        assert printed(code) == "limited\n"

    def test_nothing_that_a_library_prints_gets_out(self):
        code = (
            "import os; from localsmc.evals.grading import worker, grading_rules as rules\n"
            "def noisy(answer, gold):\n"
            "    print('noise'); os.system('echo noise; echo noise >&2')\n"
            "    return rules.exact(answer, gold)\n"
            "rules.GRADERS['noisy'] = rules.GradingRule('noisy', 1, 'text', noisy)\n"
            "worker.serve(replies, 'noisy')"
        )
        with ChildProcess(f"exec({code!r})", is_detached=True) as child:
            child.send({"answer": "a", "gold": "a", "limit": 60.0})
            assert "ready" in child.receive(PATIENCE)
            assert child.receive(PATIENCE) == {"verdict": "right", "reason": ""}
        assert child.crash_message == "it left no message"


def wait_until_dead(worker):
    """A killed process stays until it is asked about."""
    until = time.monotonic() + 10
    while worker.is_alive and time.monotonic() < until:
        os.sched_yield()


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout


def has_ended(pid):
    """Whether a process is gone within 10 s; an unreaped one is."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_the_grader_is_named_and_limited():
    with pytest.raises(ConfigError, match="no grader is called `maths`"):
        Grader("maths")
    with pytest.raises(ConfigError, match="time limit above 0 s"):
        Grader("math", 0.0)
    assert (Grader("math").name, Grader("math").version) == ("math", GRADERS["math"].version)


def test_importing_is_cheap():
    code = "import localsmc.evals.grading, sys; print([m for m in ('sympy', 'numpy') if m in sys.modules])"
    assert printed(code) == "[]\n"


def test_measuring_counts_and_lists_failures(tmp_path):
    lists, lines = tmp_path / "a.json", tmp_path / "b.jsonl"
    lists.write_text(json.dumps([{"answer": "1,234"}, {"answer": "5"}]))
    lines.write_text('{"answer": "2 + 2 = <<4>>4\\n#### 4"}\n')
    assert (benchmark.golds(lists), benchmark.golds(lines)) == (["1,234", "5"], ["4"])
    with Grader("exact", PATIENCE) as grader:
        counts = {count.name: count for count in benchmark.measure(grader, ["1,234", "5"])}
    assert counts["itself"].line().split() == ["itself", "right", "2/2", "100.00%"]
    assert counts["name"].failures == [("5", "x = 5", "wrong")]
    assert not counts["last digit"].failures
    with pytest.raises(TaskError, match="has no gold answers"):
        benchmark.golds(tmp_path / "none.json")


@pytest.mark.parametrize("gold", ["336^\\circ", "336^{\\circ}", "336"])
def test_degrees_are_a_unit_of_numbers(gold):
    # The gold of an AIME problem in some copies.
    assert GRADERS["numeric"].grade("336", gold).is_right
    assert GRADERS["numeric"].grade("336^\\circ", gold).is_right
    assert not GRADERS["numeric"].grade("335", gold).is_right


@pytest.mark.parametrize("rule", ["math", "numeric", "exact", "choice"])
@pytest.mark.parametrize(
    ("answer", "gold"), [("7", "7"), ("07", "7"), ("-7", "7"), ("12", "7"), ("7.0", "7")]
)
def test_what_is_told_at_once_is_what_the_grader_tells(rule, answer, gold):
    told = GRADERS[rule].at_once(answer, gold)
    assert told is None or told == GRADERS[rule].grade(answer, gold)
    assert (told is not None) == (rule in ("math", "numeric") and "." not in answer)
