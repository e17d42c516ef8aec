"""Makes reasons.txt and reasons.json: what the shap package says of contributions
against a background, and of interactions.

    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install lightgbm==4.7.0 shap==0.51.0
    /tmp/peers/bin/python reasons.py

TreeExplainer reads no categorical splits, and reads missing values otherwise than
LightGBM where training had none. Of the models that have those (binary, multiclass,
regression) the contributions come from shap's Exact, which tries all coalitions and
calls only LightGBM itself; for the rows of regression without missing values, and for
reasons.txt, they come from TreeExplainer too. Its contributions against a background
are good to about 1e-7: it keeps its weights in single precision.
"""
import json
import warnings

import lightgbm as lgb
import numpy as np
import shap

warnings.simplefilter("ignore")


def numbers(rows):
    return np.array([[np.nan if v is None else v for v in r] for r in rows], float)


def plain(rows):
    return [[None if np.isnan(v) else float(v) for v in r] for r in rows]


def by_trees(model, rows, background):
    e = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    values = e.shap_values(rows)
    adds_up = np.abs(values.sum(1) + e.expected_value - model.predict(rows, raw_score=True)).max()
    assert adds_up < 1e-7, adds_up
    e = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    pairs = e.shap_interaction_values(rows)
    adds_up = np.abs(pairs.sum((1, 2)) + e.expected_value - model.predict(rows, raw_score=True)).max()
    assert adds_up < 1e-12, adds_up
    return {"interventional": values.tolist(), "interactions": pairs.tolist()}


def by_coalitions(model, rows, background):
    def margin(x):
        return model.predict(x, raw_score=True)

    return shap.explainers.Exact(margin, shap.maskers.Independent(background, max_samples=len(background)))(rows, silent=True).values


out = {}
for name in ["binary", "multiclass", "regression"]:
    with open(name + ".json") as f:
        golden = json.load(f)
    rows, background = numbers(golden["rows"][:12]), numbers(golden["background"])
    model = lgb.Booster(model_file=name + ".txt")
    exact = by_coalitions(model, rows, background)
    out[name] = {"exact": exact.tolist()}
    if name == "regression":
        whole = np.flatnonzero(~np.isnan(rows).any(1))
        out[name] |= {"whole": whole.tolist(), **by_trees(model, rows[whole], background)}
        print("the two explainers differ by", np.abs(exact[whole] - out[name]["interventional"]).max())

r = np.random.default_rng(5)
x = np.round(r.normal(0, 1, (400, 5)), 3)
x[r.random(x.shape) < .15] = np.nan
y = np.nan_to_num(x[:, 0]) * np.nan_to_num(x[:, 1], nan=1) + np.isnan(x[:, 2]) + np.sin(2 * np.nan_to_num(x[:, 3])) * (np.nan_to_num(x[:, 4]) > 0)
model = lgb.train({"objective": "regression", "num_leaves": 8, "min_data_in_leaf": 5, "verbose": -1, "seed": 1}, lgb.Dataset(x, y), 8)
model.save_model("reasons.txt", importance_type="split")
rows, background = x[:10], x[100:140]
out["reasons"] = {"rows": plain(rows), "background": plain(background), "raw": model.predict(rows, raw_score=True).tolist(),
                  "exact": by_coalitions(model, rows, background).tolist(), **by_trees(model, rows, background)}
with open("reasons.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
