"""Tandem's trees beside LightGBM, XGBoost and scikit-learn on real tables: default settings, the same five folds.

    go build -buildvcs=false -o /tmp/tandem ./cmd/tandem
    TANDEM_DATA=DIR python3 bench/accuracy/run.py /tmp/tandem bench/accuracy/RESULTS.md            # about twenty minutes
    TANDEM_DATA=DIR python3 bench/accuracy/run.py /tmp/tandem /tmp/r.md --only credit --catboost   # some tables, one more peer

The tables are the classification and regression ones of the folder named by TANDEM_DATA. Each is cut into five seeded folds (stratified for
classes), written once as Parquet files that all read. Every engine has the defaults of its own library; "same settings" is Tandem with those of
LightGBM. Texts are categories, with the training part's levels. Identifiers and free text are left out for all, and so are values that
are known only after the outcome. A second run goes on where the first was cut: what is finished is kept in --folder, Tandem's results by the
hash of the program.
"""
import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time

PEERS = ["lightgbm==4.7.0", "xgboost==3.2.0", "catboost==1.2.10", "scikit-learn==1.9.1", "pandas==3.1.1", "pyarrow==26.0.1"]
FOLDS, SEED = 5, 0
DRAWS = 3  # seeds of Tandem, which draws features on small tables; the mean of their measures counts
NOTHING = 1e-5  # a difference that is none, where losses are about 1: equal models in other roundings
MOST = 60_000  # rows of a table; more are drawn from

# LightGBM's defaults, in Tandem's words.
SAME = {"trees": 100, "leaves": 31, "learning_rate": 0.1, "bins": 255, "min_rows": 20, "min_hessian": 0.001, "lambda": 0, "alpha": 0, "min_gain": 0,
        "feature_fraction": 1, "node_fraction": 1, "row_fraction": 1, "gradient_fraction": 1,
        "cat_one_vs_rest": 4, "cat_single": 0, "cat_smooth": 10, "cat_lambda": 10, "cat_max": 32, "cat_min_rows": 100}


# The tables ---------------------------------------------------------------
def table(path, target, task="binary", positive=None, drop=(), **how):
    """positive is the class that counts as 1; how has what is special: na (further texts that mean missing), log (of the target), make (the
    target from another column), keep (only these columns)."""
    return dict(path=path, target=target, task=task, positive=positive, drop=list(drop), **how)


SCHEDULE = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "tailnum", "origin", "dest", "distance", "hour", "minute"]
TABLES = {
    "german_credit": table("credit/german_credit.csv", "class", positive="2"),
    "default_credit_card": table("credit/default_credit_card.csv.gz", "class", positive="1", drop=["ID"]),
    "isl_default": table("credit/isl_default.csv.gz", "default", positive="Yes"),
    "lending_club": table("credit/lending_club.csv.gz", "Class", positive="bad"),
    "credit_data": table("credit/credit_data.csv", "Status", positive="bad"),
    "hmda_boston": table("credit/hmda_boston.csv", "deny", positive="yes"),
    "vehicle_claims_fraud": table("fraud/vehicle_claims_fraud.csv.gz", "FraudFound_P", positive="1", drop=["PolicyNumber"]),
    "mammography": table("fraud/mammography.csv.gz", "class", positive="1"),
    "telco_churn": table("churn/telco_churn.csv.gz", "Churn", positive="Yes", drop=["customerID"], na=[" "]),
    "mlc_churn": table("churn/mlc_churn.csv.gz", "churn", positive="yes"),
    "caravan": table("churn/caravan.csv.gz", "Purchase", positive="Yes"),
    "adult": table("general/adult_train.csv.gz", "income", positive=">50K", na=["?"]),
    "titanic": table("general/titanic.csv", "Survived", positive="1", drop=["PassengerId", "Name", "Ticket", "Cabin"]),
    "breast_cancer": table("general/breast_cancer_wdbc.csv.gz", "target", positive="0"),
    "pima_diabetes": table("general/pima_diabetes.csv", "diabetes", positive="1"),
    "mushroom": table("general/mushroom.csv.gz", "type", positive="p"),
    "spambase": table("general/spambase.csv.gz", "type", positive="spam"),
    "flights, schedule": table("general/flights_nyc13.csv.gz", "late", positive="1", make="arr_delay > 15", keep=SCHEDULE),
    "flights, departed": table("general/flights_nyc13.csv.gz", "late", positive="1", make="arr_delay > 15", keep=[*SCHEDULE, "dep_delay"]),
    "elec2": table("drift/elec2.csv.gz", "class", positive="UP"),
    "sea": table("drift/sea_4concepts.csv.gz", "class", positive="1"),
    "stagger": table("drift/stagger_0120_abrupt.csv.gz", "class", positive="1.0"),
    "applications": table("gen_applications.py", "defaulted", positive="1", drop=["application_id", "applied_at", "note", "label_observed_at"]),
    "penguins": table("general/penguins.csv", "species", "multiclass"),
    "covtype": table("general/covtype_sample.csv.gz", "Cover_Type", "multiclass"),
    "mpg": table("general/mpg.csv", "mpg", "regression", drop=["name"]),
    "wine_quality": table("general/wine_quality.csv.gz", "quality", "regression"),
    "ames_housing": table("general/ames_housing.csv.gz", "Sale_Price", "regression", log=True),
    "bike_hour": table("general/bike_hour.csv.gz", "cnt", "regression", drop=["instant", "dteday", "casual", "registered"]),
    "concrete": table("general/concrete.csv.gz", "strength", "regression"),
    "medical_insurance": table("general/medical_insurance.csv.gz", "charges", "regression"),
}


