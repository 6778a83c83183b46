"""Anomaly scores of embeddings: one vector a clip, from anywhere; scikit-learn does the fitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError

Array: TypeAlias = npt.NDArray[np.float64]
BackendName: TypeAlias = Literal["knn", "mahalanobis", "gmm"]

_VARIANCE_FLOOR = 1e-6
"""Least variance of a mixture's Gaussian in a dimension, where the training set's own is 1; scikit-learn's default."""


class Backend(Protocol):
    """What is known of the training embeddings, standardised."""

    def score(self, embeddings: Array) -> Array:
        """Return a score for each embedding, shape (n_clips,); more is more anomalous."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Mean Euclidean distance to the nearest training embeddings.

    Attributes:
        reference: Training embeddings, shape (n_clips, n_dims).
        n_neighbours: How many of the nearest count.
    """

    reference: Array
    n_neighbours: int

    @classmethod
    def fitted(cls, embeddings: Array, n_neighbours: int) -> Neighbours:
        """Keep the training embeddings."""
        _require_enough(embeddings, n_neighbours, "n_neighbours")
        return cls(reference=embeddings, n_neighbours=n_neighbours)

    def score(self, embeddings: Array) -> Array:
        """Return the mean distance of each to its nearest training embeddings, shape (n_clips,)."""
        from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415  # takes a second; only scoring needs it

        search = NearestNeighbors(n_neighbors=self.n_neighbours).fit(self.reference)
        distances: Array = search.kneighbors(embeddings)[0].mean(axis=1)
        return distances


@dataclass(frozen=True, slots=True, kw_only=True)
class Mahalanobis:
    """Mahalanobis distance to the mean of the training embeddings.

    Attributes:
        centre: Their mean, shape (n_dims,).
        precision: Inverse of their covariance, shape (n_dims, n_dims).
    """

    centre: Array
    precision: Array

    @classmethod
    def fitted(cls, embeddings: Array) -> Mahalanobis:
        """Estimate mean and covariance; shrinkage makes it invertible with fewer clips than dimensions.

        Source:
            Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices.
        """
        from sklearn.covariance import LedoitWolf  # noqa: PLC0415

        _require_enough(embeddings, 2, "clips")
        found = LedoitWolf().fit(embeddings)
        return cls(centre=found.location_, precision=found.precision_)

    def score(self, embeddings: Array) -> Array:
        """Return the distance of each, shape (n_clips,)."""
        apart = embeddings - self.centre
        squared = np.einsum("ij,jk,ik->i", apart, self.precision, apart, optimize=True)
        distances: Array = np.sqrt(np.maximum(squared, 0))
        return distances


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianMixtures:
    """Negative log likelihood under a mixture of Gaussians with diagonal covariances.

    Attributes:
        weights: Share of each Gaussian, shape (n_components,).
        means: Shape (n_components, n_dims).
        variances: Shape (n_components, n_dims).
    """

    weights: Array
    means: Array
    variances: Array

    @classmethod
    def fitted(cls, embeddings: Array, n_components: int, seed: int) -> GaussianMixtures:
        """Fit by expectation maximisation, from a start that the seed gives."""
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415

        _require_enough(embeddings, max(n_components, 2), "n_components")
        model = GaussianMixture(
            n_components, covariance_type="diag", reg_covar=_VARIANCE_FLOOR, max_iter=1000, random_state=seed
        ).fit(embeddings)
        return cls(weights=model.weights_, means=model.means_, variances=model.covariances_)

    def score(self, embeddings: Array) -> Array:
        """Return the negative log likelihood of each, shape (n_clips,).

        ln p(x) = ln sum_k w_k N(x; m_k, v_k), with ln N = -sum_d ((x - m)^2 / v + ln(2 pi v)) / 2.
        """
        apart = (embeddings[:, None] - self.means) ** 2 / self.variances + np.log(2 * np.pi * self.variances)
        with np.errstate(divide="ignore"):  # a Gaussian of no weight adds nothing
            logs = np.log(self.weights) - apart.sum(axis=2) / 2
        found: Array = -np.logaddexp.reduce(logs, axis=1)
        return found


