"""Run by test_crashes.py: sync a growing workspace until done or killed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# Segments of 20 rows, so that a kill falls between many: no option of an archive.
from auditlens.archive import Archive, writer
from auditlens.errors import LockHeld
from tests.secoda import Workspace


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


writer.BATCH_ROWS = 20
folder, seed = sys.argv[1:]
workspace = Workspace(size=20)
workspace.arrive(600 + 40 * (int(seed) + 1))
archive = Archive(folder)
_ = archive.table.stamp
say("ready")
try:
    say(archive.sync(workspace).outcome)
except LockHeld:
    say("refused")