def load(t, folder):
    """The table with its target as the last column: 0 and 1, the class's number, or a number."""
    import numpy as np
    import pandas as pd
    path = os.path.join(os.environ["TANDEM_DATA"], t["path"])
    if path.endswith(".py"):  # the generator of loan applications
        made = os.path.join(folder, "applications.csv")
        subprocess.run([sys.executable, path, "--rows", str(MOST), "--seed", "1", "--out", made], check=True, capture_output=True)
        path = made
    d = pd.read_csv(path, keep_default_na=False, na_values=["", *t.get("na", [])], low_memory=False)
    if "make" in t:
        column, limit = t["make"].split(" > ")
        d = d[d[column].notna()]
        d = d.assign(**{t["target"]: (d[column] > float(limit)).astype(int)})
    total = len(d)
    if total > MOST:
        d = d.sample(MOST, random_state=SEED).sort_index()
    x = d[t["keep"]] if "keep" in t else d.drop(columns=[t["target"], *t["drop"]])
    x = x.rename(columns=lambda name: re.sub(r"\W+", "_", name))  # some peers refuse brackets
    y = d[t["target"]]
    if t["task"] == "binary":
        y = (y.astype(str) == t["positive"]).astype(int)
        assert 0 < y.sum() < len(y), t
    elif t["task"] == "multiclass":
        y = y.map({v: i for i, v in enumerate(sorted(y.unique()))})
    elif t.get("log"):
        y = np.log(y)
    return x.assign(target__=y.to_numpy()).reset_index(drop=True), total


def divide(name, t, folder):
    """Writes the folds and returns what the table is; the second time, only the latter."""
    where = os.path.join(folder, re.sub(r"\W+", "_", name))
    about = os.path.join(where, "about.json")
    if not os.path.exists(about):
        from sklearn.model_selection import KFold, StratifiedKFold
        os.makedirs(where, exist_ok=True)
        d, total = load(t, where)
        kind = KFold if t["task"] == "regression" else StratifiedKFold
        for k, (train, test) in enumerate(kind(FOLDS, shuffle=True, random_state=SEED).split(d, d["target__"])):
            d.iloc[train].to_parquet(os.path.join(where, f"train{k}.parquet"), index=False)
            d.iloc[test].to_parquet(os.path.join(where, f"test{k}.parquet"), index=False)
        x = d.drop(columns="target__")
        texts = [c for c in x if not is_number(x[c])]
        with open(about, "w") as f:
            json.dump({"rows": len(d), "total": total, "columns": x.shape[1], "texts": len(texts), "levels": max([int(x[c].nunique()) for c in texts], default=0)}, f)
    with open(about) as f:
        return where, json.load(f)


