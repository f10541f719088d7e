/* SPDX-License-Identifier: MIT */
/* Operations that are not about page tables: events, vCPUs, domains and their tools, grants. */
#include <string.h>

#include "audit.h"
#include "core/domain.h"
#include "core/event.h"
#include "core/grant.h"
#include "guest.h"
#include "machine.h"
#include "ops_pick.h"

static const u8 event_cmds[16] = {
    EVTCHNOP_bind_interdomain,
    EVTCHNOP_bind_interdomain,
    EVTCHNOP_bind_virq,
    EVTCHNOP_bind_pirq,
    EVTCHNOP_close,
    EVTCHNOP_send,
    EVTCHNOP_send,
    EVTCHNOP_status,
    EVTCHNOP_alloc_unbound,
    EVTCHNOP_alloc_unbound,
    EVTCHNOP_bind_ipi,
    EVTCHNOP_bind_vcpu,
    EVTCHNOP_unmask,
    EVTCHNOP_reset,
    EVTCHNOP_send,
    13,
};

void ops_event(struct pick *p)
{
    union {
        struct evtchn_alloc_unbound alloc;
        struct evtchn_bind_interdomain inter;
        struct evtchn_bind_virq virq;
        struct evtchn_bind_pirq pirq;
        struct evtchn_bind_ipi ipi;
        struct evtchn_bind_vcpu vcpu;
        struct evtchn_status status;
        struct evtchn_reset reset;
        u32 port;
    } a;
    u32 cmd = event_cmds[pick_byte(p) & 15], id;

    memset(&a, 0, sizeof(a));
    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        a.alloc.dom = pick_byte(p) & 0xc0 ? DOMID_SELF : (domid_t)pick_domid(p);
        a.alloc.remote_dom = (domid_t)pick_domid(p);
        break;
    case EVTCHNOP_bind_interdomain:
        if (!pick_unbound(p, &id, &a.inter.remote_port))
            id = pick_domid(p);
        a.inter.remote_dom = (domid_t)id;
        break;
    case EVTCHNOP_bind_virq:
        a.virq.virq = pick_byte(p) % 26;
        a.virq.vcpu = pick_byte(p) % 3;
        break;
    case EVTCHNOP_bind_pirq:
        a.pirq.pirq = pick_byte(p) % 18;
        break;
    case EVTCHNOP_bind_ipi:
        a.ipi.vcpu = pick_byte(p) % 3;
        break;
    case EVTCHNOP_bind_vcpu:
        a.vcpu.port = pick_port(p);
        a.vcpu.vcpu = pick_byte(p) % 3;
        break;
    case EVTCHNOP_status:
        a.status.dom = (domid_t)pick_domid(p);
        a.status.port = pick_port(p);
        break;
    case EVTCHNOP_reset:
        a.reset.dom = (domid_t)pick_domid(p);
        break;
    default: /* close, send, unmask */
        a.port = pick_port(p);
        break;
    }
    pick_say(p, "event_channel_op %u: %#x", cmd, a.port);
    guest_call(__HYPERVISOR_event_channel_op, cmd, guest_put(&a, sizeof(a)), 0, 0);
}

void ops_sched(struct pick *p)
{
    struct sched_poll poll = {.nr_ports = 0};
    struct sched_remote_shutdown remote;
    struct sched_shutdown down;
    u8 b = pick_byte(p);
    u32 port[2];
    u64 arg = 0;

    switch (b % 8) {
    case SCHEDOP_poll:
        port[0] = pick_port(p);
        port[1] = pick_port(p);
        poll.nr_ports = pick_byte(p) % 3;
        poll.timeout = (u64)pick_byte(p) * 10000000;
        poll.ports.p = (evtchn_port_t *)guest_put(port, sizeof(port));
        arg = guest_put(&poll, sizeof(poll));
        break;
    case SCHEDOP_shutdown:
    case SCHEDOP_shutdown_code:
        /* dom0's ends the run: rarely. */
        if (vcpu_current()->domain == domain_hardware && b < 0xf0)
            return;
        down.reason = pick_byte(p) % 6;
        arg = guest_put(&down, sizeof(down));
        break;
    case SCHEDOP_remote_shutdown:
        remote.domain_id = (domid_t)(1 + pick_byte(p) % (GUEST_MAX - 1));
        remote.reason = pick_byte(p) % 6;
        arg = guest_put(&remote, sizeof(remote));
        break;
    default:
        b = (b & ~7) | (pick_byte(p) & 0xc0 ? SCHEDOP_yield : SCHEDOP_block);
        break;
    }
    pick_say(p, "sched_op %u", b % 8);
    guest_call(__HYPERVISOR_sched_op, b % 8, arg, 0, 0);
}

