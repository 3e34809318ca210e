"""How much of a source image is left in one made from it: structure and edges.

Two figures are those of SpineFairBench and pass or fail by its thresholds: SSIM computed once from
the statistics of the whole image, and the share of the source's edges that are kept. Windowed SSIM
(Wang et al. 2004) stands beside them as ours: it sees where an image changed, which a figure from
whole-image means and variances cannot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.pairs.images import Grey
from evenhand.errors import StatsError

__all__ = ["WINDOW", "edge_preservation", "edges_of", "global_ssim", "windowed_ssim"]

C1 = 0.01**2
C2 = 0.03**2
"""Wang et al. 2004, equations 7 and 9, with K1 = 0.01, K2 = 0.03 and a range of 1."""

WINDOW = 11
"""Pixels across the Gaussian window of windowed SSIM."""

SIGMA = 1.5
STRIP = 32
FLOOR = 1e-6


def global_ssim(source: Grey, other: Grey) -> float:
    """SSIM of two grey images from the means, variances and covariance of all their pixels.

    Wang et al. 2004, equation 13, with a single window as large as the image; variances are those
    of a population (divided by n). Symmetric; 1 for equal images; at least -1.

    Raises:
        StatsError: the images differ in shape, or are empty.

    Example:
        >>> ramp = np.linspace(0.0, 1.0, 16).reshape(4, 4)
        >>> global_ssim(ramp, ramp)
        1.0
        >>> round(global_ssim(ramp, 1.0 - ramp), 4)
        -0.9905
    """
    _check(source, other)
    means = source.mean(), other.mean()
    apart, apart_other = source - means[0], other - means[1]
    covariance = np.mean(apart * apart_other)
    variances = np.mean(apart * apart), np.mean(apart_other * apart_other)
    return float(_ssim(means[0], means[1], variances[0], variances[1], covariance))


def windowed_ssim(source: Grey, other: Grey) -> float:
    """Mean SSIM over all whole 11 x 11 Gaussian windows (sigma 1.5); Wang et al. 2004.

    Weighted population moments in each window, as in the paper; windows that reach over the border
    are left out. Symmetric; 1 for equal images.

    Raises:
        StatsError: the images differ in shape, or are less than 11 pixels wide or high.

    Example:
        >>> ramp = np.linspace(0.0, 1.0, 256).reshape(16, 16)
        >>> windowed_ssim(ramp, ramp)
        1.0
    """
    _check(source, other)
    if min(source.shape) < WINDOW:
        raise StatsError(
            f"windowed SSIM needs {WINDOW} x {WINDOW} pixels; the image has "
            f"{source.shape[1]} x {source.shape[0]}"
        )
    rows = len(source) - WINDOW + 1
    # Strip by strip: what is worked on stays in the processor's cache.
    total = sum(
        float(_window_scores(source[at : at + STRIP], other[at : at + STRIP]).sum())
        for at in range(0, rows, STRIP - WINDOW + 1)
    )
    return float(total / (rows * (source.shape[1] - WINDOW + 1)))


def edges_of(image: Grey) -> NDArray[np.bool_]:
    """Where an image has edges: gradient magnitude above its mean plus one standard deviation.

    Gradients are central differences, zero in the outermost rows (down) and columns (across); the
    threshold is at least 1e-6, so that an even image has no edges. Shape as the image's.

    Example:
        >>> step = np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 4, axis=0)
        >>> edges_of(step)[1].astype(int)
        array([0, 0, 1, 1, 0, 0])
    """
    across, down = np.zeros_like(image), np.zeros_like(image)
    across[:, 1:-1] = (image[:, 2:] - image[:, :-2]) / 2.0
    down[1:-1, :] = (image[2:, :] - image[:-2, :]) / 2.0
    magnitude = np.sqrt(across * across + down * down)
    return np.asarray(magnitude > max(magnitude.mean() + magnitude.std(), FLOOR))


def edge_preservation(source: Grey, other: Grey) -> float:
    """The share of the source's edge pixels that lie on or beside an edge pixel of the other.

    Beside: within the 3 x 3 pixels around it. 1 where the source has no edges. Not symmetric.

    Raises:
        StatsError: the images differ in shape, or are empty.

    Example:
        >>> step = np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 4, axis=0)
        >>> edge_preservation(step, step), edge_preservation(step, np.zeros_like(step))
        (1.0, 0.0)
    """
    _check(source, other)
    edges = edges_of(source)
    there = np.count_nonzero(edges)
    if there == 0:
        return 1.0
    return float(np.count_nonzero(edges & _widened(edges_of(other))) / there)


def _check(source: Grey, other: Grey) -> None:
    if source.shape != other.shape or source.ndim != 2:
        raise StatsError(
            f"two grey images of one shape are needed, not {source.shape} and {other.shape}"
        )
    if source.size == 0:
        raise StatsError("the images have no pixels")


def _ssim(mean: Grey, mean_other: Grey, variance: Grey, variance_other: Grey, cov: Grey) -> Grey:
    above = (2 * mean * mean_other + C1) * (2 * cov + C2)
    below = (mean**2 + mean_other**2 + C1) * (variance + variance_other + C2)
    return above / below


def _kernel() -> NDArray[np.float64]:
    at = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(at**2) / (2 * SIGMA**2))
    return np.asarray(weights / weights.sum())


def _window_scores(source: Grey, other: Grey) -> Grey:
    """SSIM in each window that lies within the images."""
    mean, mean_other = _weighed(source), _weighed(other)
    variance = _weighed(source * source) - mean * mean
    variance_other = _weighed(other * other) - mean_other * mean_other
    covariance = _weighed(source * other) - mean * mean_other
    return _ssim(mean, mean_other, variance, variance_other, covariance)


def _weighed(values: Grey) -> Grey:
    """Gaussian means around each pixel whose window lies within the image."""
    return _slid(_slid(values).T).T


def _slid(values: Grey) -> Grey:
    """The kernel along the first axis. Pairs of shifted rows: a third of correlate1d's time."""
    kernel, middle = _kernel(), WINDOW // 2
    count = len(values) - WINDOW + 1
    total = kernel[middle] * values[middle : middle + count]
    for off in range(1, middle + 1):
        before, after = middle - off, middle + off
        both = values[before : before + count] + values[after : after + count]
        both *= kernel[middle + off]
        total += both
    return np.asarray(total)


def _widened(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Marks and their eight neighbours."""
    tall = marks.copy()
    tall[1:] |= marks[:-1]
    tall[:-1] |= marks[1:]
    wide = tall.copy()
    wide[:, 1:] |= tall[:, :-1]
    wide[:, :-1] |= tall[:, 1:]
    return wide
