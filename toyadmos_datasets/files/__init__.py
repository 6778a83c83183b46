"""Files that appear whole or not at all, locks, checksums and room on the disk."""
