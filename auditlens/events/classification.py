"""The classifier: raw kinds of event become actions, and actions belong to groups.

Three looks, each only at what the one before left open: the kind; what it was done to (entity and
verb); the source's own phrase. ``action_basis`` says which of them found the action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from auditlens.canonical import sha256_hex
from auditlens.errors import UsageError
from auditlens.resources import rules_folder
from auditlens.yaml_documents import Document, read_documents

__all__ = [
    "ACTION_BASES",
    "ACTION_GROUPS",
    "HIGH_IMPACT",
    "Classifier",
    "KnownKinds",
    "classify",
    "load_classifier",
]

ACTION_GROUPS = (
    "auth", "read", "write", "export", "share", "permission", "delete", "admin", "system",
)  # fmt: skip
HIGH_IMPACT = ("export", "share", "permission", "delete", "admin")
"""Groups of high-impact actions: those that can do harm."""
ACTION_BASES = ("profile", "specific", "entity", "content", "generic", "unknown")
"""How an action was found: by the profile's own map, by the kind, by what it was done to, by the
source's phrase, by a verb alone, not at all."""
FIELDS = ("what", "entity", "text")
KINDS = ["event", "subject", "entity_type", "resource_type"]
WORDS = ["summary", "content"]
FOUND = ("action", "action_group", "action_basis")

VERBS = {
    "resource_created": "created",
    "restored": "created",
    "resource_updated": "updated",
    "resource_deleted": "deleted",
    "archived": "deleted",
    "viewed": "read",
}
"""What the generic actions say was done; any other act on an entity is an update of it."""
LABEL = r"^(\w+ ){1,3}(\w+ed|set|begun|on|off)$"
"""A phrase that is no more than a thing and what was done to it: 'custom role deleted'."""
ENTITY_KEYS = ("created", "updated", "deleted", "any")

SENSITIVE = frozenset({"auth", "permission", "admin", "share", "export"})
MACHINERY = frozenset({"automation_changed", "monitor_changed", "integration_changed"})
"""Named in sentences about what runs by itself: in a phrase these stand back for that."""
RANK = {"read": 0, "write": 1, "system": 1}
HIGHEST = 2
"""A phrase never lowers an action: from a group of one rank to one of a lower."""

CUT = (
    r"(?s)\n.*",
    r"\"[^\"]*\"|`[^`]*`|\x{00AB}[^\x{00BB}]*\x{00BB}|\x{2018}[^\x{2019}]*\x{2019}",
    r"\x{201C}[^\x{201D}]*\x{201D}|\x{201E}[^\x{201C}\x{201D}]*[\x{201C}\x{201D}]",
    r"(^|[\s(\[{:])'[^']*'",
    r"[\"\x{201C}\x{00AB}`\x{2018}\x{201E}].*",
    r"(^|[\s(\[{:])'.*",
    r":.*",
    r"\b(about|regarding|concerning|titled|entitled|named|called|explaining|how to|how)\b.*",
)
"""What a phrase quotes or names is not what was done; what follows a colon is somebody's text."""
DESCRIBING = (
    r"\b(descri\w+|document\w*|title\w*|renam\w+|comment\w*|question\w*|answer\w*|repl(y|ies|ied)|"
    r"mention\w*|definition\w*|readmes?|runbooks?|wikis?|glossar\w+|articles?|notes?|faqs?)\b"
)
"""A phrase about a text is about that text, whatever the text is about."""

MOST_KINDS = 10_000

STEM = (
    r"(?i)role|permission|access|grant|privilege|polic|user|member|guest|team|group|key|token|secret|"
    r"credential|password|passkey|mfa|two-factor|2fa|sso|saml|scim|domain|allow|owner|promot|demot|"
    r"setting|preference|billing|custom|integration|connection|automation|webhook|monitor|incident|"
    r"job|sync|extraction|schema|export|download|import|shar|public|pii|sensitiv|verif|publish|"
    r"draft|log|sign|authentic|audit|trail|siem|lineage|account|quality|notif|imperson|session|"
    r"trust|identit|visib|collection|tag|admin|enabled|disabled|turned|enforced"
)
"""Phrases without one of these name nothing that a kind would not."""


