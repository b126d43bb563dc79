"""The monthly job: sync, verify, and the report of every month that is due, once each.

``job`` is the main path; ``months`` says which are due, ``shelf`` keeps the report folders,
``last_run`` and ``heartbeat`` tell those who watch, ``schedules`` writes what starts it daily.
"""
