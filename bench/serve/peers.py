"""Measures Python servers beside bench/serve with the same model and load.

Trains a LightGBM model of 500 trees x 31 leaves that reads 30 numbers, imports
it into a bundle, starts FastAPI (one and two workers), MLServer and
"mlflow models serve" with it, checks that all of them give the same scores, and
lets bench/serve send single rows to all in turn. Each is as its documentation has
it, with one thread of LightGBM for a row, and without a decision log, a contract or
reasons, which it does not have.

    python -m venv A && A/bin/pip install lightgbm mlserver mlserver-lightgbm
    python -m venv B && B/bin/pip install lightgbm mlflow uvloop httptools orjson
    go build -o /tmp/tandem ./cmd/tandem && go build -o /tmp/serve ./bench/serve
    B/bin/python bench/serve/peers.py --tandem /tmp/tandem --serve /tmp/serve --mlserver A --rounds 3 --for 2s

All that it writes is in a temporary folder, or in --dir, where the model is kept
for the next time.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import lightgbm
import numpy as np

COLUMNS = 30
NAMES = [f"column_{j}" for j in range(COLUMNS)]

APP = '''
import os, lightgbm, numpy, orjson
from fastapi import FastAPI, Request, Response

app = FastAPI()
booster = lightgbm.Booster(model_file=os.environ["MODEL"])
names = booster.feature_name()

@app.post("/score")
async def score(request: Request):
    rows = orjson.loads(await request.body())["rows"]
    x = numpy.array([[row[name] for name in names] for row in rows])
    scores = booster.predict(x, num_threads=1)
    return Response(orjson.dumps({"scores": scores.tolist()}), media_type="application/json")
'''


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tandem", required=True)
    p.add_argument("--serve", required=True, help="bench/serve, built")
    p.add_argument("--mlserver", help="the environment with MLServer; without it it is left out")
    p.add_argument("--fasthttp", default="")
    p.add_argument("--dir")
    p.add_argument("--rounds", default="3")
    p.add_argument("--for", dest="length", default="2s")
    p.add_argument("--connections", default="32")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(a.dir or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run(a, folder)


def run(a, folder):
    text = folder / "model.txt"
    if not text.exists():
        train(text)
    booster = lightgbm.Booster(model_file=str(text))
    bundle = folder / "bench.tandem"
    bundle.unlink(missing_ok=True)
    subprocess.run([a.tandem, "import", str(text), "-o", str(bundle)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    rng = np.random.default_rng(2)
    x = np.array([[float(f"{v:.6g}") for v in row] for row in rng.normal(size=(64, COLUMNS))])
    want = booster.predict(x, num_threads=1)
    rows = lines(folder / "rows", [{"rows": [dict(zip(NAMES, r))]} for r in x.tolist()])
    infer = lines(folder / "infer", [{"inputs": [{"name": "x", "shape": [1, COLUMNS], "datatype": "FP64", "data": r}]} for r in x.tolist()])
    split = lines(folder / "split", [{"dataframe_split": {"columns": NAMES, "data": [r]}} for r in x.tolist()])

    env = dict(os.environ, OMP_NUM_THREADS="1", MODEL=str(text), PYTHONPATH=str(folder))
    (folder / "app.py").write_text(APP)
    here = Path(sys.executable).parent
    peers, processes = [], []  # (name, url, file of bodies, how to read the score of an answer)
    try:
        for workers in (1, 2):
            port = free()
            processes.append(start(folder, f"fastapi-{workers}", env, here / "python", "-m", "uvicorn", "app:app", "--port", port, "--workers", workers, "--no-access-log", "--log-level", "warning"))
            peers.append((f"FastAPI + LightGBM, {workers} worker{'s' * (workers > 1)}", f"http://127.0.0.1:{port}/score", rows, lambda r: r["scores"][0]))
        if a.mlserver:
            port, extra = free(), [free(), free()]
            model = folder / "mlserver"
            model.mkdir(exist_ok=True)
            (model / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "http_port": int(port), "grpc_port": int(extra[0]), "metrics_port": int(extra[1]), "parallel_workers": 0, "debug": False}))
            (model / "model-settings.json").write_text(json.dumps({"name": "bench", "implementation": "mlserver_lightgbm.LightGBMModel", "parameters": {"uri": str(text)}}))
            processes.append(start(folder, "mlserver", env, Path(a.mlserver) / "bin" / "mlserver", "start", model))
            peers.append(("MLServer", f"http://127.0.0.1:{port}/v2/models/bench/infer", infer, lambda r: r["outputs"][0]["data"][0]))
        if importlib.util.find_spec("mlflow"):
            import mlflow.lightgbm

            saved = folder / "mlflow"
            if not saved.exists():
                mlflow.lightgbm.save_model(booster, str(saved))
            port = free()
            processes.append(start(folder, "mlflow", dict(env, PATH=f"{here}:{env['PATH']}"), here / "mlflow", "models", "serve", "-m", saved, "--env-manager", "local", "--host", "127.0.0.1", "--port", port, "--workers", "1"))
            peers.append(("mlflow models serve", f"http://127.0.0.1:{port}/invocations", split, lambda r: r["predictions"][0]))

        address = subprocess.Popen([a.serve, "-child", "tandem", "-bundle", str(bundle)], stdout=subprocess.PIPE, text=True)
        processes.append(address)
        check("Tandem", f"http://{address.stdout.readline().strip()}/v1/score/bench", rows, lambda r: r["results"][0]["score"], want)
        for name, url, bodies, read in peers:
            check(name, url, bodies, read, want)
        address.terminate()
        address.wait()

        print("Versions: " + ", ".join(versions(a)) + ".\n", flush=True)
        command = [a.serve, "-bundle", str(bundle), "-rows", str(rows), "-rounds", a.rounds, "-for", a.length, "-connections", a.connections, "-rate", "0"]
        if a.fasthttp:
            command += ["-fasthttp", a.fasthttp]
        for name, url, bodies, _ in peers:
            command += ["-beside", f"{name}={url}={bodies}"]
        subprocess.run(command, check=True)
    finally:
        for p in processes:
            p.terminate()
        for p in processes:
            p.wait()


def train(path):
    """Trains and writes a model of exactly 500 trees of 31 leaves."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(100_000, COLUMNS))
    odds = x[:, 0] + np.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3] + 0.3 * x[:, 4:].sum(axis=1)
    y = rng.random(len(x)) < 1 / (1 + np.exp(-odds))
    booster = lightgbm.train({"objective": "binary", "num_leaves": 31, "learning_rate": 0.05, "verbose": -1, "seed": 1, "num_threads": 2},
                             lightgbm.Dataset(x, y, feature_name=NAMES), 500)
    leaves = [t["num_leaves"] for t in booster.dump_model()["tree_info"]]
    assert leaves == [31] * 500, leaves
    booster.save_model(str(path))


