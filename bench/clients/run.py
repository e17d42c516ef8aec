"""Asks a running tandem serve for the scores of the same rows through the clients
that people use, and holds every score against tandem predict, to the bit of its
number type.

    tandem serve credit.tandem --address 127.0.0.1:8090 --grpc-address 127.0.0.1:8091
    python run.py --bundle credit.tandem --data rows.csv --tandem TANDEM

Clients that are not installed are told and left out. Needs numpy and pandas; asks
tritonclient[all], kserve, pyarrow, requests, curl and java if they are there.
"""

import argparse
import asyncio
import io
import json
import multiprocessing
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd

args = argparse.ArgumentParser()
args.add_argument("--bundle", required=True)
args.add_argument("--data", required=True)
args.add_argument("--tandem", default="tandem")
args.add_argument("--http", default="127.0.0.1:8090")
args.add_argument("--grpc", default="127.0.0.1:8091")
args.add_argument("--rows", type=int, default=200)
args = args.parse_args()
sys.argv = sys.argv[:1]  # kserve reads them when it is imported

name = pathlib.Path(args.bundle).name.removesuffix(".tandem")
url = "http://" + args.http
folder = pathlib.Path(tempfile.mkdtemp())
frame = pd.read_csv(args.data, nrows=args.rows)
frame.to_csv(folder / "rows.csv", index=False)

lines = subprocess.run([args.tandem, "predict", args.bundle, str(folder / "rows.csv"), "-o", str(folder / "out.csv")], capture_output=True, text=True)
if lines.returncode:
    sys.exit(lines.stderr)
out = pd.read_csv(folder / "out.csv", float_precision="round_trip")
want = out["score"].to_numpy()

import urllib.request

meta = json.load(urllib.request.urlopen(f"{url}/v2/models/{name}"))
inputs = {t["name"]: t["datatype"] for t in meta["inputs"]}
frame = frame[[c for c in frame.columns if c in inputs]]
records = json.loads(frame.to_json(orient="records", double_precision=15))
# to_json rounds; the numbers themselves come from the frame.
records = [{c: None if pd.isna(v) else (v.item() if isinstance(v, np.generic) else v) for c, v in row.items()} for row in frame.to_dict("records")]
split = {"columns": list(frame.columns), "data": [[row[c] for c in frame.columns] for row in records]}

results = []


def check(what, scores):
    scores = np.asarray(scores, dtype=np.float64)
    same = len(scores) == len(want) and all(struct.pack("<d", a) == struct.pack("<d", b) for a, b in zip(scores, want))
    results.append((what, len(scores), same))
    print(f"{'same' if same else 'DIFFERENT':10} {what}")


def attempt(what, f):
    """Runs in a process of its own: tritonclient and kserve both register the protocol's messages."""
    results.clear()
    try:
        f()
    except ImportError as e:
        results.append((what, 0, None))
        print(f"{'left out':10} {what}: {e}")
    except Exception as e:  # whatever a client raises
        results.append((f"{what}: {type(e).__name__}", 0, False))
        print(f"{'FAILED':10} {what}: {e} {getattr(getattr(e, 'response', None), 'text', '')}")
    return results


def tensors(make):
    for column in frame.columns:
        if inputs[column] == "BYTES":
            yield make(column, np.array([b"" if pd.isna(v) else str(v).encode() for v in frame[column]], dtype=object), "BYTES")
        else:
            yield make(column, frame[column].to_numpy(dtype=np.float64), "FP64")


def triton_http():
    import tritonclient.http as t

    for binary in (True, False):
        client = t.InferenceServerClient(args.http)
        ins = []
        for column, values, kind in tensors(lambda *a: a):
            if not binary and kind == "FP64" and np.isnan(values).any():
                return results.append(("tritonclient HTTP, JSON: NaN is no JSON", 0, None))
            i = t.InferInput(column, [len(values)], kind)
            i.set_data_from_numpy(values, binary_data=binary)
            ins.append(i)
        answer = client.infer(name, ins, outputs=[t.InferRequestedOutput("score", binary_data=binary)])
        check(f"tritonclient HTTP, {'binary' if binary else 'JSON'}", answer.as_numpy("score").ravel())


def triton_grpc():
    import tritonclient.grpc as t

    client = t.InferenceServerClient(args.grpc)
    ins = []
    for column, values, kind in tensors(lambda *a: a):
        i = t.InferInput(column, [len(values)], kind)
        i.set_data_from_numpy(values)
        ins.append(i)
    check("tritonclient gRPC", client.infer(name, ins).as_numpy("score").ravel())


def kserve_request():
    from kserve import InferInput, InferRequest

    ins = []
    for column, values, kind in tensors(lambda *a: a):
        i = InferInput(name=column, shape=[len(values)], datatype=kind)
        i.set_data_from_numpy(values, binary_data=True)
        ins.append(i)
    return InferRequest(model_name=name, infer_inputs=ins)


