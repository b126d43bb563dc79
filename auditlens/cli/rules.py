"""``auditlens rules``: list, show, explain, check, test, try and map rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditlens.cli.check import print_skipped
from auditlens.cli.commands import examples
from auditlens.cli.options import json_option, log_of, settings_of, skip_broken_option
from auditlens.errors import UsageError
from auditlens.text import count

if TYPE_CHECKING:
    from polars import DataFrame

    from auditlens.archive import Archive
    from auditlens.rules import Rule, RuleSet
    from auditlens.sources import Log

__all__ = ["rules"]

PRODUCTS = ("secoda", "cloudtrail")

path_argument = click.argument(
    "path", required=False, type=click.Path(path_type=Path), metavar="[PATH]"
)
rules_option = click.option(
    "--rules",
    "rules_path",
    type=click.Path(path_type=Path),
    help="These rules alone, a file or folder (default: settings, shipped).",
)
product_option = click.option(
    "--product",
    type=click.Choice(PRODUCTS),
    default="secoda",
    show_default=True,
    help="Whose shipped rules, when no PATH is given.",
)


@examples(
    "rules list",
    "rules explain secoda_resource_deleted",
    "rules test rules",
)
@click.group()
def rules() -> None:
    """List, show, explain, check, test, try and map rules."""


@examples(
    "rules list",
    "rules list rules --json",
)
@rules.command("list")
@path_argument
@product_option
@json_option
def list_rules(path: Path | None, product: str, as_json: bool) -> None:
    """List the shipped rules, or those of PATH."""
    from auditlens.cli.terminal import print_json, table

    found = loaded(path, product)
    names = ("id", "name", "level", "kind", "enabled", "reason_off", "title", "tags", "controls")
    rows = [{name: getattr(rule, name) for name in names} for rule in found.rules]
    if as_json:
        print_json({"rules": rows, "digest": found.digest})
        return
    on = {True: "yes", False: "no"}
    table(
        ("name", "level", "kind", "enabled", "title"),
        [(r["name"], r["level"], r["kind"], on[r["enabled"]], r["title"]) for r in rows],
    )
    click.echo(f"{count(len(rows), 'rule')}, {sum(r['enabled'] for r in rows)} enabled")


@examples(
    "rules show secoda_resource_deleted",
)
@rules.command("show")
@click.argument("name")
@path_argument
@rules_option
@product_option
def show_rule(name: str, path: Path | None, rules_path: Path | None, product: str) -> None:
    """Print the rule called NAME (or with that id) as it is written."""
    from auditlens.rules import rule_source

    found, rule = rule_named(name, path, rules_path, product)
    click.echo(rule_source(found, rule.id)[1], nl=False)


@examples(
    "rules explain secoda_resource_deleted",
    "rules explain our_night_deletion --rules rules",
)
@rules.command("explain")
@click.argument("name")
@path_argument
@rules_option
@product_option
def explain(name: str, path: Path | None, rules_path: Path | None, product: str) -> None:
    """Say in plain English what the rule called NAME looks for, and what it is built on."""
    from auditlens.rules import explain_rule

    found, rule = rule_named(name, path, rules_path, product)
    click.echo(explain_rule(found, rule.id))


@examples(
    "rules check rules --fail-on warning",
)
@rules.command("check")
@path_argument
@product_option
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "sarif", "junit")),
    default="table",
    show_default=True,
    help="How problems are written.",
)
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning", "note")),
    default="error",
    show_default=True,
    help="Exit 1 on problems of this severity or above.",
)
@click.pass_context
def check(ctx: click.Context, /, path: Path | None, product: str, form: str, fail_on: str) -> None:
    """Look for faults, doubtful places and departures from convention in rules."""
    from auditlens.cli.terminal import print_json, visible
    from auditlens.rules import check_rules, rule_roots

    settings = settings_of()
    roots = rule_roots(settings, path, products=(product,))
    found = check_rules(roots, placeholders=settings.placeholders)
    if form == "json":
        print_json({"problems": found.table().to_dicts(), "rules": found.rule_table().to_dicts()})
    elif form in ("sarif", "junit"):
        click.echo(found.sarif() if form == "sarif" else found.junit())
    else:
        for problem in found.problems:
            click.echo(visible(problem))
        held = len(found.rules.rules) if found.rules else 0
        click.echo(f"{count(held, 'rule')}, {count(len(found.problems), 'problem')}")
    order = ("note", "warning", "error")
    worst = found.worst()
    ctx.exit(1 if worst and order.index(worst) >= order.index(fail_on) else 0)


@examples(
    "rules test rules",
    "rules test rules --mutate",
)
@rules.command("test")
@path_argument
@product_option
@click.option("--coverage", is_flag=True, help="Which parts of a rule no test answers both ways.")
@click.option("--mutate", is_flag=True, help="Change each part and demand that a test fails.")
@json_option
@click.pass_context
def test_rules(
    ctx: click.Context, /, path: Path | None, product: str, coverage: bool, mutate: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Run the tests that stand beside the rules, with the real engine."""
    from dataclasses import asdict

    from auditlens.cli.terminal import print_json
    from auditlens.rules import run_tests

    found = loaded(path, product)
    results = run_tests(found)
    failed = [result for result in results if not result.passed]
    document: dict[str, Any] = {"tests": [asdict(one) for one in results], "failed": len(failed)}
    if coverage:
        document["uncovered"] = uncovered(found)
    if mutate:
        document["mutants"] = mutants(found)
    if as_json:
        print_json(document)
    else:
        tell(document)
    ctx.exit(1 if failed else 0)