def lines(path, bodies):
    path.write_text("".join(json.dumps(b, separators=(",", ":")) + "\n" for b in bodies))
    return path


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def start(folder, name, env, *command):
    log = open(folder / f"{name}.log", "w")
    return subprocess.Popen([str(c) for c in command], env=env, cwd=folder, stdout=log, stderr=log)


def check(name, url, bodies, read, want):
    """Waits for a server and compares its scores with LightGBM's own."""
    begin = time.time()
    for body, score in zip(bodies.read_text().splitlines(), want):
        while True:
            try:
                request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
                got = read(json.load(urllib.request.urlopen(request, timeout=30)))
                break
            except urllib.error.HTTPError as e:
                if e.code < 500 and e.code != 404 or time.time() - begin > 120:
                    raise SystemExit(f"{name}: {e}: {e.read()[:500]}")
            except (urllib.error.URLError, ConnectionError):
                if time.time() - begin > 120:
                    raise
            time.sleep(0.2)
        assert abs(got - score) < 1e-14, f"{name} scores {got}, LightGBM {score}"


def versions(a):
    for name in ("lightgbm", "fastapi", "uvicorn", "mlflow"):
        yield f"{name} {importlib.metadata.version(name)}"
    if a.mlserver:
        listed = subprocess.run([f"{a.mlserver}/bin/pip", "list", "--format", "json"], capture_output=True, check=True).stdout
        for p in json.loads(listed):
            if p["name"] in ("mlserver", "mlserver-lightgbm"):
                yield f"{p['name']} {p['version']}"
    yield f"Python {sys.version.split()[0]}"


if __name__ == "__main__":
    main()
