"""The files of the embedded model `draft`; see README.md in this folder."""
