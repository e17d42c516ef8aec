"""Tandem's trees beside LightGBM, XGBoost, CatBoost and scikit-learn: the same files, the same settings, in turn.

    go build -o /tmp/tandem ./cmd/tandem
    python3 bench/trees/run.py /tmp/tandem bench/trees/RESULTS.md            # hours, on a quiet machine
    python3 bench/trees/run.py /tmp/tandem /tmp/results.md --small           # minutes: does everything work?

The script makes a virtual environment with the pinned peers (--venv, default /tmp/tandem-peers) and starts itself in it. It makes
three tables for each round (a seeded 1M x 28 numeric one, a 500k x 40 one with categories and missing values, and the flights of New York where
TANDEM_DATA is set), and cuts each: the first four fifths train, the rest measures. Every engine is a process of its own, run in turn
(A B C A B C ...), on the table of the round; times are wall time of binning and boosting, reading excluded. Scoring takes one LightGBM model of
500 trees x 31 leaves: LightGBM scores it, and Tandem the bundle that `tandem import` makes of it.
"""
import argparse
import ctypes
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time

PEERS = ["lightgbm==4.7.0", "xgboost==3.2.0", "catboost==1.2.10", "scikit-learn==1.9.1", "pandas==3.1.1", "pyarrow==26.0.1"]
OPTIONAL = ["lleaves==1.3.0", "llvmlite==0.43.0", "tl2cgen==1.0.0", "treelite==4.8.1"]  # not everywhere to be had
RATE, BINS, LEAST = 0.1, 255, 20


# The tables ---------------------------------------------------------------
def numeric(rows, seed, path):
    import numpy as np
    import pandas as pd
    r = np.random.default_rng(seed)
    x = r.normal(size=(rows, 28)).astype(np.float32)
    z = x[:, 0] + x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3]) + np.abs(x[:, 4]) * (x[:, 5] > 0) + 0.3 * x[:, 6:16].sum(axis=1)
    y = (z + r.normal(size=rows) * 2 > z.mean()).astype(int)
    d = pd.DataFrame(x, columns=[f"x{i}" for i in range(28)]).astype(float)
    d["y"] = y
    d.to_parquet(path, index=False)


def mixed(rows, seed, path):
    import numpy as np
    import pandas as pd
    r = np.random.default_rng(100 + seed)
    d, z = {}, np.zeros(rows)
    for i in range(28):
        v = r.lognormal(size=rows) if i % 3 == 0 else r.normal(size=rows)
        z += (0.4 if i < 10 else 0.05) * np.log1p(np.abs(v)) * np.sign(v)
        d[f"n{i}"] = np.where(r.random(rows) < 0.02 * (i % 8), np.nan, v)
    for i, levels in enumerate([2, 3, 5, 8, 12, 20, 40, 80, 150, 300, 600, 1000]):
        code = np.minimum((r.pareto(1.2, rows) * levels / 8).astype(int), levels - 1)
        z += r.normal(size=levels)[code] * 0.4
        text = np.array([f"v{c:04d}" for c in range(levels)], dtype=object)[code]
        text[r.random(rows) < 0.01 * (i % 4)] = None
        d[f"c{i}"] = text
    d["y"] = (z + r.normal(size=rows) * 1.5 > np.median(z)).astype(int)
    pd.DataFrame(d).to_parquet(path, index=False)


def flights(rows, seed, path):
    import pandas as pd
    d = pd.read_csv(os.path.join(os.environ["TANDEM_DATA"], "general/flights_nyc13.csv.gz"))
    d = d[d["arr_delay"].notna()]
    d["y"] = (d["arr_delay"] > 15).astype(int)
    keep = [c for c in ["month", "day", "sched_dep_time", "dep_delay", "sched_arr_time", "carrier", "origin", "dest", "distance", "hour", "y"] if c in d]
    d[keep].sample(frac=1, random_state=seed)[:rows].to_parquet(path, index=False)


def tables(folder, small, rounds, first=False):
    """Each table once a round, drawn (the flights: cut) with the round's seed, so that accuracy has a spread."""
    makers = [("numeric 1M x 28", numeric, 1_000_000), ("mixed 500k x 40", mixed, 500_000)]
    if os.environ.get("TANDEM_DATA"):
        makers.append(("flights", flights, 400_000))
    for name, make, rows in makers[:1] if first else makers:
        rows = rows // 50 if small else rows
        paths = []
        for seed in range(1, rounds + 1):
            paths.append(os.path.join(folder, f"{name.split()[0]}-{rows}-{seed}.parquet"))
            if not os.path.exists(paths[-1]):
                make(rows, seed, paths[-1])
        yield name if not small else f"{name} / 50", paths


