"""Writes reference.json: coefficients of scikit-learn on generated tables.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install scikit-learn==1.9.1
    /tmp/venv/bin/python reference.py > reference.json

binary: LogisticRegression(saga), C = 1/(n*lambda), weights of mean 1.
regression: Ridge or ElasticNet on y divided by its standard deviation, whose
coefficients are then multiplied by it.
X is rounded to 9 digits, so that both sides fit the same table.
"""
import json
import sys
import numpy as np
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge

rng = np.random.default_rng(20260101)
tables, cases = [], []
for n, p in ((120, 6), (60, 20)):
    x = rng.normal(size=(n, p))
    x[:, 1] = 0.9 * x[:, 0] + 0.4 * x[:, 1]          # correlated
    x[:, p - 2] = (x[:, p - 2] > 0.5).astype(float)  # a one-hot pair
    x[:, p - 1] = 1 - x[:, p - 2]
    x = np.round(x, 9)
    tables.append(dict(rows=n, cols=p, x=x.ravel().tolist()))
    margin = x @ np.where(np.arange(p) % 3 == 0, 1.0, 0.0) - 0.7
    w = np.round(rng.uniform(0.2, 2.0, n), 6)

    def add(task, y, w, lam, l1, intercept, weight):
        cases.append(dict(table=len(tables) - 1, task=task, y=y.tolist(), w=None if w is None else w.tolist(),
                          l1_ratio=l1, intercept=float(intercept), weight=weight.tolist(), **{"lambda": lam}))

    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-margin))).astype(float)
    for lam, l1 in ((0.01, 0.0), (0.01, 0.5), (0.03, 1.0), (0.3, 0.5)):
        for weights in (None, w):
            f = LogisticRegression(C=1 / (n * lam), l1_ratio=l1, solver="saga", tol=1e-12, max_iter=2_000_000)
            f.fit(x, y, sample_weight=None if weights is None else weights / weights.mean())
            add("binary", y, weights, lam, l1, f.intercept_[0], f.coef_[0])

    y = np.round(3 * (margin + rng.normal(size=n)) + 50, 9)
    s = y.std()
    for lam, l1 in ((0.01, 0.0), (0.01, 0.5), (0.1, 1.0)):
        f = Ridge(alpha=lam * n) if l1 == 0 else ElasticNet(alpha=lam, l1_ratio=l1, tol=1e-14, max_iter=2_000_000)
        f.fit(x, y / s)
        add("regression", y, None, lam, l1, f.intercept_ * s, f.coef_ * s)
json.dump(dict(tables=tables, cases=cases), sys.stdout)
print()
