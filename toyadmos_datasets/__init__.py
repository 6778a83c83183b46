"""ToyADMOS as a clean, reproducible dataset."""
