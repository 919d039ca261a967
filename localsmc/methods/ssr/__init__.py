"""SSR: tracks under strategies, whose steps the model rates and rewrites."""
