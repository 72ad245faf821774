#!/usr/bin/env python3
"""Fits the curves that make scores out of cosine and BM25, from what `ragline-gateway eval DIR --hits FILE` wrote.

    fit.py FILE...       one file a collection

Prints for each mode the slopes and the intercept of gateway/src/backends/pgvector/calibrations.rs and gateway/src/answer/score.rs, and what
a threshold of 0.7 lets through in each collection: with the curve of all collections, and with that of the others alone. In the fit
each collection weighs the same, and in each the relevant hits weigh as much as the others. Needs nothing but Python.
"""

import json
import math
import sys
from pathlib import Path

HALF = 2.0
STEPS = 50
RIDGE = 1e-4


def features(hit):
    """Cosine, the BM25 as the gateway scales it, and 1."""
    each = max(hit["lexical"] or 0.0, 0.0) / max(hit["terms"], 1)
    return [hit["similarity"] or 0.0, each / (each + HALF), 1.0]


USED = {"vector": (0, 2), "lexical": (1, 2), "hybrid": (0, 1, 2)}


def solve(matrix, right):
    size = len(right)
    rows = [row[:] + [value] for row, value in zip(matrix, right)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda row: abs(rows[row][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for j in range(size):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i])]
    return [rows[i][size] / rows[i][i] for i in range(size)]


def fit(samples):
    """Newton's method for a weighted logistic regression; samples are (features, relevant, weight)."""
    size = len(samples[0][0])
    curve = [0.0] * size
    for _ in range(STEPS):
        gradient = [-RIDGE * value for value in curve]
        hessian = [[RIDGE if i == j else 0.0 for j in range(size)] for i in range(size)]
        for x, relevant, weight in samples:
            p = probability(curve, x)
            for i in range(size):
                gradient[i] += weight * (relevant - p) * x[i]
                for j in range(size):
                    hessian[i][j] += weight * p * (1 - p) * x[i] * x[j]
        curve = [value + step for value, step in zip(curve, solve(hessian, gradient))]
    return curve


def probability(curve, x):
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, sum(a * b for a, b in zip(curve, x))))))


def weighted(hits, mode):
    relevant = sum(hit["relevant"] for hit in hits)
    share = {True: 0.5 / max(relevant, 1), False: 0.5 / max(len(hits) - relevant, 1)}
    return [([features(hit)[i] for i in USED[mode]], hit["relevant"], share[hit["relevant"]]) for hit in hits]


def at(curve, hits, mode, threshold=0.7):
    passed = [hit for hit in hits if probability(curve, [features(hit)[i] for i in USED[mode]]) >= threshold]
    right, all_right = sum(hit["relevant"] for hit in passed), sum(hit["relevant"] for hit in hits)
    return f"precision {right / max(len(passed), 1):.2f} (of all {all_right / len(hits):.2f}), kept {right / max(all_right, 1):.2f}"


def main():
    collections = {Path(name).stem: [json.loads(line) for line in open(name)] for name in sys.argv[1:]}
    for mode in USED:
        of = {name: [hit for hit in hits if hit["mode"] == mode] for name, hits in collections.items()}
        curve = fit([sample for hits in of.values() for sample in weighted(hits, mode)])
        print(f"{mode}: {', '.join(f'{value:.3f}' for value in curve)}")
        for name, hits in of.items():
            others = [sample for other, rest in of.items() if other != name for sample in weighted(rest, mode)]
            held_out = f"; fitted on the others: {at(fit(others), hits, mode)}" if others else ""
            print(f"  {name}: {at(curve, hits, mode)}{held_out}")


if __name__ == "__main__":
    main()