def uncovered(found: RuleSet) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from auditlens.rules import leaf_coverage

    covers = [one for rule in found.rules for one in leaf_coverage(found, rule)]
    return [asdict(one) for one in covers if not one.covered]


def mutants(found: RuleSet) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from auditlens.rules import mutate

    return [asdict(one) for rule in found.rules for one in mutate(found, rule)]


def tell(document: dict[str, Any]) -> None:
    """Print failures with the leaves that were true or false, then counts."""
    from auditlens.cli.terminal import visible

    for result in document["tests"]:
        if not result["passed"]:
            where = f"{result['path']}:{result['line']}: {result['rule']}: {result['name']}"
            click.echo(f"{visible(where)}: {visible(result['message'])}")
            for line in result["detail"].splitlines():
                click.echo(f"    {visible(line)}")
    for one in document.get("uncovered", ()):
        seen = "true" if one["times_true"] else "false"
        click.echo(f"{one['rule']}: only ever {seen}: {visible(one['words'])}")
    if "mutants" in document:
        alive = [one for one in document["mutants"] if not one["killed"]]
        for one in alive:
            click.echo(f"{one['rule']}: no test notices: {visible(one['change'])}")
        click.echo(f"{len(document['mutants']) - len(alive)} of {len(document['mutants'])} killed")
    passed = len(document["tests"]) - document["failed"]
    click.echo(f"{passed} passed, {document['failed']} failed")


@examples(
    "rules coverage --navigator",
)
@rules.command("coverage")
@path_argument
@product_option
@click.option("--navigator", is_flag=True, help="An ATT&CK Navigator layer on stdout.")
@json_option
def coverage(path: Path | None, product: str, navigator: bool, as_json: bool) -> None:
    """Map the rules to ATT&CK techniques and framework clauses."""
    import json

    from auditlens.cli.terminal import print_json, table
    from auditlens.rules import attack_map, framework_map, navigator_layer

    found = loaded(path, product)
    if navigator:
        click.echo(json.dumps(navigator_layer(found), indent=2, sort_keys=True))
        return
    techniques, clauses = attack_map(found), framework_map(found)
    if as_json:
        print_json({"attack": techniques.to_dicts(), "clauses": clauses.to_dicts()})
        return
    table(
        ("technique", "name", "rules"),
        [(r["technique"], r["name"], len(r["rules"])) for r in techniques.iter_rows(named=True)],
    )
    table(
        ("framework", "clause", "rules on", "rules off"),
        [(r["framework"], r["clause"], len(r["rules"]), len(r["off"]))
         for r in clauses.iter_rows(named=True)],
    )  # fmt: skip


