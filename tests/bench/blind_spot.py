"""Error and coverage of the blind-spot estimates over many simulated countries.

blind_spot.py GOYONG FOLDER [SEEDS] [FIRST_SEED] [PERSONS] [ONE_IN]

Each seed simulates three months, delivers what the estimate reads, builds the blind spot of the third month, which has
its two months of look-back, and evaluates it against the truth. The default survey asks every second household: 45,000
respondents of 100,000 residents, about as precise as the nation's 65,000.
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

READ = """kostat_lfs kostat_population nts_wage_statement nts_daily_statement nts_business_income nts_business_registration
ei_workplace ei_insured_spell ei_daily_work ei_contractor_spell""".split()
# what is built for the third month alone; the rest needs all three
LAST = """labour_force_survey person link_error survey_target survey_margin raking_cell raking_target blind_spot_factor
blind_spot_estimate blind_spot_part blind_spot_monthly""".split()


def one_country(program, folder, seed, persons, one_in):
    shutil.rmtree(folder, ignore_errors=True)
    run(program, folder, "init")
    run(program, folder, "simulate", "--seed", str(seed), "--persons", persons, "--months", "3", "--survey-one-in", one_in)
    for source in (folder / "warehouse/landing").iterdir():
        if source.name not in READ:
            shutil.rmtree(source)
    run(program, folder, "ingest")
    run(program, folder, "build", "-s", "+coverage_cell", "seed.blind_spot_setting", "seed.coverage_class")
    run(program, folder, "build", "--event-time-start", "2024-03-01", "--event-time-end", "2024-04-01", "-s", *LAST)
    answer = run(program, folder, "evaluate", "blind-spot", "--truth", folder / "truth", "--format", "csv")
    shutil.rmtree(folder)
    return list(csv.DictReader(io.StringIO(answer.lstrip("\ufeff"))))


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    seeds, first = (int(text) for text in (sys.argv[3:5] + ["50", "1001"][len(sys.argv[3:5]):]))
    persons, one_in = sys.argv[5:7] + ["100000", "2"][len(sys.argv[5:7]):]
    ratio, median, held = defaultdict(list), defaultdict(list), defaultdict(list)
    for seed in range(first, first + seeds):
        for row in one_country(program, folder, seed, persons, one_in):
            subject = row["subject"].removeprefix("blind spot ")
            if row["measure"] == "estimate / truth":
                ratio[subject].append(float(row["value"]))
            elif row["measure"] == "median error":
                median[subject].append(float(row["value"]))
            else:
                held[subject].append([int(number) for number in re.findall(r"\d+", row["detail"])])
    print("figure,seeds,mean ratio,mean error,median error,within 3 %,median error of members,intervals,held")
    for subject, ratios in sorted(ratio.items()):
        errors = [abs(one - 1) for one in ratios]
        inside, figures = (sum(one[place] for one in held[subject]) for place in (0, 1))
        print(
            f"{subject},{len(errors)},{statistics.mean(ratios):.4f},{statistics.mean(errors):.4f},"
            f"{statistics.median(errors):.4f},{sum(one <= 0.03 for one in errors)},"
            f"{statistics.median(median[subject]):.4f},{figures},{inside / figures if figures else float('nan'):.4f}"
        )


main()
