"""The report's page in a browser: what it shows, and that nothing that a model says can run in it."""

from __future__ import annotations

import html.parser
import json
import re

import numpy as np
import pytest
import run_folder
from browser import asked, browsed, needs_browser

from localsmc.report import page, report
from localsmc.report.html import page_data

WORDS = {"no-answer": "no answer"}
RUN = "document.documentElement.dataset.evil=1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f'"><img src=x onerror="{RUN}">',
    f"'><img src=x onerror='{RUN}'>",
    f"<svg onload={RUN}>",
    f"</svg><svg/onload={RUN}>",
    f"</title></text></svg><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</pre></td></table><script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"<!--<script>{RUN}</script>",
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}" x="',
    f"' onpointerenter='{RUN}' tabindex=0 onfocus='{RUN}' x='",
    f"<body onload={RUN}>",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f"<iframe src=javascript:parent.{RUN}></iframe>",
    f"<a href=javascript:{RUN}>here</a>",
    f"javascript:{RUN}",
    f"<details open ontoggle={RUN}>",
    f"<math><mtext></mtext><style><img src=x onerror={RUN}></style></math>",
    f"<input autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<template><script>{RUN}</script></template>",
    f"<style>@keyframes a{{}}*{{animation:a}}</style><b onanimationstart={RUN}>",
    "<meta http-equiv=refresh content='0;url=data:text/html,evil'>",
    "<base href='http://localhost:1/'><link rel=stylesheet href=x>",
    f"{{{{ ''.__class__ }}}}{{% raw %}}<script>{RUN}</script>{{% endraw %}}",
    f"\u2028\u2029\u202e</scr\x00ipt><scr\x00ipt>{RUN}</script>\ud800 &lt;script&gt;{RUN}&lt;/script&gt;",
    f"${{{RUN}}}`;{RUN}//",
    f'\\u003cscript\\u003e{RUN}\\u003c/script\\u003e\\";{RUN}//',
]


