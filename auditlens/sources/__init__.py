"""Where events come from: Secoda's audit log over HTTP, and files of it or of other logs."""

from auditlens.sources.log import Log, read_events, read_log
from auditlens.sources.probe import Probe, answer_shapes, probe_source
from auditlens.sources.secoda import SecodaSource

__all__ = [
    "Log",
    "Probe",
    "SecodaSource",
    "answer_shapes",
    "probe_source",
    "read_events",
    "read_log",
]
