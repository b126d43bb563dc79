"""Who a report names: everyone, keyed pseudonyms, or nobody.

Frames are redacted before anything else reads them, so no section and no export can forget it.
Finding ids and event ids stay the same in all modes: an internal and an auditor's edition can be
laid side by side. A case id, made of an account's id and a week, could be guessed: such a report
makes its own of the finding ids. A pseudonym is HMAC-SHA-256 of the id under a key that is kept
apart; without the key it cannot be guessed from a list of addresses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from auditlens.canonical import json_line
from auditlens.cases import cut_to
from auditlens.errors import UsageError
from auditlens.findings import LEVELS

MODES = ("full", "pseudonymous", "aggregate")
GROUP_FLOOR = 5
"""In aggregate mode, a count over fewer senders than this is withheld."""
WITHHELD = "withheld"
UNNAMED = {"sender": "An account", "resource": "A resource"}
"""Whom a case is about where nobody may be told apart."""
KEY_BYTES = 16
FREE_TEXT = ("content", "summary", "subject", "metadata", "parent_id", "snapshot_key")


def check_mode(mode: str, key: bytes | None) -> None:
    """Raise UsageError for an unknown mode, or for pseudonyms without a real key."""
    if mode not in MODES:
        raise UsageError(
            f"No identity mode is called {mode!r}", fix=f"Use one of {', '.join(MODES)}"
        )
    if mode == "pseudonymous" and (key is None or len(key) < KEY_BYTES):
        raise UsageError(
            "A pseudonymous report needs a secret key of at least 16 bytes",
            fix="Set AUDITLENS_IDENTITY_KEY, and keep the key away from the report",
        )


def pseudonym(prefix: str, value: str, key: bytes, length: int = 6) -> str:
    """One pseudonym: ``S-7K2Q9D``."""
    digest = hmac.new(key, f"{prefix}\0{value}".encode(), hashlib.sha256).digest()
    return f"{prefix}-{base64.b32encode(digest).decode()[:length]}"


def pseudonyms(prefix: str, values: Iterable[str | None], key: bytes) -> dict[str, str]:
    """Map each id to its pseudonym.

    Args:
        prefix: What a pseudonym begins with, such as ``S`` for a sender.
        values: Ids; those that are empty or null are left out.
        key: Secret of the HMAC (SHA-256) that pseudonyms are made with.

    Returns:
        Pseudonyms by id, with six characters after the prefix; two ids that share one both get
        twelve.
    """
    ids = sorted({value for value in values if value})
    short = {value: pseudonym(prefix, value, key) for value in ids}
    seen = Counter(short.values())
    return {
        value: name if seen[name] == 1 else pseudonym(prefix, value, key, 12)
        for value, name in short.items()
    }


def labels(events: pl.DataFrame, findings: pl.DataFrame, key: bytes) -> dict[str, str]:
    """Every id that a report could print, with its pseudonym; a sender's wins."""

    def subjects(kind: str) -> list[str]:
        return findings.filter(pl.col("subject_kind") == kind)["subject_id"].to_list()

    def column(name: str) -> list[str]:
        return events[name].drop_nulls().unique().to_list()

    resources = [*column("resource_id"), *column("entity_id"), *subjects("resource")]
    senders = [*column("sender_id"), *subjects("sender")]
    return {**pseudonyms("R", resources, key), **pseudonyms("S", senders, key)}


