"""The options of all commands: each is declared once, as a dataclass field.

The command line, the Python keywords, the checks, the requests in manifests and the table in docs/cli.md are made from
these fields. The command line imports this at its start, so nothing heavy is imported here.
"""
