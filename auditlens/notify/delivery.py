"""Sending what waits. Read :func:`send_waiting` from top to bottom."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditlens.notify.outbox import Outbox, Waiting
from auditlens.notify.payload import BODIES, check_answer, mail_of
from auditlens.notify.transport import SECONDS, DeliveryError, endpoint, post, send_mail
from auditlens.settings import OWN_SECRETS, Target
from auditlens.sources.address import Key
from auditlens.sources.retry import parse_retry_after

PAUSES = (1.0, 4.0)
"""Seconds between the tries of one run; what fails then waits for a later run."""

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
EVENTS = "https://events.pagerduty.com/v2/enqueue"
ISSUES = "/rest/api/3/issue"


@dataclass(frozen=True)
class Sent:
    """What became of one message.

    Attributes:
        message: The message.
        problem: Why it was not sent or not accepted; empty when it was delivered.
    """

    message: Waiting
    problem: str = ""


@dataclass(frozen=True)
class SendOptions:
    """How to send.

    Attributes:
        pauses: Seconds between the tries of one message in one run.
        seconds: How long one try may take.
        at_once: Whether the wait noted after an earlier failure is not heeded.
        sleep: Waits so many seconds.
        report_exists: Whether a report was written: a message is queued just before its report is.
    """

    pauses: tuple[float, ...] = PAUSES
    seconds: float = SECONDS
    at_once: bool = False
    sleep: Callable[[float], object] = time.sleep
    report_exists: Callable[[str], bool] = lambda _: True


def send_waiting(
    outbox: Outbox,
    targets: Mapping[str, Target],
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    options: SendOptions | None = None,
) -> Iterator[Sent]:
    """Send each message that is due, a few times if need be.

    A message is recorded as taken before it is removed, so a kill at any moment sends it again
    rather than losing it, with the id it had.

    Args:
        outbox: Where messages wait.
        targets: The receivers of the settings, by name.
        environ: Where their secrets are.
        now: The time, in UTC.
        options: How to send.

    Yields:
        What became of each message.

    Raises:
        LockHeld: Another sender has the outbox.
        IntegrityError: A message was edited.
    """
    options = options or SendOptions()
    with outbox.lock():
        outbox.tidy()
        outbox.clear()
        for message in outbox.waiting():
            if not options.report_exists(message.report):
                yield Sent(message, "its report is not written yet")
                continue
            if not options.at_once and message.not_before and message.not_before > now():
                until = f"{message.not_before:%Y-%m-%d %H:%M} UTC"
                yield Sent(message, f"next attempt {until}: {message.problem}")
                continue
            fault = attempt(message, targets.get(message.target), environ, options)
            if fault is None:
                outbox.record(message, now())
                yield Sent(message)
            else:
                outbox.postpone(message, str(fault), now() + wait_after(message.tries, fault))
                yield Sent(message, str(fault))


def attempt(
    message: Waiting, target: Target | None, environ: Mapping[str, str], options: SendOptions
) -> DeliveryError | None:
    """The last fault of a few tries; None when the message was taken."""
    if target is None:
        return DeliveryError(f"the settings have no [notify.{message.target}]", fix="Put it back")
    fault: DeliveryError | None = None
    for pause in (0.0, *options.pauses):
        if pause:
            options.sleep(pause)
        try:
            deliver(target, message, environ, seconds=options.seconds)
        except DeliveryError as error:
            fault = error
            if error.retry_after:
                return fault
        else:
            return None
    return fault


def wait_after(tries: int, fault: DeliveryError) -> timedelta:
    """How long to leave a message after its ``tries`` failures before this one."""
    backoff: timedelta = min(FIRST_WAIT * (1 << min(tries, 16)), LONGEST_WAIT)
    return max(backoff, timedelta(seconds=fault.retry_after or 0))


def deliver(
    target: Target, message: Waiting, environ: Mapping[str, str], *, seconds: float = SECONDS
) -> None:
    """Hand one message to its target.

    Args:
        target: The receiver, as the settings describe it.
        message: What to send.
        environ: Where the target's secrets are.
        seconds: How long all of it may take.

    Raises:
        DeliveryError: It was not taken.
    """
    if target.kind == "email":
        told = {key: target.options[key] for key in ("host", "port", "security", "user")
                if key in target.options}  # fmt: skip
        password = secret(target, "password_env", environ)
        mail = mail_of(message.content, message.id, target, message.queued_at)
        send_mail(mail, **told, password=password, allow=target.allow, seconds=seconds)
        return
    key = secret(target, "key_env", environ)
    body = json.dumps(
        BODIES[target.kind](message.content, message.id, target, key), sort_keys=True
    ).encode()
    headers = headers_of(target, message, environ, body)
    to = endpoint(address_of(target, environ))
    answer = post(to, headers, body, allow=target.allow, seconds=seconds)
    try:
        check_answer(target.kind, answer)
    except DeliveryError as fault:
        retry_after = parse_retry_after(answer.retry_after, now=datetime.now(UTC))
        raise DeliveryError(fault.message, fix=fault.fix, retry_after=retry_after) from None


def address_of(target: Target, environ: Mapping[str, str]) -> str:
    if target.kind == "pagerduty":
        return target.text("url", EVENTS)
    if target.kind == "jira":
        return target.text("url").rstrip("/") + ISSUES
    return secret(target, "url_env", environ)


def headers_of(
    target: Target, message: Waiting, environ: Mapping[str, str], body: bytes
) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
    if target.kind == "jira":
        pair = f"{target.text('user')}:{secret(target, 'token_env', environ)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    if key := secret(target, "secret_env", environ):
        digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        headers["X-AuditLens-Signature"] = f"sha256={digest}"
    return headers


def secret(target: Target, key: str, environ: Mapping[str, str]) -> str:
    """What the variable named by ``key`` holds; empty when the target names none."""
    variable = target.text(key)
    if not variable:
        return ""
    value = environ.get(variable, "").strip()
    if not value:
        raise DeliveryError(f"{variable} is not set or empty", fix="Export it")
    if not value.isprintable():
        raise DeliveryError(f"{variable} holds a control character", fix="Set it again")
    held = (environ.get(ours, "").strip() for ours in OWN_SECRETS)
    if any(Key(one).stands_in(value) for one in held if one):
        raise DeliveryError(
            f"{variable} holds a secret of AuditLens", fix="Give each receiver a secret of its own"
        )
    return value
