/* SPDX-License-Identifier: MIT */
#include "hcall.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux's include/uapi/xen/privcmd.h. */
struct privcmd_hypercall {
    uint64_t op;
    uint64_t arg[5];
};
#define IOCTL_PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

static int privcmd = -1;

void hcall_init(void)
{
    privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (privcmd < 0 || mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        perror("hcall: /dev/xen/privcmd or locked memory");
        exit(2);
    }
}

long hcall(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct privcmd_hypercall call = {.op = nr, .arg = {a1, a2, a3, a4, a5}};
    long rc = ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call);

    return rc == -1 ? -errno : rc;
}

long hcall_domctl(uint32_t cmd, uint32_t domain, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = (domid_t)domain;
    return hcall(__HYPERVISOR_domctl, (uint64_t)op, 0, 0, 0, 0);
}

long hcall_sysctl(uint32_t cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hcall(__HYPERVISOR_sysctl, (uint64_t)op, 0, 0, 0, 0);
}

uint64_t hcall_free_pages(void)
{
    struct xen_sysctl op = {0};
    long rc = hcall_sysctl(XEN_SYSCTL_physinfo, &op);

    if (rc != 0) {
        fprintf(stderr, "hcall: physinfo: %ld\n", rc);
        exit(2);
    }
    return op.u.physinfo.free_pages;
}

long hcall_create(uint32_t vcpus, uint64_t max_pages)
{
    struct xen_domctl op = {0};
    uint32_t domain;
    long rc;

    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 64;
    op.u.createdomain.max_maptrack_frames = 1024;
    op.u.createdomain.grant_opts = 1;
    rc = hcall_domctl(XEN_DOMCTL_createdomain, 0, &op);
    if (rc != 0)
        return rc;
    domain = op.domain;
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = vcpus;
    rc = hcall_domctl(XEN_DOMCTL_max_vcpus, domain, &op);
    if (rc == 0) {
        memset(&op, 0, sizeof(op));
        op.u.max_mem.max_memkb = max_pages * 4;
        rc = hcall_domctl(XEN_DOMCTL_max_mem, domain, &op);
    }
    if (rc != 0) {
        hcall_destroy(domain);
        return rc;
    }
    return domain;
}

long hcall_destroy(uint32_t domain)
{
    struct xen_domctl op = {0};
    long rc;

    do
        rc = hcall_domctl(XEN_DOMCTL_destroydomain, domain, &op);
    while (rc == -EAGAIN || rc == -EINTR || rc == -85 /* ERESTART */);
    return rc;
}

long hcall_populate(uint32_t domain, uint64_t n, xen_pfn_t *frames)
{
    struct xen_memory_reservation r = {.nr_extents = n, .domid = (domid_t)domain};
    uint64_t i;

    for (i = 0; i < n; i++)
        frames[i] = i;
    r.extent_start.p = frames;
    return hcall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r, 0, 0, 0);
}
