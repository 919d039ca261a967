"""The configuration file, the environment and profiles, and which value wins."""