def evil_line(one, payload):
    """The line with a payload in every text that a model or a data file writes."""
    one["question"] = payload + one["question"]
    one["problem_id"] += payload
    one["family"] = f"{payload}{one['family']}"
    if one["gold"] is not None:
        one["gold"] += payload
    result = one["result"]
    one["verdicts"] = {answer + payload: verdict for answer, verdict in one["verdicts"].items()}
    for part in (one, result, *result["answers"], *result["completions"]):
        if part["answer"] is not None:
            part["answer"] += payload
    for completion in result["completions"]:
        completion["text"] = payload + completion["text"] + payload
    return one


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory, trace_file):
    """A page of two runs in which every problem has one of the payloads in all its texts."""
    folder = tmp_path_factory.mktemp("page")
    tag = PAYLOADS[3].replace("/", "")
    methods = {f"{label}{tag}": method for label, method in run_folder.METHODS.items()}
    models = {f"tiny-F16{PAYLOADS[2]}": 0.0}
    task = f"tiny{PAYLOADS[13]}"
    shape = {"n_problems": len(PAYLOADS), "methods": methods, "models": models, "seeds": (0,), "task": task}
    paths = []
    for name in ("old", "new"):
        made = run_folder.lines(**shape)
        if name == "new":
            made[::4] = [
                {**one, "verdict": "wrong" if one["verdict"] == "right" else "right"} for one in made[::4]
            ]
        made = [evil_line(one, PAYLOADS[i // len(methods)]) for i, one in enumerate(made)]
        made[7] = run_folder.failed(made[7], error=PAYLOADS[2])
        about = run_folder.manifest(**shape)
        about["machine"] = {"system": PAYLOADS[0], "devices": [PAYLOADS[2]], "threads": [PAYLOADS[5]]}
        about["tasks"][0] |= {"source": PAYLOADS[1], "grader": PAYLOADS[4]}
        about["models"][0] |= {"quantization": PAYLOADS[3], "sha256": PAYLOADS[5], "bytes": PAYLOADS[6]}
        about["methods"][0]["config"] |= {PAYLOADS[0]: PAYLOADS[2]}
        paths.append(run_folder.write(folder / f"{name}<i onclick={RUN}>", made, about))
    target = folder / "page.html"
    lines = [json.loads(line) for line in trace_file.read_text().splitlines()]
    lines[0]["prompt"] = "".join(PAYLOADS)
    for line in lines:
        for node in line.get("population", ()):
            node["piece"] += PAYLOADS[node["node"] % len(PAYLOADS)]
    trace = folder / "trace<b>.jsonl"
    trace.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = report(paths, is_diff=True)
    traced = report([*paths, trace])
    target.with_name("traced.html").write_text(page(traced), encoding="utf-8", errors="replace")
    target.write_text(page(found), encoding="utf-8", errors="replace")
    return target


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.names, self.policy = [], [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "srcset")]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]


def test_the_page_asks_nobody_for_anything_and_escapes_everything(evil_page):
    text = evil_page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.tags.count("script") == 2
    assert not {"img", "b", "i", "iframe", "body onload", "base", "video", "math"} & set(tags.tags)
    assert not any(name.startswith("on") for name in tags.names)
    assert {address for address in tags.addresses if not re.fullmatch(r"#problem-\d+", address)} == {"data:,"}
    assert tags.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in tags.policy
    assert "@import" not in text
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert [
        one["q"].startswith(payload)
        for one, payload in zip(json.loads(data)["problems"], PAYLOADS, strict=True)
    ]


# Opens the page of every problem, each run of it, and every part of its tree; then sorts and searches.
CLICK_ALL = """
  let opened = 0;
  const touch = () => {
    for (const name of ['pointerenter', 'click', 'mouseover']) {
      for (const node of page.querySelectorAll('.hit')) node.dispatchEvent(new view.MouseEvent(name));
    }
    for (const node of page.querySelectorAll('[tabindex], a, input')) { node.focus(); }
  };
  const n = JSON.parse(page.getElementById('data').textContent).problems.length;
  for (let i = 0; i < n; i++) {
    view.history.replaceState(null, '', '#problem-' + i);
    view.dispatchEvent(new view.Event('hashchange'));
    touch();
    for (const button of page.querySelectorAll('#problem button')) { button.click(); touch(); opened += 1; }
  }
  view.history.replaceState(null, '', '#problems');
  view.dispatchEvent(new view.Event('hashchange'));
  for (const node of page.querySelectorAll('details')) node.open = true;
  for (const button of page.querySelectorAll('th button')) button.click();
  for (const select of page.querySelectorAll('select')) {
    for (let i = 0; i < select.options.length; i++) {
      select.selectedIndex = i;
      select.dispatchEvent(new view.Event('change'));
    }
  }
  touch();
  const rooted = page.documentElement.dataset;
  const foreign = 'img, iframe, b, base, body *[onload], *[onerror], *[onfocus]';
  const strange = page.querySelectorAll(foreign).length;
  return [opened, strange, rooted.evil, rooted.error, page.querySelectorAll('script').length].join(' ');
"""


@needs_browser
@pytest.mark.parametrize("name", ["page.html", "traced.html"])
@pytest.mark.parametrize("has_policy", [True, False], ids=["with its policy", "without"])
def test_nothing_that_a_model_says_runs(evil_page, tmp_path, name, has_policy):
    text = evil_page.with_name(name).read_text(encoding="utf-8")
    assert len(PAYLOADS) >= 30
    if not has_policy:  # the escaping is enough by itself
        text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    copied = tmp_path / "page.html"
    copied.write_text(text, encoding="utf-8")
    told, console = asked(copied, tmp_path, CLICK_ALL)
    n_opened, *rest = told.split(" ")
    assert console == []
    assert int(n_opened) >= 3 * len(PAYLOADS)
    assert rest == ["0", "", "", "2"]


@needs_browser
def test_the_policy_stops_what_is_not_escaped(evil_page, tmp_path):
    """The test above can fail: a payload that is put into the page as it is does run without the policy."""
    text = evil_page.read_text(encoding="utf-8").replace("<main>", f"<main>{PAYLOADS[0]}{PAYLOADS[2]}", 1)
    copied = tmp_path / "page.html"
    for policy in (True, False):
        copied.write_text(text if policy else re.sub("<meta http-equiv[^>]*>", "", text), encoding="utf-8")
        told, console = asked(copied, tmp_path, "return String(page.documentElement.dataset.evil)")
        assert (told, bool(console)) == (("undefined", True) if policy else ("1", False))


def test_the_page_keeps_within_bounds(tmp_path, monkeypatch):
    found = report([run_folder.write(tmp_path / "run")])
    monkeypatch.setattr(page_data, "MOST_DETAIL", 20_000)
    data = page_data.page_data(found)
    n_trees = sum("tree" in line for line in data["lines"])
    assert 0 < n_trees < 80
    assert data["bare"] == 480 - n_trees
    assert {line["s"] for line in data["lines"] if "tree" in line} == {0}


@needs_browser
@pytest.mark.parametrize("address", ["", "#problem-3"])
def test_the_page_fits_a_telephone(evil_page, tmp_path, address):
    script = f"""
      view.location.hash = '{address}';
      view.dispatchEvent(new view.Event('hashchange'));
      const root = page.documentElement;
      return [root.scrollWidth, root.clientWidth, root.dataset.drawn, root.dataset.error].join(' ');
    """
    told, console = asked(evil_page, tmp_path, script, width=360)
    assert console == []
    width, window, n_drawn, *error = told.split(" ")
    # The window is 360 less its scroll bar; nothing but tables, charts and trees scrolls sideways, by itself.
    assert (width, error) == (window, [""])
    assert int(window) <= 360
    assert int(n_drawn) > 20


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory, trace_file):
    folder = tmp_path_factory.mktemp("plain")
    made = run_folder.lines(n_problems=6)
    made[4] |= {"answer": None, "verdict": "truncated"}
    about = run_folder.manifest(n_problems=6) | {"started": "2026-03-01T14:05:09Z"}
    about["machine"] = {"system": "Linux x86_64", "devices": ["EPYC"], "threads": [2]}
    found = report([run_folder.write(folder / "my run", made, about), trace_file])
    target = folder / "page.html"
    target.write_text(page(found), encoding="utf-8")
    return target, found


