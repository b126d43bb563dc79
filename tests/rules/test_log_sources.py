"""A rule sees the events of its own log source, and no other's."""

from pathlib import Path

import polars as pl
import pytest
from documents import EVER, rules_of

from auditlens.audit import run_audit
from auditlens.events import decode_records
from auditlens.rules import LogSource, evaluate, load_rules, origins
from auditlens.sources import read_log

SECODA = [
    b'{"id":"s%d","created_at":"2026-03-02T10:0%d:00Z","event":"Tag added","resource_id":"r",'
    b'"sender":{"id":"u1"},"content":"failed login powershell"}' % (n, n)
    for n in range(4)
]
CURRENT = [
    b'{"id":"c%d","logged_at":"2026-03-02T10:0%d:00Z","activity_type":"TAG_ADDED",'
    b'"performer_type":"user","performer_id":"u1","resource_id":"r"}' % (n, n)
    for n in range(2)
]
TRAIL = [
    b'{"eventID":"t%d","eventTime":"2026-03-02T11:0%d:00Z","eventName":"DeleteTrail",'
    b'"eventSource":"cloudtrail.amazonaws.com","userIdentity":{"type":"IAMUser","arn":"a"}}'
    % (n, n)
    for n in range(3)
]
OKTA = [
    b'{"uuid":"o%d","published":"2026-03-02T12:0%d:00Z","eventType":"user.session.start",'
    b'"actor":{"id":"p1"},"service":"okta"}' % (n, n)
    for n in range(5)
]
OWN = "name: okta\n{more}columns: {{id: uuid, created_at: published, event: eventType}}\n"


def foreign(product, detection, *, service="", category=""):
    parts = {"product": product, "service": service, "category": category}
    source = ", ".join(f"{key}: {value}" for key, value in parts.items() if value)
    name = f"{product}_{abs(hash((product, detection, service, category)))}"
    return (
        f"title: {name}\nname: {name}\nlevel: high\nlogsource: {{{source}}}\n"
        f"detection: {detection}\n"
    )


FOREIGN = [
    foreign("windows", "{s: {EventID: 4688}, condition: not s}"),
    foreign("windows", "{s: {Image|endswith: x}, f: {User: y}, condition: not s and not f}"),
    foreign("windows", "{s: [powershell, login], condition: s}", category="ps_script"),
    foreign("windows", "{keywords: ['*failed*'], condition: keywords}", service="security"),
    foreign("linux", "{s: {a0: null}, condition: s}", service="auditd"),
    foreign("linux", "{s: {type|exists: false}, condition: s}"),
    foreign("linux", "{s: ['Tag', 'Delete'], f: {x: y}, condition: s and not f}"),
    foreign("zeek", "{s: {id.resp_p: 3389}, f: {id.orig_h|cidr: 10.0.0.0/8}, "
            "condition: not s and not f}", service="rdp"),
    foreign("okta", "{s: {eventtype: x}, condition: not s}", service="okta"),
    foreign("", "{s: {Image: x}, condition: not s}", category="process_creation"),
    foreign("aws", "{s: {x: y}, condition: not s}", service="guardduty"),
    foreign("secoda", "{s: {x: y}, condition: not s}", service="billing")
    .replace("level", "id: 6d8b1c1e-9a38-4b52-9d53-6a3a0b3b1c11\nlevel"),
]  # fmt: skip


def table(*groups):
    frames = []
    for records, name in groups:
        from auditlens.events import load_profile

        profile = load_profile(name) if name else None
        frames.append(decode_records(records, profile=profile).events)
    return pl.concat(frames)


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
@pytest.mark.parametrize("groups", [((SECODA, ""),), ((CURRENT, ""),), ((TRAIL, "cloudtrail"),),
                                    ((SECODA, ""), (TRAIL, "cloudtrail"))])  # fmt: skip
def test_a_foreign_rule_finds_nothing_in_secodas_and_awss_logs(text, groups):
    """Neither a negation nor a keyword of another product's rule is true of an event of these."""
    outcome = evaluate(rules_of(text), table(*groups), EVER)
    assert not outcome.episodes.height
    assert outcome.health["applies"].to_list() == [False]
    assert outcome.health["examined"].to_list() == [0]


def test_each_event_of_a_mixed_log_is_judged_by_the_rules_of_its_own_source():
    """One log of two products gives each rule its own events, at their own places."""
    own = foreign("aws", "{s: {eventName: DeleteTrail}, condition: s}", service="cloudtrail")
    any_aws = foreign("aws", "{s: {eventName: nothing}, condition: not s}")
    cats = foreign("secoda", "{s: {resource.id: r}, condition: s}", service="audit").replace(
        "level", "id: 7d8b1c1e-9a38-4b52-9d53-6a3a0b3b1c11\nlevel"
    )
    frame = table((TRAIL[:2], "cloudtrail"), (SECODA, ""), (TRAIL[2:], "cloudtrail"), (CURRENT, ""))
    outcome = evaluate(rules_of(own, any_aws, cats), frame, EVER)
    hits = dict(outcome.health.select("rule_id", "hits").iter_rows())
    assert list(hits.values()) == [3, 3, 6]
    found = rules_of(own).match(frame)["row"].to_list()
    assert found == [0, 1, 6]
    told = [(one.product, one.service, one.events, one.rules) for one in outcome.scopes]
    assert told == [("aws", "cloudtrail", 3, 2), ("secoda", "audit", 6, 1)]


