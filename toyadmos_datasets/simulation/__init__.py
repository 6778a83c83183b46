"""A small corpus of synthesised sound with the real layout, names, damage, channels and volumes.

`simulate` is what the other layers call, and `planned_tree` tells what it would write. Behind them, from the plan to
the bytes:

    simulated_events               which takes there are, in each size
    sound_tables                   what the toys are, and what each damage changes of their sound
    synthesiser, factory_noise,    how they turn, what that and the hall sound like, and what four microphones
    sound_elements                 hear of it
    corpus_files,                  the files, and the folder that they appear in
    simulated_corpus
"""

from toyadmos_datasets.simulation.corpus_files import PlannedTree, planned_tree
from toyadmos_datasets.simulation.simulated_corpus import Report, SimulatedCorpus, simulate
from toyadmos_datasets.simulation.simulated_events import SIZES, CorpusSize
from toyadmos_datasets.simulation.synthesiser import MODEL_VERSION

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
