"""Makes ndcg.json: scikit-learn's and LightGBM's NDCG of small groups.

python make_ndcg.py > ndcg.json    (scikit-learn 1.9, LightGBM 4.x, numpy)

scikit-learn takes gains, so it is given 2^label-1; groups without a relevant
row are left out of its mean, and are not among those that LightGBM gets, nor
are equal scores, which it puts in the order of the table.
"""
import json
import sys

import lightgbm as lgb
import numpy as np
import sklearn
from sklearn.metrics import ndcg_score

rng = np.random.default_rng(5)
cases = []
for tied in (True, False):
    groups = rng.integers(2, 25, 12).tolist()
    label, score = [], []
    for g, n in enumerate(groups):
        y = rng.choice(5, n, p=[0.5, 0.2, 0.15, 0.1, 0.05])
        if tied and g % 5 == 0:
            y[:] = 0
        elif y.max() == 0:
            y[0] = 1
        s = y + 2 * rng.normal(size=n)
        label.append(y)
        score.append(np.round(s) if tied else s)
    for k in (1, 3, 10, 100):
        each = [ndcg_score([2.0**y - 1], [s], k=k) for y, s in zip(label, score) if y.max() > 0]
        want = {"sklearn": float(np.mean(each))}
        flat = np.concatenate(score)
        if not tied:  # a booster that starts from the scores and finds no split
            x = lgb.Dataset(np.zeros((len(flat), 1)), np.concatenate(label), group=groups, init_score=flat, params={"verbose": -1})
            seen = {}
            lgb.train(dict(objective="lambdarank", metric="ndcg", eval_at=[k], verbose=-1), x, 1, valid_sets=[x], valid_names=["train"],
                      callbacks=[lgb.record_evaluation(seen)])
            want["lightgbm"] = seen["train"][f"ndcg@{k}"][0]
        cases.append({"groups": groups, "labels": np.concatenate(label).tolist(), "scores": flat.tolist(), "k": k, "ndcg": want})
json.dump({"source": f"scikit-learn {sklearn.__version__}, LightGBM {lgb.__version__}, make_ndcg.py", "cases": cases}, sys.stdout)
