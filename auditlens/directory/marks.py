"""What the directory knows of an event's sender and resource, as columns beside the event.

Rules see what was known when the event happened: a pull that came later never changes what a
rule says about an earlier event, so a report stays as it was. The model compares days with
earlier days, so it reads one state of the catalog for all of them: with marks that begin
somewhere in the middle, every day after would look unlike every day before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import polars as pl

from auditlens.directory.history import Directory, DirectoryHistory

__all__ = ["MARKS", "with_catalog_context", "with_marks"]

SENDER = {"sender_role": "role", "sender_disabled": "disabled", "sender_groups": "groups"}
RESOURCE = {
    "resource_pii": "pii",
    "resource_verified": "verified",
    "resource_tags": "tags",
    "resource_owners": "owners",
}
MARKS = (*SENDER, *RESOURCE)
"""The columns that can be joined; rules call them ``sender.role``, ``resource.pii`` and so on."""

CONTAINERS = ("container", "container_id", "parent_id", "schema_id", "database_id")
"""Fields of ``metadata`` that already name a container."""


def with_marks(
    events: pl.DataFrame, history: DirectoryHistory, wanted: Collection[str] = MARKS
) -> pl.DataFrame:
    """Events with what the directory knew of sender and resource when each happened.

    Args:
        events: EVENT_SCHEMA.
        history: The pulls; the last one not later than an event counts for it.
        wanted: Those wanted of MARKS; default: all.

    Returns:
        The same rows in the same order, and a column for each mark; null where nothing was known
        yet. Role, group and tag stand by name, owners by id. Without a pull the frame comes back as
        it is: the columns are absent, not empty.
    """
    if not history:
        return events
    sides = (("sender_id", "users", SENDER), ("resource_id", "resources", RESOURCE))
    for key, listing, columns in sides:
        chosen = {name: column for name, column in columns.items() if name in wanted}
        if chosen:
            known = states(history, listing, chosen)
            events = joined(events, known, key)
    return events


def states(history: DirectoryHistory, listing: str, chosen: Mapping[str, str]) -> pl.DataFrame:
    """When what was known of an id changed: ``known_id``, ``known_at`` and the chosen columns."""
    frames = []
    last = None
    for pull in history.pulls:
        frame = getattr(pull, listing).select("id", *sorted(set(chosen.values())))
        frame = named(frame, pull)
        if last is None or not frame.equals(last):
            frames.append(frame.with_columns(known_at=pl.lit(pull.at, pl.Datetime("us", "UTC"))))
        last = frame
    whole = pl.concat(frames).select(
        "known_at", known_id="id", **{name: pl.col(column) for name, column in chosen.items()}
    )
    return whole.sort("known_at", "known_id")


def named(frame: pl.DataFrame, pull: Directory) -> pl.DataFrame:
    """Groups and tags by their names, where the pull knows them."""
    for column, names in (("groups", pull.groups), ("tags", pull.tags)):
        if column in frame.columns:
            known = dict(names.select("id", "name").drop_nulls().iter_rows())
            called = pl.element().replace_strict(known, default=pl.element())
            frame = frame.with_columns(pl.col(column).list.eval(called).list.sort())
    return frame


def joined(events: pl.DataFrame, known: pl.DataFrame, key: str) -> pl.DataFrame:
    met = known.filter(pl.col("known_id").is_in(events[key].unique().to_list()))
    ordered = events.with_row_index("place").sort("created_at", "place")
    found = ordered.join_asof(
        met,
        left_on="created_at",
        right_on="known_at",
        by_left=key,
        by_right="known_id",
        strategy="backward",
        check_sortedness=False,
    )
    return found.sort("place").drop("place", "known_at", "known_id", strict=False)


def with_catalog_context(events: pl.DataFrame, directory: Directory | None) -> pl.DataFrame:
    """Events whose ``metadata`` says what the catalog knows: a PII mark, and the container.

    This is for the model alone, which reads both there; rules use :func:`with_marks`.

    Args:
        events: EVENT_SCHEMA.
        directory: The one state of the catalog used for all events; None leaves them as they are.

    Returns:
        The same rows in the same order; what a record says itself stands. Evidence is not touched.
    """
    if directory is None:
        return events
    catalog = directory.resources.filter(pl.col("pii") | pl.col("parent_id").is_not_null())
    catalog = catalog.filter(pl.col("id").is_in(events["resource_id"].unique().to_list()))
    if catalog.is_empty():
        return events
    places = [msgspec.json.encode(one).decode() for one in catalog["parent_id"]]
    known = catalog.select(
        resource_id="id",
        known_pii=pl.col("pii").fill_null(value=False),
        known_place=pl.when(pl.col("parent_id").is_not_null()).then(pl.Series(places)),
    )
    said = pl.col("metadata").fill_null("{}").str.strip_chars()
    silent = {
        "pii": ~said.str.contains('"pii"', literal=True),
        "container": ~said.str.contains_any([f'"{name}"' for name in CONTAINERS])
        & pl.col("parent_id").is_null(),
    }
    added = pl.concat_str(
        pl.when(pl.col("known_pii") & silent["pii"]).then(pl.lit('"pii":true,')),
        pl.when(silent["container"]).then(
            pl.concat_str(pl.lit('"container":'), "known_place", pl.lit(","))
        ),
        ignore_nulls=True,
    )
    # What is said first stands first; an object without members takes no comma after it.
    whole = pl.concat_str(pl.lit("{"), added, said.str.slice(1)).str.replace(r",\s*\}$", "}")
    open_object = said.str.starts_with("{") & (added != "")
    marked = events.join(known, on="resource_id", how="left", maintain_order="left").with_columns(
        metadata=pl.when(open_object.fill_null(value=False)).then(whole).otherwise("metadata")
    )
    return marked.drop("known_pii", "known_place")
