"""Derived random numbers: what they depend on and, pinned, what they are."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.signal.randomness import (
    choices_of,
    derived_generator,
    derived_words,
    fractions_of,
    philox4x32,
    text_hashes,
)

identities = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=12), max_size=4)

PRINT_A_DRAW = """
from toyadmos_datasets.signal.randomness import derived_generator
print(derived_generator(3, "waspaa2019", "ToyTrain_case1_normal_IND_0001", "noise").random())
"""


def test_the_numbers_are_the_ones_that_published_recipes_rest_on():
    generator = derived_generator(0, "waspaa2019", "ToyTrain_case1_normal_IND_0001", "noise")

    assert [int(generator.integers(1_000_000)) for _ in range(3)] == [3642, 635266, 310815]
    assert [generator.random() for _ in range(2)] == [0.4777259582660933, 0.41446881644660793]


def test_another_seed_gives_other_pinned_numbers():
    assert derived_generator(1, "basic", "noise-split").random() == 0.1350748102260123


@given(st.integers(-(2**70), 2**70), identities)
def test_the_same_identity_gives_the_same_stream(seed, identity):
    first = derived_generator(seed, *identity).random(4)

    assert (derived_generator(seed, *identity).random(4) == first).all()


@given(st.tuples(st.integers(0, 9), identities), st.tuples(st.integers(0, 9), identities))
def test_different_identities_give_different_streams(one, other):
    first, second = (derived_generator(seed, *identity).random(2).tolist() for seed, identity in (one, other))

    assert (first == second) == ((one[0], *one[1]) == (other[0], *other[1]))


def test_where_one_word_ends_and_the_next_begins_matters():
    streams = [derived_generator(0, *words).random() for words in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""))]

    assert len(set(streams)) == 4


@given(st.permutations(range(20)))
def test_the_order_of_drawing_changes_nothing(order):
    drawn = {number: derived_generator(7, "event", number).random() for number in order}

    assert [drawn[number] for number in range(20)] == [
        derived_generator(7, "event", number).random() for number in range(20)
    ]


def test_global_random_state_is_neither_read_nor_moved():
    random.seed(5)
    expected = [random.random() for _ in range(3)]  # noqa: S311  # the global state is what is looked at
    random.seed(5)

    derived_generator(0, "a").random(100)

    assert [random.random() for _ in range(3)] == expected  # noqa: S311  # as above


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_seed_of_pythons_hashes_changes_nothing(hash_seed):
    printed = subprocess.run(
        [sys.executable, "-c", PRINT_A_DRAW],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    expected = derived_generator(3, "waspaa2019", "ToyTrain_case1_normal_IND_0001", "noise").random()
    assert float(printed) == expected


def test_draws_of_many_events_are_uniform():
    draws = sorted(derived_generator(0, "event", number).random() for number in range(2000))

    assert max(abs(draw - (place + 0.5) / 2000) for place, draw in enumerate(draws)) < 0.036  # Kolmogorov, p < 0.01
    assert all(below != above for below, above in itertools.pairwise(draws))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", (2**32 - 1, 2**32 - 1), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_that_its_authors_published(counter, key, expected):
    words = np.array([[int(word, 16) for word in counter.split()]] * 2, dtype=np.uint32)

    found = philox4x32(words, key)

    assert [" ".join(f"{word:08x}" for word in row) for row in found] == [expected] * 2


def test_the_hashes_and_words_are_the_ones_that_published_recipes_rest_on():
    hashes = hashes_of(["ToyTrain_case1_normal_IND_0001", "", "n"])

    assert hashes.tolist() == [9362941439066793985, 0, 1258961946797157284]
    assert derived_words(0, "waspaa2019", "noise", of=hashes[:1], draw=1, place=2).tolist() == [
        [116863352, 1368878546, 4017544198, 2709700069]
    ]


texts = st.lists(st.text(max_size=20), max_size=8)


@given(texts, texts)
def test_a_texts_hash_and_words_do_not_depend_on_the_others(before, after):
    text = "ToyCar_case1_normal_IND_0001"
    alone = hashes_of([text])
    among = hashes_of([*before, text, *after])[len(before)]

    assert among == alone[0]
    assert (derived_words(1, "a", of=hashes_of([*before, text]))[-1] == derived_words(1, "a", of=alone)[0]).all()


def test_texts_that_differ_in_one_byte_or_in_their_length_have_other_hashes():
    names = [f"ToyTrain_case{case}_normal_IND_{take:04d}" for case in (1, 2) for take in range(5000)]
    zeros = ["\0" * n for n in range(20)]

    assert len(set(hashes_of([*names, *zeros]).tolist())) == len(names) + len(zeros)


def test_seed_purpose_draw_and_place_each_give_other_words():
    of = hashes_of(["one", "two"])
    drawn = [
        derived_words(0, "a", of=of),
        derived_words(1, "a", of=of),
        derived_words(0, "b", of=of),
        derived_words(0, "a", of=of, draw=1),
        derived_words(0, "a", of=of, place=1),
    ]

    assert len({word for words in drawn for word in words.ravel().tolist()}) == 5 * 2 * 4


def test_choices_and_fractions_are_uniform_and_within_bounds():
    words = derived_words(3, "a", of=hashes_of([str(number) for number in range(20_000)]))
    choices = choices_of(words[:, 0], np.full(len(words), 7))
    fractions = np.sort(fractions_of(words[:, 1], words[:, 2]))

    assert np.bincount(choices).min() > 20_000 / 7 * 0.93
    assert len(np.bincount(choices)) == 7
    assert np.abs(fractions - (np.arange(20_000) + 0.5) / 20_000).max() < 0.0115  # Kolmogorov, p < 0.01
    assert fractions[-1] < 1
    assert fractions_of(np.array([2**32 - 1], np.uint32), np.array([2**32 - 1], np.uint32))[0] < 1


def hashes_of(texts: list[str]) -> np.ndarray:
    encoded = [text.encode() for text in texts]
    bounds = np.cumsum([0, *map(len, encoded)])
    return text_hashes(np.frombuffer(b"".join(encoded), dtype=np.uint8), bounds)
