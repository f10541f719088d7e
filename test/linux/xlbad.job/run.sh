#!/bin/sh
# SPDX-License-Identifier: MIT
# Hostile control calls by raw hypercall, then the page-type audit.
./hostile
xl debug-keys p
xl dmesg | tail -n 5 | sed 's/^/DMESG /'