@needs_browser
def test_the_page_draws_itself_in_a_browser(plain_page, tmp_path):
    target, _ = plain_page
    dom, console = browsed(target.as_uri(), tmp_path)
    assert console == []
    (opening,) = re.findall(r"<html[^>]*>", dom)
    assert "data-error" not in opening
    assert int(re.search(r'data-drawn="(\d+)"', opening)[1]) > 20
    assert 'class="edge dead"' in dom  # of the trace
    assert 'class="open"' in dom
    assert "<title>localsmc report: my run" in dom
    assert "[object" not in dom
    assert "undefined" not in dom.split("<footer>")[0]


def test_the_top_has_date_machine_sizes_and_methods(plain_page):
    text = plain_page[0].read_text(encoding="utf-8").split("<main>")[0]
    for part in ("2026-03-01 14:05 UTC", "EPYC, 2 threads, Linux x86_64", "4.13M", "7.9 MiB", "F16"):
        assert part in text
    for label in run_folder.METHODS:
        assert f"<td>{label}</td>" in text
    assert "`" not in text.split("</style>")[1]


@needs_browser
def test_a_problem_has_a_page_with_every_completion(plain_page, tmp_path):
    target, found = plain_page
    for label in ("power-smc", "greedy"):
        (index, group) = next((i, one) for i, one in enumerate(found.groups) if label in one.method)
        script = f"""
          view.location.hash = '#problem-2';
          view.dispatchEvent(new view.Event('hashchange'));
          page.querySelectorAll('#problem table button')[{2 * index}].click();
          const table = page.querySelector('#problem [aria-label="Distinct completions"]');
          const rows = [...table.querySelectorAll('tbody tr')];
          const question = page.querySelector('.question').textContent;
          return JSON.stringify([question, page.querySelector('header').offsetHeight,
            rows.map((row) => [...row.cells].map((cell) => cell.textContent))]);
        """
        told, console = asked(target, tmp_path, script)
        question, hidden, drawn = json.loads(told)
        line = next(one for one in group.lines if one.problem.endswith("/2") and one.seed == 0)
        assert (console, question, hidden) == ([], line.question, 0)
        wanted = sorted((one.text, one.answer, one.count) for one in line.drawn.completions)
        answers = [None if row[2] == "–" else row[2] for row in drawn]
        shown = [(row[-1], answer, int(row[1])) for row, answer in zip(drawn, answers, strict=True)]
        assert sorted(shown) == wanted
        for row, answer in zip(drawn, answers, strict=True):
            assert row[3].strip(" ✓✗") == WORDS.get(verdict := line.verdict_of(answer), verdict)


@needs_browser
def test_no_answer_is_said_once(plain_page, tmp_path):
    target, _ = plain_page
    script = """
      let texts = '';
      for (let i = 0; i < 6; i++) {
        view.location.hash = '#problem-' + i;
        view.dispatchEvent(new view.Event('hashchange'));
        for (const button of page.querySelectorAll('#problem table button')) {
          button.click();
          texts += page.getElementById('problem').textContent;
        }
      }
      const isTwice = /truncated.{0,3}truncated/.test(texts);
      return [texts.includes('truncated'), isTwice, texts.includes('`')].join(' ');
    """
    assert asked(target, tmp_path, script)[0] == "true false false"


