"""Helpers for every layer: user directories, atomic file writes, JSON caches, child processes."""
