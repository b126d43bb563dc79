"""Notifications: what a new report says in short, sent at least once to each receiver.

``notice`` is what leaves; ``outbox`` keeps it on disk until it was taken; ``wording`` writes it as
each kind of receiver wants it; ``route`` says which addresses may be spoken to; ``post`` and
``mail`` speak to them; ``sending`` is the main path.
"""

from auditlens.notify.notice import notice_of, trial_notice
from auditlens.notify.outbox import Outbox, Waiting
from auditlens.notify.sending import Manner, Sent, deliver, send_waiting

__all__ = [
    "Manner",
    "Outbox",
    "Sent",
    "Waiting",
    "deliver",
    "notice_of",
    "send_waiting",
    "trial_notice",
]
