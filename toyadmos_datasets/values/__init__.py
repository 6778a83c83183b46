"""The values that stages hand to each other: their schemas, readers and writers."""
