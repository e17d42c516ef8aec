"""Makes the golden models and what their own libraries predict with them.

    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install lightgbm==4.7.0 xgboost==3.2.0 catboost==1.2.10 pandas
    /tmp/peers/bin/python make.py . 200

Each MODEL has a MODEL.rows beside it, JSON: columns, rows, margin and score. With 10000 instead of 200 and another folder the same
models are compared on more rows: TANDEM_FOREIGN=FOLDER go test ./bundle/foreign -run Golden
"""
import json
import math
import os
import sys

import catboost as cb
import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

np.seterr(over="ignore")
folder, rows = sys.argv[1], int(sys.argv[2])
towns = ["Oslo", "Bergen", "Tromsø", "Ålesund", "Bodø", "Hamar", "Moss", "Narvik", "Molde", "Voss", "a b", "x=\"1\""]
towns.sort()


def table(n, seed, unseen):
    r = np.random.default_rng(seed)
    d = pd.DataFrame({
        "income": r.lognormal(3, 1, n),
        "debt": np.where(r.random(n) < .3, 0.0, r.normal(0, 1, n)),
        "age": r.integers(18, 80, n).astype(float),
        "town": r.choice(towns + (["Paris"] if unseen else []), n),
        "grade": r.integers(0, 13 + 4 * unseen, n) * 3.0,
        "tiny": r.choice([0, 1e-36, -1e-36, 1e-35, -1e-35, 2e-35, -2e-35, 1, -1], n),
        "constant": 7.0,
    })
    y = d.income.rank(pct=True) + d.debt + (d.town < "H") * 1.5 + (d.grade % 2) + d.tiny + r.normal(0, .5, n)
    for c in ["income", "debt", "age"]:
        d.loc[r.random(n) < .1, c] = np.nan
    d["town"] = d["town"].where(r.random(n) > .05, None)
    d.loc[r.random(n) < .05, "grade"] = np.nan
    return d, y


def plain(v):
    if v is None or isinstance(v, float) and math.isnan(v):
        return None
    if isinstance(v, (float, np.floating)) and math.isinf(v):
        return "+Inf" if v > 0 else "-Inf"
    return v if isinstance(v, str) else float(v)


def write(path, d, margin, score, **more):
    many = np.ndim(margin) == 2  # classes
    out = {"columns": list(map(str, d.columns)), "rows": [[plain(v) for v in row] for row in d.astype(object).itertuples(index=False)],
           "margins" if many else "margin": np.asarray(margin, float).tolist(), "scores" if many else "score": np.asarray(score, float).tolist(), **more}
    with open(path + ".rows", "w") as f:
        json.dump(out, f, ensure_ascii=False)
        f.write("\n")


