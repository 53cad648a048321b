"""Every core and mart model of a simulated country, each against the same SQL in DuckDB.

One process a model and side, both reading the same Parquet files and writing sorted Parquet; the
rows are compared before a figure is printed.
"""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import yaml

from lake import assert_same, parquet_of, partition_of, relation
from measure import Cost, alternate, run, run_within_memory

HERE = Path(__file__).parent
SCHEMAS = ("core", "marts")
INPUT = re.compile(r'"(\w+)"\."(\w+)"')


@dataclass
class Model:
    table: str
    order_by: list[str]
    partition: str | None
    scripts: list[str]


def country(goyong: str, work: Path, persons: int, months: int) -> Path:
    """A built warehouse of a simulated country; made once."""
    folder = work / f"country_{persons}_{months}"
    if not (folder / "demo.txt").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run([goyong, "--dir", str(folder), "demo", "--persons", str(persons), "--months", str(months)])
    return folder


def output(goyong: str, folder: Path, *arguments: str) -> str:
    command = [goyong, "--dir", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def headers(goyong: str, work: Path) -> dict[str, dict]:
    """What the built-in models say of themselves, by table."""
    folder = work / "headers"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([goyong, "--dir", str(folder), "init"], check=True, capture_output=True)
    found = {}
    for file in (folder / "sql").rglob("*.sql"):
        text = file.read_text()
        if text.startswith("/*---"):
            header = yaml.safe_load(text[len("/*---") : text.index("---*/")])
            if "grain" in header:
                found[f"{header.get('schema', file.parent.name)}.{file.stem}"] = header
    return found


def as_of(lake: Path) -> str:
    """The day builds of this country are computed for."""
    deliveries = relation(parquet_of(lake, "ops.deliveries"))
    return str(duckdb.sql(f"select cast(max(known_on) as varchar) from {deliveries}").fetchall()[0][0])


def partitions(lake: Path, table: str, column: str) -> list[str]:
    rows = duckdb.sql(
        f'select distinct cast("{column}" as varchar) from {relation(parquet_of(lake, table))} order by 1'
    ).fetchall()
    return [row[0] for row in rows]


def plus(day: str, months: int) -> str:
    """The first day of the month so many months after a day's."""
    number = int(day[:4]) * 12 + int(day[5:7]) - 1 + months
    return f"{number // 12}-{number % 12 + 1:02}-01"


def model_of(goyong: str, folder: Path, lake: Path, table: str, header: dict, today: str) -> Model:
    order = list(header.get("sort_by", []))
    order += [column for column in sorted(header["grain"], key=lambda c: c != "person_key") if column not in order]
    shown = output(goyong, folder, "show", table, "--as-of", today)
    # What uses operators DuckDB does not have is written for it in its own words, up to the last step.
    peer = HERE / "peer_models" / f"{table}.sql"
    if peer.exists():
        shown = peer.read_text() + shown[shown.index(f"{table.split('.')[1]} as (") :]
    partition = header.get("partition_by") if header.get("materialized") == "partitioned" else None
    if not partition:
        return Model(table, order, None, [shown])
    # As the engine does it: for each month the text that names it, over the months it declares to read.
    this_month, next_month = plus(today, 0), plus(today, 1)
    windows = {}
    for schema, name in set(INPUT.findall(shown)):
        declared = header.get("reads", {})
        window = declared.get(name, declared.get(f"{schema}.{name}"))
        column = partition_of(lake, f"{schema}.{name}")
        if window and column:
            windows[f'"{schema}"."{name}"'] = (column, *window)
    scripts = []
    for month in partitions(lake, table, partition):
        text = shown.replace(this_month, "\ue000").replace(next_month, "\ue001")
        text = text.replace("\ue000", month).replace("\ue001", plus(month, 1))
        for name, (column, first, last) in windows.items():
            text = text.replace(
                name,
                f"""(select * from {name} where "{column}" between '{plus(month, first)}' and '{plus(month, last)}')""",
            )
        scripts.append(f"""select * from ({text.strip()}) where "{partition}" = date '{month}'""")
    return Model(table, order, partition, scripts)


def views_behind(goyong: str, folder: Path, names: set[str], known: dict[str, dict], today: str) -> dict[str, str]:
    """Compiled texts of the views among the inputs, each after those it reads."""
    found: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in found or known.get(name, {}).get("materialized") != "view":
            return
        text = output(goyong, folder, "show", name, "--as-of", today)
        for schema, table in INPUT.findall(text):
            visit(f"{schema}.{table}")
        found[name] = text

    for name in sorted(names):
        visit(name)
    return found


def compare(lake: Path, model: Model, theirs: Path) -> int:
    connection = duckdb.connect()
    ours = relation(parquet_of(lake, model.table))
    described = connection.execute(f"describe select * from {ours}").fetchall()
    mine = {name: kind for name, kind, *_ in described}
    other = f"read_parquet('{theirs}/*.parquet')"
    columns = []
    for name, *_ in connection.execute(f"describe select * from {other}").fetchall():
        kind = mine[name]
        # A sum of floats depends on the order it was taken in.
        text = f'round(cast("{name}" as double), 6)' if kind in ("DOUBLE", "FLOAT") else f'cast("{name}" as {kind})'
        columns.append(f'{text} as "{name}"')
    assert len(columns) == len(mine), f"{model.table}: {len(mine)} columns here, {len(columns)} there"
    return assert_same(connection, ours, other, ", ".join(columns), model.table)


def bench_growth(goyong: str, work: Path, sizes: list[int], months: int, rounds: int, tables: list[str]) -> None:
    """The models at every size, and what a size costs more than the one before."""
    walls = {
        persons: bench_models(goyong, work, persons, months, rounds, tables=tables) for persons in sizes
    }
    for small, large in zip(sizes, sizes[1:]):
        growth = {table: walls[large][table] / walls[small][table] for table in walls[small] if table in walls[large]}
        steepest = max(growth, key=growth.get)
        whole = sum(walls[large].values()) / sum(walls[small].values())
        print(
            f"  {large / small:.1f} times the persons: {whole:.2f} times the wall of all models, "
            f"most for {steepest} ({growth[steepest]:.2f})"
        )


def bench_models(
    goyong: str, work: Path, persons: int, months: int, rounds: int, cap_mib: int | None = None, tables: list[str] | None = None
) -> dict[str, float]:
    """Prints a line a model and returns our seconds by table."""
    folder = country(goyong, work, persons, months)
    lake = folder / "warehouse" / "lake"
    known = headers(goyong, work)
    today = as_of(lake)
    theirs = work / "duckdb_models"
    shutil.rmtree(theirs, ignore_errors=True)
    theirs.mkdir(parents=True)
    capped = f", capped at {cap_mib} MiB" if cap_mib else ""
    print(f"\nmodels of {persons} persons x {months} months{capped}: ratios of ours to DuckDB's, below 1 is less")
    print(f"  {'':<34}{'rows':>11}{'wall s':>9}{'DuckDB':>9}{'wall':>7}{'CPU':>7}{'peak':>7}{'MiB':>7}")
    ratios: dict[str, float] = {}
    walls: dict[str, float] = {}
    total = {"goyong": Cost(0, 0, 0), "duckdb": Cost(0, 0, 0)}
    for table, header in sorted(known.items()):
        if table.split(".")[0] not in SCHEMAS or header.get("materialized") == "view":
            continue
        if tables and table not in tables:
            continue
        stored = (lake / table.replace(".", "/") / "_delta_log").exists()
        assert stored, f"{table} was not built: make the country anew with this binary"
        model = model_of(goyong, folder, lake, table, header, today)
        named = {f"{schema}.{name}" for script in model.scripts for schema, name in INPUT.findall(script)}
        queries = views_behind(goyong, folder, named, known, today)
        named |= {f"{schema}.{name}" for text in queries.values() for schema, name in INPUT.findall(text)}
        absent = sorted(name for name in named - queries.keys() if not parquet_of(lake, name))
        if absent:
            print(f"  {table:<34} not compared: this country has no rows in {', '.join(absent)}")
            continue
        plan = theirs / f"{table}.json"
        out = theirs / table
        out.mkdir()
        plan.write_text(
            json.dumps(
                {
                    "views": {name: parquet_of(lake, name) for name in sorted(named - queries.keys())},
                    "queries": queries,
                    "scripts": model.scripts,
                    "order_by": ", ".join(f'"{column}"' for column in model.order_by),
                    "memory_limit": f"{cap_mib}MiB" if cap_mib else None,
                    "out": str(out),
                }
            )
        )
        if cap_mib:
            os.environ["GOYONG_MEMORY_LIMIT_MIB"] = str(cap_mib)
        # The select and its file, as the peer: what tests of the table cost is no part of the same work.
        build = [goyong, "--dir", str(folder), "run", "-s", table, "--full-refresh"]
        peer = [sys.executable, str(HERE / "duckdb_models.py"), str(plan)]
        peer_run = run_within_memory if cap_mib else run
        best = alternate(rounds, {"goyong": lambda: run(build), "duckdb": lambda: peer_run(peer)})
        os.environ.pop("GOYONG_MEMORY_LIMIT_MIB", None)
        if "duckdb" not in best:
            plan.write_text(json.dumps(json.loads(plan.read_text()) | {"memory_limit": None}))
            run(peer)
        rows = compare(lake, model, out)
        if "duckdb" not in best:
            ours = best["goyong"]
            total["goyong"].peak_mib = max(total["goyong"].peak_mib, ours.peak_mib)
            print(
                f"  {table:<34}{rows:>11}{ours.wall_s:>9.2f} DuckDB does not finish; with all memory its rows are the "
                f"same; ours took {ours.peak_mib:.0f} MiB",
                flush=True,
            )
            continue
        ours, other = best["goyong"], best["duckdb"]
        ratio = ours.wall_s / other.wall_s
        ratios[table], walls[table] = ratio, ours.wall_s
        print(
            f"  {table:<34}{rows:>11}{ours.wall_s:>9.2f}{other.wall_s:>9.2f}{ratio:>7.2f}"
            f"{ours.cpu_s / other.cpu_s:>7.2f}{ours.peak_mib / other.peak_mib:>7.2f}{ours.peak_mib:>7.0f}",
            flush=True,
        )
        for name, cost in best.items():
            total[name].wall_s += cost.wall_s
            total[name].cpu_s += cost.cpu_s
            total[name].peak_mib = max(total[name].peak_mib, cost.peak_mib)
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    worst = max(ratios, key=ratios.get)
    print(
        f"  {len(ratios)} models: geometric mean of the wall ratios {mean:.2f}, worst {ratios[worst]:.2f} ({worst}); "
        f"all together {total['goyong'].wall_s:.1f} s to {total['duckdb'].wall_s:.1f} s, "
        f"highest peak {total['goyong'].peak_mib:.0f} MiB to {total['duckdb'].peak_mib:.0f} MiB"
    )
    if cap_mib:
        allowed = cap_mib * 1.25
        over = "more" if total["goyong"].peak_mib > allowed else "not more"
        print(f"  the highest peak is {over} than the {allowed:.0f} MiB allowed")
    return walls
