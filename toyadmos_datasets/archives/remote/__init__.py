"""Volumes that are elsewhere: fetched by HTTP into local copies, only as far as they are needed."""
