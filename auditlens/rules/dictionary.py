"""Dictionary encoding of a field: its distinct values, and the code of every row.

A test runs once over the distinct values; its answers are decoded to rows by their codes. Where
almost every row has a value of its own, the column itself is the dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "DictColumn",
    "Mask",
    "Rows",
    "candidate_columns",
    "column_of",
    "encode",
    "fold",
    "fold_word",
    "members_apart",
    "part_of",
    "rows_mentioning",
    "text_of",
]

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

ENCODE_ABOVE = 256
"""Below so many rows a column is its own dictionary: finding distinct values costs more."""

DENSE = 0.5
FINAL_SIGMA, SIGMA = "\u03c2", "\u03c3"
PATH_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class DictColumn:
    """A field of a frame of ``height`` rows.

    ``values`` are distinct and not null. ``codes`` holds each row's position in them, or their
    count where the row is null. For a list field, ``codes`` is per member and ``members`` says
    the row of each.
    """

    values: pl.Series
    codes: NDArray[np.int64]
    height: int
    nulls: Mask
    members: Rows | None = None

    @cached_property
    def text(self) -> pl.Series:
        """The values as text: booleans as true and false, whole floats without a fraction."""
        dtype = self.values.dtype
        if dtype == pl.String:
            return self.values
        if dtype.is_float():
            whole = self.values.cast(pl.Int64, strict=False)
            same = (whole.cast(dtype) == self.values).fill_null(False)
            return self.values.cast(pl.String).zip_with(~same, whole.cast(pl.String))
        if isinstance(dtype, pl.Datetime):
            return self.values.dt.to_string("iso:strict")
        if dtype == pl.Binary:
            return self.values.bin.encode("hex")
        return self.values.cast(pl.String, strict=False)

    @cached_property
    def folded(self) -> pl.Series:
        """The text in lower case, for comparisons without regard to case."""
        return fold(self.text)

    def decode_mask(self, answers: Mask, rows: Rows) -> Mask:
        """Turn the answer for every value (and False for null, put last) into that for ``rows``."""
        if self.members is None:
            # A column that is its own dictionary needs no codes.
            return answers[rows] if len(answers) == self.height + 1 else answers[self.codes[rows]]
        of_rows = np.zeros(self.height, dtype=np.bool_)
        of_rows[self.members[answers[self.codes]]] = True
        return of_rows[rows]


def fold(text: pl.Series) -> pl.Series:
    """Lower-case by Unicode; both forms of the small sigma count as one letter."""
    lower = text.str.to_lowercase()
    if lower.str.contains(FINAL_SIGMA, literal=True).any():
        return lower.str.replace_all(FINAL_SIGMA, SIGMA, literal=True)
    return lower


def fold_word(word: str) -> str:
    """Lower-case one text as fold does; ASCII needs no engine for that."""
    return word.lower() if word.isascii() else str(fold(pl.Series([word]))[0])


def column_of(frame: pl.DataFrame, field: str) -> pl.Series | None:
    """Find a field in a frame: the exact column, its underscore form, a struct path, a JSON path.

    Returns None when there is nothing to look in. A JSON path is looked up in ``metadata`` when
    that is a text column; a leading ``metadata.`` may be left out.
    """
    names = frame.columns
    for name in (field, field.replace(".", "_")):
        if name in names:
            return plain(frame.get_column(name))
    head, _, rest = field.partition(".")
    if rest and head in names and isinstance(frame.schema[head], pl.Struct):
        return struct_path(frame.get_column(head), rest)
    if "metadata" not in names:
        return None
    if isinstance(frame.schema["metadata"], pl.Struct):
        return struct_path(frame.get_column("metadata"), field.removeprefix("metadata."))
    if frame.schema["metadata"] != pl.String:
        return None
    return json_path(frame.get_column("metadata"), field.removeprefix("metadata."))


def candidate_columns(frame: pl.DataFrame, field: str) -> tuple[str, ...]:
    """Return where column_of would look for a field."""
    for name in (field, field.replace(".", "_")):
        if name in frame.columns:
            return (name,)
    head = field.split(".", maxsplit=1)[0]
    if isinstance(frame.schema.get(head), pl.Struct):
        return (head,)
    return (head, "metadata")


def plain(column: pl.Series) -> pl.Series:
    """Give categories and nested lists of them back as text."""
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if isinstance(column.dtype, pl.Array):
        return column.arr.to_list()
    if column.dtype == pl.Null:
        return column.cast(pl.String)
    return column


def struct_path(column: pl.Series, path: str) -> pl.Series | None:
    """Follow a dotted path through structs; a name that itself has dots wins."""
    if not isinstance(column.dtype, pl.Struct):
        return None
    known = {field.name for field in column.dtype.fields}
    if path in known:
        return plain(column.struct.field(path))
    head, _, rest = path.partition(".")
    return struct_path(column.struct.field(head), rest) if rest and head in known else None


def json_path(column: pl.Series, path: str) -> pl.Series:
    """Read a dotted path from JSON text: scalars as text, an array as the list of its members."""
    steps = "".join(
        f".{step}" if PATH_STEP.fullmatch(step) else f"['{step}']"
        for step in path.replace("'", "").split(".")
    )
    # Reading JSON costs far more than looking for the name, and most rows have no such field.
    rows = rows_mentioning(column, [path])
    if len(rows) * 2 > len(column):
        texts = column.str.json_path_match(f"${steps}")
    else:
        read = column.gather(rows).str.json_path_match(f"${steps}")
        texts = pl.Series(column.name, [None], dtype=pl.String).new_from_index(0, len(column))
        texts = texts.scatter(rows, read)
    arrays = texts.str.starts_with("[").fill_null(False)
    return json_members(texts, arrays) if arrays.any() else texts


def rows_mentioning(column: pl.Series, paths: Sequence[str]) -> pl.Series:
    """Return the rows whose JSON text may have one of the paths: it names the steps, in order."""
    steps = [path.removeprefix("metadata.").split(".") for path in paths]
    last = [one[-1] for one in steps]
    if not all(name.isascii() for name in last):
        return column.is_not_null().arg_true()
    rows = rows_containing(column, [quoted(name) for name in last])
    if len(steps) != 1 or len(steps[0]) == 1 or not all(map(PATH_STEP.fullmatch, steps[0])):
        return rows
    # The last name alone is often that of a field elsewhere in the record.
    return rows.gather(rows_containing(column.gather(rows), [".*".join(map(quoted, steps[0]))]))


def quoted(name: str) -> str:
    return f'"{re.escape(name)}"'


def rows_containing(column: pl.Series, patterns: Sequence[str]) -> pl.Series:
    """Return the rows with one of the patterns, or with an escape, which may write any name."""
    pattern = "(?s)" + "|".join([*patterns, r"\\u"])
    return column.str.contains(pattern).fill_null(False).arg_true()


def json_members(texts: pl.Series, arrays: pl.Series) -> pl.Series:
    """Turn texts into lists of one, and JSON arrays into lists of their members' texts."""
    import msgspec

    decoder = msgspec.json.Decoder(list[msgspec.Raw])
    members: dict[str, list[str]] = {}
    for text in texts.filter(arrays).unique():
        try:
            raw = [bytes(one) for one in decoder.decode(text)]
        except msgspec.MsgspecError:
            continue
        members[text] = [
            str(msgspec.json.decode(one)) if one[:1] == b'"' else one.decode()
            for one in raw
            if one != b"null"
        ]
    table = pl.DataFrame(
        {"text": list(members), "members": list(members.values())},
        schema={"text": pl.String, "members": pl.List(pl.String)},
    )
    joined = texts.to_frame("text").join(table, on="text", how="left", maintain_order="left")
    alone = pl.concat_list("text")
    return joined.select(
        pl.when(pl.col("text").is_null())
        .then(None)
        .otherwise(pl.coalesce("members", alone))
        .alias("members")
    ).to_series()


