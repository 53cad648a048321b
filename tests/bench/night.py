"""What one more month costs: its deliveries with late corrections, as a part of the full build.

The simulator writes one month more than the warehouse begins with. Deliveries that became known after the last day of
the month before are kept back, so that the second build meets a new month and the late reports of earlier ones. In the
end everything is computed again and must have the same content, partition by partition.
"""

import json
import shutil
import sqlite3
from pathlib import Path

from measure import Cost, run


def content(project: Path) -> dict[tuple[str, str], str]:
    """The content hash of every partition of every model, as the ledger holds it."""
    connection = sqlite3.connect(project / "warehouse" / "state" / "goyong.db")
    rows = connection.execute(
        "select table_name, partition, content_hash from partitions where until_version is null"
    )
    # The log of tests says when they ran, so it differs from build to build.
    return {
        (table, partition): digest
        for table, partition, digest in rows
        if not table.startswith(("staging.", "quarantine.", "ops.")) and not digest.endswith(":0")
    }


def hold_back(landing: Path, later: Path, months: int, start_year: int) -> None:
    """Moves the deliveries of the last month, and whatever became known with them, out of the landing folder."""
    year, month = divmod(months, 12)
    from_day = f"{start_year + year}-{month + 1:02}-01"
    moved = 0
    for manifest in sorted(landing.glob("*/*.manifest.json")):
        if json.loads(manifest.read_text())["known_on"] >= from_day:
            folder = later / manifest.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            data = manifest.with_name(manifest.name.removesuffix(".manifest.json"))
            for file in (manifest, data):
                shutil.move(file, folder / file.name)
            moved += 1
    assert moved, f"no delivery became known from {from_day} on"


def bench_night(goyong: str, work: Path, persons: int, months: int) -> None:
    project, later = work / f"night_{persons}", work / f"night_{persons}_later"
    for folder in (project, later):
        shutil.rmtree(folder, ignore_errors=True)
    command = [goyong, "--dir", str(project), "-q"]
    run([*command, "init"])
    run([*command, "simulate", "--persons", str(persons), "--months", str(months + 1), "--start", "2023-01"])
    # The deliveries about the last month are known in the month after it.
    hold_back(project / "warehouse" / "landing", later, months + 1, 2023)
    run([*command, "ingest"])

    def build(name: str, *options: str) -> tuple[Cost, dict[str, float]]:
        result = work / f"night_{name}.json"
        cost = run(["/bin/sh", "-c", f'"$0" "$@" > {result}', *command, "build", "--format", "json", *options])
        rows = json.loads(result.read_text())
        return cost, {row["table"]: float(row["seconds"]) for row in rows if row.get("seconds")}

    first, _ = build("first")
    shutil.copytree(later, project / "warehouse" / "landing", dirs_exist_ok=True)
    run([*command, "ingest"])
    night, by_night = build("night")
    after = content(project)
    full, by_full = build("full", "--full-refresh")
    refreshed = content(project)
    differing = sorted({table for table, _ in after.keys() | refreshed.keys() if any(
        after.get(key) != refreshed.get(key)
        for key in after.keys() | refreshed.keys() if key[0] == table
    )})
    assert not differing, f"the night and a full refresh disagree about {differing}"

    print(f"\nnight: one month more on {persons} persons x {months} months, {len(after)} partitions equal to a full refresh")
    print(f"  {'':<18}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    for name, cost in (("first build", first), ("night", night), ("full refresh", full)):
        print(f"  {name:<18}{cost.wall_s:>10.2f}{cost.cpu_s:>10.2f}{cost.peak_mib:>10.0f}")
    print(f"  night / full refresh: {night.cpu_s / full.cpu_s:.3f} of CPU, {night.wall_s / full.wall_s:.3f} of wall")
    print(f"  {'seconds by model':<42}{'night':>8}{'full':>8}")
    for table in sorted(by_full, key=lambda table: -by_full[table])[:25]:
        print(f"  {table:<42}{by_night.get(table, 0):>8.1f}{by_full[table]:>8.1f}")
