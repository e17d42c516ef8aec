"""The exploration page beside fg-data-profiling and skrub: processor time, memory and size, whole process, from CSV.

    go build -buildvcs=false -o /tmp/tandem ./cmd/tandem
    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install fg-data-profiling skrub numpy
    python3 bench/explore/run.py /tmp/tandem /tmp/peers/bin/python bench/explore/RESULTS.md

The tables are made by tables.py. A peer that cannot be imported, or takes more than --limit seconds, is told as such. Processor time
is user and system of the process and its children; peak is its resident memory.
"""
import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

PEERS = {
    "fg-data-profiling, minimal": """
import sys, pandas as pd
try:
    from data_profiling import ProfileReport
except ImportError:
    from ydata_profiling import ProfileReport
ProfileReport(pd.read_csv(sys.argv[1]), minimal=True, progress_bar=False).to_file(sys.argv[2])
""",
    "fg-data-profiling": """
import sys, pandas as pd
try:
    from data_profiling import ProfileReport
except ImportError:
    from ydata_profiling import ProfileReport
ProfileReport(pd.read_csv(sys.argv[1]), progress_bar=False).to_file(sys.argv[2])
""",
    "skrub TableReport": """
import sys, pandas as pd
from skrub import TableReport
open(sys.argv[2], "w").write(TableReport(pd.read_csv(sys.argv[1]), verbose=0).html())
""",
}


def measure(command, out, limit):
    """Runs a command of its own and returns (cpu seconds, peak MB, KB written, error)."""
    if os.path.exists(out):
        os.remove(out)
    # A process in between, so that the children measured are this command's alone.
    code = ("import resource, subprocess, sys\n"
            "try:\n r = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=float(sys.argv[1])); e = r.stderr.decode().strip().splitlines()[-1:] if r.returncode else []\n"
            "except subprocess.TimeoutExpired:\n e = ['stopped after ' + sys.argv[1] + ' s']\n"
            "u = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
            "print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024, *e)\n")
    line = subprocess.run([sys.executable, "-c", code, str(limit), *command], capture_output=True, text=True, check=True).stdout.split(None, 2)
    size = os.path.getsize(out) / 1000 if os.path.exists(out) else 0
    return float(line[0]), float(line[1]), size, line[2].strip() if len(line) > 2 else ""


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tandem")
    p.add_argument("python")
    p.add_argument("results")
    p.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "tandem-bench-explore"))
    p.add_argument("--limit", type=float, default=900)
    p.add_argument("--only", help="only engines whose name contains this")
    p.add_argument("--table", help="only tables whose name contains this")
    a = p.parse_args()
    subprocess.run([a.python, os.path.join(HERE, "tables.py"), a.folder], check=True, stdout=subprocess.DEVNULL)
    rows = []
    for table, target, what in (("mixed", "target", "100,000 x 40 mixed"), ("num1m", "y", "1,000,000 x 28 numbers")):
        if a.table and a.table not in table:
            continue
        path, out = os.path.join(a.folder, table + ".csv"), os.path.join(a.folder, "page.html")
        engines = {"tandem explore --target": [a.tandem, "explore", path, "--target", target, "-o", out, "-q"]}
        engines |= {name: [a.python, "-c", code, path, out] for name, code in PEERS.items() if not (table == "num1m" and name == "fg-data-profiling")}
        for name, command in engines.items():
            if a.only and a.only not in name:
                continue
            cpu, peak, size, error = measure(command, out, a.limit)
            rows.append((what, name, f"{cpu:.1f}", f"{peak:.0f}", f"{size:,.0f}" if size else "-", error))
            print(*rows[-1], flush=True)
    version = subprocess.run([a.tandem, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    freeze = subprocess.run([a.python, "-m", "pip", "freeze"], capture_output=True, text=True).stdout.split()
    peers = [v for v in freeze if v.split("==")[0] in ("fg-data-profiling", "skrub", "pandas")]
    with open(a.results, "w") as f:
        f.write("# The exploration page beside its peers\n\nMade by `bench/explore/run.py`, whose first lines say how to make it again. "
                f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {version}, {', '.join(peers) or 'no peer installed'}.\n\n"
                "The whole process, from CSV to the page. `tandem explore` relates all columns to a target and looks for leakage besides; the peers have no target. "
                "*Minimal* of fg-data-profiling leaves out correlations and interactions; skrub leaves out plots and associations beyond 30 columns.\n\n"
                "| table | engine | CPU s | peak MB | page KB | |\n|---|---|--:|--:|--:|---|\n")
        for r in rows:
            f.write("| " + " | ".join(r) + " |\n")


if __name__ == "__main__":
    main()
