/* SPDX-License-Identifier: MIT */
/*
 * What a domain that the tools built talks to: its console ring and xenstore. Polled, with the
 * events that come with them only to wake a vCPU that blocks. vCPU 0, events masked.
 */
#ifndef FRONT_H
#define FRONT_H

#include "guest.h"

#include <xen/io/xs_wire.h>

/* To the console ring; nothing when there is no room, as nobody reads then. */
void ring_print(const char *s);

/*
 * One request of xenstore and its answer: type XS_, body of len bytes (paths end in NUL). Writes
 * the answer, NUL-terminated and cut to size, to reply. Its length; -1 when it is an error.
 */
int xs_request(uint32_t type, const char *body, uint32_t len, char *reply, uint32_t size);
int xs_read(const char *path, char *value, uint32_t size);
int xs_write(const char *path, const char *value);
int xs_watch(const char *path);
/* True when a watch has fired since the last call. */
bool xs_fired(void);

/* Blocks until an event or, by the timer that timer_init() binds, until t (system time, ns). */
void timer_init(void);
void block_until(uint64_t t);

/* The next number of an argument line "12 34 ...", 0 if there is none; *s goes behind it. */
uint64_t read_number(const char **s);

#endif