def read(path):
    """The table as a peer wants it: categories as pandas categories. The first four fifths train."""
    import pandas as pd
    d = pd.read_parquet(path)
    y = d.pop("y").to_numpy()
    for c in d.columns:
        if not pd.api.types.is_numeric_dtype(d[c]):
            d[c] = pd.Categorical(d[c])
    cut = len(d) * 4 // 5
    return d[:cut], y[:cut], d[cut:], y[cut:]


# The peers, each in a process of its own --------------------------------------
def lightgbm_params(o, quantized=False, row_wise=False):
    p = dict(objective="binary", num_leaves=o.leaves, learning_rate=RATE, max_bin=BINS, min_data_in_leaf=LEAST, num_threads=o.threads, seed=o.seed, verbose=-1)
    if quantized:
        p["use_quantized_grad"] = True
    if row_wise:
        p["force_row_wise"] = True
    return p


def one_lightgbm(o, x, y, **kind):
    import lightgbm as lgb
    p = lightgbm_params(o, **kind)
    start = time.perf_counter()
    s = lgb.Dataset(x, y, params=p).construct()
    binned = time.perf_counter()
    m = lgb.train(p, s, o.trees)
    return binned - start, time.perf_counter() - binned, lambda t: m.predict(t, num_threads=o.threads)


def one_xgboost(o, x, y):
    import xgboost as xgb
    start = time.perf_counter()
    s = xgb.QuantileDMatrix(x, y, max_bin=BINS + 1, nthread=o.threads, enable_categorical=True)
    binned = time.perf_counter()
    p = dict(objective="binary:logistic", tree_method="hist", grow_policy="lossguide", max_leaves=o.leaves, max_depth=0, eta=RATE, max_bin=BINS + 1,
             nthread=o.threads, seed=o.seed)
    m = xgb.train(p, s, o.trees)
    return binned - start, time.perf_counter() - binned, lambda t: m.predict(xgb.DMatrix(t, enable_categorical=True))


def one_catboost(o, x, y):
    import catboost as cb
    cats = [c for c in x.columns if str(x[c].dtype) == "category"]

    def plain(d):
        return d.assign(**{c: d[c].astype(object).where(d[c].notna(), "missing").astype(str) for c in cats})
    start = time.perf_counter()
    s = cb.Pool(plain(x), y, cat_features=cats, thread_count=o.threads)
    s.quantize(border_count=BINS - 1, task_type="CPU")
    binned = time.perf_counter()
    m = cb.CatBoostClassifier(iterations=o.trees, depth=max(1, (o.leaves + 1).bit_length() - 1), learning_rate=RATE, border_count=BINS - 1,
                              thread_count=o.threads, random_seed=o.seed, verbose=0, allow_writing_files=False).fit(s)
    return binned - start, time.perf_counter() - binned, lambda t: m.predict_proba(plain(t))[:, 1]


def one_sklearn(o, x, y):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits
    cats = [c for c in x.columns if str(x[c].dtype) == "category" and len(x[c].cat.categories) <= BINS]
    x = x.drop(columns=[c for c in x.columns if str(x[c].dtype) == "category" and c not in cats])
    with threadpool_limits(o.threads):
        start = time.perf_counter()
        m = HistGradientBoostingClassifier(max_iter=o.trees, max_leaf_nodes=o.leaves, learning_rate=RATE, max_bins=BINS, min_samples_leaf=LEAST,
                                           early_stopping=False, random_state=o.seed, categorical_features=cats or None).fit(x, y)
    return 0.0, time.perf_counter() - start, lambda t: m.predict_proba(t[x.columns])[:, 1]


ENGINES = {
    "LightGBM": one_lightgbm,
    "LightGBM quantised": lambda o, x, y: one_lightgbm(o, x, y, quantized=True),
    "LightGBM quantised, row-wise": lambda o, x, y: one_lightgbm(o, x, y, quantized=True, row_wise=True),
    "XGBoost hist": one_xgboost,
    "CatBoost": one_catboost,
    "scikit-learn": one_sklearn,
}