@needs_browser
def test_a_refusal_is_called_refused(tmp_path):
    made = run_folder.lines(n_problems=2)
    for one in made[: len(run_folder.METHODS)]:
        refusal = run_folder.completion(
            None, ["I can only calculate."], 1.0, run_folder.METHODS[one["method"]][1]
        )
        one |= {"answer": None, "verdict": "no-answer"}
        one["result"] |= {"is_refused": True, "answer": None, "completions": [refusal | {"is_refused": True}]}
        one["result"]["answers"] = [{"answer": None, "weight": 1.0, "count": 1, "is_refused": True}]
    target = tmp_path / "page.html"
    found = report([run_folder.write(tmp_path / "run", made, run_folder.manifest(n_problems=2))])
    target.write_text(page(found), encoding="utf-8")
    script = """
      view.location.hash = '#problem-0';
      view.dispatchEvent(new view.Event('hashchange'));
      const [runs, completions] = page.querySelectorAll('#problem tbody');
      return [runs.rows[0].cells[2].textContent, completions.rows[0].cells[3].textContent.trim()].join();
    """
    assert asked(target, tmp_path, script) == ("refused,refused", [])


# --- the chart of accuracy against cost ---------------------------------------------------------

BOXES = """
  const found = [];
  for (const chart of page.querySelectorAll('.large .chart')) {
    const all = (name) => [...chart.querySelectorAll(name)];
    const boxes = all('.label').map((one) => one.getBBox());
    const labels = boxes.map((box) => [box.x, box.y, box.width, box.height]);
    const place = (mark) => /translate.([\\d.]+) ([\\d.]+)/.exec(mark.getAttribute('transform'));
    const marks = all('.mark').map((mark) => place(mark).slice(1).map(Number));
    const size = chart.viewBox.baseVal;
    found.push({ size: [size.width, size.height], labels, marks });
  }
  return JSON.stringify(found);
"""


@needs_browser
@pytest.mark.parametrize("p_right", [0.0, 0.5, 1.0])
def test_eight_labels_have_room_at_any_accuracy(tmp_path, p_right):
    names = ["sample", "greedy", *(f"power-smc:N=16,alpha={k},select=majority" for k in range(2, 8))]
    methods = {name: ("sample", 1, p_right, "draw") for name in names}
    shape = {"methods": methods, "models": {"m": 0.0}, "seeds": (0,), "n_problems": 12}
    made = run_folder.lines(**shape)
    rng = np.random.default_rng(0)
    for one in made:  # all have nearly the same cost
        is_right = rng.random() < p_right
        one |= {"verdict": "right" if is_right else "wrong"}
        one["result"]["usage"] |= {"rows": 100 + int(rng.integers(0, 3))}
        one["result"]["usage"]["seconds"] |= {"total": 6.0}
    folder = run_folder.write(tmp_path / "run", made, run_folder.manifest(**shape))
    target = tmp_path / "page.html"
    target.write_text(page(report([folder])), encoding="utf-8")
    told, _ = asked(target, tmp_path, BOXES)
    charts = json.loads(told)
    assert len(charts) == 2
    for chart in charts:
        (width, height), boxes = chart["size"], chart["labels"]
        assert len(boxes) == len(chart["marks"]) == 8
        for i, (x, y, w, h) in enumerate(boxes):
            assert 48 <= x <= x + w <= width
            assert 0 <= y <= y + h <= height - 38
            for a, b, c, d in boxes[:i]:
                assert x >= a + c or a >= x + w or y + 2 >= b + d or b + 2 >= y + h
            for a, b in chart["marks"]:
                assert not (x < a < x + w and y < b < y + h)
        for i, (a, b) in enumerate(chart["marks"]):
            assert 48 < a < width
            assert 0 < b - 5 < b + 5 <= height - 38
            assert all(abs(a - c) > 9 or abs(b - d) > 9 for c, d in chart["marks"][:i])


@needs_browser
def test_families_have_room_beside_their_rows_and_ungraded_ones_have_none(tmp_path):
    shape = {"models": {"m": 0.0}, "seeds": (0,), "n_problems": 12}
    made = run_folder.lines(**shape)
    for one in made:
        one["family"] = {"shopping": "W</ESSAYS>MMMMMM", "trains": "not graded"}.get(one["family"], "short")
        if one["family"] == "not graded":
            one |= {"verdict": "ungraded", "gold": None, "verdicts": {}}
    target = tmp_path / "page.html"
    found = report([run_folder.write(tmp_path / "run", made, run_folder.manifest(**shape))])
    target.write_text(page(found), encoding="utf-8")
    told, _ = asked(
        target,
        tmp_path,
        """return JSON.stringify([...page.querySelectorAll('#parts .chart')[0].querySelectorAll('text')]
          .filter((one) => one.getAttribute('text-anchor') === 'end')
          .map((one) => [one.textContent, one.getBBox().x]))""",
    )
    names = dict(json.loads(told))
    assert set(names) == {"W</ESSAYS>MM…", "short"}
    assert min(names.values()) >= 0
