"""Distances between all pairs of two sets, a block of rows at a time, so that memory stays bounded."""

from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 64 * 2**20


def squared_distances(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield, for successive slices of the rows, the squared Euclidean distances to every column.

    Args:
        rows: [N, D]; columns: [M, D].

    Yields:
        a slice of the rows, and float64 [length of the slice, M], never negative.
    """
    # Both about one centre: the squares below then are small, and little is lost when they are subtracted.
    centre = columns.mean(axis=0, dtype=np.float64)
    columns = columns - centre
    norms = np.einsum("nd,nd->n", columns, columns)
    step = rows_per_block(len(columns))
    for first in range(0, len(rows), step):
        block = rows[first : first + step] - centre
        squares = np.einsum("nd,nd->n", block, block)[:, None] + norms - 2 * block @ columns.T
        yield slice(first, first + len(block)), np.maximum(squares, 0, out=squares)


def rows_per_block(columns: int) -> int:
    """How many rows of a float64 matrix of so many columns fit into one block; at least 1."""
    return max(1, BLOCK_BYTES // (8 * max(1, columns)))
