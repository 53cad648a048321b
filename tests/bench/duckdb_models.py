"""DuckDB's side of the models: the same compiled queries over the same Parquet files."""

import json
import sys
from pathlib import Path

import duckdb

plan = json.load(open(sys.argv[1]))
connection = duckdb.connect()
connection.execute("set threads = 2")
connection.execute("set integer_division = true")
connection.execute("set default_null_order = 'nulls_first'")
if plan.get("memory_limit"):
    connection.execute(f"set memory_limit = '{plan['memory_limit']}'")
    connection.execute(f"set temp_directory = '{plan['out']}/spill'")
connection.execute((Path(__file__).parent / "duckdb_functions.sql").read_text())
for name, files in plan["views"].items():
    schema, table = name.split(".")
    connection.execute(f'create schema if not exists "{schema}"')
    listed = ", ".join(f"'{file}'" for file in files)
    connection.execute(
        f'create view "{schema}"."{table}" as select * from read_parquet([{listed}], hive_partitioning = true)'
    )
for name, script in plan.get("queries", {}).items():
    schema, table = name.split(".")
    connection.execute(f'create schema if not exists "{schema}"')
    connection.execute(f'create view "{schema}"."{table}" as {script}')
order = f" order by {plan['order_by']}" if plan.get("order_by") else ""
for number, script in enumerate(plan["scripts"]):
    file = f"{plan['out']}/{number:04}.parquet"
    connection.execute(f"copy (select * from ({script.strip()}){order}) to '{file}' (format parquet, compression zstd)")
