"""Sign-off: a month is signed by its reviewer, and a third party can do it all again."""

from auditlens.signoff.review import review_of

__all__ = ["review_of"]
