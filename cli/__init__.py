"""The command line of localsmc: one module per command, on top of the library.

Commands never import llama_cpp. Slow modules are imported when a command runs, so that `--help` is fast.
"""
