"""Gradient-boosted trees whose leaves hold one value for each class: small, and the same bit for bit wherever they are grown.

Splits are found on whole numbers (gradients are rounded before they are summed, so no order of summing matters), leaf values are rounded
before the next tree is grown, and rows and features are chosen by a hash of their number instead of a generator's stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS_MAX = 32
ROUND = 512
"""Gradients and weights in so many parts of one: their sums over a hundred thousand rows stay below `PACK`, so that two of them fit into
one float."""
PACK = float(2**26)
LEAF_SCALE = 1_000
"""Leaf values in so many parts of one: how they are shipped."""


@dataclass(frozen=True)
class Settings:
    """How the trees are grown. `rows` and `columns` are the shares that one tree sees; weights are those of the second derivative."""

    trees: int = 100
    depth: int = 6
    rate: float = 0.1
    rows: float = 0.7
    columns: float = 0.3
    leaf_weight_min: float = 6.0
    ridge: float = 5.0
    """Weight that pulls a leaf's values, and what a split brings, to nothing."""


@dataclass(frozen=True)
class Tree:
    """A whole tree of `depth` levels: node `n` has the children `2n+1` and `2n+2`. Rows whose value is at most the threshold go left;
    a node that does not split has feature -1, and all its rows go left. `values` holds thousandths, one row for each leaf; `sizes` how
    many rows it was grown from."""

    features: tuple[int, ...]
    thresholds: tuple[float, ...]
    values: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Forest:
    base: tuple[float, ...]
    trees: tuple[Tree, ...]


def edges_of(column: Floats) -> Floats:
    """Thresholds between neighbouring values, at most `BINS_MAX - 1`, spread evenly over the rows."""
    values, counts = np.unique(column, return_counts=True)
    if len(values) <= BINS_MAX:
        return np.array([short((low + high) / 2) for low, high in pairwise(values)])
    ranks = np.cumsum(counts)
    wanted = [int(np.searchsorted(ranks, ranks[-1] * share / BINS_MAX)) for share in range(1, BINS_MAX)]
    chosen = sorted({place for place in wanted if place + 1 < len(values)})
    return np.array([short((values[place] + values[place + 1]) / 2) for place in chosen])


def short(value: float) -> float:
    """A number of few digits."""
    return float(f"{value:.5g}")


def chosen(numbers: int, share: float, salt: int) -> NDArray[np.bool_]:
    """A share of the numbers below `numbers`, another one for each salt."""
    hashed = (np.arange(numbers, dtype=np.uint64) + np.uint64(salt * 1_000_003)) * np.uint64(0x9E3779B97F4A7C15)
    hashed ^= hashed >> np.uint64(31)
    hashed *= np.uint64(0xBF58476D1CE4E5B9)
    hashed ^= hashed >> np.uint64(29)
    return hashed < np.uint64(int(share * 2.0**64) if share < 1 else 2**64 - 1)


def expected_of(scores: Floats) -> Floats:
    """Chances for scores: of one class against nothing, or of several against each other."""
    if scores.shape[1] == 1:
        return 1 / (1 + np.exp(-scores))
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def grow(rows: Floats, hits: Floats, settings: Settings) -> Forest:
    """Trees for these rows (one line each); `hits` is 1 where a row is of a class: one column for each class, or one for yes and no."""
    count, width = rows.shape
    classes = hits.shape[1]
    edges = [edges_of(rows[:, column]) for column in range(width)]
    bins = np.stack([np.searchsorted(edges[column], rows[:, column], side="left") for column in range(width)]).astype(np.int64)
    shares = [(float(hits[:, one].sum()) + 1) / (count + classes + 1) for one in range(classes)]
    base = np.array([short(log(share / (1 - share)) if classes == 1 else log(share)) for share in shares])
    scores = np.tile(base, (count, 1))
    leaves = 2**settings.depth
    trees: list[Tree] = []
    for number in range(settings.trees):
        expected = expected_of(scores)
        gradients, weights = hits - expected, expected * (1 - expected)
        seen = np.flatnonzero(chosen(count, settings.rows, 2 * number))
        columns = [int(column) for column in np.flatnonzero(chosen(width, settings.columns, 2 * number + 1)) if len(edges[column])]
        features, thresholds, leaf = _split(bins, edges, gradients, weights.mean(axis=1), seen, columns, settings)
        values = np.zeros((leaves, classes), dtype=np.int64)
        for one in range(classes):
            up = np.bincount(leaf[seen], weights=gradients[seen, one], minlength=leaves)
            down = np.bincount(leaf[seen], weights=weights[seen, one], minlength=leaves)
            values[:, one] = np.rint(settings.rate * up / (down + settings.ridge) * LEAF_SCALE).astype(np.int64)
        scores += values[leaf] / LEAF_SCALE
        sizes = np.bincount(leaf, minlength=leaves)
        trees.append(
            Tree(tuple(features), tuple(thresholds), tuple(tuple(int(one) for one in row) for row in values), tuple(sizes.tolist()))
        )
    return Forest(tuple(float(one) for one in base), tuple(trees))


def _split(
    bins: Ints, edges: list[Floats], gradients: Floats, weights: Floats, seen: Ints, columns: list[int], settings: Settings
) -> tuple[list[int], list[float], Ints]:
    """One tree's splits, and the leaf of every row."""
    count, classes = gradients.shape
    parts = [np.rint(gradients[seen, one] * ROUND) for one in range(classes)] + [np.rint(weights[seen] * ROUND)]
    parts += [np.zeros(len(seen))] * (len(parts) % 2)
    packed = [low + high * PACK for low, high in zip(parts[::2], parts[1::2], strict=True)]
    of_seen = [bins[column][seen] for column in columns]
    features, thresholds = [-1] * (2**settings.depth - 1), [0.0] * (2**settings.depth - 1)
    node = np.zeros(count, dtype=np.int64)
    for level in range(settings.depth):
        nodes = 2**level
        base = node[seen] * BINS_MAX
        shape = (len(columns), nodes, BINS_MAX)
        sums: list[Floats] = []
        keys = [base + mine for mine in of_seen]
        for values in packed:
            counted = [np.bincount(key, weights=values, minlength=nodes * BINS_MAX) for key in keys]
            both = np.stack(counted).reshape(shape).cumsum(axis=2)
            high = np.rint(both / PACK)
            sums += [(both - high * PACK) / ROUND, high / ROUND]
        gain = _gain(sums[:classes], sums[classes], settings)
        at = gain.argmax(axis=2)
        best = np.take_along_axis(gain, at[:, :, None], axis=2)[:, :, 0]
        right = np.zeros(count, dtype=np.int64)
        for one in range(nodes):
            place = int(best[:, one].argmax())
            if best[place, one] <= 0:
                continue
            column, edge = columns[place], int(at[place, one])
            features[nodes - 1 + one], thresholds[nodes - 1 + one] = column, float(edges[column][edge])
            mine = node == one
            right[mine] = bins[column][mine] > edge
        node = node * 2 + right
    return features, thresholds, node


def _gain(sums: list[Floats], sizes: Floats, settings: Settings) -> Floats:
    """What a split behind each bin would bring; nothing where a side would be too small."""
    total = sizes[:, :, -1:]
    rest = total - sizes
    gain = np.zeros_like(sizes)
    for left in sums:
        whole = left[:, :, -1:]
        right = whole - left
        gain += left * left / (sizes + settings.ridge) + right * right / (rest + settings.ridge) - whole * whole / (total + settings.ridge)
    gain[(sizes < settings.leaf_weight_min) | (rest < settings.leaf_weight_min)] = 0.0
    return gain
