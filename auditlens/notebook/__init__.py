"""Plots for a notebook: activity a day, and the days on which findings began.

from auditlens import notebook

notebook.plot_activity(audit)                       # everyone
notebook.plot_activity(audit, sender_id="u-17")     # one sender
notebook.plot_activity(audit, finding_id="F-…")     # whom or what a finding is about
"""

from auditlens.notebook.activity import plot_activity
from auditlens.notebook.plot import Plot

__all__ = ["Plot", "plot_activity"]