def encode(column: pl.Series) -> DictColumn:
    """Find the distinct values of a column and the code of every row."""
    height = len(column)
    nulls = column.is_null().to_numpy()
    if isinstance(column.dtype, pl.List):
        inner = pl.DataFrame({"row": np.arange(height), "value": column}).explode("value")
        inner = inner.drop_nulls("value")
        encoded = encode(plain(inner.get_column("value")))
        members = inner.get_column("row").to_numpy()
        return DictColumn(encoded.values, encoded.codes, height, nulls, members)
    if isinstance(column.dtype, pl.Struct):
        column = column.struct.json_encode()
    if height <= ENCODE_ABOVE or dense(column):
        codes = np.arange(height, dtype=np.int64)
        codes[nulls] = height
        # The column keeps its nulls; no row points at them.
        return DictColumn(column, codes, height, nulls)
    values = column.drop_nulls().unique(maintain_order=True)
    if column.dtype == pl.String:
        coded = column.cast(pl.Enum(values)).to_physical()
    else:
        places = pl.DataFrame({"value": values, "code": np.arange(len(values))})
        joined = column.to_frame("value").join(places, on="value", how="left", nulls_equal=True,
                                               maintain_order="left")  # fmt: skip
        coded = joined.get_column("code")
    return DictColumn(values, coded.cast(pl.Int64).fill_null(len(values)).to_numpy(), height, nulls)


def dense(column: pl.Series) -> bool:
    """Say whether most rows hold a value of their own, judged on a sample from the front."""
    sample = column.head(20_000)
    return sample.n_unique() > DENSE * len(sample) and column.n_unique() > DENSE * len(column)


def part_of(frame: pl.DataFrame, fields: Sequence[str], rows: pl.Series) -> pl.DataFrame:
    """Return these rows of the frame, with the columns in which the fields may stand."""
    read = {name for field in fields for name in candidate_columns(frame, field)}
    # A frame without columns has no rows: one is kept.
    kept = [name for name in frame.columns if name in read] or frame.columns[:1]
    return frame.select(kept)[rows]


def text_of(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a field as folded text, a list field as a list of folded texts; missing as null."""
    column = column_of(frame, name)
    if column is None:
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, frame.height)
    encoded = encode(column)
    if encoded.members is None:
        codes = pl.Series(encoded.codes)
        if encoded.nulls.any():
            codes = codes.set(pl.Series(encoded.nulls), None)
        return encoded.folded.gather(codes).alias(name)
    held = pl.DataFrame({"row": encoded.members, "text": encoded.folded.gather(encoded.codes)})
    lists = held.group_by("row", maintain_order=True).agg("text")
    rows = pl.DataFrame({"row": np.arange(frame.height)})
    return rows.join(lists, on="row", how="left", maintain_order="left").get_column("text")


def members_apart(table: pl.DataFrame) -> pl.DataFrame:
    """Give each member of a list column a line of its own."""
    for name, dtype in table.schema.items():
        if isinstance(dtype, pl.List):
            table = table.explode(name)
    return table
