"""The chat session: reading lines, slash commands, the live panel."""
