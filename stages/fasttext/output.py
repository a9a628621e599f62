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
def leaf_scores(output, nodes, signs, hidden, counts, scores):  # type: ignore[no-untyped-def]
    """The probability of one leaf for every hidden vector, by the nodes on its way; 0 where fastText gives it up."""
    floor = _log(0.0)
    for text in range(hidden.shape[0]):
        if counts[text] == 0:
            continue
        score = np.float32(0)
        for k in range(nodes.size):
            f = np.float32(1.0 / (1.0 + np.exp(-_dot(hidden[text], output[nodes[k]]))))
            score += _log(np.float64(f)) if signs[k] > 0 else _log(1.0 - np.float64(f))
            if score < floor:
                break
        scores[text] = np.exp(score) if score >= floor else 0


@njit(cache=True, nogil=True)
def _outputs(output, softmax, hidden, values):  # type: ignore[no-untyped-def]
    """Set ``values`` to the probability of every label: softmax, or a logistic unit for each."""
    for label in range(values.size):
        values[label] = _dot(hidden, output[label])
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


@njit(cache=True, nogil=True)
def output_scores(output, softmax, label, hidden, counts, scores):  # type: ignore[no-untyped-def]
    """What a flat output layer says of one label."""
    values = np.empty(output.shape[0], np.float32)
    for text in range(hidden.shape[0]):
        if counts[text] > 0:
            _outputs(output, softmax, hidden[text], values)
            scores[text] = np.exp(_log(np.float64(values[label])))


@njit(cache=True, nogil=True)
def best_output(output, softmax, hidden, counts, labels, scores):  # type: ignore[no-untyped-def]
    """The best label of a flat output layer."""
    values = np.empty(output.shape[0], np.float32)
    for text in range(hidden.shape[0]):
        labels[text] = -1
        if counts[text] == 0:
            continue
        _outputs(output, softmax, hidden[text], values)
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


def leaf_path(
    left: NDArray[np.int64], right: NDArray[np.int64], leaf: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The inner nodes on the way to a leaf of the tree, from the root on, and for each 1 where it goes to the right."""
    leaves = (left.size + 1) // 2
    nodes, signs, at = [], [], leaf
    while True:
        above = np.flatnonzero((left == at) | (right == at))
        if not above.size:
            break
        at = int(above[0])
        nodes.append(at - leaves)
        signs.append(int(right[at] == (nodes[-2] + leaves if len(nodes) > 1 else leaf)))
    return np.array(nodes[::-1], np.int64), np.array(signs[::-1], np.int64)
