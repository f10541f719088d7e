# SPDX-License-Identifier: MIT
"""A reboot asked for in dom0 resets the machine."""

TIMEOUT = 180
ENDED = "guest-reset"
