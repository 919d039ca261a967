"""GGUF files with random weights in the shapes of real models."""
