"""Reads our tables as any other program would: the Delta log names the Parquet files."""

import json
from pathlib import Path


def parquet_of(lake: Path, table: str) -> list[str]:
    """Files of the newest version of a Delta table, by its log."""
    folder = lake / table.replace(".", "/")
    files: dict[str, None] = {}
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = None
            if "remove" in action:
                files.pop(action["remove"]["path"], None)
    return [str(folder / file) for file in files]


def partition_of(lake: Path, table: str) -> str | None:
    """The column a Delta table is stored by."""
    column = None
    for entry in sorted((lake / table.replace(".", "/") / "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            for name in json.loads(line).get("metaData", {}).get("partitionColumns", []):
                column = name
    return column


def relation(files: list[str]) -> str:
    listed = ", ".join(f"'{file}'" for file in files)
    return f"read_parquet([{listed}], hive_partitioning = true)"


def assert_same(connection, left: str, right: str, columns: str, what: str) -> int:
    """Both sides hold the same rows, duplicates counted."""
    for first, second in ((left, right), (right, left)):
        missing = connection.execute(
            f"select count(*) from (select {columns} from {first} except all select {columns} from {second})"
        ).fetchone()[0]
        if missing:
            raise SystemExit(f"{what}: {missing} rows differ")
    return connection.execute(f"select count(*) from {left}").fetchone()[0]
