"""DuckDB's side of the first benchmark: text file, encoding, output folder."""

import codecs
import sys
from pathlib import Path

import duckdb

text, encoding, out = sys.argv[1:]
if encoding == "cp949":
    # DuckDB reads UTF-8; the transcoding belongs to its work.
    transcoded = Path(out) / "utf8.csv"
    with open(text, "rb") as source, open(transcoded, "wb") as target:
        decoder = codecs.getincrementaldecoder("cp949")("strict")
        while chunk := source.read(1 << 24):
            target.write(decoder.decode(chunk).encode())
        target.write(decoder.decode(b"", final=True).encode())
    text = str(transcoded)

connection = duckdb.connect()
connection.execute("set threads = 2")
connection.execute(
    f"""
    create temp table checked as
    with raw as (
      select row_number() over () as _row_number, *
      from read_csv('{text}', header = true, all_varchar = true, quote = '"')
    ),
    typed as (
      select
        _row_number,
        try_cast("지급번호" as bigint) as payment_no,
        "사업자등록번호" as payer_biz_no,
        "지급자명" as payer_name,
        try_strptime("지급월", '%Y%m')::date as paid_month,
        case when length("지급기간시작") = 8 then try_strptime("지급기간시작", '%Y%m%d')::date end as paid_from,
        case when length("지급기간종료") = 8 then try_strptime("지급기간종료", '%Y%m%d')::date end as paid_to,
        "업종코드" as industry_code,
        try_cast("지급액" as decimal(18, 0)) as gross_won
      from raw
    )
    select
      *,
      payment_no is not null and regexp_full_match(payer_biz_no, '\\d{{10}}') and payer_name is not null
        and paid_month is not null and paid_from is not null and paid_to is not null
        and regexp_full_match(industry_code, '\\d{{6}}') and gross_won between 0 and 10000000000 as is_good
    from typed
    """
)
connection.execute(
    f"copy (select * exclude (is_good) from checked where is_good) to '{out}/accepted.parquet' (format parquet, compression zstd)"
)
connection.execute(
    f"copy (select _row_number from checked where is_good is not true) to '{out}/quarantine.parquet' (format parquet)"
)
