"""Draft events become rows in the words of an audit log, in the columns of the event table."""

from __future__ import annotations

import polars as pl

from auditlens.simulator.cast import Cast
from auditlens.simulator.catalog import Catalog
from auditlens.simulator.seeds import generator, identifiers
from auditlens.simulator.vocabulary import kind_frame

__all__ = ["word_events"]

MILLISECOND = 1000


def word_events(
    seed: int, events: pl.DataFrame, cast: Cast, catalog: Catalog, *, marks: bool
) -> pl.DataFrame:
    """Return one row an event: the public record's columns, and ``incident`` (Int32 or null).

    Columns are those of the event table that a legacy record fills, with ``created_at`` as
    Datetime (µs, UTC, whole milliseconds) and ``metadata`` as JSON text. Without ``marks`` no
    row says that its resource holds personal data.
    """
    rng = generator(seed, "event ids")
    entity = pl.coalesce("entity", "resource").alias("entity")
    events = events.with_columns(entity, pl.col("at") // MILLISECOND * MILLISECOND)
    events = events.with_columns(identifiers(rng, events.height).alias("event_id"))
    wide = pl.concat(
        [
            events,
            rows(kind_frame(), events["kind"], "kind_"),
            rows(cast.senders, events["sender"], "sender_"),
            rows(catalog.things, events["resource"], "resource_"),
            rows(catalog.things, events["entity"], "entity_"),
        ],
        how="horizontal",
    )
    content = pl.concat_str(
        "kind_before", gap("kind_first"), "kind_between", gap("kind_second"), "kind_after",
        ignore_nulls=True,
    )  # fmt: skip
    return wide.select(
        pl.col("event_id").alias("id"),
        pl.from_epoch("at", "us").dt.replace_time_zone("UTC").alias("created_at"),
        pl.col("kind_event").alias("event"),
        "sender_id",
        "sender_email",
        "sender_name",
        pl.when(pl.col("api")).then(pl.lit("api")).otherwise(kind_of_sender()).alias("sender_kind"),
        "resource_id",
        "resource_title",
        "resource_type",
        pl.col("entity_type"),
        "entity_id",
        pl.concat_list("entity_id").alias("related_ids"),
        content.alias("content"),
        pl.concat_str("sender_name", content, separator=" ", ignore_nulls=True).alias("summary"),
        pl.col("kind_subject").alias("subject"),
        extras(marks).alias("metadata"),
        pl.col("event_id").str.slice(24).alias("snapshot_key"),
        "incident",
    )


def rows(table: pl.DataFrame, places: pl.Series, prefix: str) -> pl.DataFrame:
    """The rows of a table at these places (null: a row of nulls)."""
    named = table.rename({name: prefix + name for name in table.columns})
    return named.select(pl.all().gather(places)) if len(places) else named.clear()


def gap(column: str) -> pl.Expr:
    """The title that stands in a gap of the text."""
    return (
        pl.when(pl.col(column) == "r")
        .then(pl.col("resource_title"))
        .when(pl.col(column) == "e")
        .then(pl.col("entity_title"))
    )


def kind_of_sender() -> pl.Expr:
    name = pl.col("sender_name").str.to_lowercase()
    return (
        pl.when(pl.col("sender_id").is_null() | pl.col("sender_email").str.ends_with("secoda.co"))
        .then(pl.lit("system"))
        .when(pl.col("sender_email").is_null())
        .then(name)
        .otherwise(pl.lit("user"))
    )


def request_sides() -> list[pl.Expr]:
    """Who asked for access and who gave it."""
    event = pl.col("kind_event")
    approved = pl.format(
        '"requester":"{}","approver":"{}"', pl.col("entity_id"), pl.col("sender_id")
    )
    return [
        pl.when(event == "access_request_created").then(
            pl.format('"requester":"{}"', pl.col("sender_id"))
        ),
        pl.when(event == "access_request_approved").then(approved),
    ]


def extras(marks: bool) -> pl.Expr:
    """The record's ``metadata``: container, PII mark, performer type, and what the event adds."""
    container = pl.format('"container":"{}"', pl.col("resource_container"))
    members = [container]
    if marks:
        members.append(pl.when(pl.col("resource_pii")).then(pl.lit('"pii":true')))
    members.append(pl.when(pl.col("api")).then(pl.lit('"performer_type":"API"')))
    members += [*request_sides(), pl.col("extra")]
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))
