"""Accounts and when they last acted: who is inactive, and on what population that rests.

Controls ask for inactive accounts to be found and disabled (CIS 5.3 after 45 days, PCI DSS 8.2.6
within 90 days, NIST SP 800-53 AC-2(3)); a finding on their return answers that too late.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from auditlens.directory import Directory

__all__ = [
    "ACCOUNT_COLUMNS",
    "ACCOUNT_SCHEMA",
    "INACTIVE_DAYS",
    "accounts_on_record",
    "inactive_accounts",
]

INACTIVE_DAYS = (45, 90)
"""Whole days without activity after which an account is listed: CIS 5.3, and PCI DSS 8.2.6."""

HUMAN_KINDS = ("user", "api")
"""Kinds of sender that stand for a person's account; the others run by themselves."""

ACCOUNT_COLUMNS = ("created_at", "sender_id", "sender_kind", "sender_name", "sender_email")
"""Columns of events that say who acted, and when."""

MOMENT = pl.Datetime("us", "UTC")
ACCOUNT_SCHEMA: dict[str, pl.DataType] = {
    "sender_id": pl.String(),
    "label": pl.String(),
    "first_at": MOMENT,
    "last_at": MOMENT,
    "days": pl.Int64(),
    "role": pl.String(),
    "disabled": pl.Boolean(),
}
"""An account a row: its id and name, its first and last activity on record (null: none), whole days
since, and role and state where a directory knows them."""


def accounts_on_record(
    earlier: pl.DataFrame, events: pl.DataFrame, until: datetime, directory: Directory | None
) -> pl.DataFrame:
    """Every account of a person seen on record or listed in the directory.

    Args:
        earlier: Events before those of ``events``, with at least ACCOUNT_COLUMNS.
        events: Events up to ``until``, with at least ACCOUNT_COLUMNS.
        until: The moment (UTC) at which inactivity is counted.
        directory: What was known of users then; its last logins are activity too.

    Returns:
        ACCOUNT_SCHEMA, sorted by id.
    """
    columns = list(ACCOUNT_COLUMNS)
    seen = pl.concat([earlier.lazy().select(columns), events.lazy().select(columns)])
    by_time = pl.col("sender_name", "sender_email").drop_nulls().last()
    found = (
        seen.filter(pl.col("sender_kind").is_in(HUMAN_KINDS), pl.col("created_at") < until)
        .drop_nulls("sender_id")
        .sort("created_at", "sender_id")
        .group_by("sender_id")
        .agg(
            by_time,
            pl.col("created_at").min().alias("first_at"),
            pl.col("created_at").max().alias("last_at"),
        )
        .collect()
    )
    listed = users_of(directory, until)
    joined = found.join(listed, on="sender_id", how="full", coalesce=True)
    name = pl.coalesce("sender_name", "listed_name", "sender_email", "email", "sender_id")
    last = pl.max_horizontal("last_at", "last_login")
    since = (pl.lit(until, MOMENT) - last).dt.total_days()
    return (
        joined.with_columns(name.alias("label"), last.alias("last_at"), since.alias("days"))
        .select(pl.col(column).cast(dtype) for column, dtype in ACCOUNT_SCHEMA.items())
        .sort("sender_id")
    )


def users_of(directory: Directory | None, until: datetime) -> pl.DataFrame:
    """The people a directory lists: id, name, address, role, state and last login before then."""
    columns = ("sender_id", "listed_name", "email", "role", "disabled", "last_login")
    if directory is None:
        schema: dict[str, pl.DataType] = dict.fromkeys(columns, pl.String())
        return pl.DataFrame(schema=schema | {"disabled": pl.Boolean(), "last_login": MOMENT})
    people = directory.users.filter(~pl.col("is_service_account").fill_null(value=False))
    name = pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True)
    login = pl.when(pl.col("last_login") < until).then("last_login")
    named = pl.when(name.str.strip_chars() != "").then(name.str.strip_chars())
    return people.select(
        pl.col("id").alias("sender_id"),
        named.alias("listed_name"),
        "email",
        "role",
        "disabled",
        login.alias("last_login"),
    ).unique("sender_id", keep="first", maintain_order=True)


def inactive_accounts(accounts: pl.DataFrame) -> pl.DataFrame:
    """The accounts without activity for 45 days or more, or with none on record.

    Args:
        accounts: ACCOUNT_SCHEMA. Those that are disabled are left out: they are dealt with.

    Returns:
        ACCOUNT_SCHEMA and ``over`` (Int64), the higher of INACTIVE_DAYS that is reached; null where
        there is no activity on record. Those without any first, then the longest inactive.
    """
    low, high = INACTIVE_DAYS
    idle = pl.col("days").is_null() | (pl.col("days") >= low)
    over = pl.when(pl.col("days") >= high).then(high).when(pl.col("days") >= low).then(low)
    return (
        accounts.filter(idle, ~pl.col("disabled").fill_null(value=False))
        .with_columns(over.cast(pl.Int64).alias("over"))
        .sort("days", "sender_id", descending=[True, False], nulls_last=False)
    )
