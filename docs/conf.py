"""How Sphinx builds the documentation: `nox -s docs`, or

    sphinx-build -W --keep-going -n -b html docs docs/_build/html

No network is needed: nothing is fetched from other projects' documentation.
"""

from __future__ import annotations

import localsmc

project = "localsmc"
author = "the authors of localsmc"
project_copyright = author
version = release = localsmc.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
# `--option` stays as it is typed.
smartquotes = False

html_theme = "furo"
html_title = f"localsmc {release}"

# --- pages: Markdown ------------------------------------------------------------------------------

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
"""Headings down to this level can be linked: [text](page.md#heading)."""

# --- reference/api.md: docstrings -----------------------------------------------------------------

# Docstrings put code in single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
# -n reports every reference that leads nowhere, except types in signatures: many are names of
# Python, of NumPy or of modules that have no page.
nitpick_ignore_regex = [(r"py:(class|data|exc|obj)", r".*")]
