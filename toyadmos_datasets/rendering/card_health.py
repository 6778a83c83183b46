"""What a dataset card tells of the health of the clips."""

from __future__ import annotations

from toyadmos_datasets.escaping import markdown_text
from toyadmos_datasets.signal.levels import CLIPPED_FROM_N, DC_ABOVE, SILENT_BELOW_DB
from toyadmos_datasets.values.manifest import Manifest

_FLAGS = """\
<details><summary>What the flags mean</summary>

`silent`: digital zeros only. `near_silent`: RMS under 0.001 of full scale ({silent_below_db:g} dB); a machine at rest
is near -87 dB, a running one near -32. `clipped`: {clipped_from_n} samples or more at full scale as recorded. `dc`: a
mean further than {dc_above:g} from zero. `dropout`: an IND clip whose machine is active for less than half of the usual
time. `duplicate`: the same recording as an earlier event's, to the bit. `short`, `long`: another length than most of
its type, by more than 1 %. Several microphones share their flags.

</details>
"""


def health_text(manifest: Manifest) -> str:
    """Tell what is odd about the clips, by label and condition, and what would leave it out."""
    health = manifest.health
    lines = ["## Health\n"]
    if not health.counts:
        lines.append("Nothing is odd about any clip (column `health`).\n")
    else:
        lines += [
            "What is odd about the sound of the clips as recorded (column `health`):\n",
            "| flag | label | condition | events | clips |",
            "| --- | --- | --- | --- | --- |",
        ]
        for count in health.counts:
            flag = count.flag if count.part == "target" else f"{count.flag} noise"
            named = (markdown_text(one) for one in (flag, count.label, count.condition))
            lines.append(f"| {' | '.join(named)} | {count.n_events} | {count.n_clips} |")
        adding = (
            f"Adding `{','.join(health.flags)}` to `--exclude`" if health.n_left_out_events else f"`{health.option}`"
        )
        lines.append(
            f"\n{adding} leaves them out, {health.n_clips} of {health.n_clips_in_all} clips, and changes no "
            "other clip.\n"
        )
    if health.n_left_out_clips:
        lines.append(
            f"Left out already: {health.n_left_out_clips} clips of {health.n_left_out_events} events, marked in "
            "`recipe.parquet`. They count for reference levels and headroom as if they were here.\n"
        )
    flags = _FLAGS.format(silent_below_db=SILENT_BELOW_DB, clipped_from_n=CLIPPED_FROM_N, dc_above=DC_ABOVE)
    return "\n".join([*lines, flags])
