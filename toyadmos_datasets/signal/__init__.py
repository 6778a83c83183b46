"""Levels, resampling and mixing: arrays in, arrays out, no files."""
