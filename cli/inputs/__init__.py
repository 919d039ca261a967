"""From parsed options to the library's objects."""
