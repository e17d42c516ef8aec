"""Writes the two tables of this bench: mixed.csv (100,000 x 40) and num1m.csv (1,000,000 x 28)."""
import os
import sys

import numpy as np


def mixed(path, n=100_000):
    r = np.random.default_rng(7)
    cols = {"id": [f"c{i:06d}" for i in range(n)]}
    z = r.normal(size=n)
    for j in range(10):
        cols[f"norm{j}"] = np.round(r.normal(size=n) + (0.4 * z if j < 4 else 0), 5)
    cols["corr_a"], cols["corr_b"] = np.round(z, 5), np.round(2 * z + 0.4 * r.normal(size=n), 4)
    cols["income"] = np.round(np.exp(10 + 0.6 * r.normal(size=n)), 2)
    cols["loan_amount"] = r.integers(1, 400, n) * 100
    cols["n_late"] = r.poisson(0.4, n)
    cols["rate"] = np.round(4 + 8 * r.random(n), 2)
    inf = np.round(r.normal(size=n), 4).astype(object)
    inf[r.random(n) < 0.001] = "inf"
    cols["with_inf"] = inf
    miss = np.round(r.normal(size=n), 4).astype(object)
    miss[r.random(n) < 0.3] = ""
    cols["with_missing"] = miss
    cols["constant"] = [1] * n
    for j, k in enumerate((2, 3, 5, 8, 12, 30, 120)):
        cols[f"cat{j}"] = np.array([f"v{i}" for i in range(k)])[r.integers(0, k, n)]
    cols["dirty"] = np.array(["NY", "ny", "New York", "LA", "la"])[r.integers(0, 5, n)]
    cols["imbalanced"] = np.where(r.random(n) < 0.005, "yes", "no")
    cols["user"] = [f"u{i}" for i in r.integers(0, 60_000, n)]
    cols["email"] = [f"user{i}@example.com" for i in r.integers(0, 50_000, n)]
    words = np.array("paid late early called wrote asked happy angry moved married house car loan plan new old bank money time year".split())
    cols["note"] = [" ".join(w) for w in words[r.integers(0, len(words), (n, 12))]]
    day = np.datetime64("2024-01-01") + np.sort(r.integers(0, 730, n))
    cols["applied"] = day.astype(str)
    cols["born"] = (np.datetime64("1950-01-01") + r.integers(0, 18000, n)).astype(str)
    for j in range(5):
        cols[f"int{j}"] = r.integers(0, 10 ** (j + 1), n)
    p = 1 / (1 + np.exp(1.2 - 0.8 * z - 0.4 * cols["norm0"].astype(float) - 0.3 * cols["n_late"]))
    cols["target"] = np.where(r.random(n) < p, "bad", "good")
    names = list(cols)
    with open(path, "w") as f:
        f.write(",".join(names) + "\n")
        for row in zip(*(cols[c] for c in names)):
            f.write(",".join(map(str, row)) + "\n")
    return len(names)


def numbers(path, n=1_000_000, k=28):
    r = np.random.default_rng(8)
    with open(path, "w") as f:
        f.write(",".join([f"x{j}" for j in range(k - 1)] + ["y"]) + "\n")
        for _ in range(n // 50_000):
            x = r.normal(size=(50_000, k))
            x[:, -1] = r.random(50_000) < 1 / (1 + np.exp(-x[:, 0] - 0.5 * x[:, 1]))
            np.savetxt(f, x, delimiter=",", fmt=["%.6f"] * (k - 1) + ["%d"])


if __name__ == "__main__":
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, make in (("mixed.csv", mixed), ("num1m.csv", numbers)):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            make(path)
        print(path)
