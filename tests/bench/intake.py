"""Intake against a plain conversion: 20 columns of CP949 text to Parquet.

We check every value, pseudonymise, seal who stands behind the pseudonyms, set bad rows aside, archive the original
encrypted, hash, and commit. The peers only convert: DuckDB behind iconv, Polars the file that is UTF-8 already.
"""

import hashlib
import json
import math
import shutil
import sys
from pathlib import Path

import duckdb

from insured_spells import generate
from lake import parquet_of, relation
from measure import Cost, alternate, report, run

HERE = Path(__file__).parent
SOURCE = "bench_insured_spell"
# Every so many rows are compared value by value with what DuckDB reads.
COMPARED_EVERY = 16

COMPARED = """
  report_no::bigint as report_no, workplace_no, workplace_name, biz_no, acquired_on, lost_on, loss_reason, loss_detail,
  monthly_wage_won::bigint as monthly_wage_won, average_wage_won::bigint as average_wage_won, weekly_hours::int as weekly_hours,
  occupation, occupation_name, contract_kind, industry, sigungu, sigungu_name, acquired_reported_on, lost_reported_on
"""

# The contract's rules once more, written independently over the text of the UTF-8 file.
RULES = """
  select * from (
    select
      "신고번호"::bigint as report_no,
      "사업장관리번호" as workplace_no,
      "사업장명" as workplace_name,
      "사업자등록번호" as biz_no,
      try_strptime("취득일", '%Y%m%d')::date as acquired_on,
      try_strptime("상실일", '%Y%m%d')::date as lost_on,
      "상실사유코드" as loss_reason,
      "상실사유상세" as loss_detail,
      try_cast("월보수액" as bigint) as monthly_wage_won,
      try_cast("이직전평균임금" as bigint) as average_wage_won,
      try_cast("주소정근로시간" as int) as weekly_hours,
      "직종코드" as occupation,
      "직종명" as occupation_name,
      "고용형태" as contract_kind,
      "업종코드" as industry,
      "시군구코드" as sigungu,
      "시군구명" as sigungu_name,
      try_strptime("취득신고일", '%Y%m%d')::date as acquired_reported_on,
      try_strptime("상실신고일", '%Y%m%d')::date as lost_reported_on,
      try_strptime(left("주민등록번호", 6), '%y%m%d') is not null as is_person
    from read_csv('{text}', header = true, all_varchar = true)
    where "신고번호"::bigint % {every} = 3
  )
  where is_person and acquired_on is not null and monthly_wage_won >= 0 and workplace_no is not null
    and (loss_reason is null or loss_reason in ('11', '12', '22', '23', '26', '31', '32', '41', '42'))
"""


def write_delivery(text: Path, utf8: Path, landing: Path) -> None:
    """The file and its manifest, as a provider would leave them."""
    landing.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    with open(text, "rb") as file:
        while part := file.read(1 << 24):
            sha256.update(part)
    rows, won = duckdb.sql(
        f"""select count(*), sum("월보수액"::hugeint) from read_csv('{utf8}', header = true, all_varchar = true)"""
    ).fetchall()[0]
    name = f"{SOURCE}.csv"
    (landing / name).hardlink_to(text)
    manifest = {
        "source": SOURCE,
        "revision": 1,
        "rows": rows,
        "control": {"monthly_wage_won": str(won)},
        "sha256": sha256.hexdigest(),
        "known_on": "2024-12-31",
        "file": name,
    }
    (landing / f"{name}.manifest.json").write_text(json.dumps(manifest))


def compare(project: Path, utf8: Path, rows: int) -> tuple[int, int]:
    """Nothing is lost, and the accepted rows hold what stands in the file."""
    lake = project / "warehouse" / "lake"
    staging = relation(parquet_of(lake, f"staging.{SOURCE}"))
    quarantine = relation(parquet_of(lake, f"quarantine.{SOURCE}"))
    connection = duckdb.connect()
    accepted = connection.execute(f"select count(*) from {staging}").fetchone()[0]
    aside = connection.execute(f"select count(distinct _row_number) from {quarantine}").fetchone()[0]
    if accepted + aside != rows:
        raise SystemExit(f"{rows} rows delivered, {accepted} accepted and {aside} in quarantine")
    ours = f"(select {COMPARED} from {staging} where report_no % {COMPARED_EVERY} = 3)"
    theirs = f"(select {COMPARED} from ({RULES.format(text=utf8, every=COMPARED_EVERY)}))"
    for left, right in ((ours, theirs), (theirs, ours)):
        differing = connection.execute(f"select count(*) from ({left} except all {right})").fetchone()[0]
        if differing:
            raise SystemExit(f"{differing} of the compared rows differ")
    return accepted, aside


def bench_intake(goyong: str, work: Path, sizes: list[int], rounds: int) -> None:
    growth: dict[int, Cost] = {}
    for rows in sizes:
        utf8, cp949 = generate(work, rows)
        project, theirs = work / "project_intake", work / "peer_intake"
        delivery = work / f"delivery_{rows}"
        shutil.rmtree(delivery, ignore_errors=True)
        write_delivery(cp949, utf8, delivery)

        def prepare(name: str) -> None:
            if name != "goyong":
                shutil.rmtree(theirs, ignore_errors=True)
                theirs.mkdir(parents=True)
                return
            shutil.rmtree(project, ignore_errors=True)
            run([goyong, "--dir", str(project), "init"])
            settings = project / "goyong.toml"
            settings.write_text(settings.read_text() + f'\nsql = "{HERE / "sql"}"\n')
            inbox = project / "warehouse" / "landing" / SOURCE
            inbox.mkdir(parents=True)
            for file in delivery.iterdir():
                (inbox / file.name).hardlink_to(file)

        peer = [sys.executable, str(HERE / "peer_insured_spells.py")]
        contenders = {"goyong": lambda: run([goyong, "--dir", str(project), "ingest"])}
        if rows == sizes[-1]:
            contenders["iconv | duckdb"] = lambda: run([*peer, "duckdb", str(cp949), str(theirs / "spell.parquet")])
            contenders["polars utf-8"] = lambda: run([*peer, "polars", str(utf8), str(theirs / "spell.parquet")])
        best = alternate(rounds, contenders, prepare)
        prepare("goyong")
        contenders["goyong"]()
        accepted, aside = compare(project, utf8, rows)
        cost = growth[rows] = best["goyong"]
        size = cp949.stat().st_size
        report(
            f"intake of 20 columns in CP949: {size / 1e6:.0f} MB, {accepted} rows accepted, {aside} set aside, "
            f"{rows / cost.wall_s / 1e3:.0f} thousand rows/s, {size / cost.wall_s / 1e6:.0f} MB/s",
            best,
        )
    if len(sizes) > 1:
        (small, large) = (growth[sizes[0]], growth[sizes[-1]])
        ratio = math.log(sizes[-1] / sizes[0])
        print(
            f"\ngrowth from {sizes[0]} to {sizes[-1]} rows: wall to the power of "
            f"{math.log(large.wall_s / small.wall_s) / ratio:.3f}, CPU {math.log(large.cpu_s / small.cpu_s) / ratio:.3f}, "
            f"peak {large.peak_mib:.0f} MiB"
        )
