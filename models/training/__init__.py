"""Train and export the embedded models; not included in the wheel."""
