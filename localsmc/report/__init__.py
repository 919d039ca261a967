"""Reading runs and telling what came out: `report(paths)` has tables, JSON, CSV, Markdown and a page.

    folder, tracefile   what `localsmc eval` and `localsmc solve --trace` write, checked as it is read
    lines, groups       one problem answered; all lines of a task, model and method, scored
    accuracy, cost, differences, calibration, agreement, tracetables   the tables
    tables, svg, charts, tree, page   how they look

Never loads a model.
"""

from localsmc.report.html.page import page
from localsmc.report.report import Report, report

__all__ = ["Report", "page", "report"]