def is_number(column):
    import pandas as pd
    return pd.api.types.is_numeric_dtype(column)


# The engines ----------------------------------------------------------------
def lightgbm(task):
    import lightgbm as lgb
    return (lgb.LGBMRegressor if task == "regression" else lgb.LGBMClassifier)(n_jobs=1, random_state=SEED, verbose=-1)


def xgboost(task):
    import xgboost as xgb
    return (xgb.XGBRegressor if task == "regression" else xgb.XGBClassifier)(n_jobs=1, random_state=SEED, enable_categorical=True)


def sklearn(task):
    import sklearn.ensemble as e
    return (e.HistGradientBoostingRegressor if task == "regression" else e.HistGradientBoostingClassifier)(random_state=SEED, categorical_features="from_dtype")


def catboost(task):
    import catboost as cb
    return (cb.CatBoostRegressor if task == "regression" else cb.CatBoostClassifier)(thread_count=1, random_seed=SEED, verbose=0, allow_writing_files=False)


def peer(engine, where, k, task):
    """Trains a peer on fold k and measures it."""
    import pandas as pd
    from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
    x, z = pd.read_parquet(os.path.join(where, f"train{k}.parquet")), pd.read_parquet(os.path.join(where, f"test{k}.parquet"))
    y, truth = x.pop("target__"), z.pop("target__")
    fit = {}
    texts = [c for c in x if not is_number(x[c])]
    if engine == "CatBoost":
        for c in texts:
            x[c], z[c] = x[c].astype(object).fillna("missing").astype(str), z[c].astype(object).fillna("missing").astype(str)
        fit["cat_features"] = texts
    else:
        for c in texts:
            levels = sorted(x[c].dropna().unique())
            x[c], z[c] = pd.Categorical(x[c], levels), pd.Categorical(z[c].where(z[c].isin(levels)), levels)
            if engine == "scikit-learn" and len(levels) > 255:  # it refuses them
                x, z = x.drop(columns=c), z.drop(columns=c)
    model = {"LightGBM": lightgbm, "XGBoost": xgboost, "scikit-learn": sklearn, "CatBoost": catboost}[engine](task).fit(x, y, **fit)
    if task == "regression":
        p = model.predict(z)
        return {"rmse": math.sqrt(((p - truth) ** 2).mean()), "r2": r2_score(truth, p)}
    p = model.predict_proba(z)
    out = {"logloss": log_loss(truth, p, labels=sorted(y.unique()))}
    if task == "binary":
        return {**out, "auc": roc_auc_score(truth, p[:, 1])}
    return {**out, "accuracy": accuracy_score(truth, p.argmax(axis=1))}


def tandem(program, engine, where, k, task, more):
    cmd = [program, "bench", "train", "--data", os.path.join(where, f"train{k}.parquet"), "--test", os.path.join(where, f"test{k}.parquet"),
           "--target", "target__", "--task", task, "--threads", "1", "--json", "--defaults"]
    settings = [f"{name}={value}" for name, value in SAME.items()] if engine == "Tandem, same settings" else more
    for s in settings:
        cmd += ["--set", s]
    draws = []
    for seed in range(DRAWS):
        run = subprocess.run([*cmd, "--seed", str(SEED + seed)], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"{' '.join(cmd)}\n{run.stdout}{run.stderr}")
        out = json.loads(run.stdout[run.stdout.index("{"):])
        if task == "regression":
            import pandas as pd
            truth = pd.read_parquet(os.path.join(where, f"test{k}.parquet"), columns=["target__"])["target__"]
            out["r2"] = 1 - out["rmse"] ** 2 / float(truth.var(ddof=0))
        draws.append({m: out[m] for m in ("auc", "logloss", "accuracy", "rmse", "r2") if m in out})
    return {m: statistics.mean(d[m] for d in draws) for m in draws[0]}


