"""Benchmarks against DuckDB and Polars: same files in, same rows out, costs as ratios.

statements  delimited text, UTF-8 and CP949, to typed Parquet with the same checks on both sides
intake      20 columns of CP949 with persons, at three sizes, against a plain conversion
layout      spells sorted by person and start
models      every core and mart model of a simulated country, at growing sizes, same SQL in DuckDB
capped      the same at the largest size with 1 GiB of memory
night       one month more with late corrections, as a part of the full build
project     300 generated models: parse, plan, nothing to do, an edit of one

The results are compared before any figure is printed.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from intake import bench_intake
from lake import assert_same, parquet_of, relation
from layout import bench_layout
from measure import alternate, noise, report, run
from models import bench_growth, bench_models
from night import bench_night
from project import bench_project
from spells import bench_read_path, bench_spells

HERE = Path(__file__).parent
BAD_ROWS_PER_THOUSAND = 4
BENCHMARKS = ["statements", "intake", "layout", "spells", "read-path", "models", "capped", "night", "project"]


def generate_statements(path: Path, rows: int) -> None:
    """Payment statements of firms: digits, dates, money, Korean text; some rows break a rule."""
    if path.exists():
        return
    draw = random.Random(20_240_101)
    names = [
        f"(주){first}{second}{kind}"
        for first in ("가온", "나래", "다솜", "라온", "마루", "바른", "새벽", "아람")
        for second in ("물산", "정밀", "식품", "건설", "유통", "전자")
        for kind in ("", " 본점", ", 제2공장")
    ]
    partial = path.with_suffix(".partial")
    with open(partial, "w", encoding="cp949" if "cp949" in path.name else "utf-8") as file:
        file.write("지급번호,사업자등록번호,지급자명,지급월,지급기간시작,지급기간종료,업종코드,지급액\n")
        for number in range(rows):
            month = draw.randrange(1, 13)
            first = f"2024{month:02}01"
            last = f"2024{month:02}28"
            amount = draw.randrange(1, 9_000_000)
            if draw.randrange(1000) < BAD_ROWS_PER_THOUSAND:
                kind = draw.randrange(3)
                first = f"2024{month:02}31a" if kind == 0 else first
                last = "20240231" if kind == 1 else last
                amount = -amount if kind == 2 else amount
            name = names[draw.randrange(len(names))]
            if "," in name:
                name = f'"{name}"'
            file.write(
                f"{number},{draw.randrange(10**9, 10**10)},{name},2024{month:02},{first},{last},"
                f"{draw.randrange(100_000, 999_999)},{amount}\n"
            )
    partial.rename(path)


def bench_statements(goyong: str, work: Path, rows: int, rounds: int) -> None:
    for encoding in ("utf8", "cp949"):
        source = f"bench_statement_{encoding}"
        text = work / f"{source}.csv"
        generate_statements(text, rows)
        project, theirs = work / f"project_{encoding}", work / f"duckdb_{encoding}"

        def prepare(name: str) -> None:
            target = project if name == "goyong" else theirs
            shutil.rmtree(target, ignore_errors=True)
            if name == "goyong":
                run([goyong, "--dir", str(project), "init"])
                settings = project / "goyong.toml"
                settings.write_text(settings.read_text() + f'\nsql = "{HERE / "sql"}"\n')
            else:
                target.mkdir(parents=True)

        contenders = {
            "goyong": lambda: run(
                [goyong, "--dir", str(project), "ingest", str(text), "--source", source, "--known-on", "2024-12-31"]
            ),
            "duckdb": lambda: run(
                [sys.executable, str(HERE / "duckdb_statements.py"), str(text), encoding, str(theirs)]
            ),
        }
        best = alternate(rounds, contenders, prepare)
        connection = duckdb.connect()
        lake = project / "warehouse" / "lake"
        columns = "payment_no, payer_biz_no, payer_name, paid_month, paid_from, paid_to, industry_code, gross_won"
        good = assert_same(
            connection,
            relation(parquet_of(lake, f"staging.{source}")),
            f"read_parquet('{theirs}/accepted.parquet')",
            columns,
            f"{source} accepted",
        )
        bad = assert_same(
            connection,
            f"(select distinct _row_number from {relation(parquet_of(lake, f'quarantine.{source}'))})",
            f"(select _row_number from read_parquet('{theirs}/quarantine.parquet'))",
            "_row_number",
            f"{source} quarantined",
        )
        size = text.stat().st_size / 1e6
        report(
            f"text to typed Parquet with checks, {encoding}: {size:.0f} MB, {good} rows accepted, {bad} set aside, equal",
            best,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--goyong", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS)
    parser.add_argument("--rows", type=int, default=5_000_000, help="of the statements")
    parser.add_argument("--intake-rows", type=int, nargs="+", default=[2_000_000, 6_000_000, 20_000_000])
    parser.add_argument("--spells", type=int, default=30_000_000)
    parser.add_argument("--persons", type=int, nargs="+", default=[200_000, 600_000, 2_000_000], help="of the models")
    parser.add_argument("--months", type=int, default=36, help="of the models")
    parser.add_argument("--tables", nargs="+", default=[], help="only these models, as core.person; all without it")
    parser.add_argument("--cap-mib", type=int, default=1024, help="of the capped models")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    digest = hashlib.sha256(Path(arguments.goyong).read_bytes()).hexdigest()[:12]
    print(f"goyong {digest}, DuckDB {duckdb.__version__}; best of {arguments.rounds} alternating rounds")
    print(f"noise probe: {noise():.2f} s, again {noise():.2f} s")
    goyong, work, rounds = arguments.goyong, arguments.work, arguments.rounds
    if "statements" in arguments.only:
        bench_statements(goyong, work, arguments.rows, rounds)
    if "intake" in arguments.only:
        bench_intake(goyong, work, arguments.intake_rows, rounds)
    if "layout" in arguments.only:
        bench_layout(goyong, work, arguments.spells, rounds)
    if "spells" in arguments.only:
        bench_spells(goyong, work, arguments.spells, rounds)
    if "read-path" in arguments.only:
        bench_read_path(goyong, work, arguments.spells, rounds)
    if "models" in arguments.only:
        bench_growth(goyong, work, arguments.persons, arguments.months, rounds, arguments.tables)
    if "capped" in arguments.only:
        bench_models(
            goyong, work, max(arguments.persons), arguments.months, rounds, arguments.cap_mib, arguments.tables
        )
    if "night" in arguments.only:
        bench_night(goyong, work, max(arguments.persons), arguments.months)
    if "project" in arguments.only:
        bench_project(goyong, work, rounds)
    print(f"\nnoise probe: {noise():.2f} s")


if __name__ == "__main__":
    main()
