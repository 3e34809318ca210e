"""A database as the Social Bias Benchmark keeps one, small, with its faults, made from its schema."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import numpy as np

__all__ = ["SCHEMA", "make_legacy_database"]

SCHEMA = """
CREATE TABLE model (id INTEGER PRIMARY KEY, name TEXT UNIQUE, min_vram INTEGER, vllm_serve_cmd TEXT);
CREATE TABLE "case" (id TEXT PRIMARY KEY, adjective TEXT, case_template TEXT, category TEXT,
    valence INTEGER, is_active INTEGER, created_at DATETIME);
CREATE TABLE country (id INTEGER PRIMARY KEY, country_en TEXT, country_de TEXT, region TEXT,
    subregion TEXT, population INTEGER, country_code_alpha2 TEXT, country_code_numeric TEXT);
CREATE TABLE persona (uuid TEXT PRIMARY KEY, age INTEGER, gender TEXT,
    origin_id INTEGER REFERENCES country (id), education TEXT, occupation TEXT,
    marriage_status TEXT, migration_status TEXT, religion TEXT, sexuality TEXT, created_at DATETIME);
CREATE TABLE dataset (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, seed INTEGER, config_json TEXT,
    source_dataset_id INTEGER, created_at DATETIME);
CREATE TABLE datasetpersona (id INTEGER PRIMARY KEY, dataset_id INTEGER, persona_id TEXT, role TEXT);
CREATE TABLE counterfactuallink (id INTEGER PRIMARY KEY, dataset_id INTEGER, source_persona_id TEXT,
    cf_persona_id TEXT, changed_attribute TEXT, from_value TEXT, to_value TEXT, rule_tag TEXT);
CREATE TABLE benchmarkrun (id INTEGER PRIMARY KEY, dataset_id INTEGER, model_id INTEGER,
    batch_size INTEGER, max_attempts INTEGER, include_rationale INTEGER, system_prompt TEXT,
    scale_mode TEXT, dual_fraction REAL, total_prompt_tokens INTEGER,
    total_completion_tokens INTEGER, total_tokens INTEGER, created_at DATETIME);
CREATE TABLE benchmarkresult (id INTEGER PRIMARY KEY, persona_uuid_id TEXT, case_id TEXT,
    benchmark_run_id INTEGER, attempt INTEGER, answer_raw TEXT, rating INTEGER, scale_order TEXT,
    created_at DATETIME);
CREATE TABLE attrgenerationrun (id INTEGER PRIMARY KEY, dataset_id INTEGER, model_id INTEGER,
    batch_size INTEGER, max_new_tokens INTEGER, max_attempts INTEGER, system_prompt TEXT,
    total_prompt_tokens INTEGER, total_completion_tokens INTEGER, total_tokens INTEGER,
    created_at DATETIME);
CREATE TABLE additionalpersonaattributes (id INTEGER PRIMARY KEY, persona_uuid_id TEXT,
    attr_generation_run_id INTEGER, attempt INTEGER, attribute_key TEXT, value TEXT);
CREATE TABLE faillog (id INTEGER PRIMARY KEY, persona_id TEXT, model_id INTEGER,
    benchmark_run_id INTEGER, case_id TEXT, attempt INTEGER, error_kind TEXT,
    raw_text_snippet TEXT, prompt_snippet TEXT);
