"""The contract of a plugged-in model: what it may return, and the arguments of a custom loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from toyadmos_datasets.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step of a training, for a loss of one's own.

    Attributes:
        x: The normalised inputs, shape (n_batch, n_inputs).
        x_hat: What the model made of them, of the same shape.
        output: All that the model returned: x_hat, or the tuple that begins with it.
        errors: Squared error of each input as the preset counts it, shape (n_batch,).
        clips: Number of the training clip that each input is of, shape (n_batch,).
    """

    x: Tensor
    x_hat: Tensor
    output: Any
    errors: Tensor
    clips: Tensor


LossFunction: TypeAlias = Callable[[Batch], Tensor]
"""From a batch to the loss that a step lowers, a tensor of one number."""


def reconstruction_of(output: Any, x: Tensor) -> Tensor:  # noqa: ANN401  # what somebody's module returns
    """Return x_hat from what a model returned: the tensor itself, or the first of a tuple, as VAEs return them.

    Raises:
        OptionError: It is no tensor of real numbers of the shape of x. Another shape would be broadcast in silence.
    """
    x_hat = output[0] if isinstance(output, (tuple, list)) and output else output
    if not isinstance(x_hat, Tensor) or not x_hat.is_floating_point():
        kind = f"a tensor of {x_hat.dtype}" if isinstance(x_hat, Tensor) else type(x_hat).__name__
        raise _refusal("forward(x)", "a tensor of real numbers, or a tuple that begins with one", kind)
    if x_hat.shape != x.shape:
        raise _refusal("forward(x)", f"x_hat of the shape of x, {tuple(x.shape)}", f"shape {tuple(x_hat.shape)}")
    return x_hat


def checked_loss(loss: Any) -> Tensor:  # noqa: ANN401  # what somebody's function returns
    """Return a loss that can be lowered.

    Raises:
        OptionError: It is no tensor of one number that follows from the model's parameters.
    """
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        shape = f"shape {tuple(loss.shape)}, requires_grad {loss.requires_grad}" if isinstance(loss, Tensor) else loss
        raise _refusal("loss(batch)", "a tensor of one number that follows from the model's parameters", shape)
    return loss.reshape(())


def require_finite(value: float, what: str, epoch: int) -> None:
    """Raise unless a mean over an epoch is a number.

    Raises:
        OptionError: It is NaN or infinite: the training has diverged, or the model returns such.
    """
    if not torch.isfinite(torch.tensor(value)):
        raise OptionError(
            "The training diverged.",
            where=f"epoch {epoch + 1}",
            expected=f"a finite {what}",
            actual=value,
            remedy="Lower the learning rate: --set learning_rate=1e-5. Or look for NaN in what the model returns.",
        )


def _refusal(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "The model breaks the contract of fit.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="See docs/baseline.md, A model of your own.",
    )
