"""The files of the embedded model `tiny`; see README.md in this folder."""
