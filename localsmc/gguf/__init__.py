"""Read and check GGUF headers in Python, before llama.cpp opens the file."""
