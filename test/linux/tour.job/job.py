# SPDX-License-Identifier: MIT
"""What `make run` plays when there is no terminal: a look around dom0."""

TIMEOUT = 240
EXPECT = [r"TOUR done"]
