"""Notifications: what a new report says in short, sent at least once to each receiver.

``payload`` is what leaves, ``outbox`` keeps it on disk until it was taken, ``transport`` says which
addresses may be spoken to and speaks to them; ``delivery`` is the main path.
"""

from auditlens.notify.delivery import SendOptions, Sent, deliver, send_waiting
from auditlens.notify.outbox import Outbox, Waiting, idempotency_id
from auditlens.notify.payload import case_notice, digest_notice, notice_of, trial_notice
from auditlens.notify.transport import DeliveryError, address_kind, connect

__all__ = [
    "DeliveryError",
    "Outbox",
    "SendOptions",
    "Sent",
    "Waiting",
    "address_kind",
    "case_notice",
    "connect",
    "deliver",
    "digest_notice",
    "idempotency_id",
    "notice_of",
    "send_waiting",
    "trial_notice",
]
