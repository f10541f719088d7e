/* SPDX-License-Identifier: MIT */
/* Linked into fuzz programs instead of runner.c: a failed CHECK is a crash for the fuzzer. */
#include <stdio.h>
#include <stdlib.h>

#include "host/host.h"

void host_register(struct host_case *c)
{
    (void)c;
}

void host_fail(const char *file, int line, const char *f, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, f);
    vfprintf(stderr, f, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}
