"""Laying spells out by person and start: a model's build against DuckDB's `copy … order by`, from the same files."""

import shutil
import sys
from pathlib import Path

import duckdb

from lake import assert_same, parquet_of, relation
from measure import alternate, report, run

HERE = Path(__file__).parent
MODEL = "bench_spell_sorted"
PERSONS_PER_HUNDRED_SPELLS = 40


def generate(path: Path, rows: int) -> None:
    """Spells in no order; keys as a keyed hash would make them."""
    if path.exists():
        return
    partial = path.with_suffix(".partial")
    persons = max(rows * PERSONS_PER_HUNDRED_SPELLS // 100, 1)
    duckdb.connect().execute(
        f"""
        copy (
          select
            number as spell_no,
            (hash(hash(number) % {persons})::hugeint - 9223372036854775808::hugeint)::bigint as person_key,
            date '2005-01-01' + ((hash(number, 1) >> 1) % 7300)::int as start_on,
            date '2005-01-01' + ((hash(number, 1) >> 1) % 7300 + (hash(number, 2) >> 1) % 1500)::int as end_on,
            lpad(((hash(number, 3) >> 1) % 2600000)::varchar, 10, '0') || '0' as workplace_no,
            ['11', '12', '22', '23', '26', '31', '32'][1 + ((hash(number, 4) >> 1) % 7)::int] as loss_reason,
            (900000 + (hash(number, 5) >> 1) % 6000000)::decimal(18, 0) as monthly_wage_won,
            (15 + (hash(number, 6) >> 1) % 38)::int as weekly_hours,
            (100 + (hash(number, 7) >> 1) % 400)::varchar as occupation
          from range({rows}) as numbers(number)
        ) to '{partial}' (format parquet, compression zstd)
        """
    )
    partial.rename(path)


def prepare_project(goyong: str, work: Path, rows: int) -> Path:
    """A project with the spells of a generated file in staging; made once, kept for the next run."""
    source = work / f"spell_{rows}.parquet"
    generate(source, rows)
    project = work / f"project_layout_{rows}"
    if not (project / "ready").exists():
        shutil.rmtree(project, ignore_errors=True)
        run([goyong, "--dir", str(project), "init"])
        settings = project / "goyong.toml"
        settings.write_text(settings.read_text() + f'\nsql = "{HERE / "sql"}"\n')
        run([goyong, "--dir", str(project), "ingest", str(source), "--source", "bench_spell", "--known-on", "2024-12-31"])
        (project / "ready").touch()
    return project


def bench_layout(goyong: str, work: Path, rows: int, rounds: int) -> None:
    project, theirs = prepare_project(goyong, work, rows), work / "duckdb_layout"
    lake = project / "warehouse" / "lake"
    theirs.mkdir(parents=True, exist_ok=True)
    columns = (
        "spell_no, person_key, start_on, end_on, workplace_no, loss_reason, monthly_wage_won, weekly_hours, occupation"
    )
    script = (
        "import duckdb; c = duckdb.connect(); c.execute('set threads = 2'); "
        f"c.execute(\"copy (select {columns} from {relation(parquet_of(lake, 'staging.bench_spell'))} "
        f"order by person_key, start_on) to '{theirs / 'sorted.parquet'}' "
        '(format parquet, compression zstd, compression_level 1)")'
    )
    best = alternate(
        rounds,
        {
            "goyong": lambda: run([goyong, "--dir", str(project), "build", "-s", MODEL, "--full-refresh"]),
            "duckdb": lambda: run([sys.executable, "-c", script]),
        },
    )
    files = parquet_of(lake, f"core.{MODEL}")
    connection = duckdb.connect()
    assert_same(connection, relation(files), f"read_parquet('{theirs / 'sorted.parquet'}')", columns, MODEL)
    for file in files:
        unordered = connection.execute(
            f"""
            select count(*) from (
              select person_key, start_on,
                lag(person_key) over (order by file_row_number) as person_before,
                lag(start_on) over (order by file_row_number) as start_before
              from read_parquet('{file}', file_row_number = true)
            ) where person_before is not null and (person_before, start_before) > (person_key, start_on)
            """
        ).fetchone()[0]
        if unordered:
            raise SystemExit(f"{file}: {unordered} rows are out of order")
    report(f"{rows} spells sorted by person and start: equal rows, every file in order", best)