def test_windows_and_behaviours_rest_on_the_events_of_their_rules_alone():
    """A correlation over a foreign rule counts nothing, and says that it applies to no event."""
    base = foreign("windows", "{s: {x: y}, condition: not s}").replace(
        "name: windows", "name: base"
    )
    name = next(line for line in base.splitlines() if line.startswith("name:")).split()[1]
    burst = (
        f"title: Burst\nname: burst\ncorrelation: {{type: event_count, rules: [{name}], "
        "group-by: [sender.id], timespan: 1h, condition: {gte: 2}}\n"
    )
    outcome = evaluate(rules_of(base, burst), table((SECODA, "")), EVER)
    assert not outcome.episodes.height
    assert outcome.health["applies"].to_list() == [False, False]
    aws = base.replace("product: windows", "product: aws")
    assert evaluate(rules_of(aws, burst), table((TRAIL, "cloudtrail")), EVER).episodes.height


def test_a_frame_whose_product_nobody_named_is_matched_by_every_rule():
    """A bare frame, and events without a generation, keep matching all rules."""
    rules = rules_of(foreign("windows", "{s: {a: 1}, condition: s}"))
    assert rules.match(pl.DataFrame({"a": [1, 2]})).height == 1
    assert rules.match(pl.DataFrame({"a": [1], "generation": ["legacy"]})).height == 1
    negated = rules_of(FOREIGN[0])
    bare = table((SECODA, "")).with_columns(generation=pl.lit(None, pl.String))
    assert evaluate(negated, bare, EVER).episodes.height
    assert origins(bare) == ((None, None),)


@pytest.mark.parametrize(("rule", "event", "covers"), [
    (LogSource("aws"), LogSource("aws", "cloudtrail"), True),
    (LogSource("aws", "cloudtrail"), LogSource("aws", "cloudtrail"), True),
    (LogSource("aws", "cloudtrail"), LogSource("aws"), False),
    (LogSource("aws", "cloudtrail", "x"), LogSource("aws", "cloudtrail"), False),
    (LogSource(None, "cloudtrail"), LogSource("aws", "cloudtrail"), True),
    (LogSource(None, None, "process_creation"), LogSource("aws"), False),
    (LogSource("windows"), LogSource("aws"), False),
])  # fmt: skip
def test_every_part_a_rule_names_must_be_the_events(rule, event, covers):
    """A part the event lacks does not match a rule that names it."""
    assert rule.covers(event) is covers


def saved(tmp_path: Path, records, name="log.ndjson"):
    path = tmp_path / name
    path.write_bytes(b"\n".join(records) + b"\n")
    return path


@pytest.mark.parametrize("more", ["", "service: okta\n", "product: okta\n",
                                  "product: okta\nservice: system\n", "service: ''\n"])  # fmt: skip
def test_a_log_nobody_has_rules_for_is_not_judged(tmp_path, more):
    """An unknown product gets no verdict of Secoda's rules; a profile's name is its product."""
    profile = tmp_path / "okta.yml"
    profile.write_text(OWN.format(more=more))
    log = read_log(saved(tmp_path, OKTA), profile=profile)
    audit = run_audit(log, period="2026-03")
    assert [one.product for one in audit.unjudged] == ["okta"]
    assert audit.rule_health.height == 0
    assert audit.unjudged[0].statement == (
        "not judged by rules: no rule for product okta was loaded. 5 events were read, classified "
        "and compared with their past."
    )


def test_own_rules_judge_an_own_profiles_log(tmp_path):
    """Rules that name the profile's product and service see its events."""
    profile = tmp_path / "okta.yml"
    profile.write_text(OWN.format(more="product: okta\nservice: okta\n"))
    log = read_log(saved(tmp_path, OKTA), profile=profile)
    rule = foreign("okta", "{s: {eventType: user.session.start}, condition: s}", service="okta")
    audit = run_audit(log, rules_of(rule), period="2026-03")
    assert not audit.unjudged
    assert audit.findings.height
    other = foreign("okta", "{s: {eventType: x}, condition: not s}", service="admin")
    audit = run_audit(log, rules_of(other), period="2026-03")
    assert "no rule for product okta, service okta, was loaded" in audit.unjudged[0].statement


def test_a_mixed_log_is_judged_in_part(tmp_path):
    """Shipped rules of each product judge its events; what has none is told beside them."""
    folder = tmp_path / "logs"
    folder.mkdir()
    saved(folder, SECODA, "a.ndjson")
    saved(folder, TRAIL, "b.ndjson")
    audit = run_audit(read_log(folder), period="2026-03")
    assert [(one.product, one.judged) for one in audit.scopes] == [("aws", True), ("secoda", True)]
    assert audit.rule_health.height == len(load_rules()) + len(load_rules(product="cloudtrail"))
    profile = tmp_path / "okta.yml"
    profile.write_text(OWN.format(more=""))
    audit = run_audit(
        pl.concat([read_log(folder).events, table((OKTA, profile))]), period="2026-03"
    )
    assert [one.product for one in audit.unjudged] == ["okta"]
