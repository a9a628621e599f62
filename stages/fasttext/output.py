"""The output layer of a fastText model: from the mean vector of a text to its best label."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, inline="always")
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for d in range(a.size):
        total += a[d] * b[d]
    return total


@njit(cache=True, nogil=True)
def _log(x):  # type: ignore[no-untyped-def]
    """fastText's logarithm, which is finite at zero."""
    return np.float32(np.log(x + 1e-5))


@njit(cache=True, nogil=True)
def best_leaf(output, left, right, hidden, counts, labels, scores):  # type: ignore[no-untyped-def]
    """The likeliest leaf of the Huffman tree for every hidden vector; its log probability."""
    leaves = output.shape[0]
    nodes = np.empty(4 * leaves, np.int64)
    values = np.empty(4 * leaves, np.float32)
    floor = _log(0.0)
    for text in range(hidden.shape[0]):
        labels[text] = -1
        if counts[text] == 0:
            continue
        best = np.float32(-np.inf)
        nodes[0] = 2 * leaves - 2
        values[0] = 0
        depth = 1
        while depth > 0:
            depth -= 1
            node, score = nodes[depth], values[depth]
            if score < floor or score < best:
                continue
            if node < leaves:
                best = score
                labels[text] = node
                continue
            f = np.float32(1.0 / (1.0 + np.exp(-_dot(hidden[text], output[node - leaves]))))
            nodes[depth] = right[node]
            values[depth] = score + _log(np.float64(f))
            nodes[depth + 1] = left[node]
            values[depth + 1] = score + _log(1.0 - np.float64(f))
            depth += 2
        scores[text] = np.exp(best)


@njit(cache=True, nogil=True)
def _table_sigmoid(x):  # type: ignore[no-untyped-def]
    """fastText's logistic function of flat outputs: a table of 512 steps between -8 and 8."""
    if x < -8:
        return np.float32(0)
    if x > 8:
        return np.float32(1)
    step = np.int64((x + np.float32(8)) * np.float32(512) / np.float32(8) / np.float32(2))
    return np.float32(1.0 / (1.0 + np.exp(-np.float32(step * 16.0 / 512.0 - 8.0))))


@njit(cache=True, nogil=True)
def best_output(output, softmax, hidden, counts, labels, scores):  # type: ignore[no-untyped-def]
    """The best label of a flat output layer: softmax, or a logistic unit for every label."""
    values = np.empty(output.shape[0], np.float32)
    for text in range(hidden.shape[0]):
        labels[text] = -1
        if counts[text] == 0:
            continue
        for label in range(values.size):
            values[label] = _dot(hidden[text], output[label])
        if softmax:
            top = values.max()
            total = np.float32(0)
            for label in range(values.size):
                values[label] = np.exp(values[label] - top)
                total += values[label]
            for label in range(values.size):
                values[label] /= total
        else:
            for label in range(values.size):
                values[label] = _table_sigmoid(values[label])
        best = 0
        for label in range(values.size):
            if values[label] >= values[best]:  # of equals fastText names the last
                best = label
        labels[text] = best
        scores[text] = np.exp(_log(np.float64(values[best])))


def huffman(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Left and right children of fastText's tree over labels that are sorted by falling count."""
    leaves = counts.size
    weights = np.concatenate([counts, np.full(max(leaves - 1, 0), 10**15, np.int64)])
    children = np.full((2, weights.size), -1, np.int64)
    leaf, node = leaves - 1, leaves
    for parent in range(leaves, weights.size):
        for side in (0, 1):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[side, parent] = leaf
                leaf -= 1
            else:
                children[side, parent] = node
                node += 1
        weights[parent] = weights[children[0, parent]] + weights[children[1, parent]]
    return children[0], children[1]
