"""Gaps, tenure and the six-month label on spells sorted by person and start, against DuckDB's windows on the same files."""

import subprocess
import sys
from pathlib import Path

import duckdb

from lake import parquet_of, relation
from layout import MODEL, prepare_project
from measure import alternate, report, run

HISTORY = """
with seen as (
  select
    *,
    row_number() over spell as spell_no_of_person,
    max(end_on) over (spell rows between unbounded preceding and 1 preceding) as previous_end,
    lead(start_on) over spell as next_start
  from {relation}
  window spell as (partition by person_key order by start_on, spell_no)
),
history as (
  select
    *,
    case when previous_end is not null then greatest(start_on - previous_end - 1, 0) end as gap_days,
    sum(greatest(end_on - greatest(start_on, coalesce(previous_end + 1, start_on)) + 1, 0))
      over (partition by person_key order by start_on, spell_no rows unbounded preceding) as tenure_days,
    coalesce(next_start <= end_on + interval 6 month, false) as next_within
  from seen
)
"""
TOTALS = """
select count(*) as spells, count(gap_days) as later_spells, cast(sum(gap_days) as bigint) as gap_days,
  cast(sum(tenure_days) as bigint) as tenure_days, count(*) filter (where next_within) as within_six_months
from {history}
"""
CHECKS = """
select person_key % 1009 as bucket, count(*) as spells,
  cast(sum(gap_days * (spell_no_of_person % 97)) as bigint) as gaps,
  cast(sum(tenure_days * (spell_no_of_person % 89)) as bigint) as tenures,
  cast(sum(case when next_within then spell_no_of_person % 83 end) as bigint) as labels
from {history} group by person_key % 1009 order by bucket
"""
# the table has a column spell_no of its own, so the operator reads the others
OURS = f"""(
  select *, spell_no as spell_no_of_person
  from spell_gaps(
    (select person_key, start_on, end_on from core.{MODEL}),
    person_key, start_on, end_on, next_within_months => 6)
) as history"""


def bench_spells(goyong: str, work: Path, rows: int, rounds: int) -> None:
    project = sorted_project(goyong, work, rows)
    files = relation(parquet_of(project / "warehouse" / "lake", f"core.{MODEL}"))
    history = HISTORY.format(relation=files)
    script = (
        "import duckdb; c = duckdb.connect(); c.execute('set threads = 2'); "
        f'c.sql("""{history} {TOTALS.format(history="history")}""").show()'
    )
    ask = [str(example(goyong)), str(project / "warehouse")]
    totals = TOTALS.format(history=OURS)
    best = alternate(
        rounds,
        {
            "goyong": lambda: run([*ask, totals]),
            "duckdb": lambda: run([sys.executable, "-c", script]),
        },
    )
    theirs = duckdb.connect()
    for statement in (TOTALS, CHECKS):
        found = answer([*ask, statement.format(history=OURS)])
        expected = theirs.sql(f"{history} {statement.format(history='history')}").fetchall()
        if found != [tuple(str(value) for value in row) for row in expected]:
            raise SystemExit("gaps, tenure or labels differ from DuckDB's")
    report(f"gaps, tenure and six-month label of {rows} sorted spells: totals and 1009 digests of rows equal", best)


def bench_read_path(goyong: str, work: Path, rows: int, rounds: int) -> None:
    """One process reads the table both ways, so that version and build are the same."""
    project = sorted_project(goyong, work, rows)
    print(f"\nreading {rows} rows through the engine and as bare Parquet files, best of {rounds}")
    command = [str(example(goyong)), str(project / "warehouse"), str(rounds)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def sorted_project(goyong: str, work: Path, rows: int) -> Path:
    project = prepare_project(goyong, work, rows)
    if not (project / "sorted").exists():
        run([goyong, "--dir", str(project), "build", "-s", MODEL])
        (project / "sorted").touch()
    return project


def example(goyong: str) -> Path:
    program = Path(goyong).parent / "examples" / "read_path"
    if not program.exists():
        raise SystemExit(f"{program} is missing: cargo build --release -p goyong -p goyong-engine --example read_path")
    return program


def answer(command: list[str]) -> list[tuple[str, ...]]:
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [tuple(line.split(",")) for line in lines[1:]]
