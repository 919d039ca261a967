"""The command line as a process that hears Ctrl-C."""

# It is ignored in the background jobs of scripts, and so in their children: not in these.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from localsmc_cli.main import main; main()"
)
