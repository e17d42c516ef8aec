"""Makes lightgbm.json: small tables, and what LightGBM predicts for their rows.

python make.py > lightgbm.json    (LightGBM 4.x, numpy)

Features have few distinct values, so that both programs consider the same
splits; enable_bundle and min_data_in_bin are set to what Tandem does. Leaves
are limited by their hessian, not by their rows: both programs estimate rows
from the hessian, but LightGBM rounds the estimate and lets 14.5 pass for 15.
"""
import json
import sys

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(20)
n = 600
X = np.column_stack([
    rng.integers(0, 40, n),
    rng.integers(0, 25, n) / 4,
    np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 30, n)),
    rng.integers(0, 12, n),
]).astype(float)
effect = rng.normal(size=12)
m = (X[:, 0] - 20) / 10 + np.sin(X[:, 1] * 2) + np.where(np.isnan(X[:, 2]), 1.5, X[:, 2] / 20) + effect[X[:, 3].astype(int)]
noise = rng.normal(size=n)
labels = {"regression": np.round(m + 0.3 * noise, 3), "binary": (m + noise > np.median(m)).astype(float),
          "counts": np.round(np.maximum(0, np.exp(m / 2) + noise))}

cases = []
for task in ("regression", "binary"):
    y = labels[task]
    for cats in ([], [3]):
        for trees, leaves in ((1, 8), (40, 8)):
            p = dict(objective=task, num_leaves=leaves, learning_rate=0.2, min_data_in_leaf=1, min_sum_hessian_in_leaf=4, lambda_l2=0.5,
                     min_data_in_bin=1, enable_bundle=False, max_bin=255, min_data_per_group=1, cat_smooth=1, cat_l2=3,
                     num_threads=1, deterministic=True, force_col_wise=True, verbose=-1, feature_pre_filter=False)
            b = lgb.train(p, lgb.Dataset(X, y, categorical_feature=cats, params=p), trees)
            cases.append({
                "id": f"{task} {trees} trees" + (" categories" if cats else ""), "task": task, "labels": task,
                "categories": [12 if j in cats else 0 for j in range(4)],
                "params": {"trees": trees, "leaves": leaves, "learning_rate": 0.2, "min_rows": 1, "min_hessian": 4, "lambda": 0.5,
                           "cat_min_rows": 1, "cat_smooth": 1, "cat_lambda": 3},
                "margins": [float("%.10g" % v) for v in b.predict(X, raw_score=True)],
            })
# Other settings: ours, and what LightGBM calls them. Ten trees: later ones meet
# splits so nearly equal that rounding decides. Median and quantiles are left
# out, since LightGBM interpolates between other residuals.
for ours, theirs, which in (
    ({"objective": "huber", "huber_delta": 0.7}, dict(objective="huber", alpha=0.7), "regression"),
    ({"objective": "poisson"}, dict(objective="poisson"), "counts"),
    ({"objective": "tweedie", "tweedie_power": 1.3}, dict(objective="tweedie", tweedie_variance_power=1.3), "counts"),
    ({"alpha": 3}, dict(objective="regression", lambda_l1=3), "regression"),
    ({"monotone": [1, -1, 0, 0]}, dict(objective="regression", monotone_constraints=[1, -1, 0, 0]), "regression"),
):
    p = dict(num_leaves=8, learning_rate=0.2, min_data_in_leaf=1, min_sum_hessian_in_leaf=4, lambda_l2=0.5, min_data_in_bin=1, enable_bundle=False,
             max_bin=255, num_threads=1, deterministic=True, force_col_wise=True, verbose=-1, feature_pre_filter=False, **theirs)
    b = lgb.train(p, lgb.Dataset(X, labels[which], params=p), 10)
    cases.append({
        "id": " ".join(f"{k}" if k in ("alpha", "monotone") else str(v) for k, v in ours.items()), "task": "regression", "labels": which, "categories": [0] * 4,
        "params": {"trees": 10, "leaves": 8, "learning_rate": 0.2, "min_rows": 1, "min_hessian": 4, "lambda": 0.5, **ours},
        "margins": [float("%.10g" % v) for v in b.predict(X, raw_score=True)],
    })
# Three classes; the margins of a row side by side.
labels["classes"] = np.digitize(m + 0.7 * noise, np.quantile(m, [0.3, 0.75])).astype(float)
for cats in ([], [3]):
    p = dict(objective="multiclass", num_class=3, num_leaves=8, learning_rate=0.2, min_data_in_leaf=1, min_sum_hessian_in_leaf=4, lambda_l2=0.5,
             min_data_in_bin=1, enable_bundle=False, max_bin=255, min_data_per_group=1, cat_smooth=1, cat_l2=3,
             num_threads=1, deterministic=True, force_col_wise=True, verbose=-1, feature_pre_filter=False)
    b = lgb.train(p, lgb.Dataset(X, labels["classes"], categorical_feature=cats, params=p), 10)
    cases.append({
        "id": "multiclass" + (" categories" if cats else ""), "task": "multiclass", "labels": "classes", "categories": [12 if j in cats else 0 for j in range(4)],
        "params": {"trees": 10, "leaves": 8, "learning_rate": 0.2, "min_rows": 1, "min_hessian": 4, "lambda": 0.5, "cat_min_rows": 1, "cat_smooth": 1, "cat_lambda": 3},
        "margins": [float("%.10g" % v) for v in b.predict(X, raw_score=True).ravel()],
    })
rows = [[None if np.isnan(v) else v for v in r] for r in X.tolist()]
json.dump({"source": f"LightGBM {lgb.__version__}, make.py", "rows": rows,
           "labels": {k: v.tolist() for k, v in labels.items()}, "cases": cases}, sys.stdout)
