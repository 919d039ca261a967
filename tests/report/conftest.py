"""A trace for tests of reports and of their page."""

from __future__ import annotations

import pytest

import localsmc
from localsmc_cli.main import run
from localsmc_cli.ui.trace_writer import TraceWriter


@pytest.fixture(scope="session")
def trace_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "run.jsonl"
    with localsmc.load() as model, TraceWriter(path) as trace:
        settings = localsmc.Settings(seed=3)
        method = model.method("power-smc", particles=16, alpha=4.0, resampling="systematic")
        with localsmc.start(model, "What is 47 * 86?", method=method, settings=settings) as solving:
            trace.start(solving)
            for step in solving:
                trace.step(step, solving)
            trace.end(solving.result(), "done")
    return path


@pytest.fixture
def cli(capsys):
    """Calls `localsmc report` and gives its exit code, its output and its messages."""

    def call(*arguments):
        code = run(["report", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
