"""PDF of the brief edition: tagged (PDF/UA), with the JSON attached, fetching nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from auditlens.errors import UsageError

__all__ = ["as_pdf"]


def as_pdf(page: str, attached: bytes, name: str, at: datetime) -> bytes:
    """Print ``page`` with ``attached`` as file ``name``; ``at`` is every date in the file.

    Raises UsageError when WeasyPrint or the libraries it needs are missing.
    """
    try:
        from weasyprint import HTML, Attachment  # type: ignore[import-untyped]
    except (ImportError, OSError) as error:
        raise UsageError(
            f"The PDF cannot be made: {type(error).__name__}",
            fix='Install "auditlens[pdf]" and Pango, or print report.html from a browser',
        ) from None
    attachment = Attachment(
        string=attached, name=name, description="The report as data", created=at, modified=at
    )
    return bytes(
        HTML(string=page, url_fetcher=refuse, media_type="print").write_pdf(
            pdf_variant="pdf/ua-1",
            pdf_identifier=hashlib.sha256(attached).digest()[:16],
            attachments=[attachment],
        )
    )


def refuse(url: str, *_: Any, **__: Any) -> Any:
    """Fetch nothing: the page is complete by itself."""
    raise ValueError(f"The report loads nothing, not even {url[:60]!r}")