@examples(
    "rules new secoda_term_removed",
    "rules new secoda_term_burst --kind correlation --folder rules",
)
@rules.command("new")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(("rule", "correlation", "behaviour")),
    default="rule",
    show_default=True,
    help="Which kind of document.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("rules"),
    show_default=True,
    help="Where to write it.",
)
def new_rule(name: str, kind: str, folder: Path) -> None:  # fmt: skip
    """Write a rule called NAME, with its tests, to start from."""
    from auditlens.rules import draft_rule

    for path in draft_rule(name, folder, kind=kind):
        click.echo(path)


@examples(
    "rules backtest --since 2026-08-01 --rules rules",
)
@rules.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day.")
@rules_option
@click.option("--archive", type=click.Path(path_type=Path), help="Folder of the archive.")
@product_option
@skip_broken_option
@json_option
def backtest(files: tuple[Path, ...], since: Any, rules_path: Path | None, archive: Path | None,
             product: str, skip_broken: bool | None, as_json: bool) -> None:  # fmt: skip
    """Show what rules would have found in the archive, or in log FILEs, week by week."""
    from datetime import UTC

    from polars import col

    from auditlens.cli.terminal import print_json, table
    from auditlens.rules import backtest as run

    rules = loaded(rules_path, product, skip_broken=bool(skip_broken))
    settings = settings_of(archive=archive)
    events = marked_events(log_of(files, "auto", settings), rules)
    found = run(
        rules, events, since.replace(tzinfo=UTC),
        timezone=settings.timezone, holidays=settings.holidays,
    )  # fmt: skip
    if as_json:
        print_json({"weeks": found.weeks.to_dicts(), "senders": found.senders.to_dicts(),
                    "rates": found.rates.to_dicts(),
                    "rules_skipped": [str(one) for one in rules.skipped]})  # fmt: skip
        return
    print_skipped(rules)
    weeks = ("title", "level", "week", "episodes", "events")
    table(weeks, found.weeks.select(weeks).iter_rows(), title="Findings a week")
    rates = ("title", "level", "findings", "per_100")
    shown = found.rates.select("title", "level", "findings", col("per_100").round(1))
    table(rates, shown.iter_rows(), title="Findings per 100 active accounts and month")
    senders = ("title", "subject_label", "episodes", "events")
    table(senders, found.senders.select(senders).iter_rows(), title="Most often")


def marked_events(log: Archive | Log, rules: RuleSet) -> DataFrame:
    """All events; those of an archive with what its directory knew of them at their time."""
    from auditlens.archive import Archive
    from auditlens.audit import directory_fields
    from auditlens.directory import with_marks
    from auditlens.loading import dated_events
    from auditlens.period import run_time

    events = dated_events(log, run_time())
    if not isinstance(log, Archive):
        return events
    return with_marks(events, log.directory(), directory_fields(rules))


def loaded(path: Path | None, product: str, *, skip_broken: bool = False) -> RuleSet:
    """The rules of PATH, of the settings, or the shipped ones of a product."""
    from auditlens.rules import load_rules, rule_roots

    settings = settings_of()
    roots = rule_roots(settings, path, products=(product,))
    return load_rules(
        roots, placeholders=settings.placeholders, skip_broken=skip_broken or settings.skip_broken
    )


def rule_named(
    name: str, path: Path | None, rules_path: Path | None, product: str
) -> tuple[RuleSet, Rule]:
    """The rule with this name, id or title, and the set it stands in.

    ``path`` is the place as it was given up to version 0.1, after the name. Raises UsageError with
    the nearest name, or with the place of a rule that was not read.
    """
    import difflib

    if path is not None:
        click.echo("A PATH after NAME is deprecated: write --rules PATH", err=True)
    found = loaded(rules_path or path, product)
    try:
        return found, found[name]
    except KeyError:
        near = difflib.get_close_matches(name, [rule.name for rule in found], n=1)
    fix = f"Did you mean '{near[0]}'?" if near else "See 'auditlens rules list'"
    if stands_in(Path("rules"), name):
        fix = "It stands in the folder rules: add --rules rules, or name it in the settings"
    raise UsageError(f"No rule is called {name!r}", fix=fix)


def stands_in(folder: Path, name: str) -> bool:
    """Whether a file of the folder is called as the rule."""
    from auditlens.rules import rule_files

    return folder.is_dir() and any(file.name.split(".")[0] == name for file in rule_files([folder]))
