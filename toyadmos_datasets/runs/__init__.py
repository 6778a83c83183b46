"""The folders of runs: trained into, evaluated, compared; what was trained on what, and whether a test is fair.

The systems themselves are in `baseline`.
"""
