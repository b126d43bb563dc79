"""Whatever goes wrong, a message stays until it was taken, and keeps its id."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from auditlens.errors import IntegrityError, LockHeld
from auditlens.files import lock
from auditlens.notify import Outbox, SendOptions, send_waiting
from tests.notify.conftest import NOTICE, NOW, TAKEN, target

ONCE = SendOptions(pauses=(), seconds=5.0, at_once=True)


def send(outbox, aim, environ, options=ONCE, now=NOW):
    return list(send_waiting(outbox, {aim.name: aim}, environ, lambda: now, options))


def test_a_message_is_sent_once_and_its_receipt_stays(outbox, receiver, environ):
    """A second run, and the same words again, send nothing."""
    aim = target("slack", receiver)
    assert outbox.add("2025-10", "team", NOTICE, NOW)
    (sent,) = send(outbox, aim, environ)
    assert sent.problem == ""
    assert not outbox.add("2025-10", "team", NOTICE, NOW + timedelta(days=1))
    assert send(outbox, aim, environ) == []
    assert len(receiver.heard) == 1
    assert receiver.heard[0][0]["Idempotency-Key"] == sent.message.id


@pytest.mark.parametrize("failures", [0, 2])
def test_a_receipt_says_how_many_runs_it_took(outbox, receiver, environ, failures):
    """The run that delivers counts too: one without a failure, three after two."""
    receiver.script = [(503, b"")] * failures
    aim = target("slack", receiver)
    outbox.add("2025-10", "team", NOTICE, NOW)
    for _ in range(failures + 1):
        send(outbox, aim, environ)
    (receipt,) = outbox.sent_folder.iterdir()
    assert json.loads(receipt.read_text())["tries"] == failures + 1


def test_a_message_with_a_key_keeps_its_id_when_its_words_grow(outbox):
    """What is told of a case is known by case and change; the same key is queued once."""
    key = {"case": "C-ABCDEFGH23", "change": "new", "number": 1}
    assert outbox.add("C-ABCDEFGH23.1", "team", NOTICE, NOW, key)
    assert not outbox.add("C-ABCDEFGH23.1", "team", NOTICE | {"events": 13}, NOW, key)
    assert outbox.add("C-ABCDEFGH23.1", "team", NOTICE, NOW, key | {"number": 2})
    (held,) = outbox.waiting()
    assert held.key == key | {"number": 2}


def test_other_words_about_a_report_replace_those_nobody_took(outbox):
    """Only the last is sent; another report and another target are apart."""
    outbox.add("2025-10", "team", NOTICE, NOW)
    outbox.add("2025-10", "team", NOTICE | {"findings": 2}, NOW)
    outbox.add("2025-10.a1", "team", NOTICE, NOW)
    outbox.add("2025-10", "other", NOTICE, NOW)
    found = {(one.report, one.target): one.content["findings"] for one in outbox.waiting()}
    assert found == {("2025-10", "team"): 2, ("2025-10.a1", "team"): 1, ("2025-10", "other"): 1}


def test_a_failure_is_noted_and_waits_longer_each_time(outbox, receiver, environ):
    """One minute, then two; until then it is left alone, and --now overrides."""
    receiver.usual = (503, b"")
    aim = target("slack", receiver)
    outbox.add("2025-10", "team", NOTICE, NOW)
    send(outbox, aim, environ)
    (held,) = outbox.waiting()
    assert (held.tries, held.not_before) == (1, NOW + timedelta(minutes=1))
    (sent,) = send(outbox, aim, environ, SendOptions(pauses=()))
    assert sent.problem.startswith("next attempt 2025-11-05 00:01 UTC: it answered 503")
    assert len(receiver.heard) == 1
    send(outbox, aim, environ, SendOptions(pauses=()), NOW + timedelta(seconds=59))
    assert len(receiver.heard) == 1
    send(outbox, aim, environ, SendOptions(pauses=()), NOW + timedelta(minutes=1))
    assert outbox.waiting()[0].not_before == NOW + timedelta(minutes=3)


def test_no_wait_is_longer_than_six_hours(outbox, receiver, environ):
    """Doubled until then: 4 h 16 min after nine failures, six hours after ten."""
    receiver.usual = (503, b"")
    outbox.add("2025-10", "team", NOTICE, NOW)
    waits = []
    for _ in range(11):
        send(outbox, target("slack", receiver), environ)
        waits.append(outbox.waiting()[0].not_before - NOW)
    assert waits == [timedelta(minutes=n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360)]


def test_a_wait_that_the_receiver_asks_for_is_kept(outbox, receiver, environ):
    """No second try in the same run, and none before the time told."""
    receiver.usual = (429, b"", {"Retry-After": "600"})
    outbox.add("2025-10", "team", NOTICE, NOW)
    send(outbox, target("slack", receiver), environ, SendOptions())
    assert len(receiver.heard) == 1
    assert outbox.waiting()[0].not_before == NOW + timedelta(minutes=10)


def test_a_run_tries_a_few_times_with_pauses(outbox, receiver, environ):
    """The third try is taken."""
    receiver.script = [(500, b""), None]
    slept = []
    outbox.add("2025-10", "team", NOTICE, NOW)
    (sent,) = send(outbox, target("slack", receiver), environ, SendOptions(sleep=slept.append))
    assert (sent.problem, slept) == ("", [1.0, 4.0])


def test_a_message_waits_for_its_report(outbox, receiver, environ):
    """It is queued before the report is written, and sent after."""
    outbox.add("2025-10", "team", NOTICE, NOW)
    options = SendOptions(report_exists=lambda _: False)
    (sent,) = send(outbox, target("slack", receiver), environ, options)
    assert "not written yet" in sent.problem
    assert (receiver.heard, len(outbox.waiting())) == ([], 1)


def test_a_target_that_left_the_settings_loses_nothing(outbox):
    """Its messages wait, and the run says for whom."""
    outbox.add("2025-10", "gone", NOTICE, NOW)
    (sent,) = send_waiting(outbox, {}, {}, lambda: NOW, ONCE)
    assert "[notify.gone]" in sent.problem
    assert len(outbox.waiting()) == 1


def test_an_edited_message_is_not_sent(outbox, receiver, environ):
    """The id no longer fits the words."""
    outbox.add("2025-10", "team", NOTICE, NOW)
    (path,) = outbox.waiting_folder.iterdir()
    path.write_text(path.read_text().replace("high", "low"))
    with pytest.raises(IntegrityError, match="was edited"):
        send(outbox, target("slack", receiver), environ)
    assert receiver.heard == []


def test_one_sender_at_a_time(outbox):
    """The second is refused at once."""
    outbox.prepare()
    with lock(outbox.folder), pytest.raises(LockHeld):
        list(send_waiting(outbox, {}, {}, lambda: NOW))


def test_no_file_of_the_outbox_holds_a_secret(outbox, receiver, environ):
    """Neither before nor after a failure, and no problem told does."""
    for kind in TAKEN:
        receiver.usual = (400, b"no: s3cret r0uting t0ken sh4red")
        outbox.add(f"2025-{kind}", "team", NOTICE, NOW)
        more = {"secret_env": "SIGN"} if kind == "webhook" else {}
        told = [str(one) for one in send(outbox, target(kind, receiver, **more), environ)]
        assert any("answered 400" in one for one in told)
        held = [path.read_text() for path in outbox.folder.rglob("*") if path.is_file()]
        for word in ("s3cret", "r0uting", "t0ken", "sh4red"):
            assert not any(word in text for text in (*told, *held))


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Fragile(Outbox):
    """An outbox whose process is killed before the receipt is written, or right after."""

    killed: list[str] = field(default_factory=list)

    def record(self, message, now):
        if self.killed == ["killed"]:
            raise Killed
        path = self.waiting_folder / message.name
        held = path.read_bytes()
        super().record(message, now)
        if self.killed == ["killed late"]:
            path.write_bytes(held)
            raise Killed


FAULTS = ("down", "redirect", "slow", "error body", "refused", "cut", "killed", "killed late")


@pytest.mark.parametrize(
    ("count", "seed"), [(48, 1), pytest.param(1000, 2, marks=pytest.mark.slow)]
)
def test_faults_lose_nothing_and_a_duplicate_has_the_same_id(
    tmp_path, receiver, environ, count, seed
):
    """Down, 302, slow, 200 with an error body, killed between sending and recording."""
    chance = random.Random(seed)
    kinds = sorted(TAKEN)
    wanted: dict[str, str] = {}
    taken: dict[str, set[str]] = {}
    doubled = made = 0
    now = datetime(2025, 1, 1, tzinfo=UTC)
    while made < count:
        report = f"report-{len(wanted)}"
        kind = chance.choice(kinds)
        aim = target(kind, receiver)
        receiver.usual = (200, TAKEN[kind])
        outbox = Fragile(tmp_path / "outbox")
        outbox.add(report, "team", NOTICE | {"report": report}, now)
        wanted[report] = outbox.waiting()[0].id
        before = len(receiver.taken)
        for fault in chance.choices(FAULTS, k=chance.randint(1, 4)):
            made += 1
            suffer(fault, outbox, aim, environ, receiver)
            outbox.add(report, "team", NOTICE | {"report": report}, now)
        outbox.killed.clear()
        receiver.script = []
        send(outbox, aim, environ)
        got = receiver.taken[before:]
        taken[report] = set(got)
        doubled += len(got) - 1
    assert taken == {report: {name} for report, name in wanted.items()}, f"seed {seed}"
    assert doubled > 0
    assert Outbox(tmp_path / "outbox").waiting() == []
    print(f"seed {seed}: {made} faults, {len(wanted)} messages, 0 lost, {doubled} sent again")  # noqa: T201


def suffer(fault, outbox, aim, environ, receiver) -> None:
    """One run that meets one fault."""
    answers = {
        "down": None,
        "redirect": (302, b"ok", {"Location": receiver.url}),
        "slow": 0.3,
        "error body": (200, b'{"error": "no"}'),
        "refused": (403, b""),
        "cut": (200, b"ok", {"Content-Length": "99"}),
    }
    outbox.killed[:] = [fault]
    receiver.script = [answers[fault]] if fault in answers else []
    seconds = 0.1 if fault == "slow" else 5.0
    with suppress(Killed):
        send(outbox, aim, environ, SendOptions(pauses=(), seconds=seconds, at_once=True))