def one(job):
    program, engine, where, k, task, more = job
    start = time.time()
    measure = tandem(program, engine, where, k, task, more) if engine.startswith("Tandem") else peer(engine, where, k, task)
    return {**measure, "seconds": (time.time() - start) / (DRAWS if engine.startswith("Tandem") else 1)}


# The report -----------------------------------------------------------------
def loss_of(task):
    return "rmse" if task == "regression" else "logloss"


def quality_of(task):
    return {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}[task]


def shown(x):
    return f"{x:.0f}" if abs(x) >= 1000 else f"{x:.2f}" if abs(x) >= 10 else f"{x:.4f}"


def difference(ours, theirs, less):
    """Mean and standard error of how much better we are, fold by fold."""
    d = [(b - a) if less else (a - b) for a, b in zip(ours, theirs)]
    return statistics.mean(d), statistics.stdev(d) / math.sqrt(len(d))


def verdict(mean, se):
    if abs(mean) < NOTHING:
        return "level"
    return "**worse**" if mean < -se else "better" if mean > se else "level"


def ranks(values, less):
    """1 for the best; equal ones share the mean of their ranks."""
    key = [v if less else -v for v in values]
    return [1 + sum(b < a for b in key) + (sum(b == a for b in key) - 1) / 2 for a in key]


def section(title, metric, less, results, engines):
    """One table of a metric, in which every row is a table of data."""
    out = [f"\n## {title}\n\n| table | " + " | ".join(engines) + " | Tandem is better by | verdict | same settings |\n|---|" + "--:|" * len(engines) + "--:|---|---|\n"]
    sums, count = [0.0] * len(engines), {"Tandem": {}, "Tandem, same settings": {}}
    for name, (task, by) in results.items():
        m = metric(task)
        values = [statistics.mean(r[m] for r in by[e]) for e in engines]
        for i, r in enumerate(ranks([round(v, 5) for v in values], less(m))):
            sums[i] += r
        cells, deltas = [], {}
        for e in count:
            deltas[e] = difference([r[m] for r in by[e]], [r[m] for r in by["LightGBM"]], less(m))
            v = verdict(*deltas[e])
            count[e][v] = count[e].get(v, 0) + 1
            cells.append(v)
        mean, se = deltas["Tandem"]
        out.append(f"| {name} | " + " | ".join(map(shown, values)) + f" | {'+' if mean >= 0 else '-'}{shown(abs(mean))} ± {shown(se)} | {cells[0]} | {cells[1]} |\n")
    out.append("| **mean rank** | " + " | ".join(f"**{s / len(results):.2f}**" for s in sums) + " | | " +
               " | ".join(", ".join(f"{n} {v.strip('*')}" for v, n in sorted(count[e].items())) for e in count) + " |\n")
    return "".join(out)


def report(o, results, about, engines):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    version = subprocess.run([o.tandem, "--version"], capture_output=True, text=True).stdout.strip()
    out = ["# Tandem's trees beside their peers, on real tables\n\nMade by `bench/accuracy/run.py`, whose first lines say how to make it again. "
           f"{time.strftime('%Y-%m-%d')}, {cpu}, {version}, {', '.join(p for p in PEERS if o.catboost or 'catboost' not in p)}.\n\n"
           f"{FOLDS} folds (seed {SEED}, shuffled, stratified for classes), every engine with its own default settings, one booster, no tuning and no calibration. "
           f"Values are means over the folds, Tandem's over {DRAWS} seeds too, since it draws features on small tables. *Better by* is the mean difference to LightGBM of the same fold with its standard error, positive where Tandem is better; "
           "the verdict is *worse* or *better* where it is beyond one standard error and "
           f"{NOTHING:g}. With five folds and two equal engines that happens by chance too: "
           "about one verdict in five would be *worse* and one in five *better*. *Same settings* is the verdict on Tandem with LightGBM's default settings. "
           "The mean rank counts every table alike. scikit-learn leaves out categories of more than 255 values. "
           f"Of more than {MOST:,} rows so many are drawn. The streams elec2, sea and stagger are shuffled like all others: this measures the learner, not how it follows a drift.\n",
           section("Loss: log loss of classes, root mean squared error of numbers", loss_of, lambda m: True, results, engines),
           section("Order: AUC of two classes, accuracy of several, R² of numbers", quality_of, lambda m: False, results, engines),
           "\n## The tables\n\n| table | file | task | rows | columns | of texts | most values of a text |\n|---|---|---|--:|--:|--:|--:|\n"]
    for name in results:
        a, t = about[name], TABLES[name]
        rows = f"{a['rows']:,}" + (f" of {a['total']:,}" if a["total"] > a["rows"] else "")
        task = t["task"] + (", logarithm of the target" if t.get("log") else "") + (f", {t['make']}" if "make" in t else "")
        out.append(f"| {name} | {t['path']} | {task} | {rows} | {a['columns']} | {a['texts']} | {a['levels'] or ''} |\n")
    seconds = {e: sum(r["seconds"] for _, by in results.values() for r in by[e]) for e in engines}
    out.append(f"\nAll folds took, on one thread each, {o.jobs} at a time, whatever else the machine did: " + ", ".join(f"{e} {s:.0f} s" for e, s in seconds.items()) +
               ". Tandem's time includes starting a process and reading the files; the peers' does not start one.\n")
    with open(o.results, "w") as f:
        f.writelines(out)


