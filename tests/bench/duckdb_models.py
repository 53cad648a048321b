"""DuckDB's side of the second benchmark: the same compiled queries over the same Parquet files."""

import json
import sys

import duckdb

plan = json.load(open(sys.argv[1]))
connection = duckdb.connect()
connection.execute("set threads = 2")
for name, files in plan["views"].items():
    schema, table = name.split(".")
    connection.execute(f'create schema if not exists "{schema}"')
    listed = ", ".join(f"'{file}'" for file in files)
    connection.execute(
        f'create view "{schema}"."{table}" as select * from read_parquet([{listed}], hive_partitioning = true)'
    )
parts = " union all ".join(f"select * from ({script.strip()})" for script in plan["scripts"])
connection.execute(f"copy ({parts}) to '{plan['out']}' (format parquet, compression zstd)")
