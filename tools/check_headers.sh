#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header below src/ compiles alone: whoever includes it needs to include nothing before it.
set -u
bad=0
count=0
for h in $(git ls-files 'src/*.h'); do
    [ "$h" != src/arch/asm.h ] || continue # for assembly, which has no declarations
    count=$((count + 1))
    echo "#include \"${h#src/}\"" |
        ${CC:-gcc} -std=gnu11 -ffreestanding -mgeneral-regs-only -Wall -Wextra -Werror -Isrc \
            -fsyntax-only -x c - || { echo "$h does not compile alone"; bad=$((bad + 1)); }
done
echo "check_headers: $count headers, $bad errors"
[ $bad = 0 ]
