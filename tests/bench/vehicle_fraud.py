"""Insurance claims with confirmed fraud: our own training path, contract to scores, against LightGBM on the same folds.

Both sides try the same grid of trees, leaves and learning rates, and each is reported at the setting with its own best
area under the ROC curve. Every claim is scored by models that did not see it.

usage: vehicle_fraud.py --goyong BINARY --data FOLDER [--work FOLDER]
"""

import argparse
import datetime
import hashlib
import json
import re
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow.parquet as pq
from sklearn.metrics import average_precision_score, roc_auc_score

FOLDS = 5
SEED = 20_240_101
KNOWN_ON = datetime.date(2026, 11, 1)
GRID = [
    {"trees": trees, "leaves": leaves, "learning_rate": rate}
    for leaves in (4, 8, 16)
    for trees, rate in ((100, 0.1), (200, 0.05), (400, 0.05))
]
LEAF_ROWS = 20
MASK = (1 << 64) - 1


def goyong(binary: str, folder: Path, *arguments: str) -> str:
    command = [binary, "--dir", str(folder), "-q", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def rows_of(folder: Path, table: str) -> list[dict]:
    """The rows of a table as its newest version has them, from Delta's log and Parquet alone."""
    root = folder / "warehouse/lake" / table.replace(".", "/")
    active: dict[str, dict] = {}
    for log in sorted((root / "_delta_log").glob("*.json")):
        for action in map(json.loads, log.read_text().splitlines()):
            if "add" in action:
                active[action["add"]["path"]] = action["add"].get("partitionValues", {})
            elif "remove" in action:
                active.pop(action["remove"]["path"], None)
    return [
        {**values, **row}
        for path, values in active.items()
        for row in pq.ParquetFile(root / urllib.parse.unquote(path)).read().to_pylist()
    ]


def fold_of(keys: list[int], day: int) -> np.ndarray:
    """The folds of `train_with_folds`: rows in the order of a hash of key and day, dealt out in turn."""
    def place(key: int) -> int:
        digest = hashlib.sha256(key.to_bytes(8, "little", signed=True) + b"\xff" + day.to_bytes(4, "little", signed=True))
        mixed = int.from_bytes(digest.digest()[8:16], "big") ^ (SEED * 0x9E3779B97F4A7C15 & MASK)
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & MASK
        return mixed ^ (mixed >> 31)

    folds = np.empty(len(keys), dtype=int)
    for position, row in enumerate(sorted(range(len(keys)), key=lambda row: place(keys[row]))):
        folds[row] = position % FOLDS
    return folds


def matrix(rows: list[dict], columns: list[str], codes: list[str]) -> tuple[np.ndarray, list[int]]:
    """Numbers as they are, texts and codes as numbered categories, what is missing as missing."""
    arrays, categories = [], []
    for place, column in enumerate(columns):
        values = [row[column] for row in rows]
        present = {value for value in values if value is not None}
        if column in codes or any(isinstance(value, str) for value in present):
            numbered = {value: number for number, value in enumerate(sorted(present))}
            categories.append(place)
        else:
            numbered = {value: float(value) for value in present}
        arrays.append([np.nan if value is None else numbered[value] for value in values])
    return np.array(arrays).T, categories


def peer(features: np.ndarray, categories: list[int], labels: np.ndarray, folds: np.ndarray, setting: dict) -> np.ndarray:
    scores = np.empty(len(labels))
    for fold in range(FOLDS):
        here = folds == fold
        data = lightgbm.Dataset(features[~here], labels[~here], categorical_feature=categories)
        parameters = {
            "objective": "binary", "num_leaves": setting["leaves"], "learning_rate": setting["learning_rate"],
            "min_data_in_leaf": LEAF_ROWS, "lambda_l2": 1.0, "num_threads": 2, "verbose": -1, "seed": 1, "deterministic": True,
        }
        model = lightgbm.train(parameters, data, num_boost_round=setting["trees"])
        scores[here] = model.predict(features[here])
    return scores


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--goyong", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        compare(str(Path(arguments.goyong).resolve()), arguments.data, arguments.work or Path(scratch))


def compare(binary: str, data: Path, work: Path) -> None:
    folder, inbox = work / "project", work / "delivered/fraud"
    inbox.mkdir(parents=True)
    (inbox / "vehicle_claims.csv").write_bytes((data / "fraud/vehicle_claims.csv").read_bytes())
    goyong(binary, folder, "init")
    goyong(binary, folder, "ingest", "--known-on", str(KNOWN_ON), str(work / "delivered"))
    goyong(binary, folder, "build", "-s", "vehicle_fraud", "vehicle_fraud_label")
    declaration = folder / "sql/models/vehicle_fraud.yml"
    text = declaration.read_text()
    columns = re.search(r"columns: \[(.*?)\]", text, re.S).group(1).replace("\n", " ")
    columns = [column.strip() for column in columns.split(",")]
    rows = sorted(rows_of(folder, "features.vehicle_fraud"), key=lambda row: row["policy_no"])
    outcome = {row["policy_no"]: row["label"] for row in rows_of(folder, "features.vehicle_fraud_label")}
    keys = [row["policy_no"] for row in rows]
    labels = np.array([outcome[key] for key in keys])
    folds = fold_of(keys, (KNOWN_ON - datetime.date(1970, 1, 1)).days)
    features, categories = matrix(rows, columns, ["agent_no"])
    print(f"{len(rows)} claims, {labels.sum()} frauds, {len(columns)} features, {FOLDS} folds")
    found: dict[str, list[tuple[float, float, dict]]] = {"goyong": [], "lightgbm": []}
    for setting in GRID:
        words = ", ".join(f"{key}: {value}" for key, value in setting.items())
        learner = f"learner: {{kind: boosting, {words}, minimum_leaf_rows: {LEAF_ROWS}, minimum_count: 20}}"
        changed = re.sub(r"^rivals:.*\n", "", re.sub(r"^learner: .*$", learner, text, flags=re.M), flags=re.M)
        declaration.write_text(changed)
        goyong(binary, folder, "models", "train", "vehicle_fraud")
        ours = [row for row in rows_of(folder, "models.vehicle_fraud") if row["purpose"] == "out_of_time"]
        by_key = {int(row["policy_no"]): row["probability"] for row in ours}
        assert by_key.keys() == set(keys), "not every claim was scored out of fold"
        sides = {
            "goyong": np.array([by_key[key] for key in keys]),
            "lightgbm": peer(features, categories, labels, folds, setting),
        }
        for name, scores in sides.items():
            figures = (roc_auc_score(labels, scores), average_precision_score(labels, scores), setting)
            found[name].append(figures)
            print(f"  {name:9} {words}: AUC {figures[0]:.4f}, average precision {figures[1]:.4f}")
    declaration.write_text(text)
    best = {name: max(figures, key=lambda figure: figure[0]) for name, figures in found.items()}
    for name, (auc, precision, setting) in best.items():
        print(f"{name}: AUC {auc:.4f}, average precision {precision:.4f} at {setting}")
    precision = {name: max(figure[1] for figure in figures) for name, figures in found.items()}
    print(f"best average precision of the grid: goyong {precision['goyong']:.4f}, lightgbm {precision['lightgbm']:.4f}")


if __name__ == "__main__":
    main()
