"""The chat session: input lines, slash commands and the live panel."""
