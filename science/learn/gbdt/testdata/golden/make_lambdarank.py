"""Makes lambdarank.json: a small table of queries, and what LightGBM predicts for its rows.

python make_lambdarank.py > lambdarank.json    (LightGBM 4.x, numpy)

As in make.py, features have few distinct values, so that both programs consider
the same splits, and leaves are limited by their hessian.
"""
import json
import sys

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(7)
groups = [1, 2, 3, 60, 45] + rng.integers(4, 30, 24).tolist()
n = sum(groups)
X = np.column_stack([
    rng.integers(0, 40, n),
    rng.integers(0, 25, n) / 4,
    np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 30, n)),
    rng.integers(0, 12, n),
]).astype(float)
m = (X[:, 0] - 20) / 10 + np.sin(X[:, 1] * 2) + np.where(np.isnan(X[:, 2]), 1.5, X[:, 2] / 20) + np.cos(X[:, 3])
y = np.digitize(m + 0.6 * rng.normal(size=n), np.quantile(m, [0.4, 0.65, 0.85, 0.95])).astype(float)
w = np.round(rng.uniform(0.5, 2, n), 2)

cases = []
for name, ours, theirs, weighted in (
    ("defaults", {}, {}, False),
    ("no norm", {"lambdarank_norm": 0}, {"lambdarank_norm": False}, False),
    ("truncated", {"lambdarank_truncation": 4}, {"lambdarank_truncation_level": 4}, False),
    ("weights", {}, {}, True),
):
    for trees in (1, 10):
        p = dict(objective="lambdarank", num_leaves=5, learning_rate=0.2, min_data_in_leaf=1, min_sum_hessian_in_leaf=2, lambda_l2=0.5,
                 min_data_in_bin=1, enable_bundle=False, max_bin=255, num_threads=1, deterministic=True, force_col_wise=True, verbose=-1,
                 feature_pre_filter=False, **theirs)
        b = lgb.train(p, lgb.Dataset(X, y, group=groups, weight=w if weighted else None, params=p), trees)
        cases.append({
            "id": f"{name} {trees} trees", "weighted": weighted,
            "params": {"objective": "lambdarank", "trees": trees, "leaves": 5, "learning_rate": 0.2, "min_rows": 1, "min_hessian": 2, "lambda": 0.5, **ours},
            "margins": [float("%.10g" % v) for v in b.predict(X, raw_score=True)],
        })
rows = [[None if np.isnan(v) else v for v in r] for r in X.tolist()]
json.dump({"source": f"LightGBM {lgb.__version__}, make_lambdarank.py", "rows": rows, "labels": y.tolist(), "weights": w.tolist(),
           "groups": groups, "cases": cases}, sys.stdout)
