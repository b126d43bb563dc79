"""The portable subset gives the same rows on every engine."""

import json
import os
import random
import shutil
import sys
from datetime import timedelta

import duckdb
import polars as pl
import pytest
from documents import START, rules_of
from test_correlations import correlation

from auditlens import load_rules
from auditlens.errors import UsageError
from auditlens.rules.engines import run_tests_on
from auditlens.rules.portable import PORTABLE, match_portable, portability

PLAIN = """
- {s: {event: x}, condition: s}
- {s: {event: X*}, condition: s}
- {s: {event|contains: a}, condition: s}
- {s: {summary|startswith: 'Tag'}, condition: s}
- {s: {summary|endswith: 'D'}, condition: not s}
- {s: {summary: '*a?d*'}, condition: s}
- {s: {summary|cased: 'tag'}, condition: s}
- {s: {summary|re: '^t\\w+ r'}, condition: s}
- {s: {summary|re|i: '\\d{2}'}, condition: s}
- {s: {summary: ''}, condition: s}
- {s: {summary: null}, condition: s}
- {s: {summary|exists: true}, condition: s}
- {s: {nothing: a}, condition: not s}
- {s: {nothing: null}, condition: s}
- {s: {content|gte: 5}, condition: s}
- {s: {content|lt: 4.5}, condition: s}
- {s: {content: 5}, condition: s}
- {s: {content: true}, condition: s}
- {s: {entity_id|cidr: 10.0.0.0/8}, condition: s}
- {s: {entity_id|cidr: 10.1.16.0/20}, condition: not s}
- {s: {sender_id|fieldref: entity_id}, condition: s}
- {s: {sender.id: [u1, u2], event|neq: x}, condition: s}
- {s: {created_at|hour|gte: 22}, condition: s}
- {s: {created_at|day: 3}, condition: s}
- {s: [tag, '1?'], condition: s}
- {s: {summary|contains|all: [a, d]}, t: {event: [x, z]}, condition: s and not t}
- {s: {event: x}, t: {event: 'y'}, condition: 1 of them}
"""


def documents():
    import yaml

    for n, detection in enumerate(yaml.safe_load(PLAIN)):
        yield json.dumps({"title": f"Plain {n}", "name": f"plain_{n}", "level": "low",
                          "logsource": {"product": "test"}, "detection": detection})  # fmt: skip


def rules():
    texts = [*documents()]
    for n, (op, count) in enumerate((("gte", 3), ("gt", 1), ("gte", 1))):
        texts.append(correlation(name=f"burst_{n}", title=f"Burst {n}", type="event_count",
                                 rules=["plain_0", "plain_26"], group_by=["sender.id"],
                                 timespan="1m", condition={op: count}, generate=True))  # fmt: skip
    texts.append(correlation(name="all_of_it", title="All", type="event_count", rules=["plain_2"],
                             timespan="30s", condition={"gte": 5}, generate=True))  # fmt: skip
    return rules_of(*texts)


def events(seed, count=400):
    rng = random.Random(seed)
    words = ["tag removed 12", "TAG ADDED", "Tag", "", "d", "role\nadded", "50%_d", None, "ünd"]
    addresses = ["u1", "U2", "10.1.17.3", "10.200.0.1", "10.1", "300.1.1.1", None]
    rows = [
        {
            "id": f"e{n:05d}",
            "created_at": START + timedelta(seconds=rng.randint(0, 3 * 86_400)
                                            if n % 3 else rng.randint(0, 300)),
            "event": rng.choice(["x", "X", "y", "z", "xa", None]),
            "sender_id": rng.choice(["u1", "U1", "u2", None]),
            "entity_id": rng.choice(addresses),
            "summary": rng.choice(words),
            "content": rng.choice(["5", "5.0", "4", "4.4", "true", "abc", "", "12", None]),
        }
        for n in range(count)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"created_at": pl.Datetime("us", "UTC")})


def expected(held, frame):
    found = held.match(frame)
    ids = frame["id"]
    return {
        rule.id: sorted(ids[row] for row in found.filter(pl.col("rule_id") == rule.id)["row"])
        for rule in held.rules
    }


