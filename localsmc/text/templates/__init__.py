"""Chat templates as programs: how Jinja renders them, in which process, and how messages pass through them."""
