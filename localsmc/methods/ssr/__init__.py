"""SSR: parallel tracks with strategies, whose drafted steps the target rates and rewrites."""
