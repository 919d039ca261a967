"""One module per subcommand, imported when the command is named."""
