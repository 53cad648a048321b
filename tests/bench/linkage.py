"""Record linkage against Splink: the same blocking rules, the same levels, the same inputs.

1. FEBRL 4a × 4b, fake_1000 and DBLP-ACM: F1 by threshold, for Splink also with its published
   comparisons.
2. Two registers of firms, simulated: F1, wall, CPU and peak memory. Both sides read the columns
   that `link_files normalise` added (the firm's name without legal form and branch, the parts of
   the address), so Splink too links normalised names; normalising is outside the measured time.

usage: linkage.py --work FOLDER [--rows 1000000] [--rounds 3] [--example BUILT_LINK_FILES]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import duckdb

from linkage_firms import generate
from measure import alternate, noise, report, run

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DATA = ROOT.parent / "shared" / "data" / "linkage"
THRESHOLDS = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
SPLINK = [sys.executable, str(HERE / "linkage_splink.py")]


def errors(found: str, left: str, right: str, truth: str) -> dict:
    """F1 at each threshold and at the best one; `truth` is a query of true pairs a, b."""
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.execute(
        f"create table judged as with truth as ({truth}),"
        f" found as (select least({left}, {right}) a, greatest({left}, {right}) b, max(p) p from ({found}) group by all)"
        " select p, truth.a is not null is_match from found left join truth using (a, b)"
    )
    true_pairs = connection.execute(f"select count(*) from ({truth})").fetchone()[0]
    scores = {}
    for threshold in THRESHOLDS:
        hits, linked = connection.execute(
            f"select count(*) filter (is_match), count(*) from judged where p >= {threshold}"
        ).fetchone()
        scores[threshold] = 2 * hits / (linked + true_pairs)
    best = connection.execute(
        "with steps as (select p, sum(is_match::int) hits, count(*) linked from judged group by p),"
        " sums as (select p, sum(hits) over (order by p desc) hits, sum(linked) over (order by p desc) linked from steps)"
        f" select 2 * hits / (linked + {true_pairs}) f1, p from sums order by f1 desc, p desc limit 1"
    ).fetchone()
    return {"best": best[0], "at": best[1], **scores}


def print_errors(title: str, by_name: dict) -> None:
    print(f"\n{title}: F1")
    print("  {:<18}{:>8}{:>10}".format("", "best", "at") + "".join(f"{t:>8}" for t in THRESHOLDS))
    for name, scores in by_name.items():
        row = "".join(f"{scores[threshold]:>8.4f}" for threshold in THRESHOLDS)
        print(f"  {name:<18}{scores['best']:>8.4f}{scores['at']:>10.4f}{row}")


def ours(example: str, settings: Path, out: Path, sources: list[str]) -> list[str]:
    return [example, "link", str(settings), str(out), "2", *sources]


def found(out: Path, name: str, key: str) -> tuple[str, str, str]:
    """A query of the pairs with probabilities, and the expressions of both identifiers."""
    if name == "goyong":
        return f"select left_id l, right_id r, probability p from '{out}'", "l", "r"
    return f"select {key}_l l, {key}_r r, match_probability p from '{out}'", "l", "r"


def bench_published_sets(example: str, work: Path) -> None:
    connection = duckdb.connect()

    def convert(source: str, name: str, delimiter: str = ",", select: str = "*") -> str:
        out = work / f"{name}.parquet"
        connection.execute(
            f"create or replace table raw as select {select} from read_csv('{DATA}/{source}', delim = '{delimiter}',"
            " quote = '\"', all_varchar = true, header = true)"
        )
        columns = [column[0] for column in connection.execute("describe raw").fetchall()]
        trimmed = ", ".join(f'nullif(trim("{column}"), \'\') as "{column.strip()}"' for column in columns)
        connection.execute(f"copy (select {trimmed} from raw) to '{out}'")
        return f"{name}={out}"

    a, b = convert("febrl_4a.csv", "febrl_4a"), convert("febrl_4b.csv", "febrl_4b")
    fake = convert("fake_1000.csv", "fake_1000")
    settled = (
        "* replace ('{}' || id as id, lower(title) as title,"
        " array_to_string(list_sort(string_split(lower(authors), ', ')), ', ') as authors)"
    )
    dblp = convert("D4_dblp.csv", "dblp", "%", settled.format("d"))
    acm = convert("D4_acm.csv", "acm", "%", settled.format("a"))
    pairs = "select least(x.i, y.i) a, greatest(x.i, y.i) b from {0} x join {1} y on x.c = y.c and x.i < y.i"
    febrl = (
        f"(select rec_id i, split_part(rec_id, '-', 2) c from read_parquet(['{work}/febrl_4a.parquet', '{work}/febrl_4b.parquet']))"
    )
    people = f"(select unique_id i, cluster c from '{work}/fake_1000.parquet')"
    gt = f"select 'a' || D2 a, 'd' || D1 b from read_csv('{DATA}/D4_gt.csv', delim = '%', all_varchar = true, header = true)"
    sets = [
        ("FEBRL 4a × 4b", "febrl4", "rec_id", [a, b], pairs.format(febrl, febrl)),
        ("fake_1000", "fake_1000", "unique_id", [fake], pairs.format(people, people)),
        ("DBLP-ACM", "dblp_acm", "id", [dblp, acm], gt),
    ]
    worse = []
    for title, stem, key, sources, truth in sets:
        settings = HERE / "linkage" / f"{stem}.yml"
        by_name = {}
        for name in ("goyong", "splink", "splink published"):
            out = work / f"{stem}_{name.replace(' ', '_')}.parquet"
            command = ours(example, settings, out, sources)
            if name != "goyong":
                flags = ["--published"] if "published" in name else []
                command = [*SPLINK, str(settings), str(out), *sources, *flags]
            run(command)
            by_name[name] = errors(*found(out, name, key), truth)
        print_errors(title, by_name)
        if by_name["goyong"]["best"] < max(scores["best"] for scores in by_name.values()):
            worse.append(title)
    print(f"\nbest F1 below one of Splink's: {', '.join(worse) or 'none'}")


def bench_firms(example: str, work: Path, rows: int, rounds: int) -> None:
    folder = work / f"firms_{rows}"
    if not (folder / "pension.parquet").exists():
        generate(folder, rows)
    for name in ("workplaces", "pension"):
        subprocess.run(
            [example, "normalise", str(folder / f"{name}.parquet"), str(folder / f"{name}_normalised.parquet")], check=True
        )
    sources = [f"{name}={folder}/{name}_normalised.parquet" for name in ("workplaces", "pension")]
    settings = HERE / "linkage" / "firms.yml"
    outs = {name: folder / f"{name}_pairs.parquet" for name in ("goyong", "splink")}
    contenders = {
        "goyong": lambda: run(ours(example, settings, outs["goyong"], sources)),
        "splink": lambda: run([*SPLINK, str(settings), str(outs["splink"]), *sources]),
    }
    best = alternate(rounds, contenders)
    truth = (
        f"select 'p' || id[2:] a, id b from '{folder}/workplaces.parquet' where id[2:]::int < {rows * 8 // 10}"
    )
    by_name = {name: errors(*found(out, name, "id"), truth) for name, out in outs.items()}
    print_errors(f"firms, {rows} × {rows}", by_name)
    report(f"firms, {rows} × {rows}: training and linking normalised Parquet files to a Parquet file of pairs", best)


def build_example() -> str:
    """Builds `link_files` together with the program, so that nothing of the engine is compiled again."""
    command = ["cargo", "build", "--release", "--package", "goyong", "--package", "goyong-linkage"]
    command += ["--example", "link_files", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = (json.loads(line) for line in built.stdout.splitlines())
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "link_files")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--example", default="")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["published", "firms"])
    arguments = parser.parse_args()
    work = arguments.work / "linkage"
    work.mkdir(parents=True, exist_ok=True)
    example = arguments.example or build_example()
    print(f"noise probe: {noise():.2f} s")
    if arguments.only != "firms" and DATA.exists():
        bench_published_sets(example, work)
    elif arguments.only != "firms":
        print(f"SKIPPED: {DATA} is absent")
    if arguments.only != "published":
        bench_firms(example, work, arguments.rows, arguments.rounds)


if __name__ == "__main__":
    main()
