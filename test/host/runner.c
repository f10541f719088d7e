/* SPDX-License-Identifier: MIT */
/*
 * main() of every unit test program: runs the registered cases in the file's order and prints one
 * line "PROGRAM: N passed, M failed". The exit status says whether all passed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "host/host.h"

static struct host_case *first, **last = &first;
static const struct host_case *running;
static jmp_buf case_env;
static u64 seed;

void host_register(struct host_case *c)
{
    *last = c;
    last = &c->next;
}

void host_fail(const char *file, int line, const char *f, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: %s: ", file, line, running ? running->name : "?");
    va_start(ap, f);
    vfprintf(stderr, f, ap);
    va_end(ap);
    fprintf(stderr, " (HOST_SEED=%llu)\n", (unsigned long long)seed);
    longjmp(case_env, 1);
}

static bool host_run_case(const struct host_case *c)
{
    running = c;
    host_reset();
    host_rand_seed(seed);
    if (setjmp(case_env))
        return false;
    c->run();
    if (host_locks_held())
        FAIL("%u locks still held", host_locks_held());
    return true;
}

static bool host_is_selected(const struct host_case *c, int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++)
        if (strstr(c->name, argv[i]))
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    const char *prog = strrchr(argv[0], '/');
    const char *env = getenv("HOST_SEED");
    bool verbose = getenv("HOST_VERBOSE") != NULL;
    unsigned int passed = 0, failed = 0;
    const struct host_case *c;

    seed = env ? strtoull(env, NULL, 0) : 20260101;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (c = first; c; c = c->next) {
        if (!host_is_selected(c, argc, argv))
            continue;
        if (verbose)
            fprintf(stderr, "-- %s\n", c->name);
        if (host_run_case(c))
            passed++;
        else
            failed++;
    }
    printf("%s: %u passed, %u failed\n", prog ? prog + 1 : argv[0], passed, failed);
    return failed || !passed;
}
