#!/bin/sh
# SPDX-License-Identifier: MIT
# The end of the job is a reboot in place of the usual power-off.
touch /run/job-reboot
