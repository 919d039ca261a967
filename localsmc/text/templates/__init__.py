"""Chat templates as programs: their environment, the process they run in, and messages in disguise."""