@contextlib.contextmanager
def kept(path):
    """Finished results, saved after each."""
    done = {}
    if os.path.exists(path):
        with open(path) as f:
            done = json.load(f)

    def save(key, value):
        done[key] = value
        with open(path + ".new", "w") as f:
            json.dump(done, f)
        os.replace(path + ".new", path)
    yield done, save


def inside(o):
    """Starts the script again in the virtual environment."""
    python = os.path.join(o.venv, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", o.venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    os.execv(python, [python, __file__, *sys.argv[1:], "--inside"])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("tandem", help="the program")
    a.add_argument("results", help="the file to write")
    a.add_argument("--only", help="a regular expression: tables whose file or name it matches")
    a.add_argument("--catboost", action="store_true", help="CatBoost too, which takes the longest by far")
    a.add_argument("--jobs", type=int, default=os.cpu_count(), help="folds at a time")
    a.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of Tandem in place of its default, to try it out")
    a.add_argument("--venv", default="/tmp/tandem-peers")
    a.add_argument("--folder", default="/tmp/tandem-accuracy", help="where folds and finished results are kept")
    a.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    o = a.parse_args()
    if not os.environ.get("TANDEM_DATA"):
        sys.exit("set TANDEM_DATA to the folder with the tables")
    if not o.inside:
        inside(o)
    os.makedirs(o.folder, exist_ok=True)
    with open(o.tandem, "rb") as f:
        program = hashlib.sha256(f.read()).hexdigest()[:12]
    engines = ["LightGBM", "XGBoost", "scikit-learn", *["CatBoost"] * o.catboost, "Tandem"]
    results, about, jobs = {}, {}, {}
    with kept(os.path.join(o.folder, "done.json")) as (done, save), concurrent.futures.ProcessPoolExecutor(o.jobs) as pool:
        for name, t in TABLES.items():
            if o.only and not re.search(o.only, f"{name} {t['path']}"):
                continue
            where, about[name] = divide(name, t, o.folder)
            results[name] = (t["task"], {})
            for e in [*engines, "Tandem, same settings"]:
                for k in range(FOLDS):
                    key = f"{name}/{k}/{e}" + (f"/{program}x{DRAWS}" if e.startswith("Tandem") else "") + ("/" + " ".join(sorted(o.set)) if e == "Tandem" and o.set else "")
                    results[name][1].setdefault(e, []).append(key)
                    if key not in done:
                        jobs[pool.submit(one, (o.tandem, e, where, k, t["task"], o.set))] = key
        for n, f in enumerate(concurrent.futures.as_completed(jobs), 1):
            save(jobs[f], f.result())
            print(f"{n} of {len(jobs)}: {jobs[f]} {' '.join(f'{m} {v:.4f}' for m, v in f.result().items())}", file=sys.stderr, flush=True)
        for _, by in results.values():
            for e, keys in by.items():
                by[e] = [done[key] for key in keys]
    report(o, results, about, engines)


main()
