"""Sources that are folders of WAV files."""