def score_embeddings(
    train: npt.ArrayLike,
    test: npt.ArrayLike,
    backend: BackendName = "knn",
    *,
    n_neighbours: int = 1,
    n_components: int = 4,
    standardise: bool = True,
    seed: int = 0,
) -> Array:
    """Return the anomaly score of each test clip by its embedding, whatever made it.

    Args:
        train: Embeddings of normal clips, shape (n_clips, n_dims).
        test: Embeddings of the clips to score, shape (n_others, n_dims).
        backend: ``knn``, mean distance to the nearest training clips; ``mahalanobis``, distance to their mean by
            their covariance (Ledoit-Wolf); ``gmm``, negative log likelihood under a mixture of Gaussians.
        n_neighbours: For ``knn``.
        n_components: For ``gmm``.
        standardise: Whether each dimension is brought to mean 0 and deviation 1 by the training clips.
        seed: Of the start of ``gmm``.

    Returns:
        Scores, shape (n_others,), float64; more is more anomalous.

    Raises:
        OptionError: The arrays do not fit each other, hold NaN or infinities, or are too few for the backend.

    Example:
        >>> score_embeddings([[0.0], [1.0], [2.0]], [[1.0], [5.0]], standardise=False).tolist()
        [0.0, 3.0]
    """
    known = checked_embeddings(train, "train")
    others = checked_embeddings(test, "test", n_dims=known.shape[1])
    scaling = Scaling.learnt(known) if standardise else Scaling.none(known.shape[1])
    fitted = fit_backend(
        scaling.applied(known), backend, n_neighbours=n_neighbours, n_components=n_components, seed=seed
    )
    return fitted.score(scaling.applied(others))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What brings each dimension of the training set to mean 0 and deviation 1.

    Attributes:
        mean: Shape (n_dims,).
        deviation: Shape (n_dims,); 1 where the training set does not vary.
    """

    mean: Array
    deviation: Array

    @classmethod
    def learnt(cls, embeddings: Array) -> Scaling:
        """Take mean and deviation of the training set."""
        mean, deviation = embeddings.mean(axis=0), embeddings.std(axis=0)
        # Rounding leaves a constant dimension with a deviation of about 1e-16 of its size.
        is_constant = deviation <= 1e-12 * np.abs(mean)
        return cls(mean=mean, deviation=np.where(is_constant, 1.0, deviation))

    @classmethod
    def none(cls, n_dims: int) -> Scaling:
        """Leave everything as it is."""
        return cls(mean=np.zeros(n_dims), deviation=np.ones(n_dims))

    def applied(self, embeddings: Array) -> Array:
        """Return embeddings in deviations from the mean."""
        scaled: Array = (embeddings - self.mean) / self.deviation
        return scaled


def fit_backend(embeddings: Array, backend: str, *, n_neighbours: int, n_components: int, seed: int) -> Backend:
    """Fit a backend to embeddings that were checked and scaled.

    Raises:
        OptionError: There is no such backend, or too few clips for it.
    """
    if backend == "knn":
        return Neighbours.fitted(embeddings, n_neighbours)
    if backend == "mahalanobis":
        return Mahalanobis.fitted(embeddings)
    if backend == "gmm":
        return GaussianMixtures.fitted(embeddings, n_components, seed)
    raise _refusal("backend", ", ".join(get_args(BackendName)), backend)


def checked_embeddings(values: Any, name: str, *, n_dims: int | None = None) -> Array:  # noqa: ANN401  # from anywhere
    """Return embeddings as float64, shape (n_clips, n_dims).

    Raises:
        OptionError: They have another shape, are no real numbers, or hold NaN or infinities.
    """
    array = np.asarray(values)
    dims = "n_dims" if n_dims is None else str(n_dims)
    if array.dtype.kind not in "fiu":
        raise _refusal(name, "real numbers", f"dtype {array.dtype}")
    if array.ndim != 2 or not array.size or n_dims not in {None, array.shape[1]}:
        raise _refusal(name, f"shape (n_clips, {dims}), one row a clip", f"shape {array.shape}")
    found = array.astype(np.float64)
    n_bad = int(np.count_nonzero(~np.isfinite(found).all(axis=1)))
    if n_bad:
        raise _refusal(name, "finite numbers", f"NaN or infinities in {n_bad} of {len(found)} rows")
    return found


def _require_enough(embeddings: Array, n_needed: int, name: str) -> None:
    if not 0 < n_needed <= len(embeddings):
        raise _refusal(name, f"1 to {len(embeddings)}, the training clips", n_needed)


def _refusal(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "The embeddings cannot be scored so.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="Pass one vector of finite numbers a clip: score_embeddings(train, test, backend='knn')",
    )
