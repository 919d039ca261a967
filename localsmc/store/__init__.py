"""Find model files: names, aliases, other programs' models, the Hugging Face hub, trial loads."""
