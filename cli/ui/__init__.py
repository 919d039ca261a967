"""The output of commands: streams, panels, progress and summaries."""