void ops_vcpu(struct pick *p)
{
    static const u32 cmds[16] = {VCPUOP_initialise,
                                 VCPUOP_up,
                                 VCPUOP_down,
                                 VCPUOP_is_up,
                                 VCPUOP_get_runstate_info,
                                 VCPUOP_register_runstate_memory_area,
                                 VCPUOP_set_periodic_timer,
                                 VCPUOP_stop_periodic_timer,
                                 VCPUOP_set_singleshot_timer,
                                 VCPUOP_stop_singleshot_timer,
                                 VCPUOP_register_vcpu_info,
                                 VCPUOP_send_nmi,
                                 VCPUOP_get_physid,
                                 VCPUOP_register_vcpu_time_memory_area,
                                 VCPUOP_up,
                                 99};
    static struct vcpu_guest_context ctx;
    struct vcpu_register_vcpu_info info;
    u32 cmd = cmds[pick_byte(p) & 15], id = pick_byte(p) % 3;
    u64 words[3] = {0}, arg;

    switch (cmd) {
    case VCPUOP_initialise:
        guest_context(guest_current(), &ctx, pick_table(p));
        arg = guest_put(&ctx, sizeof(ctx));
        break;
    case VCPUOP_register_vcpu_info:
        info = (struct vcpu_register_vcpu_info){.mfn = pick_mfn(p), .offset = pick_byte(p) * 64u};
        arg = guest_put(&info, sizeof(info));
        break;
    case VCPUOP_set_periodic_timer:
    case VCPUOP_set_singleshot_timer:
        words[0] = 1000000000ul + pick_byte(p) * 10000000ul;
        arg = guest_put(words, sizeof(words));
        break;
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area:
        words[0] = pick_va(p) + pick_byte(p) * 16u;
        arg = guest_put(words, sizeof(words));
        break;
    case VCPUOP_down:
        if (vcpu_current()->domain == domain_hardware && id == 0)
            return;
        /* fall through */
    default:
        arg = guest_put(words, sizeof(words));
        break;
    }
    pick_say(p, "vcpu_op %u of vCPU %u", cmd, id);
    guest_call(__HYPERVISOR_vcpu_op, cmd, id, arg, 0);
}

static void call_domctl(struct pick *p, struct xen_domctl *op, u32 cmd, u32 id)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = (domid_t)id;
    pick_say(p, "domctl %u for %u", cmd, id);
    guest_call(__HYPERVISOR_domctl, guest_put(op, sizeof(*op)), 0, 0, 0);
}

static void context_op(struct pick *p, struct xen_domctl *op, u32 id)
{
    static struct vcpu_guest_context ctx;
    const struct guest *g = guest_of(id);

    guest_context(g, &ctx, g->nr ? g->mfn[pick_byte(p) % 7] : 0);
    if (pick_byte(p) & 1 && g->nr)
        ctx.ctrlreg[1] = g->mfn[pick_byte(p) % 7] << PAGE_SHIFT;
    if (pick_byte(p) & 1)
        ctx.flags &= ~(u64)VGCF_online;
    op->u.vcpucontext.ctxt.p = (struct vcpu_guest_context *)guest_put(&ctx, sizeof(ctx));
}

