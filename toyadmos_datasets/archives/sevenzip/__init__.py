"""Sources that are 7z archives, whole or in volumes, on the disk."""
