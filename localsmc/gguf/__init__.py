"""GGUF files: the header, read and checked in Python before llama.cpp sees the file."""
