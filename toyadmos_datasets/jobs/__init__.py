"""What users ask for: the stages put together."""