@dataclass(frozen=True)
class Pattern:
    """One entry: the action it names, and the expressions each field must match."""

    action: str
    group: str
    conditions: Mapping[str, tuple[str, ...]]
    generic: bool = False


@dataclass(frozen=True)
class Entity:
    """One kind of thing acted on: its group, and the action each verb on it is."""

    expression: str
    group: str
    actions: Mapping[str, str]


@dataclass(frozen=True)
class Classifier:
    """Ordered patterns that name the action of an event by its kind; the first that matches counts.

    Attributes:
        patterns: In the order of the file.
        digest: SHA-256 (hex) of patterns and entities: equal for equal meaning.
        entities: What a generic act on one of them is.
    """

    patterns: tuple[Pattern, ...]
    digest: str
    entities: tuple[Entity, ...] = ()

    @cached_property
    def groups(self) -> dict[str, str]:
        """Action to group."""
        return {pattern.action: pattern.group for pattern in self.patterns}

    @cached_property
    def answers(self) -> pl.DataFrame:
        """One row a pattern, in order: its action, group and whether it sees only a verb."""
        return pl.DataFrame(
            {
                "action": [one.action for one in self.patterns],
                "group": [one.group for one in self.patterns],
                "generic": [one.generic for one in self.patterns],
            },
            schema={"action": pl.String, "group": pl.String, "generic": pl.Boolean},
        )

    def first_match(self, *, with_text: bool) -> pl.Expr:
        """Position of the first matching pattern, null when none does.

        Without text, a pattern that asks for text is taken as matching: its row must be looked
        at again with its text.
        """
        held = []
        for number, pattern in enumerate(self.patterns):
            fields = FIELDS if with_text else FIELDS[:2]
            parts = [
                pl.col(f"{field}_searched").str.contains(expression)
                for field in fields
                for expression in pattern.conditions.get(field, ())
            ]
            held.append(pl.when(pl.all_horizontal(parts)).then(pl.lit(number, pl.Int16)))
        return pl.coalesce(held)

    def first_specific(self, column: str, *, sensitive: bool) -> pl.Expr:
        """Position of the first pattern that names more than a verb, met by the kind's words alone.

        In a phrase what is sensitive comes before what runs by itself. ``sensitive`` leaves out
        the other groups.
        """
        numbered = [
            (number, one)
            for number, one in enumerate(self.patterns)
            if set(one.conditions) == {"what"} and not one.generic
        ]
        first = [one for one in numbered if is_sensitive(one[1])]
        after = [one for one in numbered if not is_sensitive(one[1])]
        held = [
            pl.when(
                pl.all_horizontal(
                    pl.col(column).str.contains(part) for part in one.conditions["what"]
                )
            ).then(pl.lit(number, pl.Int16))
            for number, one in (*first, *after)
            if one.group in SENSITIVE or not sensitive
        ]
        return pl.coalesce(held) if held else pl.lit(None, pl.Int16)

    @cached_property
    def guarded(self) -> str:
        """One expression for the sensitive entities, without the machinery that runs by itself."""
        held = [
            one.expression
            for one in self.entities
            if one.group in SENSITIVE and MACHINERY.isdisjoint(one.actions.values())
        ]
        return "|".join(f"(?:{one})" for one in held) or "^\\b$"

    def first_entity(self, column: str) -> pl.Expr:
        """Position of the first entity the words name, null when they name none."""
        held = [
            pl.when(pl.col(column).str.contains(one.expression)).then(pl.lit(number, pl.Int16))
            for number, one in enumerate(self.entities)
        ]
        return pl.coalesce(held) if held else pl.lit(None, pl.Int16)


def is_sensitive(pattern: Pattern) -> bool:
    """Whether a phrase that names this names it before anything that runs by itself."""
    return pattern.group in SENSITIVE and pattern.action not in MACHINERY