def kserve_rest():
    from kserve import InferenceRESTClient, RESTConfig

    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    answer = asyncio.run(client.infer(url, kserve_request(), model_name=name))
    check("kserve InferenceRESTClient, v2", next(o for o in answer.outputs if o.name == "score").as_numpy().ravel())
    client = InferenceRESTClient(RESTConfig(protocol="v1", timeout=60))
    answer = asyncio.run(client.infer(url, {"instances": records}, model_name=name))
    check("kserve InferenceRESTClient, v1", answer["predictions"])


def kserve_grpc():
    from kserve import InferenceGRPCClient

    async def ask():
        client = InferenceGRPCClient(url=args.grpc, use_ssl=False, timeout=60)
        answer = await client.infer(kserve_request())
        await client.close()
        return answer

    answer = asyncio.run(ask())
    check("kserve InferenceGRPCClient", next(o for o in answer.outputs if o.name == "score").as_numpy().ravel())


def mlflow_forms():
    import requests

    for form, body in {
        "dataframe_split": {"dataframe_split": split}, "dataframe_records": {"dataframe_records": records},
        "instances": {"instances": records}, "inputs": {"inputs": {c: [r[c] for r in records] for c in frame.columns}},
    }.items():
        answer = requests.post(url + "/invocations", json=body)
        answer.raise_for_status()
        check(f"requests, MLflow {form}", answer.json()["predictions"])
    answer = requests.post(url + "/invocations", data=frame.to_csv(index=False), headers={"Content-Type": "text/csv"})
    answer.raise_for_status()
    check("requests and pandas, MLflow CSV", answer.json()["predictions"])


def mlflow_parquet():
    import pyarrow  # noqa: F401, pandas writes with it
    import requests

    answer = requests.post(url + "/invocations", data=frame.to_parquet(index=False), headers={"Content-Type": "application/vnd.apache.parquet"})
    if answer.status_code == 415:
        raise ImportError("this server reads no Parquet")
    answer.raise_for_status()
    check("requests and pandas, MLflow Parquet", answer.json()["predictions"])


def arrow():
    import pyarrow as pa
    import requests

    for what, table in {"": pa.Table.from_pandas(frame, preserve_index=False),
                        ", categories as dictionaries": pa.Table.from_pandas(frame.astype({c: "category" for c in frame if frame[c].dtype == object}), preserve_index=False)}.items():
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as w:
            w.write_table(table, max_chunksize=64)
        answer = requests.post(f"{url}/v1/score/{name}", data=sink.getvalue(), headers={"Content-Type": "application/vnd.apache.arrow.stream"})
        answer.raise_for_status()
        check("pyarrow and requests, Arrow stream" + what, pa.ipc.open_stream(answer.content).read_all()["score"].to_numpy())


def own_forms():
    (folder / "rows.json").write_text(json.dumps({"rows": records}))
    (folder / "rows.ndjson").write_text("".join(json.dumps(r) + "\n" for r in records))
    for client, ask in {
        "curl": lambda kind, file: subprocess.run(["curl", "-sS", "--fail-with-body", f"{url}/v1/score/{name}", "-H", "Content-Type: " + kind, "-T", str(file), "-X", "POST"], check=True, capture_output=True, text=True).stdout,
        "java": java,
    }.items():
        if not shutil.which(client):
            results.append((client, 0, None))
            print(f"{'left out':10} {client} is not installed")
            continue
        text = ask("application/json", folder / "rows.json")
        check(f"{client}, JSON", [r["score"] for r in json.loads(text)["results"]])
        text = ask("application/x-ndjson", folder / "rows.ndjson")
        check(f"{client}, NDJSON stream", [json.loads(line)["score"] for line in text.splitlines()])


def java(kind, file):
    to = folder / "java.out"
    subprocess.run(["java", str(pathlib.Path(__file__).with_name("Score.java")), f"{url}/v1/score/{name}", kind, str(file), str(to)], check=True)
    return to.read_text()


def named(what):
    return attempt(what, clients[what])


clients = {"tritonclient HTTP": triton_http, "tritonclient gRPC": triton_grpc, "kserve REST": kserve_rest, "kserve gRPC": kserve_grpc,
                "MLflow forms": mlflow_forms, "MLflow Parquet": mlflow_parquet, "Arrow": arrow, "own forms": own_forms}
for what in clients:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        results += pool.apply(named, (what,))
print("\n| client | rows | scores |\n|---|--:|---|")
for what, n, same in results:
    print(f"| {what} | {n} | {'left out' if same is None else 'same bits' if same else 'DIFFERENT'} |")
sys.exit(any(same is False for _, _, same in results))
