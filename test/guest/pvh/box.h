/* SPDX-License-Identifier: MIT */
/*
 * Where things are in the memory of a PVH test kernel, and the page through which it and the micro
 * dom0 that built it speak: text out, requests out, results in.
 */
#ifndef PVH_BOX_H
#define PVH_BOX_H

#include <stdint.h>

#define PVH_PAGES  2048ul /* 8 MiB of RAM from 0, but for the hole */
#define PVH_HOLE   1536ul /* this one and the next have no memory */
#define PVH_INFO   0x8000ul
#define PVH_BOX    0x9000ul
#define PVH_SHARED 0xa000ul
#define PVH_AP     0xb000ul /* where a second vCPU starts */
#define PVH_LOAD   0x100000ul

enum { PVH_ASK_NONE, PVH_ASK_SEND, PVH_ASK_ADD, PVH_ASK_REMOVE, PVH_ASK_PAUSE, PVH_ASK_STATE };

struct pvh_box {
    uint32_t round;        /* in: which of the test's domains this is, from 0 */
    uint32_t again;        /* out: there is one more to come */
    char name[48];         /* out: what this one is about */
    uint32_t seconds;      /* it is over after that long */
    volatile uint32_t ask; /* out, then cleared by dom0: a request, with its arguments */
    uint32_t arg;
    int64_t result;
    volatile uint32_t head, tail; /* text: written up to, read up to */
    char args[128];
    char text[2048];
};

#endif
