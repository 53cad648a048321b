"""LightGBM and scikit-learn doing what `learn_files` does, one command a process.

usage: learning_peer.py boost TRAIN MODEL [trees] · score MODEL ROWS OUT · logistic TRAIN OUT
"""

import json
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

THREADS = 2


def load(path: str, dtype) -> tuple[np.ndarray, np.ndarray]:
    """Features as one matrix and the label, holding one row group beside them at a time."""
    file = pq.ParquetFile(path)
    names = [name for name in file.schema_arrow.names if name != "label"]
    values = np.empty((file.metadata.num_rows, len(names)), dtype)
    label = np.empty(file.metadata.num_rows, np.int8)
    first = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        until = first + table.num_rows
        for position, name in enumerate(names):
            values[first:until, position] = table[name].to_numpy()
        label[first:until] = table["label"].to_numpy()
        first = until
        del table
        pa.default_memory_pool().release_unused()
    return values, label


def boost(train: str, model: str, trees: int = 200) -> dict:
    import lightgbm

    values, label = load(train, np.float32)
    loaded = time.monotonic()
    data = lightgbm.Dataset(values, label, free_raw_data=True)
    parameters = {
        "objective": "binary", "num_leaves": 31, "learning_rate": 0.05, "max_bin": 255, "lambda_l2": 1.0,
        "min_data_in_leaf": 20, "num_threads": THREADS, "verbosity": -1, "seed": 1,
    }
    booster = lightgbm.train(parameters, data, num_boost_round=trees)
    booster.save_model(model)
    return {"load_s": loaded - STARTED, "fit_s": time.monotonic() - loaded, "train_s": time.monotonic() - STARTED}


def score(model: str, rows: str, out: str) -> dict:
    import lightgbm

    booster = lightgbm.Booster(model_file=model)
    values, _ = load(rows, np.float64)
    loaded = time.monotonic()
    predicted = booster.predict(values, num_threads=THREADS)
    seconds = time.monotonic() - loaded
    predicted.astype("<f8").tofile(out)
    return {"load_s": loaded - STARTED, "score_s": seconds}


def logistic(train: str, out: str) -> dict:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values, label = load(train, np.float64)
    StandardScaler(copy=False).fit_transform(values)
    fitted = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8).fit(values, label)
    with open(out, "w") as file:
        json.dump({"coefficients": fitted.coef_[0].tolist(), "intercept": float(fitted.intercept_[0])}, file)
    return {"train_s": time.monotonic() - STARTED}


if __name__ == "__main__":
    STARTED = time.monotonic()
    command, *arguments = sys.argv[1:]
    if command == "boost" and len(arguments) == 3:
        arguments[2] = int(arguments[2])
    print(json.dumps({"boost": boost, "score": score, "logistic": logistic}[command](*arguments)))
