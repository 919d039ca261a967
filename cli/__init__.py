"""The command line of localsmc: one file a command, over the library and nothing else.

Commands never import llama_cpp; what is slow to import is imported when a command runs, so that
`--help` answers at once.
"""
