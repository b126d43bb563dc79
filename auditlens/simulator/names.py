"""Words for made-up people, teams and assets; nothing here names a real person or company."""

from __future__ import annotations

__all__ = ["FIRST", "LAST", "NOUNS", "SERVICES", "STAGES", "TAGS", "TEAMS", "TERMS"]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = words(
    "Ada Amir Ana Aoife Bela Bo Carla Chidi Cleo Dana Davi Ebba Eli Emre Esi Femi Finn Gia "
    "Hana Hugo Ida Ines Ivo Jaya Jin Jonas Juno Kai Kira Lars Lena Lior Lucia Mads Mei Milo "
    "Mina Nadia Niko Noor Odile Omar Oona Pia Priya Quinn Rafa Rania Remy Rosa Sami Sara Selin "
    "Tao Tara Thea Tomas Uma Vera Viktor Wren Yael Yuki Zane Zoe"
)
LAST = words(
    "Alder Ash Aspen Bay Beech Birch Bramble Briar Brook Cedar Clover Cove Crane Dale Dell "
    "Dove Elder Elm Fern Field Finch Fjord Ford Glen Grove Hawthorn Hazel Heath Heron Holly "
    "Ivy Jay Juniper Knoll Lake Larch Lark Laurel Linden Maple Marsh Meadow Mill Moor Moss "
    "Myrtle Oak Olive Osier Pine Plover Poplar Quill Reed Ridge Robin Rowan Rush Sage Sedge "
    "Sorrel Spruce Stone Swift Teal Thorn Thyme Vale Willow Wold Wren Yarrow Yew"
)
TEAMS = (
    "Finance",
    "People",
    "Growth",
    "Supply",
    "Platform",
    "Risk",
    "Support",
    "Product",
    "Sales",
    "Logistics",
    "Research",
    "Pricing",
    "Legal",
    "Partners",
    "Quality",
    "Field",
)
NOUNS = words(
    "orders invoices payments refunds customers contracts employees payroll shipments stock "
    "visits sessions campaigns leads tickets surveys returns budgets forecasts devices plans "
    "prices suppliers claims audits routes carriers trials cohorts scores"
)
STAGES = ("raw", "clean", "daily", "weekly", "monthly", "summary", "history", "latest")
TERMS = ("rate", "margin", "churn", "lead time", "net value", "active share", "backlog", "yield")
TAGS = (
    "gold",
    "silver",
    "deprecated",
    "confidential",
    "reviewed",
    "quarterly",
    "external",
    "core",
    "draft",
    "certified",
    "retention-2y",
    "finance",
)
SERVICES = (
    "catalog-sync",
    "lineage-loader",
    "docs-writer",
    "tag-classifier",
    "nightly-export",
    "metric-publisher",
    "owner-sync",
    "quality-probe",
    "schema-watch",
    "term-loader",
)
