"""How the embedded models are trained and exported; not in the wheel."""
