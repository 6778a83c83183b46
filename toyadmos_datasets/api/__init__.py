"""Every command as one function: the same names, the same options, plain values.

    import toyadmos_datasets as toyadmos

    report = toyadmos.prepare("train", source="simulate", snr=[6, 0], protocol="basic", out="data/train")

The functions turn keywords into the options that the other rooms declare, show progress as `datasets` does, and put
errors in Python's words. They do nothing else.
"""
