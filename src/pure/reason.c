/* SPDX-License-Identifier: MIT */
/*
 * How does a parser without a console explain a refusal? It fills a caller's buffer; the caller
 * decides where the text goes (serial line, log ring, test output).
 */
#include "pure/reason.h"

#include "base/lib.h"

int reason_set(struct reason *why, int err, const char *f, ...)
{
    va_list ap;

    if (!why)
        return err;
    va_start(ap, f);
    fmt_vsnprintf(why->text, sizeof(why->text), f, ap);
    va_end(ap);
    return err;
}
