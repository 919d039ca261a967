"""GGUF files of random weights in the shapes of real models."""
