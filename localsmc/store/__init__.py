"""Where models come from: names, aliases, local files, the Hugging Face hub, trial loads."""