static const u8 domctl_cmds[32] = {
    XEN_DOMCTL_pausedomain,
    XEN_DOMCTL_unpausedomain,
    XEN_DOMCTL_pausedomain,
    XEN_DOMCTL_unpausedomain,
    XEN_DOMCTL_max_mem,
    XEN_DOMCTL_setvcpucontext,
    XEN_DOMCTL_getvcpucontext,
    XEN_DOMCTL_getvcpuinfo,
    XEN_DOMCTL_max_vcpus,
    XEN_DOMCTL_scheduler_op,
    XEN_DOMCTL_setdomainhandle,
    XEN_DOMCTL_settimeoffset,
    XEN_DOMCTL_getvcpuaffinity,
    XEN_DOMCTL_resumedomain,
    XEN_DOMCTL_sendtrigger,
    XEN_DOMCTL_setvcpuaffinity,
    XEN_DOMCTL_getpageframeinfo3,
    XEN_DOMCTL_getdomaininfo,
    XEN_DOMCTL_set_ext_vcpucontext,
    XEN_DOMCTL_get_ext_vcpucontext,
    XEN_DOMCTL_setvcpuextstate,
    XEN_DOMCTL_getvcpuextstate,
    XEN_DOMCTL_createdomain,
    XEN_DOMCTL_setvcpucontext,
    XEN_DOMCTL_get_cpu_policy,
    XEN_DOMCTL_set_cpu_policy,
    XEN_DOMCTL_gettscinfo,
    XEN_DOMCTL_settscinfo,
    XEN_DOMCTL_setnodeaffinity,
    XEN_DOMCTL_getnodeaffinity,
    XEN_DOMCTL_shadow_op,
    XEN_DOMCTL_set_address_size,
};

/* What the operation says beside its number. False: not this one. */
static bool domctl_fill(struct pick *p, struct xen_domctl *op, u32 cmd, u32 id)
{
    u64 frames[4], mask;
    u32 i;

    switch (cmd) {
    case XEN_DOMCTL_max_mem:
        op->u.max_mem.max_memkb = pick_byte(p) * 4u;
        audit_allow(id, op->u.max_mem.max_memkb / 4);
        break;
    case XEN_DOMCTL_setvcpucontext:
        if (id >= GUEST_MAX)
            return false;
        context_op(p, op, id);
        break;
    case XEN_DOMCTL_getvcpucontext:
        op->u.vcpucontext.ctxt.p = (struct vcpu_guest_context *)guest_put(op, 64);
        break;
    case XEN_DOMCTL_setvcpuaffinity:
    case XEN_DOMCTL_getvcpuaffinity:
        mask = pick_byte(p) & 15;
        op->u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
        op->u.vcpuaffinity.cpumap_hard.nr_bits = 4;
        op->u.vcpuaffinity.cpumap_hard.bitmap.p = (u8 *)guest_put(&mask, sizeof(mask));
        break;
    case XEN_DOMCTL_scheduler_op:
        op->u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
        op->u.scheduler_op.cmd = pick_byte(p) & 1;
        op->u.scheduler_op.u.credit2.weight = pick_byte(p);
        op->u.scheduler_op.u.credit2.cap = pick_byte(p) % 40;
        break;
    case XEN_DOMCTL_getpageframeinfo3:
        for (i = 0; i < 4; i++)
            frames[i] = pick_mfn(p);
        op->u.getpageframeinfo3.num = 4;
        op->u.getpageframeinfo3.array.p = (xen_pfn_t *)guest_put(frames, sizeof(frames));
        break;
    case XEN_DOMCTL_createdomain:
        memset(&op->u, 0, sizeof(op->u));
        op->u.createdomain.max_vcpus = 1 + pick_byte(p) % 2;
        op->u.createdomain.grant_opts = 1;
        break;
    case XEN_DOMCTL_set_ext_vcpucontext:
        op->u.ext_vcpucontext.size = sizeof(op->u.ext_vcpucontext);
        break;
    case XEN_DOMCTL_setvcpuextstate:
    case XEN_DOMCTL_getvcpuextstate:
        op->u.vcpuextstate.size = pick_byte(p) & 1 ? 0 : 576 + 16;
        op->u.vcpuextstate.xfeature_mask = 3;
        op->u.vcpuextstate.buffer.p = (uint64_t *)guest_put(op, 16);
        break;
    case XEN_DOMCTL_sendtrigger:
        op->u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
        op->u.sendtrigger.vcpu = pick_byte(p) & 1;
        break;
    default:
        break;
    }
    return true;
}

