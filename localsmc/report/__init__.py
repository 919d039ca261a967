"""Summarise runs: `report(paths)` reads run folders and traces and gives tables, JSON, CSV, Markdown, HTML.

    trace_file          reads and validates what `localsmc solve --trace` writes
    groups              all lines of a task, model and method, scored under every selector
    accuracy, cost, differences, calibration, agreement, evidence_variance, trace_tables   the tables
    table               table rendering as text, Markdown and CSV
    html                the page: charts, trees, data and script

Run folders are read by `localsmc.evals.run_folder`. No model is loaded.
"""

from localsmc.report.html.page import page
from localsmc.report.report import Report, report

__all__ = ["Report", "page", "report"]
