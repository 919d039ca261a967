"""Shell completion: scripts and completions."""
