"""Splink on the same settings: python linkage_splink.py SETTINGS.yml OUT.parquet NAME=FILE…

Blocking rules are taken as they stand, each level becomes the SQL condition with the same meaning,
so both sides compare the same pairs in the same way; training follows Splink's tutorials. With
--published, Splink's own comparisons for the data set take the place of the levels.
"""

import logging
import sys
from pathlib import Path

import duckdb
import splink.comparison_library as library
import yaml
from splink import DuckDBAPI, Linker, SettingsCreator

LINK_TYPES = {"dedupe": "dedupe_only", "link_only": "link_only"}
DAYS = {"days": 1, "months": 365.25 / 12, "years": 365.25}


def condition(level: dict, default: str) -> str:
    column = level.get("column", default)
    left, right = f'"{column}_l"', f'"{column}_r"'
    kind = level["when"]
    if kind == "exact":
        return f"{left} = {right}"
    if kind in ("jaro_winkler", "jaro"):
        return f"{kind}_similarity({left}, {right}) >= {level['at_least']}"
    if kind in ("levenshtein", "damerau_levenshtein"):
        return f"{kind}({left}, {right}) <= {level['at_most']}"
    if kind == "prefix":
        length = level["length"]
        return f"left({left}, {length}) = left({right}, {length}) and length({left}) >= {length} and length({right}) >= {length}"
    if kind == "one_is_prefix":
        length = level["length"]
        return (
            f"((starts_with({left}, {right}) and length({right}) >= {length})"
            f" or (starts_with({right}, {left}) and length({left}) >= {length}))"
        )
    if kind == "number_within":
        apart = f"abs(try_cast({left} as double) - try_cast({right} as double))"
        if "difference" in level:
            return f"{apart} <= {level['difference']}"
        return f"{apart} <= {level['ratio']} * greatest(abs(try_cast({left} as double)), abs(try_cast({right} as double)))"
    if kind == "date_within":
        unit = next(unit for unit in DAYS if unit in level)
        dates = (f"try_cast({side} as date)" for side in (left, right))
        return f"abs({' - '.join(dates)}) <= {level[unit] * DAYS[unit]}"
    raise SystemExit(f"no SQL for the level {level}")


def comparison(settings: dict) -> dict:
    column = settings["column"]
    levels = [
        {
            "sql_condition": f'"{column}_l" is null or "{column}_r" is null',
            "label_for_charts": "null",
            "is_null_level": True,
        }
    ]
    for level in settings["levels"]:
        written = {"sql_condition": condition(level, column), "label_for_charts": str(level)}
        if level["when"] == "exact" and "term_frequency" in settings:
            written["tf_adjustment_column"] = column
        levels.append(written)
    levels.append({"sql_condition": "ELSE", "label_for_charts": "else"})
    return {"output_column_name": settings["name"], "comparison_levels": levels}


PUBLISHED = {
    "fake_1000.yml": lambda: [
        library.NameComparison("first_name"),
        library.NameComparison("surname"),
        library.DateOfBirthComparison("dob", input_is_string=True),
        library.ExactMatch("city").configure(term_frequency_adjustments=True),
        library.EmailComparison("email"),
    ],
    "febrl4.yml": lambda: [
        library.NameComparison("given_name"),
        library.NameComparison("surname"),
        library.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
        library.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        library.ExactMatch("street_number").configure(term_frequency_adjustments=True),
        library.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
    ],
    "dblp_acm.yml": lambda: [
        library.JaroWinklerAtThresholds("title"),
        library.JaroWinklerAtThresholds("authors"),
        library.ExactMatch("year"),
    ],
}


def main(settings_file: Path, out: str, sources: list[str], published: bool) -> None:
    logging.disable(logging.WARNING)
    ours = yaml.safe_load(settings_file.read_text())
    comparisons = PUBLISHED[settings_file.name]() if published else [comparison(c) for c in ours["comparisons"]]
    settings = SettingsCreator(
        link_type=LINK_TYPES[ours["link_type"]],
        unique_id_column_name=ours["id"],
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=ours["blocking"],
        retain_matching_columns=False,
    )
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    api = DuckDBAPI(connection=connection)
    tables = []
    for source in sources:
        name, file = source.split("=")
        tables.append(api.register(connection.read_parquet(file), dataset_display_name=name))
    linker = Linker(tables if len(tables) > 1 else tables[0], settings, log_level=None)
    estimate = ours["estimate"]
    prior = estimate["prior"]
    linker.training.estimate_probability_two_random_records_match(prior["rules"], recall=prior["recall"])
    linker.training.estimate_u_using_random_sampling(max_pairs=estimate["u_pairs"], seed=estimate["seed"])
    for rule in estimate["em_rules"]:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predictions = linker.inference.predict(threshold_match_probability=ours["threshold"])
    connection.execute(f"copy (select * from {predictions.physical_name}) to '{out}' (format parquet, compression zstd)")


if __name__ == "__main__":
    flags = [argument for argument in sys.argv[1:] if argument == "--published"]
    settings_file, out, *sources = (argument for argument in sys.argv[1:] if argument != "--published")
    main(Path(settings_file), out, sources, bool(flags))
