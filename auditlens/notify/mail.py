"""One message by SMTP: all recipients take it, or it is not sent."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Collection
from contextlib import suppress
from email.message import EmailMessage

from auditlens.notify.post import SECONDS, secured
from auditlens.notify.route import connect
from auditlens.notify.undelivered import Undelivered
from auditlens.sources.deadline import Deadline

__all__ = ["Mailbox", "send_mail"]

PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Mailbox(smtplib.SMTP):
    """An SMTP session over a connection that was made and checked before."""

    def __init__(self, host: str, port: int, made: socket.socket) -> None:
        self.made = made
        super().__init__(host, port)

    def _get_socket(self, *_: object) -> socket.socket:
        return self.made


def send_mail(
    message: EmailMessage, *, host: str, port: int = 0, security: str = "starttls", user: str = "",
    password: str = "", allow: Collection[str] = (), seconds: float = SECONDS,
) -> None:  # fmt: skip
    """Hand one message to the server. Raises Undelivered unless it took it for everybody.

    ``security`` is ``starttls``, ``tls``, or ``none``, which is for this machine alone.
    """
    raw = connect(host, port or PORTS[security], allow, seconds, plain=security == "none")
    watch = Deadline(seconds, [raw])
    watch.timer.start()
    try:
        made = secured(raw, host, watch) if security == "tls" else raw
        box = Mailbox(host, port or PORTS[security], made)
        try:
            if security == "starttls":
                box.starttls(context=ssl.create_default_context())
                if isinstance(box.sock, socket.socket):
                    watch.sockets.append(box.sock)
            if user:
                box.login(user, password)
            hand_over(box, message)
        finally:
            # What the server took, it took: how it says goodbye means nothing.
            with suppress(smtplib.SMTPException, OSError):
                box.quit()
            box.close()
    except smtplib.SMTPResponseException as error:
        raise Undelivered(f"the server answered {error.smtp_code}", fix="See its log") from None
    except (smtplib.SMTPException, OSError) as error:
        slow = watch.passed or isinstance(error, TimeoutError)
        told = f"no whole answer within {seconds:g} s" if slow else type(error).__name__
        raise Undelivered(f"the server did not take it ({told})", fix="It is tried again") from None
    finally:
        watch.timer.cancel()
        raw.close()


def hand_over(box: Mailbox, message: EmailMessage) -> None:
    """Sender, every recipient, then the text; one refused recipient stops it for all."""
    box.ehlo_or_helo_if_needed()
    taken, answer = box.mail(str(message["From"]))
    if taken != 250:
        raise smtplib.SMTPResponseException(taken, answer)
    for name in str(message["To"]).split(", "):
        taken, answer = box.rcpt(name)
        if taken not in (250, 251):
            box.rset()
            raise smtplib.SMTPResponseException(taken, answer)
    taken, answer = box.data(message.as_bytes())
    if taken != 250:
        raise smtplib.SMTPResponseException(taken, answer)