@pytest.mark.parametrize("seed", range(3))
def test_polars_through_narwhals_gives_the_same_rows(seed):
    """The portable target and the native engine agree."""
    held, frame = rules(), events(seed)
    wanted = expected(held, frame)
    assert sum(map(len, wanted.values())) > 500
    assert match_portable(held, frame) == wanted
    assert match_portable(held, frame.lazy()) == wanted


@pytest.mark.parametrize("seed", range(3))
def test_duckdb_gives_the_same_rows(seed):
    """DuckDB selects the same events as Polars."""
    held, frame = rules(), events(seed)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    relation = connection.from_arrow(frame.to_arrow())
    assert match_portable(held, relation) == expected(held, frame)


@pytest.fixture
def spark_sql():
    """PySpark, where it and Java are; ``pip install --group spark`` brings it along."""
    if not shutil.which("java"):
        pytest.skip("Spark needs Java 17 or later, and there is none here")
    return pytest.importorskip("pyspark.sql", reason="PySpark is not installed here")


@pytest.mark.slow
def test_pyspark_gives_the_same_rows(spark_sql):
    """PySpark selects the same events as Polars."""
    sql = spark_sql
    os.environ["TZ"] = "UTC"
    session = sql.SparkSession.builder.master("local[1]").config(
        "spark.sql.session.timeZone", "UTC").getOrCreate()  # fmt: skip
    held, frame = rules(), events(0)
    table = session.createDataFrame(frame.rows(), schema=frame.columns)
    assert match_portable(held, table) == expected(held, frame)


def results_on(engine, rules):
    results = run_tests_on(rules, engine)
    return results, [one for one in results if not one.passed]


def test_the_pack_passes_its_tests_on_duckdb():
    """Portable rules select the same events there; the others are named and not run."""
    results, failed = results_on("duckdb", load_rules())
    assert failed == []
    assert sum(not one.skipped for one in results) > 200
    assert {one.message.partition(":")[0] for one in results if one.skipped} == {"Polars only"}


@pytest.mark.slow
def test_the_pack_passes_its_tests_on_spark(spark_sql):
    """The same on Spark."""
    _, failed = results_on("spark", load_rules())
    assert failed == []


def test_a_case_that_another_engine_answers_otherwise_fails(tmp_path):
    """Special small letters are folded by one engine and not by the other."""
    rule = {"title": "T", "logsource": {"product": "test"},
            "detection": {"s": {"summary": "ὈΔΟΣ"}, "condition": "s"}}  # fmt: skip
    (tmp_path / "greek.yml").write_text(json.dumps(rule), encoding="utf-8")
    case = {"expect": "match", "events": [{"event": {"summary": "ὀδοσ"}}]}
    (tmp_path / "greek.test.yml").write_text(json.dumps({"tests": [case]}), encoding="utf-8")
    (result,), failed = results_on("duckdb", load_rules(tmp_path))
    assert failed == [result]
    assert result.message == "duckdb selects [], Polars ['e-00000']"


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    """With what to install."""
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(UsageError, match="pyspark is not installed here"):
        run_tests_on(rules(), "spark")


def test_a_field_of_the_record_itself_is_a_path_into_metadata():
    """CloudTrail's fields have no column of their own; a frame of another source has columns."""
    assert {portability(held, rule) for held in [load_rules(product="cloudtrail")]
            for rule in held.rules} & {PORTABLE} == set()  # fmt: skip
    text = next(documents()).replace('"event": "x"', '"eventName": "x"')
    assert portability(None, rules_of(text).rules[0]) == PORTABLE
    with pytest.raises(UsageError, match="eventName is a path into metadata"):
        match_portable(rules_of(text), events(0, 10).with_columns(pl.lit("{}").alias("metadata")))


def test_a_rule_that_is_not_portable_is_refused_with_its_reason():
    """The label of check and the refusal of the target are the same words."""
    text = next(documents()).replace('"event": "x"', '"metadata.role.to": "admin"')
    held = rules_of(text)
    where = portability(held, held.rules[0])
    assert where == "Polars only: metadata.role.to is a path into metadata"
    with pytest.raises(UsageError, match="path into metadata"):
        match_portable(held, events(0, 10))


def test_every_rule_of_this_table_is_named_portable():
    """The portable subset covers the whole table above."""
    held = rules()
    assert {portability(held, rule) for rule in held.rules} == {PORTABLE}
