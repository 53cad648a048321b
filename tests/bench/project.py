"""Three hundred generated models: what parsing, planning and finding nothing to do take."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

from measure import run

MODELS = 300
AS_OF = "2024-12-31"


def parents(number: int) -> list[int]:
    """A chain in the first hundred, a fan-out from it in the second, joins of two in the third."""
    if number == 0:
        return []
    if number < 100:
        return [number - 10] if number % 10 == 0 else [number - 1]
    if number < 200:
        return [(number % 7) * 10]
    return [number - 100, number - 190]


def is_view(number: int) -> bool:
    return 100 <= number < 200 and number % 3 == 0


def path(number: int) -> str:
    schema = "core" if number < 100 else "marts" if number < 200 else "detect"
    return f"{schema}/m{number:03}.sql"


def text(number: int, change: str = "") -> str:
    kind = "view" if is_view(number) else "table"
    read = parents(number)
    if not read:
        body = "select id, amount from {{ seed('base') }}"
    elif len(read) == 1:
        body = (
            f"with parent as (\n  select * from {{{{ ref('m{read[0]:03}') }}}}\n)\n"
            f"select id, amount + {number}{change} as amount\nfrom parent"
        )
    else:
        body = (
            f"select l.id, l.amount + r.amount{change} as amount\nfrom {{{{ ref('m{read[0]:03}') }}}} as l\n"
            f"inner join {{{{ ref('m{read[1]:03}') }}}} as r\n  on r.id = l.id"
        )
    return (
        f"/*---\ndescription: generated\ngrain: [id]\nmaterialized: {kind}\n"
        f"columns: {{amount: {{tests: [not_null]}}}}\n---*/\n{body}\n"
    )


def dependants(edited: int) -> set[int]:
    reached = {edited}
    for number in range(MODELS):
        if reached & set(parents(number)):
            reached.add(number)
    return reached


def write_project(folder: Path) -> None:
    seeds = folder / "sql" / "seeds"
    seeds.mkdir(parents=True)
    rows = "".join(f"{number},{number * 7}\n" for number in range(1000))
    (seeds / "base.csv").write_text("id,amount\n" + rows)
    (seeds / "base.yml").write_text(
        "seed: base\norigin: generated\nkey: [id]\ncolumns:\n"
        "  - {name: id, type: bigint}\n  - {name: amount, type: bigint}\n"
    )
    for number in range(MODELS):
        file = folder / "sql" / path(number)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text(number))


def bench_project(goyong: str, work: Path, rounds: int) -> None:
    folder = work / "project_300"
    shutil.rmtree(folder, ignore_errors=True)
    write_project(folder)
    run([goyong, "--dir", str(folder), "init"])

    def timed(*arguments: str) -> tuple[float, list[dict]]:
        best, rows = None, []
        for _ in range(rounds):
            began = time.perf_counter()
            done = subprocess.run(
                [goyong, "--dir", str(folder), "-q", *arguments, "--format", "json"],
                check=True,
                capture_output=True,
                text=True,
            )
            wall = time.perf_counter() - began
            best = wall if best is None else min(best, wall)
            rows = json.loads(done.stdout)
        return best, rows

    def report(what: str, wall: float, asked: float | None) -> None:
        verdict = "" if asked is None else f"  asked under {asked} s: {'yes' if wall < asked else 'NO'}"
        print(f"  {what:<44} {wall:6.3f} s{verdict}")

    print(f"\nproject: {MODELS} generated models, best of {rounds} runs through the binary")
    wall, listed = timed("ls")
    assert len(listed) == MODELS
    report("parse (ls)", wall, None)
    wall, planned = timed("plan", "--as-of", AS_OF)
    report("parse + plan, nothing built yet", wall, 1.0)
    began = time.perf_counter()
    run([goyong, "--dir", str(folder), "-q", "build", "--as-of", AS_OF])
    report("first build", time.perf_counter() - began, None)
    wall, _ = timed("plan", "--as-of", AS_OF)
    report("parse + plan, all built", wall, 1.0)
    wall, built = timed("build", "--as-of", AS_OF)
    assert all(row["outcome"] in ("unchanged", "view") for row in built), "something was built"
    report("build with nothing to do", wall, 0.5)

    edited = 50
    dressed = re.sub(r"\nfrom", "\n\n  FROM", text(edited)).replace("---*/\n", "---*/\n-- why\n")
    (folder / "sql" / path(edited)).write_text(dressed)
    _, built = timed("build", "--as-of", AS_OF)
    assert all(row["outcome"] in ("unchanged", "view") for row in built), "a comment rebuilt something"
    (folder / "sql" / path(edited)).write_text(text(edited, " + 1"))
    began = time.perf_counter()
    done = subprocess.run(
        [goyong, "--dir", str(folder), "-q", "build", "--as-of", AS_OF, "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - began
    rebuilt = {row["table"] for row in json.loads(done.stdout) if row["outcome"] == "built"}
    expected = {
        path(number).replace("/", ".").removesuffix(".sql")
        for number in dependants(edited)
        if not is_view(number)
    }
    assert rebuilt == expected, (rebuilt ^ expected)
    report(f"build after an edit, exactly {len(rebuilt)} rebuilt", wall, None)
