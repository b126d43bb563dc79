"""A made-up workspace: its people, its audit log, what was planted in it, and its server."""

from auditlens.simulator.events import KINDS
from auditlens.simulator.feed import Feed
from auditlens.simulator.incidents import INCIDENT_KINDS
from auditlens.simulator.lookalikes import LOOKALIKE_KINDS
from auditlens.simulator.records import to_current
from auditlens.simulator.server import Server, serve
from auditlens.simulator.workspace import Workspace, demo_workspace, simulate

__all__ = [
    "INCIDENT_KINDS",
    "KINDS",
    "LOOKALIKE_KINDS",
    "Feed",
    "Server",
    "Workspace",
    "demo_workspace",
    "serve",
    "simulate",
    "to_current",
]
