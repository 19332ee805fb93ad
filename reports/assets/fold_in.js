// Lists for a reader's own ratings, from parts of fitted models that lie in the page: no request, and nothing is kept.
// lib/workbench/explorer/fold_in.py says what the parts are; a test holds its scores and these to each other.
(function (home) {
  "use strict";
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer;

  // Numbers are whole multiples of a scale; where places are given, all other numbers are zero.
  const unpack = ({ scale, size, numbers, places }) => {
    const found = new Float64Array(size);
    const where = places && new Uint16Array(bytes(places));
    new Int16Array(bytes(numbers)).forEach((number, n) => { found[where ? where[n] : n] = number * scale; });
    return found;
  };

  // What having rated film j says for film i: K[j][i], given as such or as the products of the films' vectors.
  const pairs = (model, n) => {
    const given = unpack(model.pairs || model.vectors);
    const width = given.length / n;
    const rows = Array.from({ length: n }, (_, j) => given.subarray(j * width, (j + 1) * width));
    if (model.pairs && model.pairs.mirrored) rows.forEach((row, j) => { for (let i = 0; i < j; i++) row[i] = rows[i][j]; });
    if (model.pairs) return rows;
    return rows.map((one) => Float64Array.from(rows, (other) => one.reduce((sum, value, f) => sum + value * other[f], 0)));
  };

  // Solve a small symmetric system with a positive definite matrix by elimination; both arguments are overwritten.
  const solve = (matrix, right) => {
    const n = right.length;
    for (let p = 0; p < n; p++) {
      for (let r = p + 1; r < n; r++) {
        const share = matrix[r][p] / matrix[p][p];
        for (let c = p; c < n; c++) matrix[r][c] -= share * matrix[p][c];
        right[r] -= share * right[p];
      }
    }
    for (let p = n - 1; p >= 0; p--) {
      for (let c = p + 1; c < n; c++) right[p] -= matrix[p][c] * right[c];
      right[p] /= matrix[p][p];
    }
    return right;
  };

  const WAYS = {
    // The rated films' weights are added up.
    sum: (model, K, own) => own.map(() => 1),
    // The user's part for which the model's objective is least, its films held: a ridge regression on the rated films.
    ridge: ({ penalty: [p, each], target: [t, share] }, K, own, left) => solve(
      own.map((j, a) => own.map((i, b) => K[j][i] + (a === b ? p + each * own.length : 0))),
      left.map((one) => t + share * one)
    ),
  };

  // A mean of what the user thinks of the most similar rated films, each held against what is expected of it.
  const mean = ({ penalty, neighbours }, K, own, left, offsets) => {
    const bias = left.reduce((sum, one) => sum + one, 0) / (own.length + penalty);
    return offsets.map((offset, i) => {
      const edge = own.map((j) => K[j][i]).sort((a, b) => b - a)[Math.min(neighbours, own.length) - 1];
      const weights = own.map((j) => (K[j][i] >= edge ? K[j][i] : 0));
      const total = weights.reduce((sum, one) => sum + one, 0);
      return offset + bias + (total ? weights.reduce((sum, one, a) => sum + one * (left[a] - bias), 0) / total : 0);
    });
  };

  // A score for each of n films, from [place, stars] of the rated ones; null where none of these counts for the model.
  const scores = (model, rated, n) => {
    const counted = rated.filter(([, stars]) => model.least === null || stars >= model.least);
    if (!counted.length) return null;
    model.K = model.K || pairs(model, n);
    const offsets = model.offsets ? unpack(model.offsets) : new Float64Array(n);
    const own = counted.map(([place]) => place);
    const left = counted.map(([place, stars]) => stars - offsets[place]);
    if (model.way === "mean") return mean(model, model.K, own, left, offsets);
    const shares = WAYS[model.way](model, model.K, own, left);
    return offsets.map((offset, i) => own.reduce((sum, j, a) => sum + shares[a] * model.K[j][i], offset));
  };

  // The best films that are not rated yet, of equal ones those that stand first.
  const best = (found, rated, length) => {
    const known = new Set(rated.map(([place]) => place));
    return Array.from(found, (_, place) => place).filter((place) => !known.has(place)).sort((a, b) => found[b] - found[a] || a - b).slice(0, length);
  };

  home.foldIn = { scores, best };
})(globalThis);
