/* SPDX-License-Identifier: MIT */
/*
 * A short text that says why a parser refused its input: the fault and the value, for the one line
 * the caller prints. Owned by the caller; no lock, any context.
 */
#ifndef PURE_REASON_H
#define PURE_REASON_H

#include "base/def.h"

#define REASON_MAX 128

struct reason {
    char text[REASON_MAX];
};

/*
 * Writes the formatted text, cut to REASON_MAX - 1 characters, and returns err unchanged, so that
 * a refusal is one statement: return reason_set(why, -EINVAL, "...", value). why may be NULL.
 */
int reason_set(struct reason *why, int err, const char *f, ...) PRINTF_LIKE(3, 4);

#endif