def load_classifier(path: Path | None = None) -> Classifier:
    """Load a classifier.

    Args:
        path: A file of the form of the shipped ``rules/actions.yml``, which is the default.

    Returns:
        Its patterns and entities in the order of the file.

    Raises:
        DocumentError: An unknown key or group, or a broken expression, with its line.
        UsageError: The file holds no mapping.
    """
    path = path or rules_folder() / "actions.yml"
    documents = read_documents(path)
    if len(documents) != 1 or not isinstance(documents[0].data, dict):
        raise UsageError(f"{path} is not a classifier", fix="It is one YAML mapping with 'actions'")
    document = documents[0]
    entries = document.data.get("actions")
    if not isinstance(entries, list) or not entries:
        raise document.error("'actions' is missing or empty", "actions")
    patterns = tuple(read_pattern(document, number) for number in range(len(entries)))
    listed = document.data.get("entities") or []
    if not isinstance(listed, list):
        raise document.error("'entities' is a list", "entities")
    known = frozenset(pattern.action for pattern in patterns)
    entities = tuple(read_entity(document, number, known) for number in range(len(listed)))
    return Classifier(patterns, sha256_hex(repr((patterns, entities))), entities)


def read_pattern(document: Document, number: int) -> Pattern:
    where = ("actions", number)
    entry: Any = document.data["actions"][number]
    if not isinstance(entry, dict) or not isinstance(entry.get("action"), str):
        raise document.error("an entry needs an 'action'", *where)
    for key in entry:
        if key not in ("action", "group", "basis", *FIELDS):
            fix = f"Known: action, group, basis, {', '.join(FIELDS)}"
            raise document.error(f"'{key}' is not known here", *where, key, fix=fix)
    if entry.get("group") not in ACTION_GROUPS:
        fix = f"Use one of {', '.join(ACTION_GROUPS)}"
        raise document.error(f"{entry.get('group')!r} is not a group", *where, "group", fix=fix)
    if entry.get("basis", "generic") != "generic":
        raise document.error("'basis' is generic, or left out", *where, "basis")
    conditions = {}
    for name in FIELDS:
        if value := entry.get(name):
            conditions[name] = tuple(value) if isinstance(value, list) else (value,)
            for expression in conditions[name]:
                check_expression(document, expression, *where, name)
    if not conditions:
        raise document.error("an entry needs 'what', 'entity' or 'text'", *where)
    return Pattern(entry["action"], entry["group"], conditions, "basis" in entry)


def read_entity(document: Document, number: int, known: frozenset[str]) -> Entity:
    where = ("entities", number)
    entry: Any = document.data["entities"][number]
    if not isinstance(entry, dict):
        raise document.error("an entry of 'entities' is a mapping", *where)
    for key, value in entry.items():
        if key not in ("entity", "group", *ENTITY_KEYS):
            fix = f"Known: entity, group, {', '.join(ENTITY_KEYS)}"
            raise document.error(f"'{key}' is not known here", *where, key, fix=fix)
        if key in ENTITY_KEYS and value not in known:
            raise document.error(f"{value!r} is not an action of this file", *where, key)
    if entry.get("group") not in ACTION_GROUPS:
        fix = f"Use one of {', '.join(ACTION_GROUPS)}"
        raise document.error(f"{entry.get('group')!r} is not a group", *where, "group", fix=fix)
    check_expression(document, entry.get("entity"), *where, "entity")
    actions = {key: entry[key] for key in ENTITY_KEYS if key in entry}
    return Entity(entry["entity"], entry["group"], actions)


def check_expression(document: Document, expression: object, *where: str | int) -> None:
    """Compile one expression in the engine that will run it."""
    if not isinstance(expression, str) or len(expression) > 1000:
        raise document.error("an expression is text of at most 1,000 characters", *where)
    try:
        pl.Series([""]).str.contains(expression)
    except pl.exceptions.ComputeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise document.error(f"{expression!r} is not an expression: {reason}", *where) from None


