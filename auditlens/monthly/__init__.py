"""The monthly job: sync, verify, and the report of every month that is due, once each."""

from auditlens.monthly.job import (
    Job,
    directory_line,
    directory_problems,
    due_at,
    ended_months,
    first_whole_month,
    log_begins,
    pull_directory,
    run_job,
)
from auditlens.monthly.monitoring import LastRun, check_heartbeat, compared_before, send_heartbeat
from auditlens.monthly.schedules import SCHEDULES, schedule_files
from auditlens.monthly.store import ReportStore, StoredReport

__all__ = [
    "SCHEDULES",
    "Job",
    "LastRun",
    "ReportStore",
    "StoredReport",
    "check_heartbeat",
    "compared_before",
    "directory_line",
    "directory_problems",
    "due_at",
    "ended_months",
    "first_whole_month",
    "log_begins",
    "pull_directory",
    "run_job",
    "schedule_files",
    "send_heartbeat",
]
