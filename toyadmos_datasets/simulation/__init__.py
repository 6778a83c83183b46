"""A small corpus of synthesised sound with the real layout, names, damage, channels and volumes.

`simulate` is what the other layers call, and `planned_tree` tells what it would write. Behind them, from the plan to
the bytes:

    sizes, events        which takes there are
    machines, effects,   what the toys are and what damage does to them
    damage_effects
    motion, timbre,      how they turn, what that sounds like, and what four microphones
    running, factory,    hear of it
    microphones
    synthesis            an event to its four recordings
    tree, packing,       the files
    volumes, record,
    corpus
"""

from toyadmos_datasets.simulation.synthesiser import MODEL_VERSION
from toyadmos_datasets.simulation.simulated_corpus import Report, SimulatedCorpus, simulate
from toyadmos_datasets.simulation.sizes import SIZES, CorpusSize
from toyadmos_datasets.simulation.tree_writing import PlannedTree, planned_tree

__all__ = [
    "MODEL_VERSION",
    "SIZES",
    "CorpusSize",
    "PlannedTree",
    "Report",
    "SimulatedCorpus",
    "planned_tree",
    "simulate",
]
