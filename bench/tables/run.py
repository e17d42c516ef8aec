"""Tandem beside LightGBM's defaults on real tables: AUC on the same 20% that neither has seen.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install lightgbm==4.7.0 scikit-learn pandas
    go build -o /tmp/tandem ./cmd/tandem
    TANDEM_DATA=DIR /tmp/peers/bin/python bench/tables/run.py /tmp/tandem bench/tables/RESULTS.md [budget]

Each table is split once, stratified, seed 0. LightGBM gets 100 trees and its other defaults, categories native, two
threads. Tandem gets `train TRAIN --test TEST --budget 60s`, two threads. The tables are the binary ones of the folders credit,
churn and general; the columns that are left out are identifiers and free text, for both.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

TABLES = [
    ("credit/german_credit.csv", "class", "2", []),
    ("credit/default_credit_card.csv.gz", "default", "1", ["ID"]),
    ("credit/isl_default.csv.gz", "default", "Yes", []),
    ("credit/lending_club.csv.gz", "Class", "bad", []),
    ("credit/credit_data.csv", "Status", "bad", []),
    ("credit/hmda_boston.csv", "deny", "yes", []),
    ("churn/telco_churn.csv.gz", "Churn", "Yes", ["customerID"]),
    ("churn/mlc_churn.csv.gz", "churn", "yes", []),
    ("churn/caravan.csv.gz", "Purchase", "Yes", []),
    ("general/adult_train.csv.gz", "income", ">50K", []),
    ("general/titanic.csv", "Survived", "1", ["PassengerId", "Name", "Ticket", "Cabin"]),
    ("general/breast_cancer_wdbc.csv.gz", "target", "0", []),
    ("general/pima_diabetes.csv", "diabetes", None, []),
    ("general/mushroom.csv.gz", "type", "p", []),
    ("general/spambase.csv.gz", "type", "spam", []),
]


def read(path, target):
    d = pd.read_csv(path, na_values=["?", " "], skipinitialspace=True)
    names = {c.lower(): c for c in d.columns}
    if target not in d.columns:
        target = names.get(target.lower(), d.columns[-1])
    return d, target


def peer(train, test, y, target, drop):
    x, z = train.drop(columns=[target, *drop]).copy(), test.drop(columns=[target, *drop]).copy()
    for c in x.columns:
        if not pd.api.types.is_numeric_dtype(x[c]):
            levels = sorted(x[c].dropna().unique())
            x[c], z[c] = pd.Categorical(x[c], levels), pd.Categorical(z[c], levels)
    start = time.time()
    m = lgb.LGBMClassifier(n_jobs=2, verbose=-1, random_state=0).fit(x, y[train.index])
    return roc_auc_score(y[test.index], m.predict_proba(z)[:, 1]), time.time() - start


def ours(binary, folder, train, test, target, positive, drop, budget):
    a, b = os.path.join(folder, "train.csv"), os.path.join(folder, "test.csv")
    train.to_csv(a, index=False)
    test.to_csv(b, index=False)
    cmd = [binary, "train", a, "--target", target, "--positive", positive, "--test", b, "--budget", budget, "--workers", "2", "--json", "-q"]
    if drop:
        cmd += ["--exclude", ",".join(drop)]
    start = time.time()
    run = subprocess.run(cmd, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(cmd)}\n{run.stderr}")
    out = json.loads(run.stdout)
    return out["holdout"]["auc"]["value"], time.time() - start, out["model"], out["complete"]


def main():
    binary, result = sys.argv[1], sys.argv[2]
    budget = sys.argv[3] if len(sys.argv) > 3 else "60s"
    rows = []
    for name, target, positive, drop in TABLES:
        d, target = read(os.path.join(os.environ["TANDEM_DATA"], name), target)
        values = d[target].value_counts()
        positive = positive if positive is not None else str(values.index[-1])
        y = (d[target].astype(str) == positive).astype(int)
        if y.nunique() < 2:
            sys.exit(f"{name}: {target} has no value {positive}: {list(values.index)}")
        train, test = train_test_split(d, test_size=0.2, random_state=0, stratify=y)
        auc, seconds = peer(train, test, y, target, drop)
        with tempfile.TemporaryDirectory() as folder:
            mine, took, model, complete = ours(binary, folder, train, test, target, positive, drop, budget)
        rows.append((name, len(d), auc, mine, seconds, took, model, complete))
        print(f"{name:36s} LightGBM {auc:.4f}  Tandem {mine:.4f}  {mine - auc:+.4f}  {took:5.1f} s  {model}", flush=True)
    mean = np.mean([r[2] for r in rows]), np.mean([r[3] for r in rows])
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    with open(result, "w") as f:
        f.write("# Tandem beside LightGBM's defaults\n\nMade by `bench/tables/run.py`, whose first lines say how to make it again. "
                f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({cpu}), LightGBM {lgb.__version__}, budget {budget} a table.\n\n"
                "AUC on a fixed, stratified 20% of each table. Tandem's time is the whole command: reading, exploring, choosing between nine "
                "candidates and a blend by five-fold out-of-fold score, calibrating, evaluating, explaining. LightGBM's is one fit.\n\n"
                "| table | rows | LightGBM | Tandem | difference | LightGBM s | Tandem s | chosen |\n|---|--:|--:|--:|--:|--:|--:|---|\n")
        for name, n, a, b, s, t, model, complete in rows:
            f.write(f"| {name} | {n:,} | {a:.4f} | {b:.4f} | {b - a:+.4f} | {s:.1f} | {t:.1f} | {model}{'' if complete else ' (cut by the budget)'} |\n")
        f.write(f"| **mean** | | **{mean[0]:.4f}** | **{mean[1]:.4f}** | **{mean[1] - mean[0]:+.4f}** | | | |\n")


main()
