"""The peers' side of the intake benchmark: typed Parquet without checks, pseudonyms or quarantine.

usage: peer_insured_spells.py duckdb CP949-FILE OUT | polars UTF-8-FILE OUT
Rows that do not fit the types are dropped by DuckDB; Polars makes their values null.
"""

import os
import subprocess
import sys

DATES = {"취득일", "상실일", "취득신고일", "상실신고일"}
NUMBERS = {"신고번호", "월보수액", "이직전평균임금", "주소정근로시간"}
PEER, TEXT, OUT = sys.argv[1:]


def columns() -> list[str]:
    from insured_spells import COLUMNS

    return COLUMNS


def with_duckdb() -> None:
    import duckdb

    transcoder = subprocess.Popen(["iconv", "-f", "CP949", "-t", "UTF-8", TEXT], stdout=subprocess.PIPE)
    types = {
        name: "DATE" if name in DATES else "BIGINT" if name in NUMBERS else "VARCHAR" for name in columns()
    }
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.execute(
        f"""
        copy (
          select * from read_csv('/dev/fd/{transcoder.stdout.fileno()}', header = true, columns = {types},
            delim = ',', quote = '"', dateformat = '%Y%m%d', auto_detect = false, ignore_errors = true)
        ) to '{OUT}' (format parquet, compression zstd, compression_level 1)
        """
    )
    if transcoder.wait() != 0:
        sys.exit("iconv failed")


def with_polars() -> None:
    os.environ["POLARS_MAX_THREADS"] = "2"
    import polars as pl

    schema = {name: pl.Int64 if name in NUMBERS else pl.String for name in columns()}
    (
        pl.scan_csv(TEXT, schema=schema, ignore_errors=True)
        .with_columns(pl.col(name).str.to_date("%Y%m%d", strict=False) for name in DATES)
        .sink_parquet(OUT, compression="zstd", compression_level=1)
    )


if __name__ == "__main__":
    {"duckdb": with_duckdb, "polars": with_polars}[PEER]()
