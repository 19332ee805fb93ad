from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from lib.models.side_information.similarity_graph import cosine_graph


def written_out(features, top_k, epsilon=1e-10):
    """Every pair in turn: cosines, each row's nearest with ties to the lower index, symmetrised."""
    n = len(features)
    one_way = np.zeros((n, n))
    for i in range(n):
        found = []
        for j in range(n):
            lengths = np.linalg.norm(features[i]) * np.linalg.norm(features[j])
            if i == j or lengths == 0:
                continue
            cosine = round(float(features[i] @ features[j] / lengths), 5)
            if cosine >= epsilon and cosine > 0:
                found.append((-cosine, j))
        for cosine, j in sorted(found)[:top_k]:
            one_way[i, j] = -cosine
    return np.maximum(one_way, one_way.T)


@pytest.fixture
def features():
    """Genre-like rows, many of them the same, one empty."""
    rng = np.random.default_rng(1)
    rows = (rng.random((40, 6)) < 0.35).astype(float)
    rows[7] = 0
    rows[20:30] = rows[3]
    return rows


@pytest.mark.parametrize("top_k", [1, 3, 10, 39, 500])
def test_it_is_the_written_out_graph(features, top_k):
    found = cosine_graph(sparse.csr_array(features), top_k=top_k)
    np.testing.assert_allclose(found.toarray(), written_out(features, top_k), atol=2e-5)


def test_negative_and_small_similarities_are_dropped():
    rng = np.random.default_rng(2)
    dense = rng.normal(size=(30, 4))
    found = cosine_graph(sparse.csr_array(dense), top_k=29, epsilon=0.5).toarray()
    np.testing.assert_allclose(found, written_out(dense, 29, 0.5), atol=2e-5)
    assert found[found > 0].min() >= 0.5


def test_a_single_column_joins_one_side_of_zero():
    found = cosine_graph(sparse.csr_array([[-2.0], [-1.0], [0.0], [1.0], [3.0]]), top_k=4).toarray()
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 0] = expected[3, 4] = expected[4, 3] = 1
    np.testing.assert_array_equal(found, expected)


def test_properties(features):
    graph = cosine_graph(sparse.csr_array(features), top_k=5)
    assert abs(graph - graph.T).max() == 0
    assert not graph.diagonal().any()
    assert graph.data.min() > 0 and graph.data.max() <= 1
    assert graph.toarray()[7].sum() == 0


def test_nothing_to_join():
    assert cosine_graph(sparse.csr_array(np.zeros((4, 2))), top_k=3).nnz == 0
    assert cosine_graph(sparse.csr_array(np.ones((1, 2))), top_k=3).nnz == 0
