"""What commands print: streams, panels, progress, summaries."""
