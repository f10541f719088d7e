/* SPDX-License-Identifier: MIT */
/*
 * Has a command of the tools left the machine as it was?
 *
 *     state before FILE    keeps what look.h names, and the position in the log, in FILE
 *     state after FILE     compares with it: STATE same or STATE CHANGED what; then what the log
 *                          got since, LOG lines, the last of them from an audit of all frames
 *
 * A domain may take a while to go: after waits ten seconds for its end.
 */
#include "look.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLACK 16 /* one cached page for each size of small objects */

struct kept {
    struct look look;
    uint32_t log;
};

static void audit(void)
{
    static struct xen_sysctl op;
    static char key = 'p';

    op.u.debug_keys.keys.p = &key;
    op.u.debug_keys.nr_keys = 1;
    hcall_sysctl(XEN_SYSCTL_debug_keys, &op);
}

int main(int argc, char **argv)
{
    bool after = argc == 3 && strcmp(argv[1], "after") == 0;
    const char *verdict;
    struct kept k, now;
    char *line;
    int fd, tries;

    if (argc != 3 || (fd = open(argv[2], O_RDWR | O_CREAT, 0600)) < 0)
        return 2;
    hcall_init();
    memset(&k, 0, sizeof(k));
    if (!after) {
        look(&k.look);
        while (*look_log(&k.log))
            ;
        return pwrite(fd, &k, sizeof(k), 0) != sizeof(k);
    }
    if (pread(fd, &k, sizeof(k), 0) != sizeof(k))
        return 2;
    for (tries = 0; tries < 200; tries++) {
        look(&now.look);
        verdict = look_compare(&k.look, &now.look, SLACK);
        if (strcmp(verdict, "same") == 0)
            break;
        usleep(50000);
    }
    printf("STATE %s (free %lu, %lu before; %u domains, %u before)\n", verdict, now.look.free_pages,
           k.look.free_pages, now.look.domains, k.look.domains);
    audit();
    for (line = strtok(look_log(&k.log), "\n"); line; line = strtok(NULL, "\n"))
        printf("LOG %s\n", line);
    /* The next comparison is with what there was at first, but for the log. */
    return pwrite(fd, &k, sizeof(k), 0) != sizeof(k);
}
