"""Find model files: names, aliases, local files, the Hugging Face hub, trial loads."""
