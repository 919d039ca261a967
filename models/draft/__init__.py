"""The files of the embedded model `tiny`: see README.md beside this one."""
