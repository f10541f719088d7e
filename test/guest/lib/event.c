/* SPDX-License-Identifier: MIT */
/* Two-level event delivery with a counter per port, and the clock. */
#include "guest.h"

volatile uint32_t event_count[2][4096];
volatile uint32_t event_upcalls[2];

void event_dispatch(unsigned int cpu);

static void deliver_word(unsigned int cpu, unsigned int word)
{
    uint64_t bits = shared_info->evtchn_pending[word] & ~shared_info->evtchn_mask[word];

    while (bits != 0) {
        unsigned int bit = (unsigned int)__builtin_ctzl(bits);

        bits &= bits - 1;
        __atomic_fetch_and(&shared_info->evtchn_pending[word], ~(1ul << bit), __ATOMIC_SEQ_CST);
        event_count[cpu][word * 64 + bit]++;
    }
}

void event_dispatch(unsigned int cpu)
{
    struct vcpu_info *vi = vcpu_info(cpu);
    uint64_t sel;

    event_upcalls[cpu]++;
    __atomic_store_n(&vi->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    sel = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    while (sel != 0) {
        unsigned int word = (unsigned int)__builtin_ctzl(sel);

        sel &= sel - 1;
        deliver_word(cpu, word);
    }
}

int evtchn_virq(uint32_t virq, uint32_t vcpu)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    long rc = evtchn_op(EVTCHNOP_bind_virq, &op);

    return rc < 0 ? (int)rc : (int)op.port;
}

int evtchn_ipi(uint32_t vcpu)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    long rc = evtchn_op(EVTCHNOP_bind_ipi, &op);

    return rc < 0 ? (int)rc : (int)op.port;
}

int evtchn_unbound(unsigned int dom, unsigned int remote)
{
    struct evtchn_alloc_unbound op = {.dom = (domid_t)dom, .remote_dom = (domid_t)remote};
    long rc = evtchn_op(EVTCHNOP_alloc_unbound, &op);

    return rc < 0 ? (int)rc : (int)op.port;
}

int evtchn_interdomain(unsigned int dom, uint32_t port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = (domid_t)dom, .remote_port = port};
    long rc = evtchn_op(EVTCHNOP_bind_interdomain, &op);

    return rc < 0 ? (int)rc : (int)op.local_port;
}

long evtchn_close(uint32_t port)
{
    struct evtchn_close op = {.port = port};

    return evtchn_op(EVTCHNOP_close, &op);
}

long evtchn_send(uint32_t port)
{
    struct evtchn_send op = {.port = port};

    return evtchn_op(EVTCHNOP_send, &op);
}

bool evtchn_pending(uint32_t port)
{
    return (shared_info->evtchn_pending[port / 64] >> (port % 64)) & 1;
}

void evtchn_clear(uint32_t port)
{
    __atomic_fetch_and(&shared_info->evtchn_pending[port / 64], ~(1ul << (port % 64)),
                       __ATOMIC_SEQ_CST);
}

void evtchn_mask(uint32_t port, bool masked)
{
    uint64_t bit = 1ul << (port % 64);

    if (masked)
        __atomic_fetch_or(&shared_info->evtchn_mask[port / 64], bit, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&shared_info->evtchn_mask[port / 64], ~bit, __ATOMIC_SEQ_CST);
}

void event_enable(void)
{
    __atomic_store_n(&vcpu_info(0)->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
    if (vcpu_info(0)->evtchn_upcall_pending)
        hypercall2(__HYPERVISOR_xen_version, XENVER_version, 0);
}

void event_disable(void)
{
    __atomic_store_n(&vcpu_info(0)->evtchn_upcall_mask, 1, __ATOMIC_SEQ_CST);
}

bool event_wait(uint32_t port, uint32_t n, unsigned int ms)
{
    uint64_t end = now() + ms * 1000000ul;

    event_enable();
    while (event_count[0][port] < n && now() < end)
        sched_op(SCHEDOP_yield, NULL);
    event_disable();
    return event_count[0][port] >= n;
}

static uint64_t scale(uint64_t delta, const volatile struct vcpu_time_info *t)
{
    if (t->tsc_shift < 0)
        delta >>= -t->tsc_shift;
    else
        delta <<= t->tsc_shift;
    return (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
}

uint64_t now_of(unsigned int vcpu)
{
    const volatile struct vcpu_time_info *t = &vcpu_info(vcpu)->time;
    uint32_t version;
    uint64_t ns;

    do {
        version = t->version;
        barrier();
        ns = t->system_time + scale(rdtsc() - t->tsc_timestamp, t);
        barrier();
    } while ((version & 1) || version != t->version);
    return ns;
}

uint64_t now(void)
{
    return now_of(0);
}

void spin_ns(uint64_t ns)
{
    uint64_t end = now() + ns;

    while (now() < end)
        __asm__ volatile("pause");
}
