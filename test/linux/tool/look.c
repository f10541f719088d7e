/* SPDX-License-Identifier: MIT */
#include "look.h"

#include <string.h>

void look(struct look *l)
{
    static struct xen_domctl op;
    uint32_t id = 0;

    memset(l, 0, sizeof(*l));
    l->free_pages = hcall_free_pages();
    while (l->domains < LOOK_DOMAINS) {
        memset(&op, 0, sizeof(op));
        if (hcall_domctl(XEN_DOMCTL_getdomaininfo, id, &op) != 0)
            break;
        l->domain[l->domains].id = op.domain;
        l->domain[l->domains].flags =
            op.u.getdomaininfo.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_paused);
        l->domain[l->domains++].pages = op.u.getdomaininfo.tot_pages;
        id = op.domain + 1u;
    }
}

const char *look_compare(const struct look *before, const struct look *after, uint64_t slack)
{
    if (before->domains != after->domains)
        return "CHANGED domains";
    if (memcmp(before->domain, after->domain, sizeof(before->domain)) != 0)
        return "CHANGED domain";
    return before->free_pages + 1 >= after->free_pages &&
                   after->free_pages + slack >= before->free_pages
               ? "same"
               : "CHANGED free memory";
}

char *look_log(uint32_t *index)
{
    static struct xen_sysctl op;
    static char text[16384];

    memset(&op, 0, sizeof(op));
    op.u.readconsole.incremental = 1;
    op.u.readconsole.index = *index;
    op.u.readconsole.buffer.p = text;
    op.u.readconsole.count = sizeof(text) - 1;
    if (hcall_sysctl(XEN_SYSCTL_readconsole, &op) != 0)
        return "no log";
    *index = op.u.readconsole.index;
    text[op.u.readconsole.count] = '\0';
    return text;
}
