"""Where a network looks: the gradient of a class score in the pixels (Simonyan et al. 2014, 3; Levy & Jain 2016, 5.3)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def saliency(network: nn.Module, pixels: Tensor, head: str, class_index: int) -> NDArray[np.float32]:
    """How strongly each pixel moves the score of a class before the softmax.

    The network is left as it was: mode, gradients and frozen parameters.

    Parameters
    ----------
    network
        Answers logits by head and features.
    pixels
        (n, 1, rows, columns) in [0, 1]; or (n, views, 1, rows, columns) for a network of exams.
    head, class_index
        Whose unnormalised score. A head of one output has index 0.

    Returns
    -------
    (n, rows, columns) or (n, views, rows, columns), the largest absolute gradient over the channels; 0 where a pixel changes nothing.

    Raises
    ------
    KeyError
        The network has no such head; the message names those that it has.
    IndexError
        The head has no such class.
    """
    device = next(network.parameters()).device
    inputs = pixels.detach().to(device, torch.float32).clone().requires_grad_(True)
    training = network.training
    network.eval()  # batch norm and dropout as in use
    try:
        with torch.enable_grad():
            logits, _ = network(inputs)
            if head not in logits:
                raise KeyError(f"no head {head!r}; the network has {', '.join(logits)}")
            if not 0 <= class_index < logits[head].shape[1]:
                raise IndexError(f"head {head} has {logits[head].shape[1]} classes, and none of number {class_index}")
            # Pictures do not mix in evaluation: the gradient of the sum is each picture's own.
            (gradient,) = torch.autograd.grad(logits[head][:, class_index].sum(), inputs)
    finally:
        network.train(training)
    return np.asarray(gradient.abs().amax(dim=-3).cpu().numpy(), np.float32)
