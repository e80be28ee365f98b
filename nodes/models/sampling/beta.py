"""Quantiles of the beta distribution.

Source: M. Abramowitz and I. Stegun, "Handbook of mathematical functions", 26.5.8 (a continued
fraction, worked out by Lentz's way).
"""

from __future__ import annotations

import math

TINY = 1e-300
EXACT = 1e-15
TERMS = 300
HALVINGS = 60


def share_below(x: float, a: float, b: float) -> float:
    """How much of a beta distribution is below `x`, 0..1."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction would end late
        return 1 - share_below(1 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(logarithm + a * math.log(x) + b * math.log1p(-x)) / a
    value, above, below = 1.0, 1.0, 0.0
    for n in range(1, TERMS):
        term = _term(n, x, a, b)
        below = 1 / _apart(1 + term * below)
        above = _apart(1 + term / above)
        value *= above * below
        if abs(above * below - 1) < EXACT:
            break
    return front / value if value else 0.0


def _term(n: int, x: float, a: float, b: float) -> float:
    """The n-th numerator of the fraction."""
    m = n // 2
    if n % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))


def _apart(value: float) -> float:
    """Not zero."""
    return value if abs(value) > TINY else TINY


def quantile(share: float, a: float, b: float) -> float:
    """The number below which there is that share of a beta distribution."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if share_below(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2
