"""Our own small schema of the OSCAL parts we write: names, order of nesting, tokens, lines."""

TOKEN = {"type": "string", "pattern": r"^[^\W\d][\w.\-]*$"}
LINE = {"type": "string", "pattern": r"^\S(.*\S)?$"}
UUID = {
    "type": "string",
    "pattern": r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
}
STAMP = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


def shape(required, **optional):
    """A closed object of named fields."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **optional},
    }


def many(items):
    """A list of at least one."""
    return {"type": "array", "minItems": 1, "items": items}


PROP = shape({"name": TOKEN, "value": LINE}, ns=LINE)
OBSERVATION = shape(
    {
        "uuid": UUID,
        "description": LINE,
        "methods": many({"enum": ["EXAMINE", "INTERVIEW", "TEST", "UNKNOWN"]}),
        "collected": STAMP,
    },
    title=LINE,
    props=many(PROP),
)
STATUS = shape(
    {"state": {"enum": ["satisfied", "not-satisfied"]}}, reason={"const": "other"}, remarks=LINE
)
TARGET = shape(
    {"type": {"enum": ["statement-id", "objective-id"]}, "target-id": TOKEN, "status": STATUS}
)
FINDING = shape(
    {"uuid": UUID, "title": LINE, "description": LINE, "target": TARGET},
    **{"related-observations": many(shape({"observation-uuid": UUID}))},
)
CONTROLS = {"control-selections": many({"type": "object"})}
RESULT = shape(
    {
        "uuid": UUID,
        "title": LINE,
        "description": LINE,
        "start": STAMP,
        "reviewed-controls": shape(CONTROLS),
    },
    end=STAMP,
    observations=many(OBSERVATION),
    findings=many(FINDING),
)
META = shape({"title": LINE, "last-modified": STAMP, "version": LINE, "oscal-version": LINE})
PARTS = {
    "uuid": UUID,
    "metadata": META,
    "import-ap": shape({"href": LINE}),
    "results": many(RESULT),
}
OSCAL = shape({"assessment-results": shape(PARTS, **{"back-matter": {"type": "object"}})})
