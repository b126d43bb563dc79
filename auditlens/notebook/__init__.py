"""Plots for a notebook: activity a day, hours of the week, usual bands and scores.

audit.plot.timeline(), .sender("u-17"), .hours("F-…"), .scores()

Activity a day, and the days on which findings began, also of a resource:

from auditlens import notebook

notebook.plot_activity(audit)                       # everyone
notebook.plot_activity(audit, sender_id="u-17")     # one sender
notebook.plot_activity(audit, finding_id="F-…")     # whom or what a finding is about
"""

from auditlens.notebook.activity import plot_activity
from auditlens.notebook.picture import Picture
from auditlens.notebook.plot import Plot
from auditlens.notebook.plots import Plots

__all__ = ["Picture", "Plot", "Plots", "plot_activity"]