"""
COUNTRIES = [
    (1, "Germany", "Deutschland", "DE"), (2, "Turkey", "T\u00fcrkei", "TR"), (3, "Poland", "Polen", "PL"),
    (4, "Namibia", "Namibia", "nan"), (5, "Atlantis", "Atlantis", "ZZ"),
]  # fmt: skip
TRAITS = [
    ("g1", "freundlich"),
    ("g2", "kompetent"),
    ("g3", "zuverl\u00e4ssig"),
    ("g4", "aggressiv"),
]
CREATED = "2025-05-01 12:00:00"


def make_legacy_database(path: Path, *, n: int = 40, seed: int = 1) -> list[str]:
    """Write a database of ``n`` personas with 20 counterfactuals, texts and two runs of ratings.

    Ratings are about 2 for men and 4 for others before the scale is turned, so that an analysis
    of the import must find a difference of 2. Returns the uuids of the ``n`` personas.
    """
    rng = np.random.default_rng(seed)
    uuids = [str(uuid.UUID(int=int(at) + 1)) for at in range(n)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO country VALUES (?, ?, ?, '', '', 0, ?, '')", COUNTRIES)
        connection.executemany(
            "INSERT INTO \"case\" VALUES (?, ?, '', NULL, NULL, 1, NULL)", TRAITS
        )
        connection.execute("INSERT INTO model VALUES (1, 'Qwen/Qwen2.5-1.5B-Instruct', 0, '')")
        people = [_person(at, rng) for at in range(n)]
        connection.executemany(
            "INSERT INTO persona VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [(id, *person) for id, person in zip(uuids, people, strict=True)],
        )
        _datasets(connection, uuids, people)
        _runs(connection, uuids, people)
    return uuids


def _person(at: int, rng: np.random.Generator) -> tuple[object, ...]:
    age = 0 if at == 0 else int(rng.integers(6, 90))
    migrant = bool(rng.random() < 0.4)
    school = "Unknown" if age < 15 else "Realschule oder gleichwertiger Abschluss"
    job = "Rentner/in" if age > 67 else "Arzt/\u00c4rztin" if age > 24 else "Arbeitslos"
    return (
        age,
        ("male", "female")[at % 2],
        int(rng.choice([2, 3, 4])) if migrant else 1,
        school,
        job,
        "single" if age < 30 else "married",
        "with_migration" if migrant else "without_migration",
        "Muslims" if migrant else "Religiously_unaffiliated",
        "heterosexual",
    )


def _datasets(
    connection: sqlite3.Connection, uuids: list[str], people: list[tuple[object, ...]]
) -> None:
    connection.executemany(
        "INSERT INTO dataset VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (1, "generated-20250501-120000", "generated", None, "{}", None, CREATED),
            (2, "pool-a", "pool", None, json.dumps({"n": len(uuids)}), None, CREATED),
            (3, "balanced-a", "balanced", 42, "{}", 1, CREATED),
            (4, "cf-a", "counterfactual", 42, "{}", 3, CREATED),
        ],
    )
    member = "INSERT INTO datasetpersona (dataset_id, persona_id, role) VALUES (?, ?, ?)"
    connection.executemany(member, [(1, id, "source") for id in uuids])
    connection.executemany(member, [(3, id, "source") for id in uuids[:20]])
    for at in range(20):
        variant = str(uuid.UUID(int=10_000_000 + at))
        age, gender, _origin, *rest = people[at]
        other = "female" if gender == "male" else "male"
        # Every variant loses its origin, as there.
        connection.execute(
            "INSERT INTO persona VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, NULL)",
            (variant, age, other, *rest),
        )
        connection.executemany(member, [(4, uuids[at], "source"), (4, variant, "counterfactual")])
        connection.execute(
            "INSERT INTO counterfactuallink (dataset_id, source_persona_id, cf_persona_id, "
            "changed_attribute, from_value, to_value, rule_tag) VALUES (4, ?, ?, 'gender', ?, ?, ?)",
            (uuids[at], variant, gender, other, "alt_gender"),
        )


def _runs(
    connection: sqlite3.Connection, uuids: list[str], people: list[tuple[object, ...]]
) -> None:
    connection.execute(
        "INSERT INTO attrgenerationrun VALUES (1, 1, 1, 2, 192, 3, NULL, 10, 20, 30, ?)",
        (CREATED,),
    )
    text = "INSERT INTO additionalpersonaattributes VALUES (NULL, ?, 1, 1, ?, ?)"
    for at, id in enumerate(uuids[:30]):
        connection.executemany(
            text,
            [
                (id, "name", f"Person {at}"),
                (id, "appearance", "Gro\u00df."),
                (id, "biography", "Betet oft in der Moschee."),
            ],
        )
    connection.executemany(
        "INSERT INTO benchmarkrun VALUES (?, ?, 1, 8, 2, 1, NULL, ?, ?, 1, 2, 3, ?)",
        [(1, 1, "random50", 0.2, CREATED), (2, 3, "in", 0.0, CREATED)],
    )
    result = "INSERT INTO benchmarkresult VALUES (NULL, ?, ?, ?, 1, ?, ?, ?, ?)"
    for at, id in enumerate(uuids):
        for case, _ in TRAITS:
            rating = (
                (2 if people[at][1] == "male" else 4) + (at * 7 + len(case) + ord(case[1])) % 3 - 1
            )
            order = "rev" if (at + len(case)) % 3 == 0 else "in"
            shown = 6 - rating if order == "rev" else rating
            raw = json.dumps({"rationale": "so", "rating": shown})
            connection.execute(result, (id, case, 1, raw, shown, order, CREATED))
            if at % 5 == 0:
                other = "in" if order == "rev" else "rev"
                raw = json.dumps({"rating": 6 - shown})
                connection.execute(result, (id, case, 1, raw, 6 - shown, other, CREATED))
    for at, id in enumerate(uuids[:20]):
        connection.execute(
            result, (id, "g1", 2, '{"rating": 3.5}' if at == 0 else "", 4, "in", CREATED)
        )
        raw = "Das m\u00f6chte ich nicht beurteilen." if at == 1 else "?"
        connection.execute(result, (id, "g2", 2, raw, None, "in", CREATED))
    connection.execute(
        "INSERT INTO faillog VALUES (NULL, ?, 1, 2, 'g3', 2, 'max_attempts_exceeded', 'hm', '')",
        (uuids[0],),
    )
