"""Code that runs the command line in a process that reacts to Ctrl-C."""

# Background jobs of scripts ignore Ctrl-C, and their children inherit this: restore the default.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from localsmc_cli.main import main; main()"
)
