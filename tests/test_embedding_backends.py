"""Scores of embeddings: each backend against its formula, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from wording import refused

from toyadmos_datasets.baseline import auc, score_embeddings
from toyadmos_datasets.baseline.embedding_backends import GaussianMixtures
from toyadmos_datasets.errors import OptionError

BACKENDS = ["knn", "mahalanobis", "gmm"]


def drawn(n: int, *, seed: int = 0, n_dims: int = 6, shift: float = 0.0) -> np.ndarray:
    """Return embeddings whose dimensions have sizes far apart."""
    return (np.random.default_rng(seed).normal(shift, 1, (n, n_dims))) * 10.0 ** np.arange(n_dims)


@pytest.mark.parametrize("backend", BACKENDS)
def test_embeddings_that_lie_apart_score_higher(backend):
    test = np.concatenate([drawn(30, seed=1), drawn(30, seed=2, shift=3)])

    scores = score_embeddings(drawn(60), test, backend)

    assert scores.dtype == np.float64
    assert scores.shape == (60,)
    assert auc([0] * 30 + [1] * 30, scores) > 0.95


@pytest.mark.parametrize("n_neighbours", [1, 3])
def test_knn_is_the_mean_distance_to_the_nearest(n_neighbours):
    train, test = drawn(20), drawn(5, seed=1)
    distances = np.sqrt(((test[:, None] - train) ** 2).sum(axis=2))
    expected = np.sort(distances, axis=1)[:, :n_neighbours].mean(axis=1)

    found = score_embeddings(train, test, "knn", n_neighbours=n_neighbours, standardise=False)

    np.testing.assert_allclose(found, expected)


def test_mahalanobis_with_many_clips_is_the_distance_by_their_covariance():
    random = np.random.default_rng(0)
    train, test = random.normal(0, 1, (20_000, 3)) @ random.normal(0, 1, (3, 3)), random.normal(0, 1, (5, 3))
    apart = test - train.mean(axis=0)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", apart, np.linalg.inv(np.cov(train.T)), apart))

    found = score_embeddings(train, test, "mahalanobis")

    np.testing.assert_allclose(found, expected, rtol=0.01)


def test_mahalanobis_has_a_distance_with_fewer_clips_than_dimensions():
    scores = score_embeddings(drawn(5, n_dims=40) / 1e20, drawn(3, n_dims=40, seed=1) / 1e20, "mahalanobis")

    assert np.isfinite(scores).all()


def test_a_mixture_gives_the_negative_log_likelihood():
    mixture = GaussianMixtures(
        weights=np.array([0.3, 0.7]), means=np.array([[0.0, 1.0], [4.0, -1.0]]), variances=np.array([[1, 2], [0.5, 3]])
    )
    x = np.random.default_rng(0).normal(0, 2, (7, 2))
    parts = [
        weight * multivariate_normal(mean, np.diag(variance)).pdf(x)
        for weight, mean, variance in zip(mixture.weights, mixture.means, mixture.variances, strict=True)
    ]

    np.testing.assert_allclose(mixture.score(x), -np.log(np.sum(parts, axis=0)))


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=20)
@given(factor=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3))
def test_standardised_scores_do_not_depend_on_the_unit_of_a_dimension(backend, factor, shift):
    train, test = drawn(20), drawn(5, seed=1)
    moved = [one * [factor, 1, 1, 1, 1, 1] + [shift * factor, 0, 0, 0, 0, 0] for one in (train, test)]

    found, expected = score_embeddings(*moved, backend), score_embeddings(train, test, backend)

    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_dimension_that_never_varies_is_no_division_by_zero(backend):
    train, test = drawn(20), drawn(5, seed=1)
    for one in (train, test):
        one[:, 2] = 0.1

    assert np.isfinite(score_embeddings(train, test, backend)).all()


def test_a_mixture_follows_from_its_seed():
    train, test = drawn(40), drawn(5, seed=1)
    first, again = (score_embeddings(train, test, "gmm", seed=3) for _ in range(2))

    np.testing.assert_array_equal(first, again)


WRONG = {
    "one dimension": ((np.zeros(4), np.zeros((4, 2))), {}, "train"),
    "no clip": ((np.zeros((0, 2)), np.zeros((4, 2))), {}, "train"),
    "other dimensions": ((np.zeros((4, 2)), np.zeros((4, 3))), {}, "test"),
    "NaN": ((np.zeros((4, 2)), np.full((4, 2), np.nan)), {}, "test"),
    "infinity": ((np.full((4, 2), np.inf), np.zeros((4, 2))), {}, "train"),
    "complex": ((np.zeros((4, 2), complex), np.zeros((4, 2))), {}, "train"),
    "text": (([["a", "b"]], np.zeros((4, 2))), {}, "train"),
    "backend": ((np.zeros((4, 2)), np.zeros((4, 2))), {"backend": "svm"}, "backend"),
    "neighbours": ((np.zeros((4, 2)), np.zeros((4, 2))), {"n_neighbours": 5}, "n_neighbours"),
    "no neighbour": ((np.zeros((4, 2)), np.zeros((4, 2))), {"n_neighbours": 0}, "n_neighbours"),
    "components": ((np.zeros((4, 2)), np.zeros((4, 2))), {"backend": "gmm", "n_components": 5}, "n_components"),
    "one clip": ((np.zeros((1, 2)), np.zeros((4, 2))), {"backend": "mahalanobis"}, "clips"),
}


@pytest.mark.parametrize("name", WRONG)
def test_embeddings_that_cannot_be_scored_are_refused(name):
    arrays, asked, where = WRONG[name]
    with refused(OptionError) as caught:
        score_embeddings(*arrays, **asked)

    assert caught.value.where == where