def one(o):
    """Runs one peer and prints what it took."""
    from sklearn.metrics import log_loss, roc_auc_score
    x, y, t, truth = read(o.file)
    bins, boost, predict = ENGINES[o.one](o, x, y)
    p = predict(t)
    print(json.dumps({"bin_s": bins, "boost_s": boost, "auc": roc_auc_score(truth, p), "logloss": log_loss(truth, p)}))


def tandem(o, path, trees, leaves, threads, seed):
    return call([o.tandem, "bench", "train", "--data", path, "--target", "y", "--trees", str(trees), "--leaves", str(leaves),
                 "--threads", str(threads), "--seed", str(seed), "--json"], threads)


def call(cmd, threads):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS="1")
    run = subprocess.run(cmd, capture_output=True, text=True, env=env)
    if run.returncode:
        sys.exit(f"{' '.join(cmd)}\n{run.stdout}{run.stderr}")
    return json.loads(run.stdout[run.stdout.index("{"):])


# Scoring ------------------------------------------------------------------
def score_peers(o):
    """Times the peers on a model of 500 trees, one thread, and writes LightGBM's for Tandem."""
    import lightgbm as lgb
    import numpy as np
    import xgboost as xgb
    x, y, t, _ = read(o.file)
    out = {}

    def rate(f):
        f()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            f()
            times.append(time.perf_counter() - start)
        return len(t) / statistics.median(times)
    o.leaves, o.seed, o.threads = 31, 1, os.cpu_count()
    m = lgb.train(lightgbm_params(o), lgb.Dataset(x, y), o.trees)
    m.save_model(o.model)
    a = np.ascontiguousarray(t.to_numpy(float))
    out["LightGBM"] = {"rows_per_s": rate(lambda: m.predict(a, num_threads=1)), **single_row(m, a)}
    out["LightGBM pred_contrib"] = {"rows_per_s": len(a[:500]) / timed(lambda: m.predict(a[:500], pred_contrib=True, num_threads=1))}
    b = xgb.train(dict(objective="binary:logistic", tree_method="hist", grow_policy="lossguide", max_leaves=31, max_depth=0, eta=RATE, nthread=o.threads),
                  xgb.QuantileDMatrix(x, y), o.trees)
    b.set_param({"nthread": 1})
    out["XGBoost"] = {"rows_per_s": rate(lambda: b.inplace_predict(a))}
    import catboost as cb
    c = cb.CatBoostClassifier(iterations=o.trees, depth=5, learning_rate=RATE, thread_count=o.threads, verbose=0, allow_writing_files=False).fit(x, y)
    out["CatBoost, its own symmetric trees"] = {"rows_per_s": rate(lambda: c.predict(a, prediction_type="RawFormulaVal", thread_count=1))}
    compiled = o.model + "-" + hashlib.sha256(open(o.model, "rb").read()).hexdigest()[:16]  # compiling takes minutes: once is enough
    try:
        import lleaves
        q = lleaves.Model(model_file=o.model)
        q.compile(cache=compiled + ".lleaves")
        out["lleaves"] = {"rows_per_s": rate(lambda: q.predict(a, n_jobs=1))}
    except ImportError:
        out["lleaves"] = {"rows_per_s": None}
    try:
        import tl2cgen
        import treelite
        if not os.path.exists(compiled + ".so"):
            tl2cgen.export_lib(treelite.frontend.load_lightgbm_model(o.model), toolchain="gcc", libpath=compiled + ".so", params={"parallel_comp": 20}, nthread=os.cpu_count())
        p, d = tl2cgen.Predictor(compiled + ".so", nthread=1), tl2cgen.DMatrix(a)
        out["tl2cgen"] = {"rows_per_s": rate(lambda: p.predict(d))}
    except ImportError:
        out["tl2cgen"] = {"rows_per_s": None}
    print(json.dumps(out))


