"""The report as a single HTML page with SVG charts."""
