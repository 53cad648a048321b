"""Loss against the oracle and calibration of the prediction models over many simulated countries: mean and spread.

predictions.py GOYONG FOLDER [SEEDS] [FIRST_SEED] [PERSONS] [MONTHS]

Each seed simulates a country, trains both models out of time and evaluates them against the probabilities that the
simulator drew from.
"""

import csv
import io
import re
import shutil
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from country import run

MODELS = ("employment_success", "hiring_success")


def one_country(program, folder, seed, persons, months):
    shutil.rmtree(folder, ignore_errors=True)
    run(program, folder, "init")
    run(program, folder, "simulate", "--seed", str(seed), "--persons", persons, "--months", months)
    run(program, folder, "ingest")
    run(program, folder, "run", "-s", *(f"+{model}{what}" for model in MODELS for what in ("", "_label")))
    for model in MODELS:
        run(program, folder, "models", "train", model)
    answer = run(program, folder, "evaluate", "predictions", "--truth", folder / "truth", "--format", "csv")
    shutil.rmtree(folder)
    return list(csv.DictReader(io.StringIO(answer.lstrip("\ufeff"))))


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    seeds, first = (int(text) for text in (sys.argv[3:5] + ["20", "2001"][len(sys.argv[3:5]) :]))
    persons, months = sys.argv[5:7] + ["60000", "36"][len(sys.argv[5:7]) :]
    figures, untested = defaultdict(list), defaultdict(int)
    for seed in range(first, first + seeds):
        for row in one_country(program, folder, seed, persons, months):
            subject = (row["subject"], row["measure"])
            figure = re.match(r"-?\d+\.\d+", row["value"])
            if figure:
                figures[subject].append(float(figure[0]))
            else:
                untested[subject] += 1
        print(f"seed {seed} done", file=sys.stderr, flush=True)
    print("subject,measure,seeds,mean,deviation,lowest,highest,not tested")
    for subject in sorted(figures.keys() | untested.keys()):
        values = figures[subject]
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        shown = f"{statistics.mean(values):.4f},{spread:.4f},{min(values):.4f},{max(values):.4f}" if values else ",,,"
        name = ",".join(f'"{text}"' for text in subject)
        print(f"{name},{len(values)},{shown},{untested[subject]}")


main()
