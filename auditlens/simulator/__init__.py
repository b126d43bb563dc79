"""A made-up workspace: its people, its audit log, what was planted in it, and its server."""

from auditlens.simulator.server import Server, serve
from auditlens.simulator.workspace import Workspace, demo_workspace, simulate

__all__ = ["Server", "Workspace", "demo_workspace", "serve", "simulate"]
