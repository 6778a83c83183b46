"""HTML pages: one file each, with its pictures, without scripts and without network access."""
