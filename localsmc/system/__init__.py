"""Helpers for every layer: user directories, whole-file writes, JSON caches, child processes."""
