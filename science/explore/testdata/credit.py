# Counts and AUCs of single columns of examples/credit/credit_data.csv by
# counting pairs, missing values below or above all others, whichever is
# farther from 1/2. Plain Python: python3 credit.py ../../../examples/credit/credit_data.csv
import bisect, csv, sys

rows = list(csv.DictReader(open(sys.argv[1])))
y = [r["Status"] == "bad" for r in rows]
print(len(rows), sum(y), sum(all(v != "" for v in r.values()) for r in rows))

def auc(x):
    neg = sorted(v for v, p in zip(x, y) if not p)
    wins = sum((bisect.bisect_left(neg, v) + bisect.bisect_right(neg, v)) / 2 for v, p in zip(x, y) if p)
    return wins / len(neg) / sum(y)

for name in ["Seniority", "Income", "Amount", "Assets"]:
    best = max((auc([float(r[name]) if r[name] else end for r in rows]) for end in (-1e9, 1e9)), key=lambda a: abs(a - 0.5))
    print(name, sum(r[name] == "" for r in rows), round(max(best, 1 - best), 6), "up" if best > 0.5 else "down")
print("Records = yes", sum(r["Records"] == "yes" for r in rows), sum(r["Records"] == "yes" and p for r, p in zip(rows, y)))
