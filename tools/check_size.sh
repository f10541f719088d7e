#!/bin/sh
# SPDX-License-Identifier: MIT
# The image as the boot loader loads it stays under 1 MiB, the source under 40,000 lines.
set -eu
size=$(stat -c %s "${1:-build/wheeler.elf}")
lines=$(cat src/*/*.[chS] | wc -l)
echo "image: $size bytes, source: $lines lines"
[ "$size" -lt 1048576 ] || { echo "the image is over 1 MiB"; exit 1; }
[ "$lines" -lt 40000 ] || { echo "the source is over 40,000 lines"; exit 1; }