def timed(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def single_row(m, a):
    """LightGBM's fast call for one row, through its C interface, in microseconds."""
    import lightgbm.basic as basic
    import numpy as np
    lib, fast = basic._LIB, ctypes.c_void_p()
    cols = a.shape[1]
    code = lib.LGBM_BoosterPredictForMatSingleRowFastInit(m._handle, ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(1),
                                                          ctypes.c_int32(cols), ctypes.c_char_p(b"num_threads=1"), ctypes.byref(fast))
    if code:
        return {}
    out, size, times = np.zeros(1), ctypes.c_int64(), []
    result = out.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    for i in range(5000):
        row = a[i % len(a)].ctypes.data_as(ctypes.c_void_p)
        start = time.perf_counter_ns()
        lib.LGBM_BoosterPredictForMatSingleRowFast(fast, row, ctypes.byref(size), result)
        times.append((time.perf_counter_ns() - start) / 1000)
    lib.LGBM_FastConfigFree(fast)
    times.sort()
    return {"p50_us": times[len(times) // 2], "p99_us": times[len(times) * 99 // 100]}


# The report -----------------------------------------------------------------
def train_table(o, name, paths, leaves, threads, report):
    took = {}
    for seed, path in enumerate(paths, 1):
        for engine in [*ENGINES, "Tandem"]:
            if engine == "Tandem":
                r = tandem(o, path, o.trees, leaves, threads, seed)
            else:
                r = call([sys.executable, __file__, o.tandem, o.results, "--one", engine, "--file", path, "--trees", str(o.trees), "--leaves", str(leaves),
                          "--threads", str(threads), "--seed", str(seed)], threads)
            took.setdefault(engine, []).append(r)
            print(f"{name}, {leaves} leaves, {threads} threads, round {seed}: {engine} {r['bin_s'] + r['boost_s']:.2f} s, AUC {r['auc']:.4f}", file=sys.stderr, flush=True)

    def total(engine):
        return [r["bin_s"] + r["boost_s"] for r in took[engine]]
    ours = statistics.median(total("Tandem"))
    report.append(f"\n### {name}, {o.trees} trees x {leaves} leaves, {threads} thread{'s' * (threads > 1)}\n\n"
                  "| | seconds | spread | binning | AUC | Tandem's AUC is higher by | log loss | times Tandem |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
    for engine, runs in took.items():
        t, auc = total(engine), [r["auc"] for r in runs]
        more = [b["auc"] - a for a, b in zip(auc, took["Tandem"])]
        error = statistics.stdev(more) / len(more) ** 0.5 if len(more) > 1 else 0.0
        ahead = "" if engine == "Tandem" else f"{statistics.mean(more):+.5f} (se {error:.5f})"
        bins = "" if engine == "scikit-learn" else f"{statistics.median([r['bin_s'] for r in runs]):.2f}"
        report.append(f"| {engine} | {statistics.median(t):.2f} | {min(t):.2f} to {max(t):.2f} | {bins} | {statistics.mean(auc):.5f} | {ahead} | "
                      f"{statistics.mean([r['logloss'] for r in runs]):.5f} | {statistics.median(t) / ours:.2f} |\n")


def accuracy_table(o, files):
    """AUC of LightGBM's defaults and Tandem on as many draws of a table as there are rounds: speed apart, since noise needs many."""
    threads, more = os.cpu_count(), []
    for seed, path in enumerate(files, 1):
        peer = call([sys.executable, __file__, o.tandem, o.results, "--one", "LightGBM", "--file", path, "--trees", str(o.trees), "--leaves", "31",
                     "--threads", str(threads), "--seed", str(seed)], threads)
        mine = tandem(o, path, o.trees, 31, threads, seed)
        more.append(mine["auc"] - peer["auc"])
        print(f"draw {seed}: LightGBM {peer['auc']:.5f}, Tandem {mine['auc']:.5f}", file=sys.stderr, flush=True)
        error = statistics.stdev(more) / len(more) ** 0.5 if len(more) > 1 else 0.0
        with open(o.results, "w") as f:
            f.write("\n## Accuracy over more draws\n\n" + f"AUC on {len(more)} draws of the numeric table, {o.trees} trees x 31 leaves: Tandem's is higher than that of LightGBM's defaults by {statistics.mean(more):+.5f} "
                    f"(standard error {error:.5f}); draw by draw: {', '.join(f'{d:+.4f}' for d in more)}.\n")


def score_table(o, path, report):
    model, bundle = os.path.join(o.folder, "score.txt"), os.path.join(o.folder, "score.tandem")
    rounds = []
    for _ in range(o.rounds):
        r = call([sys.executable, __file__, o.tandem, o.results, "--one", "score", "--file", path, "--model", model, "--trees", str(o.score_trees)], os.cpu_count())
        subprocess.run([o.tandem, "import", model, "-o", bundle, "-q"], check=True)
        mine = call([o.tandem, "bench", "score", bundle, "--data", path, "--threads", "1", "--json"], 1)
        r["Tandem"] = {"rows_per_s": mine["batch"]["rows_per_s"], **mine["row"]}
        r["Tandem, four reasons"] = {"rows_per_s": 1e6 / mine["row_with_reasons"]["p50_us"], **mine["row_with_reasons"]}
        rounds.append(r)

    def median(name, key):
        values = [r[name].get(key) for r in rounds]
        return None if None in values else statistics.median(values)
    report.append(f"\n## Scoring: {o.score_trees} trees x 31 leaves, one thread\n\n| | rows/s | one row, p50 us | p99 us |\n|---|--:|--:|--:|\n")
    for name in rounds[0]:
        cells = [median(name, k) for k in ("rows_per_s", "p50_us", "p99_us")]
        report.append(f"| {name} | " + " | ".join("not installed" if v is None and name in ("lleaves", "tl2cgen") and i == 0 else "" if v is None else f"{v:,.0f}" if i == 0 else f"{v:.1f}"
                                                  for i, v in enumerate(cells)) + " |\n")


def inside(o):
    """Starts the script again in the virtual environment."""
    python = os.path.join(o.venv, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", o.venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
        for extra in OPTIONAL:
            subprocess.run([python, "-m", "pip", "install", "-q", extra], check=False)
    os.execv(python, [python, __file__, *sys.argv[1:], "--inside"])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("tandem", help="the program")
    a.add_argument("results", help="the file to write")
    a.add_argument("--small", action="store_true", help="a fiftieth of the rows, two rounds")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--trees", type=int, default=100)
    a.add_argument("--engines", help="only the peers whose names contain one of these, separated by commas")
    a.add_argument("--part", choices=["all", "training", "scoring", "accuracy"], help="accuracy: LightGBM's defaults and Tandem on more draws of the first table", default="all")
    a.add_argument("--venv", default="/tmp/tandem-peers")
    a.add_argument("--folder", default="/tmp/tandem-bench", help="where the tables are kept")
    for hidden in ["--one", "--file", "--model"]:
        a.add_argument(hidden, help=argparse.SUPPRESS)
    for hidden in ["--leaves", "--threads", "--seed"]:
        a.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    a.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    o = a.parse_args()
    if o.one:
        return score_peers(o) if o.one == "score" else one(o)
    if not o.inside:
        inside(o)
    o.score_trees = 500
    if o.small:
        o.rounds, o.trees, o.score_trees = 2, 20, 50
    os.makedirs(o.folder, exist_ok=True)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    version = subprocess.run([o.tandem, "--version"], capture_output=True, text=True).stdout.strip()
    report = ["# Tandem's trees beside their peers\n\nMade by `bench/trees/run.py`, whose first lines say how to make it again. "
              f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({cpu}), load {os.getloadavg()[0]:.1f} at the start, {version}, {', '.join(PEERS)}; "
              f"{o.rounds} rounds in turn, each on a table drawn with its own seed; medians, and the mean of the differences of a round with its standard error. Learning rate {RATE}, {BINS} bins, {LEAST} rows in a leaf at least. "
              "CatBoost's trees are symmetric, of the depth that has as many leaves. scikit-learn bins inside its fit and leaves out categories of more than 255 values.\n\n## Training\n"]
    paths = list(tables(o.folder, o.small, o.rounds, o.part == "accuracy"))
    scoring = []
    if o.part == "accuracy":
        return accuracy_table(o, paths[0][1])
    if o.part != "training":
        score_table(o, paths[0][1][0], scoring)
    if o.engines:
        for name in list(ENGINES):
            if not any(part in name for part in o.engines.split(",")):
                del ENGINES[name]
    for name, files in paths if o.part != "scoring" else []:
        for leaves in [31, 255]:
            for threads in [1, 2]:
                train_table(o, name, files, leaves, threads, report)
                with open(o.results, "w") as f:  # a run that is cut keeps what it has
                    f.writelines(report + scoring)
    with open(o.results, "w") as f:
        f.writelines(report + scoring)


main()
