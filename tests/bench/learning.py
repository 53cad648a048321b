"""Boosting against LightGBM and logistic regression against scikit-learn: the same files, the same
features, the same parameters, each side a process that reads Parquet.

boosting   500 k and 5 M rows × 40, 200 trees of 31 leaves; AUC on rows drawn later than those trained on
logistic   5 M rows × 60, the same penalty on standardised columns; coefficients are compared

usage: learning.py --work FOLDER [--rows 500000 1500000 5000000] [--logistic-rows 5000000] [--rounds 3] [--example BUILT]
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from measure import alternate, noise, report, run

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEER = [sys.executable, str(HERE / "learning_peer.py")]
GROUP_ROWS = 100_000
# Threads of a peer that waits must not burn the other core.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def generate(path: Path, rows: int, columns: int, seed: int, drift: float, gaps: bool) -> Path:
    """Numbers of different kinds with some missing, and an outcome with interactions."""
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    weights = np.random.default_rng(7).normal(0, 0.16, columns)
    writer = None
    for group, first in enumerate(range(0, rows, GROUP_ROWS)):
        draw = np.random.default_rng([seed, group])
        count = min(GROUP_ROWS, rows - first)
        x = draw.normal(drift, 1.0, (count, columns))
        score = x @ weights
        if gaps:
            score = 0.5 * score + 0.35 * np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] * x[:, 2] + 0.4 * (x[:, 3] > x[:, 4])
            x[:, 5:15] = np.round(x[:, 5:15] * 4)
            x[:, 15:20] = np.exp(x[:, 15:20])
            x[:, 20:25] = (x[:, 20:25] > 0.5).astype(float)
            x[:, 25:30][draw.random((count, 5)) < 0.2] = np.nan
        label = draw.random(count) < 1 / (1 + np.exp(1.0 - score))
        table = pa.table({**{f"x{at}": x[:, at] for at in range(columns)}, "label": label})
        writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd", use_dictionary=False)
        writer.write_table(table)
    writer.close()
    partial.rename(path)
    return path


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positives = labels.sum()
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))


def seconds(command: list[str], phase: str) -> float:
    """What a command says of one of its phases."""
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[phase]


def bench_boosting(example: str, work: Path, rows: int, rounds: int) -> float:
    train = generate(work / f"boosting_{rows}.parquet", rows, 40, 1, 0.0, True)
    later = generate(work / "boosting_later.parquet", 500_000, 40, 2, 0.05, True)
    labels = pq.read_table(later, columns=["label"])["label"].to_numpy()
    models = {"goyong": work / f"goyong_{rows}.model", "lightgbm": work / f"lightgbm_{rows}.model"}
    sides = {"goyong": [example], "lightgbm": PEER}
    best = alternate(rounds, {name: lambda n=name: run([*sides[n], "boost", str(train), str(models[n])]) for name in sides})
    report(f"boosting, {rows} rows × 40, 200 trees, reading and training", best)
    scored, found = {}, {}
    for name in sides:
        out = work / f"{name}_scores.bin"
        command = [*sides[name], "score", str(models[name]), str(later), str(out)]
        scored[name] = min(seconds(command, "score_s") for _ in range(max(rounds, 3)))
        found[name] = auc(np.fromfile(out, "<f8"), labels)
    print(f"  AUC on later rows: goyong {found['goyong']:.4f}, lightgbm {found['lightgbm']:.4f}")
    print(
        f"  scoring 500000 rows: {scored['goyong']:.3f} s to {scored['lightgbm']:.3f} s, "
        f"ratio {scored['goyong'] / scored['lightgbm']:.2f}"
    )
    assert found["goyong"] > found["lightgbm"] - 0.001, "the AUC is more than .001 below LightGBM's"
    again = work / "goyong_again.model"
    run([example, "boost", str(train), str(again)])
    assert again.read_bytes() == models["goyong"].read_bytes(), "two trainings gave different bytes"
    return best["goyong"].wall_s


def bench_logistic(example: str, work: Path, rows: int, rounds: int) -> None:
    train = generate(work / f"logistic_{rows}.parquet", rows, 60, 3, 0.3, False)
    outs = {"goyong": work / "goyong_logistic.json", "scikit-learn": work / "sklearn_logistic.json"}
    sides = {"goyong": [example], "scikit-learn": PEER}
    best = alternate(rounds, {name: lambda n=name: run([*sides[n], "logistic", str(train), str(outs[n])]) for name in sides})
    report(f"logistic, {rows} rows × 60, reading and training", best)
    ours, theirs = (json.loads(out.read_text()) for out in outs.values())
    found = np.array([column["coefficient"] for column in ours["columns"]] + [ours["intercept"]])
    expected = np.array(theirs["coefficients"] + [theirs["intercept"]])
    apart = np.abs(found - expected).max()
    print(f"  largest difference of a coefficient {apart:.1e}; the file was read {ours['passes']} times")
    assert apart < 1e-6, "the coefficients differ by more than 1e-6"


def build_example() -> str:
    """Builds `learn_files` together with the program, so that nothing of the engine is compiled again."""
    command = ["cargo", "build", "--release", "--package", "goyong", "--package", "goyong-learn"]
    command += ["--example", "learn_files", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = (json.loads(line) for line in built.stdout.splitlines())
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "learn_files")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--example", default="")
    parser.add_argument("--rows", type=int, nargs="*", default=[500_000, 1_500_000, 5_000_000])
    parser.add_argument("--logistic-rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    work = arguments.work / "learning"
    work.mkdir(parents=True, exist_ok=True)
    example = arguments.example or build_example()
    print(f"noise probe: {noise():.2f} s")
    walls = {rows: bench_boosting(example, work, rows, arguments.rounds) for rows in arguments.rows}
    for small, large in zip(arguments.rows, arguments.rows[1:]):
        print(f"  boosting, {large / small:.1f} times the rows: {walls[large] / walls[small]:.2f} times the wall")
    if arguments.logistic_rows:
        bench_logistic(example, work, arguments.logistic_rows, arguments.rounds)


if __name__ == "__main__":
    main()
