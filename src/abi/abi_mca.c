/* SPDX-License-Identifier: MIT */
/*
 * mca: what dom0's machine-check logger asks (ABI: public header xen-mca.h). It wants to know the
 * processors before it listens for VIRQ_MCA. Nothing is recorded here: a machine check stops the
 * machine with a message, so there is never telemetry to fetch. Injection is left out.
 */
#include "abi/abi.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/guestmem.h"

static void describe_cpu(u32 cpu, struct mcinfo_logical_cpu *c)
{
    u32 sig = cpu_features.leaf1_eax;

    memset(c, 0, sizeof(*c));
    c->mc_cpunr = cpu;
    c->mc_apicid = cpu_apic_id(cpu);
    c->mc_chipid = 0;
    c->mc_coreid = (u16)cpu;
    c->mc_ncores = c->mc_ncores_active = cpu_count();
    c->mc_nthreads = 1;
    c->mc_cpuid_level = (int)cpu_features.max_leaf;
    /* Family, model, stepping without the extension fields: SDM vol. 2, CPUID leaf 1. */
    c->mc_family = sig >> 8 & 0xf;
    c->mc_model = sig >> 4 & 0xf;
    c->mc_step = sig & 0xf;
    str_copy(c->mc_vendorid, cpu_features.vendor, sizeof(c->mc_vendorid));
}

/* Without a buffer: only how many there are. */
static long physcpuinfo(struct xen_mc_physcpuinfo *i)
{
    struct mcinfo_logical_cpu c;
    u32 cpu, room = i->info.p ? i->ncpus : 0;

    for (cpu = 0; cpu < room && cpu < cpu_count(); cpu++) {
        describe_cpu(cpu, &c);
        if (!GUESTMEM_OUT(i->info.p + cpu, &c))
            return -EFAULT;
    }
    i->ncpus = i->info.p ? cpu : cpu_count();
    return 0;
}

long abi_mca(u64 arg, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct xen_mc op;
    long rc = 0;

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
        return hypercall_refuse(-EACCES, "mca: interface version %#x, not %#x",
                                op.interface_version, XEN_MCA_INTERFACE_VERSION);
    switch (op.cmd) {
    case XEN_MC_fetch:
        op.u.mc_fetch.flags = XEN_MC_NODATA;
        op.u.mc_fetch.fetch_id = 0;
        break;
    case XEN_MC_physcpuinfo:
        rc = physcpuinfo(&op.u.mc_physcpuinfo);
        break;
    default:
        return hypercall_refuse(-ENOSYS, "mca: %u", op.cmd);
    }
    if (!rc && !GUESTMEM_OUT((struct xen_mc *)arg, &op))
        return -EFAULT;
    return rc;
}
