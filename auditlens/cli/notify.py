"""``auditlens notify``: send what waits in the outbox, or a test to every receiver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditlens.cli.commands import examples
from auditlens.cli.options import archive_option, json_option, settings_of
from auditlens.errors import UsageError

if TYPE_CHECKING:
    from auditlens.notify import Sent
    from auditlens.settings import Settings

__all__ = ["notify"]


@examples(
    "notify --test",
    "notify --now",
)
@click.command()
@archive_option
@click.option("--test", "as_test", is_flag=True, help="Send a test to every receiver now.")
@click.option("--now", "at_once", is_flag=True, help="Do not wait for the next scheduled attempt.")
@json_option
@click.pass_context
def notify(
    ctx: click.Context, /, archive: Path | None, as_test: bool, at_once: bool, as_json: bool
) -> None:  # fmt: skip
    """Send the notifications in the outbox to the receivers of the settings, [notify.NAME].

    A message stays in the outbox until its receiver accepts it. Exit code 3 if one was not
    delivered.
    """
    from auditlens.cli.terminal import print_json, visible

    settings = settings_of(needs=("notify",), archive=archive)
    if not settings.notify:
        raise UsageError(
            "The settings name no receiver", fix="Add a table [notify.NAME] to auditlens.toml"
        )
    done = tested(settings) if as_test else sent(settings, at_once=at_once)
    if as_json:
        rows = [
            {"id": one.message.id, "report": one.message.report, "target": one.message.target,
             "delivered": not one.problem, "problem": one.problem}
            for one in done
        ]  # fmt: skip
        print_json({"messages": rows})
    for one in done if not as_json else ():
        about = f"{one.message.target:<12} {one.message.report}"
        told = visible(one.problem) or f"delivered, id {one.message.id}"
        click.echo(f"{'✗' if one.problem else '✓'} {about}: {told}")
    if not done and not as_json:
        click.echo("The outbox is empty")
    ctx.exit(3 if any(one.problem for one in done) else 0)


def tested(settings: Settings) -> list[Sent]:
    """Deliver a test to each receiver once; nothing is kept."""
    from auditlens.notify import (
        DeliveryError,
        Sent,
        Waiting,
        deliver,
        idempotency_id,
        trial_notice,
    )
    from auditlens.period import run_time

    now = run_time()
    done = []
    for name, target in settings.notify.items():
        content = {**trial_notice(), "sent_at": now.isoformat()}
        message = Waiting(idempotency_id("test", name, content), "test", name, content, now)
        try:
            deliver(target, message, os.environ)
        except DeliveryError as fault:
            done.append(Sent(message, str(fault)))
        else:
            done.append(Sent(message))
    return done


def sent(settings: Settings, *, at_once: bool) -> list[Sent]:
    from auditlens.monthly import ReportStore
    from auditlens.notify import Outbox, SendOptions, send_waiting
    from auditlens.period import run_time

    folder = settings.outbox_path
    if not folder.is_dir():
        return []
    store = ReportStore(settings.reports_path)
    options = SendOptions(at_once=at_once, report_exists=store.holds)
    return list(send_waiting(Outbox(folder), settings.notify, os.environ, run_time, options))
