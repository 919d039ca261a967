"""The configuration file, environment variables and profiles, and their precedence."""
