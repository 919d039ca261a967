"""Text around tokens: chat templates, stop rules, reasoning blocks, answers."""
