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

from auditlens.notify.mail import send_mail
from auditlens.notify.outbox import Outbox, Waiting
from auditlens.notify.post import SECONDS, place_of, post
from auditlens.notify.undelivered import Undelivered
from auditlens.notify.wording import BODIES, check_answer, mail_of
from auditlens.settings import Target
from auditlens.settings.targets import OURS
from auditlens.sources.address import Key
from auditlens.sources.patience import parse_retry_after

__all__ = ["PAUSES", "Manner", "Sent", "deliver", "send_waiting"]

PAUSES = (1.0, 4.0)
"""Seconds between the tries of one run; what fails then waits for a later run."""

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
EVENTS = "https://events.pagerduty.com/v2/enqueue"
ISSUES = "/rest/api/3/issue"


@dataclass(frozen=True)
class Sent:
    """What became of one message: taken when ``problem`` is empty."""

    message: Waiting
    problem: str = ""


@dataclass(frozen=True)
class Manner:
    """How to send. ``pauses`` lie between the tries of one message, ``seconds`` bounds one try.

    ``at_once`` does not heed the wait noted after an earlier failure. ``stands`` says whether a
    report is on the shelf: a message is queued just before its report is put there.
    """

    pauses: tuple[float, ...] = PAUSES
    seconds: float = SECONDS
    at_once: bool = False
    sleep: Callable[[float], object] = time.sleep
    stands: Callable[[str], bool] = lambda _: True


def send_waiting(
    outbox: Outbox,
    targets: Mapping[str, Target],
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    manner: Manner | None = None,
) -> Iterator[Sent]:
    """Send each message that is due, a few times if need be; tell what became of each.

    A message is recorded as taken before it is removed, so a kill at any moment sends it again
    rather than losing it, with the id it had. Raises LockHeld, and IntegrityError for a message
    that was edited.
    """
    manner = manner or Manner()
    with outbox.lock():
        outbox.tidy()
        outbox.clear()
        for message in outbox.waiting():
            if not manner.stands(message.report):
                yield Sent(message, "its report is not written yet")
                continue
            if not manner.at_once and message.not_before and message.not_before > now():
                until = f"{message.not_before:%Y-%m-%d %H:%M} UTC"
                yield Sent(message, f"waits until {until}: {message.problem}")
                continue
            fault = tried(message, targets.get(message.target), environ, manner)
            if fault is None:
                outbox.record(message, now())
                yield Sent(message)
            else:
                outbox.postpone(message, str(fault), now() + wait_after(message.tries, fault))
                yield Sent(message, str(fault))


def tried(
    message: Waiting, target: Target | None, environ: Mapping[str, str], manner: Manner
) -> Undelivered | None:
    """The last fault of a few tries; None when the message was taken."""
    if target is None:
        return Undelivered(f"the settings have no [notify.{message.target}]", fix="Put it back")
    fault: Undelivered | None = None
    for pause in (0.0, *manner.pauses):
        if pause:
            manner.sleep(pause)
        try:
            deliver(target, message, environ, seconds=manner.seconds)
        except Undelivered as error:
            fault = error
            if error.told:
                return fault
        else:
            return None
    return fault


def wait_after(tries: int, fault: Undelivered) -> timedelta:
    """How long to leave a message after its ``tries`` failures before this one."""
    backoff: timedelta = min(FIRST_WAIT * (1 << min(tries, 16)), LONGEST_WAIT)
    return max(backoff, timedelta(seconds=fault.told or 0))


def deliver(
    target: Target, message: Waiting, environ: Mapping[str, str], *, seconds: float = SECONDS
) -> None:
    """Hand one message to its target. Raises Undelivered unless it was taken."""
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
    place = place_of(address_of(target, environ))
    answer = post(place, headers, body, allow=target.allow, seconds=seconds)
    try:
        check_answer(target.kind, answer)
    except Undelivered as fault:
        told_wait = parse_retry_after(answer.retry_after, now=datetime.now(UTC))
        raise Undelivered(fault.message, fix=fault.fix, told=told_wait) from None


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
        raise Undelivered(f"{variable} is not set or empty", fix="Export it")
    if not value.isprintable():
        raise Undelivered(f"{variable} holds a control character", fix="Set it again")
    held = (environ.get(ours, "").strip() for ours in OURS)
    if any(Key(one).stands_in(value) for one in held if one):
        raise Undelivered(
            f"{variable} holds a secret of AuditLens", fix="Give each receiver a secret of its own"
        )
    return value
