"""The split of DCASE 2020 task 2, which took its toys from this corpus."""

from __future__ import annotations

from toyadmos_datasets.planning.event_scope import Scope, gathered
from toyadmos_datasets.planning.split_layout import (
    Config,
    Mixture,
    Planned,
    Split,
    SplitLayout,
    at_snrs,
    fraction_note,
    split_as_paper,
)


def plan_dcase2020(scope: Scope) -> Planned:
    """Split every case as the development set does: 1000 normal events train, the others and all anomalies test.

    The sizes agree with the published ones: car 4000 for training and 2459 for the test (1400 normal, 1059
    anomalous), conveyor 3000 and 3509 (2400 and 1109). Machine id_0N is case N, by those sizes. What cannot be
    the same is said in the notes.

    Source:
        Koizumi et al. 2020, Description and discussion on DCASE2020 challenge task 2, arXiv 2006.05822; Zenodo
        3678171 for the sizes. That the ids follow the cases is inferred.
    """
    divided = split_as_paper(scope)
    splits = (
        Split(name="train", targets=gathered(*(one.train for one in divided))),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    gains = scope.experiment.gains
    mixed = Config(name="dcase2020", mixtures=(Mixture(target_gain_db=gains.target_db, noise_gain_db=gains.noise_db),))
    layout = SplitLayout(splits=splits, configs=(mixed, *at_snrs(scope.options.snrs_db, "dcase2020_")))
    return Planned(layouts=(layout,), notes=(*fraction_note(divided, scope.experiment), *NOTES))


NOTES = (
    (
        "dcase2020 has the machines (id_0N is case N), sizes and split of the development set of DCASE 2020 task 2. It "
        "cannot have the same files: which events were chosen for training is not published, and the noise there was "
        "recorded for the task. Here the noise is the corpus's own, at the gains of its paper (or the SNRs asked for)."
    ),
    (
        "dcase2020: the machines id_05 to id_07 (car) and id_04 to id_06 (conveyor) of the evaluation set are not in "
        "this corpus."
    ),
)