void ops_domctl(struct pick *p)
{
    static struct xen_domctl op;
    u32 cmd = domctl_cmds[pick_byte(p) & 31], id = pick_byte(p);

    id = id < 0xf0 ? 1 + id % (GUEST_MAX - 1) : id & 7;
    memset(&op, 0, sizeof(op));
    *(u32 *)(void *)&op.u = pick_byte(p) % 3; /* most begin with a vCPU, or a number */
    if (domctl_fill(p, &op, cmd, id))
        call_domctl(p, &op, cmd, id);
}

void ops_destroy(struct pick *p)
{
    static struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    call_domctl(p, &op, XEN_DOMCTL_destroydomain, 1 + pick_byte(p) % (GUEST_MAX - 1));
}

/* The host's side of the tools: what is asked with a number and zeros. */
void ops_machine(struct pick *p)
{
    union {
        struct xen_sysctl sysctl;
        struct xen_platform_op platform;
        u32 words[32];
    } a;
    u8 b = pick_byte(p);
    u32 cmd = pick_byte(p), i;
    u64 va;

    memset(&a, 0, sizeof(a));
    for (i = 2; i < 8; i++)
        a.words[i] = pick_byte(p) & 7;
    va = guest_put(&a, sizeof(a));
    if (b & 1) {
        a.sysctl.cmd = cmd % 32;
        a.sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        if (a.sysctl.cmd == XEN_SYSCTL_getdomaininfolist) {
            a.sysctl.u.getdomaininfolist.max_domains = 3;
            a.sysctl.u.getdomaininfolist.buffer.p = (struct xen_domctl_getdomaininfo *)va;
        }
        pick_say(p, "sysctl %u", a.sysctl.cmd);
        guest_call(__HYPERVISOR_sysctl, guest_put(&a, sizeof(a)), 0, 0, 0);
        return;
    }
    a.platform.cmd = cmd % 64;
    a.platform.interface_version = XENPF_INTERFACE_VERSION;
    pick_say(p, "platform_op %u", a.platform.cmd);
    guest_call(__HYPERVISOR_platform_op, guest_put(&a, sizeof(a)), 0, 0, 0);
}

void ops_misc(struct pick *p)
{
    static const u8 physdev[8] = {PHYSDEVOP_eoi,           PHYSDEVOP_irq_status_query,
                                  PHYSDEVOP_map_pirq,      PHYSDEVOP_unmap_pirq,
                                  PHYSDEVOP_setup_gsi,     PHYSDEVOP_set_iopl,
                                  PHYSDEVOP_get_free_pirq, PHYSDEVOP_apic_read};
    u64 words[8] = {0};
    u8 b = pick_byte(p);
    u32 i;

    for (i = 0; i < 8; i++)
        words[i] = pick_byte(p);
    switch (b % 8) {
    case 0:
        pick_say(p, "set_timer_op in %lu ms", words[0]);
        guest_call(__HYPERVISOR_set_timer_op, port_now() + words[0] * 1000000, 0, 0, 0);
        return;
    case 1:
        pick_say(p, "stack_switch");
        guest_call(__HYPERVISOR_stack_switch, 0xe02b, GUEST_VA(words[0] & 15) + 0x700, 0, 0);
        return;
    case 2:
        pick_say(p, "vm_assist %lu %lu", words[0] & 3, words[1] & 7);
        guest_call(__HYPERVISOR_vm_assist, words[0] & 3, words[1] & 7, 0, 0);
        return;
    case 3:
        pick_say(p, "fpu_taskswitch %lu", words[0] & 1);
        guest_call(__HYPERVISOR_fpu_taskswitch, words[0] & 1, 0, 0, 0);
        return;
    case 4:
        pick_say(p, "xen_version %lu", words[0] % 12);
        guest_call(__HYPERVISOR_xen_version, words[0] % 12, guest_put(words, sizeof(words)), 0, 0);
        return;
    case 5:
        pick_say(p, "set_segment_base %lu", words[0] & 3);
        guest_call(__HYPERVISOR_set_segment_base, words[0] & 3, pick_va(p), 0, 0);
        return;
    default:
        words[0] = words[0] % 18 | (words[1] & 1 ? (u64)DOMID_SELF : 0);
        pick_say(p, "physdev_op %u: %#lx", physdev[b >> 3 & 7], words[0]);
        guest_call(__HYPERVISOR_physdev_op, physdev[b >> 3 & 7], guest_put(words, sizeof(words)), 0,
                   0);
        return;
    }
}
