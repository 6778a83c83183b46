"""What is known about ToyADMOS before any of it is read: toys, file names, damage, volumes, the paper.

Only the standard library, and the tables in ``data`` are read when they are first asked for: the command
line imports this at its start.
"""
