"""The version of localsmc."""

__version__ = "0.1.0"