class KnownKinds:
    """What distinct kinds were found to be, kept from one part of a log to the next.

    Compiling the patterns costs more than the few kinds they are tried on, and most parts of a log
    bring no new one.

    Attributes:
        answers: One row a kind: what tells it apart, and its action, group and basis. None before
            the first part, and where there are more than ``MOST_KINDS``.
    """

    def __init__(self) -> None:
        self.answers: pl.DataFrame | None = None

    def of(self, kinds: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
        """Classify what is new among some kinds.

        Args:
            kinds: Distinct rows of the columns KINDS.
            classifier: The patterns; the same for every call.

        Returns:
            One row a kind, of ``kinds`` and of those known before: KINDS, ``action``,
            ``action_group``, ``action_basis`` and ``asks_text`` (whether the text of each event
            must be searched).
        """
        known = self.answers
        fresh = (
            kinds if known is None else kinds.join(known, on=KINDS, how="anti", nulls_equal=True)
        )
        if known is not None and fresh.is_empty():
            return known
        found = fresh.with_columns(searched(KINDS))
        found = found.with_columns(classifier.first_match(with_text=False).alias("pattern"))
        found = by_entity(named(found, classifier), classifier)
        asks_text = [n for n, p in enumerate(classifier.patterns) if "text" in p.conditions]
        found = found.select(
            *KINDS,
            *FOUND,
            asks_text=pl.col("pattern").is_in(asks_text).fill_null(value=False),
        )
        answers = found if known is None else pl.concat([known, found])
        self.answers = answers if answers.height <= MOST_KINDS else None
        return answers


def classify(
    frame: pl.DataFrame, classifier: Classifier | None = None, known: KnownKinds | None = None
) -> pl.DataFrame:
    """Say of each event what was done.

    The few distinct kinds are classified once, with what they were done to; text is searched only
    in rows whose kind leaves it open. The person's own words (``content``) raise a sign-in to a
    failed one and nothing else.

    Args:
        frame: Events (EVENT_SCHEMA).
        classifier: The patterns to use; default: the shipped ones.
        known: What kinds were found to be in earlier parts of the log; it grows.

    Returns:
        The same rows with ``action``, ``action_group`` (ACTION_GROUPS) and ``action_basis``
        (ACTION_BASES) filled. What stays unclassified is null, its basis ``unknown``.
    """
    classifier = classifier or load_classifier()
    kinds = (known or KnownKinds()).of(frame.select(KINDS).unique(), classifier)
    rows = (
        frame.select(KINDS)
        .with_row_index("row")
        .join(kinds, on=KINDS, how="left", nulls_equal=True, maintain_order="left")
    )
    found = {name: rows[name] for name in FOUND}
    if rows["asks_text"].any():
        again = rows.filter("asks_text").select("row")
        read = frame[again["row"]].select(*KINDS, *WORDS).with_columns(searched([*KINDS, *WORDS]))
        read = read.with_columns(classifier.first_match(with_text=True).alias("pattern"))
        put(found, again["row"], by_entity(named(read, classifier), classifier))
    phrases = spoken(frame, found, classifier)
    put(found, phrases["row"], phrases)
    given = [found[name] for name in FOUND if name in frame.columns]
    return frame.with_columns(given)


def put(found: dict[str, pl.Series], rows: pl.Series, values: pl.DataFrame) -> None:
    """Write the values of some rows over those found before."""
    if not rows.is_empty():
        for name in FOUND:
            found[name] = found[name].scatter(rows, values[name])


def named(kinds: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    """Action, group and basis of the pattern that each kind met."""
    place = kinds["pattern"].cast(pl.UInt32)
    answers = classifier.answers.select(pl.all().gather(place))
    basis = (
        pl.when(pl.col("generic").is_null())
        .then(pl.lit("unknown"))
        .when("generic")
        .then(pl.lit("generic"))
        .otherwise(pl.lit("specific"))
    )
    return kinds.with_columns(
        answers["action"],
        answers["group"].alias("action_group"),
        answers.select(basis.alias("action_basis")).to_series(),
    )


def by_entity(kinds: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    """Look again at kinds that say only what was done: what was it done to?

    The entity's table names the action of a verb; else the entity's name before the kind may be
    a kind of its own; else the act keeps its name and takes the entity's group. A reading act
    stays one.
    """
    verb = pl.col("action").replace_strict(VERBS, default="updated", return_dtype=pl.String)
    alone = ~pl.col("what_searched").str.contains(r"\w\W+\w") & pl.col("action_group").is_in(
        ["write", "delete"]
    )
    whole = pl.concat_str("what_searched", "entity_searched", separator="\n")
    looked = kinds.with_columns(
        verb=pl.when(pl.col("action").is_null()).then(pl.lit("")).otherwise(verb),
        open=pl.col("action_basis").is_in(["generic", "unknown"]) | alone,
        whole=whole.str.replace_all(r" ?\| ?", "\n"),
        joined=pl.concat_str(
            pl.col("entity_searched").str.replace_all("\n| \\| ", " "), pl.lit(" "),
            "what_searched",
        ),
    )  # fmt: skip
    looked = looked.with_columns(entity=classifier.first_entity("whole"))
    tables = pl.DataFrame(
        [
            {"entity": number, "verb": verb, "by_verb": one.actions.get(verb)
             or one.actions.get("any"), "entity_group": one.group}
            for number, one in enumerate(classifier.entities)
            for verb in ("", "created", "updated", "deleted")
        ],
        schema={"entity": pl.Int16, "verb": pl.String, "by_verb": pl.String,
                "entity_group": pl.String},
    )  # fmt: skip
    looked = looked.join(tables, on=["entity", "verb"], how="left", maintain_order="left")
    # Most logs have no such kind; the patterns cost more than the kinds they would be tried on.
    rest = pl.col("open") & pl.col("by_verb").is_null() & pl.col("joined").str.contains(STEM)
    looked = looked.with_columns(named=pl.col("by_verb"))
    if looked.select(rest.any()).item():
        place = looked.select(classifier.first_specific("joined", sensitive=True)).to_series()
        further = classifier.answers["action"].gather(place.cast(pl.UInt32))
        looked = looked.with_columns(named=pl.coalesce("by_verb", further))
    groups = pl.col("named").replace_strict(classifier.groups, default=None, return_dtype=pl.String)
    taken = pl.col("open") & (pl.col("verb") != "read")
    decided = taken & pl.col("named").is_not_null()
    kept = taken & pl.col("action").is_not_null() & pl.col("entity_group").is_in(SENSITIVE)
    # A kind that names one of these and yet stands among the harmless is not taken for certain.
    doubtful = (
        (pl.col("action_basis") == "specific")
        & ~pl.col("action_group").is_in(SENSITIVE)
        & ~pl.col("what_searched").str.contains(DESCRIBING)
        & pl.col("what_searched").str.contains(classifier.guarded)
    )
    return looked.with_columns(
        action=pl.when(decided).then("named").otherwise("action"),
        action_group=pl.when(decided).then(groups).when(kept).then("entity_group")
        .otherwise("action_group"),
        action_basis=pl.when(decided).then(pl.lit("entity"))
        .when(kept | doubtful).then(pl.lit("generic")).otherwise("action_basis"),
    )  # fmt: skip


def spoken(
    frame: pl.DataFrame, found: Mapping[str, pl.Series], classifier: Classifier
) -> pl.DataFrame:
    """Rows still open whose phrase, as the source wrote it, names more than a verb."""
    held = pl.DataFrame([found[name] for name in FOUND]).with_row_index("row")
    still = held.select(
        pl.col("action_basis").is_in(["generic", "unknown"])
        & (pl.col("action").is_null() | (pl.col("action") != "viewed"))
    ).to_series()
    columns = [*WORDS, "event", "generation", "resource_title", "sender_name"]
    rows = frame.select(one for one in columns if one in frame.columns)
    # Most phrases are not the source's own or name nothing of the kind: two looks, the cheap one
    # first, leave few to take apart.
    still &= rows.select(is_own(rows.columns)).to_series().fill_null(value=False)
    said = pl.concat([held.filter(still), rows.filter(still)], how="horizontal")
    said = said.filter(pl.col("summary").str.contains(STEM))
    said = said.with_columns(phrase=without_names(rows.columns))
    said = said.filter(pl.col("phrase").str.contains(STEM))
    if said.is_empty():
        return said.select("row", *FOUND)
    texts = said.select("phrase").unique().with_columns(searched=cut("phrase"))
    texts = texts.filter(~pl.col("searched").str.contains(DESCRIBING)).with_columns(
        pattern=classifier.first_specific("searched", sensitive=False),
        entity=pl.when(pl.col("searched").str.contains(LABEL))
        .then(classifier.first_entity("searched")),
    )  # fmt: skip
    texts = texts.filter(pl.col("pattern").is_not_null() | pl.col("entity").is_not_null())
    said = said.join(texts, on="phrase", how="inner", maintain_order="left")
    answers = classifier.answers.select(pl.all().gather(said["pattern"].cast(pl.UInt32)))
    groups = [one.group if one.group in SENSITIVE else None for one in classifier.entities]
    entity_group = pl.Series(groups, dtype=pl.String).gather(said["entity"].cast(pl.UInt32))
    said = said.with_columns(
        action_basis=pl.when(answers["action"].is_null())
        .then("action_basis").otherwise(pl.lit("content")),
        named=pl.coalesce(answers["action"], "action"),
        named_group=pl.coalesce(answers["group"], entity_group),
    ).filter(pl.col("named").is_not_null() & pl.col("named_group").is_not_null())  # fmt: skip
    rank = [
        pl.col(name).replace_strict(RANK, default=HIGHEST, return_dtype=pl.Int8)
        for name in ("named_group", "action_group")
    ]
    raised = said.filter(pl.col("action").is_null() | (rank[0] >= rank[1]))
    return raised.select("row", "action_basis", action="named", action_group="named_group")


def is_own(columns: list[str]) -> pl.Expr:
    """Whether the summary is a phrase that the source wrote, and more than the kind again.

    A legacy record without a summary has the person's content there instead.
    """
    phrase = pl.col("summary")
    said = phrase.is_not_null() & (phrase != pl.col("event").fill_null(""))
    if "generation" in columns:
        own = (pl.col("generation") == "legacy").fill_null(value=False)
        said &= ~(own & (phrase == pl.col("content"))).fill_null(value=False)
    return said


def without_names(columns: list[str]) -> pl.Expr:
    """The summary without the names of resource and sender."""
    phrase = pl.col("summary")
    for name in ("resource_title", "sender_name"):
        if name in columns:
            parts = phrase.str.splitn(pl.col(name).fill_null("\0"), 2)
            phrase = pl.concat_str(
                parts.struct.field("field_0"), parts.struct.field("field_1").fill_null(""),
                separator=" ",
            )  # fmt: skip
    return phrase


def cut(column: str) -> pl.Expr:
    """A phrase as lower-case words, without what it quotes and what stands after a colon."""
    phrase = pl.col(column)
    for part in CUT:
        phrase = phrase.str.replace_all(part, " ")
    return phrase.str.to_lowercase().str.replace_all(r"[\-/\s]+", " ").str.strip_chars()


def searched(columns: list[str]) -> list[pl.Expr]:
    """The texts the conditions search: kinds as lower-case words, prose in lower case."""
    found = [
        joined("event", "subject", words=True).alias("what_searched"),
        joined("entity_type", "resource_type", words=True).alias("entity_searched"),
    ]
    if WORDS[0] in columns:
        found.append(joined(*WORDS, words=False).alias("text_searched"))
    return found


def joined(*columns: str, words: bool) -> pl.Expr:
    """Columns as one lower-case text; as words, TagAdded and tag_added are 'tag added'."""
    texts = [pl.col(column).fill_null("") for column in columns]
    if words:
        texts = [
            text.str.replace_all(r"([a-z0-9])([A-Z])", "${1} ${2}").str.replace_all(
                r"[_\-./:\s]+", " "
            )
            for text in texts
        ]
    separator = " | " if columns[0] == "event" else "\n"
    return pl.concat_str(texts, separator=separator).str.to_lowercase()
