"""The report of one audit, and its files.

The main path is ``inputs`` (the audit, identities redacted) → ``build`` (content: frozen plain
data) → ``page`` and ``exports`` → ``folder``. Nothing but ``page`` knows HTML.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import polars as pl

from auditlens.archive import Archive
from auditlens.audit import Audit
from auditlens.canonical import sha256_hex
from auditlens.errors import UsageError
from auditlens.report.build import build_content
from auditlens.report.completeness import COLLECTION_FILE, build_collection
from auditlens.report.exports import (
    as_csv,
    as_json,
    as_ndjson,
    as_ocsf,
    as_oscal,
    as_parquet,
    as_pdf,
    cases_json,
    table_files,
)
from auditlens.report.folder import MANIFEST, manifest_bytes, write_folder
from auditlens.report.inputs import ReportInputs, report_inputs
from auditlens.report.model import Content, Review
from auditlens.report.page import read_templates, render_page
from auditlens.report.redact import identities
from auditlens.rules import Samples
from auditlens.text import count

EDITIONS = ("brief", "full")
MAX_ROWS = 1_000
PDF_ROWS = 50
FORMS = {
    "ndjson": "findings.ndjson",
    "ocsf": "findings.ocsf.ndjson",
    "oscal": "assessment-results.oscal.json",
    "pdf": "report.pdf",
}
"""Further forms of the report and the file each is written to."""
KEY_VARIABLE = "AUDITLENS_IDENTITY_KEY"


class Report:
    """The report of one audit.

    Args:
        audit: What ``run_audit`` returned.
        edition: ``full`` or ``brief``.
        identity: ``full``, ``pseudonymous`` (keyed labels) or ``aggregate``.
        key: The key of the pseudonyms, 16 bytes or more; by default AUDITLENS_IDENTITY_KEY.
        review: Dispositions, exceptions and signatures; by default none, a draft.
        max_rows: How many findings the page shows at most; every file holds all of them.
        templates: A folder of your own templates, or their texts by name; they run in a sandbox.
        samples: Counts of the tests of each rule by name; by default those beside the rules.

    Raises:
        UsageError: The edition or mode is unknown, the key too short, or the folder not there.
    """

    def __init__(
        self,
        audit: Audit,
        *,
        edition: str = "full",
        identity: str = "full",
        key: bytes | None = None,
        review: Review | None = None,
        max_rows: int = MAX_ROWS,
        templates: str | os.PathLike[str] | Mapping[str, str] | None = None,
        samples: Mapping[str, Samples] | None = None,
    ) -> None:
        if edition not in EDITIONS:
            raise UsageError(
                f"No edition is called {edition!r}", fix=f"Use {' or '.join(EDITIONS)}"
            )
        self.audit = audit
        self.edition = edition
        self.identity = identity
        self.review = review or Review()
        self.max_rows = max_rows
        self.templates = templates_of(templates)
        self.samples = samples
        self.key = key or os.environ.get(KEY_VARIABLE, "").encode() or None
        self.inputs  # noqa: B018 - an impossible combination is told at once

    def __repr__(self) -> str:
        return (
            f"Report({self.audit.period.label}, {self.edition} edition, "
            f"{count(self.audit.cases.height, 'case')}, "
            f"{count(self.audit.findings.height, 'finding')})"
        )

    @cached_property
    def inputs(self) -> ReportInputs:
        """The audit as this report may tell it."""
        return report_inputs(
            self.audit,
            edition=self.edition,
            identity=self.identity,
            review=self.review,
            key=self.key,
            samples=self.samples,
        )

    def content(self) -> Content:
        """Everything the report says.

        Returns:
            Frozen plain data, from which every file is made.
        """
        return self.built

    @cached_property
    def built(self) -> Content:
        return build_content(self.inputs, limit=self.max_rows, hashes=self.hashes)

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """SHA-256 of the data files that the page cites."""
        files = {
            "cases.csv": self.cases_csv,
            "cases.parquet": self.cases_parquet,
            "findings.csv": self.csv,
            "findings.parquet": self.parquet,
        }
        return {name: sha256_hex(data) for name, data in files.items()}

    @cached_property
    def csv(self) -> bytes:
        return as_csv(self.inputs.findings)

    @cached_property
    def parquet(self) -> bytes:
        return as_parquet(self.inputs.findings)

    @cached_property
    def cases_csv(self) -> bytes:
        return as_csv(self.inputs.told_cases)

    @cached_property
    def cases_parquet(self) -> bytes:
        return as_parquet(self.inputs.told_cases)

    def identities(self) -> pl.DataFrame:
        """Who stands behind each pseudonym.

        For the keeper of the key alone: no file of the report holds it.

        Returns:
            One row a pseudonym: ``label``, ``id``, ``name``, ``email``.

        Raises:
            UsageError: The report is not pseudonymous.
        """
        if self.identity != "pseudonymous" or self.key is None:
            raise UsageError(
                f"A report with {self.identity} identities has no pseudonyms",
                fix='Ask a report made with identity="pseudonymous"',
            )
        return identities(self.audit.events, self.audit.findings, self.key)

    def html(self) -> str:
        """The page.

        Returns:
            One self-contained file that loads nothing.
        """
        return render_page(self.built, own=self.templates)

    def pdf(self) -> bytes:
        """The brief edition as a tagged PDF with the report's JSON attached.

        Returns:
            The file's bytes. It lists at most ``PDF_ROWS`` findings and says so.

        Raises:
            UsageError: WeasyPrint or a library it needs is missing.
        """
        brief = build_content(
            replace(self.inputs, edition="brief"),
            limit=min(PDF_ROWS, self.max_rows),
            hashes=self.hashes,
        )
        page = render_page(brief, on_paper=True)
        return as_pdf(page, as_json(self.built), "findings.json", self.inputs.run_at)

    def write(
        self, folder: str | os.PathLike[str], *, also: Sequence[str] = (), replace: bool = False
    ) -> tuple[Path, ...]:
        """Write the report's files into a folder in one step.

        Args:
            folder: Absent, empty, or a draft of the same period and archive.
            also: Further forms: ``ndjson``, ``ocsf``, ``oscal``, ``pdf``.
            replace: Whether a draft of another period or archive is replaced too.

        Returns:
            The paths of the files, the manifest last.

        Raises:
            UsageError: The folder holds something else or cannot be written.
        """
        return write_folder(
            Path(folder), self.files(also), replace=replace, heads=lambda: archive_heads(self.audit)
        )

    def files(self, also: Sequence[str] = ()) -> Mapping[str, bytes]:
        """Every file of the report.

        Args:
            also: Further forms: ``ndjson``, ``ocsf``, ``oscal``, ``pdf``; default: none.

        Returns:
            Exact bytes by name, the manifest last.

        Raises:
            UsageError: No form has this name, or WeasyPrint is missing for ``pdf``.
        """
        if unknown := sorted(set(also) - set(FORMS)):
            raise UsageError(f"No form is called {unknown[0]!r}", fix=f"Use {', '.join(FORMS)}")
        files = {
            "report.html": self.html().encode(),
            "cases.json": cases_json(self.inputs.told_cases),
            "cases.csv": self.cases_csv,
            "cases.parquet": self.cases_parquet,
            "findings.json": as_json(self.built),
            "findings.csv": self.csv,
            "findings.parquet": self.parquet,
            **table_files(self.built),
            COLLECTION_FILE: as_json(build_collection(self.inputs)),
        }
        makers: dict[str, Callable[[], bytes]] = {
            "ndjson": lambda: as_ndjson(self.inputs.findings),
            "ocsf": lambda: as_ocsf(self.built),
            "oscal": lambda: as_oscal(self.built),
            "pdf": self.pdf,
        }
        for form, name in FORMS.items():
            if form in also:
                files[name] = makers[form]()
        cover = self.built.cover
        about: dict[str, str | int] = {
            "run_id": cover.run_id,
            "period": cover.period.label,
            "input_digest": cover.input_digest,
            "rules_digest": cover.rules_digest,
            "status": cover.status,
            "amendment": cover.amendment,
            "archive_head": self.inputs.coverage.head or "",
        }
        return {**files, MANIFEST: manifest_bytes(files, about)}

    def _repr_html_(self) -> str:
        page = html.escape(self.html(), quote=True)
        return (
            '<iframe sandbox title="AuditLens report" width="100%" height="720" '
            f'srcdoc="{page}"></iframe>'
        )


def archive_heads(audit: Audit) -> frozenset[str]:
    """Every head that the archive of an audit has had.

    Args:
        audit: The audit.

    Returns:
        Heads in hex; none for an audit of files or of a frame.
    """
    if not isinstance(audit.source, Archive):
        return frozenset()
    return frozenset(link.hash for link in audit.source.chain().links)


def templates_of(given: str | os.PathLike[str] | Mapping[str, str] | None) -> Mapping[str, str]:
    """The texts of the user's templates by name; empty for none."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return given
    return read_templates(Path(given))