def at_thresholds(d, thresholds, single):
    """Puts values on, just above and just below thresholds into some rows."""
    r = np.random.default_rng(9)
    kind = np.float32 if single else np.float64
    for c, t in thresholds.items():
        for i in r.choice(len(d), len(d) // 3, replace=False):
            x = kind(r.choice(t))
            d.loc[i, c] = float(r.choice([x, np.nextafter(x, kind(np.inf)), np.nextafter(x, kind(-np.inf))]))
    if single:  # between two float32 values: rounding decides
        for c, t in thresholds.items():
            for i in r.choice(len(d), len(d) // 10, replace=False):
                x = np.float32(r.choice(t))
                d.loc[i, c] = float(x) + .3 * r.choice([-1, 1]) * float(np.spacing(x))
    return d


def as_categories(d):
    d = d.copy()
    d["town"] = pd.Categorical(d["town"], sorted(set(d["town"].dropna())))
    return d


train, y = table(3000, 1, False)
test, _ = table(rows, 2, True)
label = (y > y.median()).astype(int)
count = np.floor(np.clip(y, 0, None) * 2)
three = np.digitize(y, np.quantile(y, [.3, .8]))
query = np.full(100, 30)  # rows of a query


# LightGBM -----------------------------------------------------------------
def lightgbm(name, x, t, target, cats="auto", trees=5, **params):
    p = dict(num_leaves=15, verbose=-1, deterministic=True, num_threads=1, seed=1, min_data_per_group=20, cat_smooth=1, learning_rate=.3)
    p.update(params)
    group = p.pop("group", None)
    m = lgb.train(p, lgb.Dataset(x, target, categorical_feature=cats, group=group), trees)
    path = os.path.join(folder, name + ".lgb.txt")
    m.save_model(path)
    m = lgb.Booster(model_file=path)
    trees_ = m.trees_to_dataframe()
    numeric = trees_[(trees_.decision_type == "<=")]
    t = t.copy()
    at_thresholds(t, {c: g.threshold.astype(float).to_numpy() for c, g in numeric.groupby("split_feature") if c in t.columns}, False)
    for i, c in enumerate(["income", "debt", "age"]):
        if c in t.columns:
            t.loc[3 * i, c], t.loc[3 * i + 1, c] = np.inf, -np.inf
    write(path, t, m.predict(t, raw_score=True), m.predict(t))


def numbers(d):
    return d.drop(columns=["town"])


frame = as_categories(train)
seen = test.copy()
seen["town"] = pd.Categorical(seen["town"])
lightgbm("binary", frame, seen, label, objective="binary", sigmoid=1.7)
lightgbm("zero", numbers(train), numbers(test), y, cats=["grade"], objective="huber", zero_as_missing=True)
lightgbm("none", numbers(train), numbers(test), y, cats=["grade"], objective="regression", use_missing=False)
lightgbm("poisson", numbers(train), numbers(test), count, objective="poisson")
lightgbm("tweedie", numbers(train), numbers(test), count, objective="tweedie", max_cat_to_onehot=100, cats=["grade"])
lightgbm("quantile", frame, seen, y, objective="quantile", alpha=.8, max_cat_to_onehot=100)
lightgbm("forest", numbers(train), numbers(test), label, objective="binary", boosting="rf", bagging_fraction=.5, bagging_freq=1)
lightgbm("stump", numbers(train)[:30], numbers(test), y[:30], objective="regression", min_data_in_leaf=20)
lightgbm("classes", frame, seen, three, objective="multiclass", num_class=3, num_leaves=6)
lightgbm("each", numbers(train), numbers(test), three, objective="multiclassova", num_class=3, sigmoid=1.3, num_leaves=6, cats=["grade"])
lightgbm("ranks", numbers(train), numbers(test), three, objective="lambdarank", group=query, num_leaves=6)


# XGBoost ------------------------------------------------------------------
def xgboost(name, x, t, target, types=None, trees=5, ubj=False, **params):
    p = dict(max_depth=4, nthread=1, seed=1, max_cat_to_onehot=4)
    p.update(params)

    def matrix(d, *more):
        if types is None:
            return xgb.DMatrix(d, *more, enable_categorical=True)
        return xgb.DMatrix(d.to_numpy(float), *more, feature_names=list(d.columns), feature_types=types, enable_categorical=True)
    m = xgb.train(p, matrix(x, target), trees)
    path = os.path.join(folder, name + ".xgb.json" if not ubj else name + ".xgb.ubj")
    m.save_model(path)
    d = m.trees_to_dataframe()
    t = t.copy()
    numeric = d[(d.Feature != "Leaf") & d.Split.notna()]
    at_thresholds(t, {c: g.Split.to_numpy() for c, g in numeric.groupby("Feature")}, True)
    q = matrix(t)
    model = json.loads(m.save_raw("json"))["learner"]
    if np.ndim(m.predict(q, output_margin=True)) == 2:
        return write(path, t, m.predict(q, output_margin=True), m.predict(q))
    leaves = m.predict(q, pred_leaf=True).astype(int).reshape(len(t), -1)
    base = np.float32(model["learner_model_param"]["base_score"].strip("[]"))
    objective = model["objective"]["name"]
    if objective == "binary:logistic":
        base = np.float32(-math.log(np.float32(1) / base - np.float32(1)))
    elif objective == "count:poisson":
        base = np.float32(math.log(base))
    exact = np.full(len(t), float(base))  # the leaves of XGBoost, added in float64
    for k, tree in enumerate(model["gradient_booster"]["model"]["trees"]):
        exact += np.array(tree["split_conditions"], dtype=np.float32).astype(float)[leaves[:, k]]
    write(path, t, m.predict(q, output_margin=True), m.predict(q), exact=list(map(float, exact)))


def ascii(d):  # XGBoost 3.2 garbles other texts in the file, as it counts letters and cuts at bytes
    d = d.copy()
    d["town"] = d["town"].str.encode("ascii", "replace").str.decode("ascii")
    return as_categories(d)


known = ascii(table(rows, 2, False)[0])  # XGBoost itself refuses texts that it has not seen
frame = ascii(train)
for ubj in [False, True]:
    xgboost("binary", frame, known, label, objective="binary:logistic", ubj=ubj)
    codes = ["float", "float", "float", "c", "float", "float"]
    small, other = numbers(train), numbers(test)
    small["grade"], other["grade"] = small["grade"] / 3, other["grade"] / 3
    xgboost("codes", small, other, y, types=codes, objective="reg:squarederror", ubj=ubj)
    xgboost("classes", frame, known, three, objective="multi:softprob", num_class=3, max_depth=3, ubj=ubj)
xgboost("poisson", numbers(train), numbers(test), count, objective="count:poisson")
xgboost("onehot", small, other, label, types=codes, objective="binary:logistic", max_cat_to_onehot=100, num_parallel_tree=2, subsample=.7)


# CatBoost -----------------------------------------------------------------
def catboost(name, x, t, target, cats, model, **params):
    pool = cb.Pool(x, target, cat_features=cats)
    m = model(iterations=5, depth=4, one_hot_max_size=50, verbose=0, allow_writing_files=False, random_seed=1, thread_count=1, **params).fit(pool)
    path = os.path.join(folder, name + ".cat.json")
    m.save_model(path, format="json", pool=pool)
    d = json.load(open(path))
    d["model_info"] = {"params": {"loss_function": d["model_info"]["params"]["loss_function"]}}  # the rest is long, and names a time
    with open(path, "w") as f:
        json.dump(d, f, ensure_ascii=False)
    t = t.copy()
    at_thresholds(t, {f["feature_name"]: np.array(f["borders"]) for f in d["features_info"]["float_features"] if f["borders"]}, True)
    shown = t.copy()
    for c in cats:
        shown[c] = shown[c].where(shown[c] != "?", None)  # a missing category is one that no split asks for
    score = m.predict_proba(t)[:, 1] if model is cb.CatBoostClassifier else m.predict(t)
    if params.get("loss_function") == "Poisson":
        score = m.predict(t, prediction_type="Exponent")
    write(path, shown, m.predict(t, prediction_type="RawFormulaVal"), score)


text, other = train.copy(), test.copy()
text["town"], other["town"] = text["town"].fillna("Moss"), other["town"].fillna("?")
catboost("binary", text, other, label, ["town"], cb.CatBoostClassifier)
catboost("poisson", numbers(train), numbers(test), count, [], cb.CatBoostRegressor, loss_function="Poisson")
catboost("rmse", numbers(train), numbers(test), y, [], cb.CatBoostRegressor)