def identities(events: pl.DataFrame, findings: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Label, id, name and address behind every pseudonym, sorted by label."""
    names = labels(events, findings, key)
    schema = {"label": pl.String, "id": pl.String}
    table = pl.DataFrame([(label, one) for one, label in names.items()], schema, orient="row")
    people = events.group_by("sender_id").agg(
        pl.col("sender_name").drop_nulls().min().alias("name"),
        pl.col("sender_email").drop_nulls().min().alias("email"),
    )
    things = events.group_by("resource_id").agg(
        pl.col("resource_title").drop_nulls().min().alias("title")
    )
    return (
        table.join(people, left_on="id", right_on="sender_id", how="left")
        .join(things, left_on="id", right_on="resource_id", how="left")
        .select("label", "id", pl.coalesce("name", "title").alias("name"), "email")
        .sort("label", "id")
    )


def redact_events(events: pl.DataFrame, mode: str, names: dict[str, str]) -> pl.DataFrame:
    """Event table with ``sender_`` and ``resource_`` ``label`` and ``number``, redacted.

    In ``full`` mode the labels are the name and address, or the id where there is neither.
    Otherwise ids become pseudonyms (or ``withheld``) and free text is dropped, since titles
    and sentences hold names.
    """
    # Senders are still counted when none may be told apart: by number, never by id.
    events = events.with_columns(
        pl.col("sender_id").rank("dense").alias("sender_number"),
        pl.col("resource_id").rank("dense").alias("resource_number"),
    )
    if mode == "full":
        name = pl.coalesce(filled("sender_name"), filled("sender_email"), filled("sender_id"))
        return events.with_columns(
            name.fill_null("unknown sender").alias("sender_label"),
            pl.coalesce(filled("resource_title"), filled("resource_id"))
            .fill_null("")
            .alias("resource_label"),
        )
    cover = replacer(mode, names)
    return events.with_columns(
        cover("sender_id").alias("sender_id"),
        cover("resource_id").alias("resource_id"),
        cover("entity_id").alias("entity_id"),
        cover("sender_id").fill_null("unknown sender").alias("sender_label"),
        cover("resource_id").fill_null("").alias("resource_label"),
        *(
            pl.lit(None, pl.String).alias(column)
            for column in ("sender_email", "sender_name", "resource_title", *FREE_TEXT)
        ),
        pl.lit(None, pl.List(pl.String)).alias("related_ids"),
    )


def filled(column: str) -> pl.Expr:
    """The column with empty text as null."""
    return pl.when(pl.col(column).str.strip_chars() != "").then(pl.col(column))


def replacer(mode: str, names: dict[str, str]) -> Callable[[str], pl.Expr]:
    """How an id column is covered: by its pseudonym, or by one word for all."""
    if mode == "aggregate":
        return lambda column: pl.when(pl.col(column).is_not_null()).then(pl.lit(WITHHELD))
    old, new = list(names), list(names.values())
    return lambda column: pl.col(column).replace_strict(
        old, new, default=WITHHELD, return_dtype=pl.String
    )


def redact_findings(
    findings: pl.DataFrame,
    mode: str,
    names: dict[str, str],
    titles: dict[str, str],
    ids: dict[str, str],
) -> pl.DataFrame:
    """Findings frame, same schema, without a name in it unless ``mode`` is ``full``.

    ``titles`` maps rule ids to the rule's own title; any other title is replaced, since a
    model may write a name into it. ``ids`` are those of ``case_names``. Reasons
    keep their figures and lose their sentences.
    """
    if mode == "full":
        return findings
    person = pl.col("subject_kind") != "workspace"
    subject = pl.when(person).then(replacer(mode, names)("subject_id"))
    known = pl.col("rule_id").replace_strict(
        list(titles), list(titles.values()), default=None, return_dtype=pl.String
    )
    title = pl.coalesce(known, pl.format("Unusual day of a {}", "subject_kind"))
    redacted = findings.with_columns(
        subject.otherwise(pl.lit("workspace")).fill_null(WITHHELD).alias("subject_id"),
        subject.otherwise(pl.lit("the workspace")).fill_null(WITHHELD).alias("subject_label"),
        title.alias("title"),
        pl.col("case_id").replace_strict(
            list(ids), list(ids.values()), default=None, return_dtype=pl.String
        ),
        pl.col("reasons")
        .list.eval(pl.element().struct.with_fields(text=pl.lit(""), phrase=pl.lit(None, pl.String)))
        .alias("reasons"),
    )
    if mode == "aggregate":
        redacted = redacted.with_columns(
            pl.lit([], pl.List(pl.String)).alias("event_ids"),
            *(pl.col(at).dt.truncate("1d").alias(at) for at in ("first_at", "last_at")),
        )
    return redacted.select(findings.columns)


def case_names(cases: pl.DataFrame, mode: str) -> dict[str, str]:
    """The id under which a report tells of each case: its own, or one that nobody can guess."""
    rows = cases.select("case_id", "finding_ids").iter_rows()
    if mode == "full":
        return {name: name for name, _ in rows}
    return {name: f"C-{short_hash(['case', *sorted(members)])}" for name, members in rows}


def short_hash(parts: list[str]) -> str:
    return base64.b32encode(hashlib.sha256(json_line(parts)).digest()).decode()[:10]


def redact_cases(
    cases: pl.DataFrame,
    findings: pl.DataFrame,
    mode: str,
    names: dict[str, str],
    ids: dict[str, str],
) -> pl.DataFrame:
    """Cases frame, same schema, without a name in it unless ``mode`` is ``full``.

    ``findings`` are redacted already: a headline is made anew from the subject's pseudonym and
    the titles of the findings, since its phrases may hold a name. In aggregate mode nobody is
    listed, and times are days. ``ids`` are those of ``case_names``.
    """
    if mode == "full":
        return cases
    old, new = list(ids), list(ids.values())
    named = pl.col("subject_kind") != "workspace"
    subject = pl.when(named).then(replacer(mode, names)("subject_id"))
    listed = [
        pl.col(column).list.eval(pl.element().replace_strict(
            list(names), list(names.values()), default=WITHHELD, return_dtype=pl.String))
        if mode == "pseudonymous"
        else pl.lit([], pl.List(pl.String)).alias(column)
        for column in ("actors", "resources")
    ]  # fmt: skip
    redacted = cases.with_columns(
        pl.col("case_id").replace_strict(old, new, return_dtype=pl.String),
        pl.col("related").list.eval(pl.element().replace_strict(old, new, return_dtype=pl.String)),
        subject.otherwise(pl.lit("workspace")).fill_null(WITHHELD).alias("subject_id"),
        subject.otherwise(pl.lit("the workspace")).fill_null(WITHHELD).alias("subject_label"),
        *listed,
    )
    if mode == "aggregate":
        redacted = redacted.with_columns(
            pl.col(at).dt.truncate("1d").alias(at) for at in ("first_at", "last_at")
        )
    about = {row["finding_id"]: row for row in findings.iter_rows(named=True)}
    headlines = [
        redacted_headline(row, [about[one] for one in row["finding_ids"]])
        for row in redacted.iter_rows(named=True)
    ]
    return redacted.with_columns(pl.Series("headline", headlines, dtype=pl.String))


def redacted_headline(case: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> str:
    """``S-7K2Q9D: Mass Deletion; Unusual day of a sender``: titles of the strongest first."""
    label = case["subject_label"]
    subject = UNNAMED.get(case["subject_kind"], label) if label == WITHHELD else label
    strongest = sorted(members, key=lambda one: -LEVELS.index(one["level"]))
    return cut_to(f"{subject}: {'; '.join(dict.fromkeys(one['title'] for one in strongest))}")
