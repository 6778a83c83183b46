"""Volumes on a server: the needed parts are fetched by HTTP into local copies."""
