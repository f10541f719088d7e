/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs do everything that changes a frame's use to the same few frames, at random and without
 * ever flushing: pin and unpin, entries of every level, mappings, descriptor tables, page helpers,
 * grants to oneself, mapped, copied and ended, exchanges that fail, frames given back and taken
 * anew; and they store page-table entries, also
 * ones that no check would pass, through whatever their TLBs still know. Now and then a table is
 * made and looked at: nothing of that may be in it. Afterwards the hypervisor's own audit recounts
 * everything: a reference too many or too few is an error there.
 */
#include "guest.h"

#include <xen/sysctl.h>

#define FRAMES  12
#define WINDOWS 6 /* per vCPU, and one to look through */
#define SECONDS 4
#define JUNK    MKPTE(0xfffffffffeul, PTE_RWP) /* in no table: there is no such frame */

static volatile uint64_t frames[FRAMES];
static uint64_t *windows_l1;
static volatile bool second_up, second_done;
static uint64_t done_ops[2], looked[2], found[2];
static unsigned int unpin_lock; /* who holds it may rely on a table to stay pinned */

#define WINDOW(cpu, i) ((uint64_t *)(0xffff960000000000ul + (((cpu)*64 + (i)) << 12)))

struct random {
    uint64_t s;
    unsigned int cpu;
};

static unsigned int pick(struct random *r, unsigned int n)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return (unsigned int)((r->s >> 20) % n);
}

static uint64_t any_frame(struct random *r)
{
    return frames[pick(r, FRAMES)];
}

static uint64_t any_entry(struct random *r)
{
    static const uint64_t flags[] = {0, 0, 0, PTE_ROP, PTE_RWP, PTE_RWP, PTE_RWP | PTE_NX};

    return MKPTE(any_frame(r), flags[pick(r, ARRAY_SIZE(flags))]);
}

static uint64_t any_slot(struct random *r, uint64_t mfn)
{
    static const unsigned int slots[] = {0, 1, 7, 8, 63, 255, 256, 260, 271, 272, 510, 511};

    return (mfn << 12) + slots[pick(r, ARRAY_SIZE(slots))] * 8;
}

/* The same frame twice: the exchange fails after it took the first. */
static void failing_exchange(struct random *r)
{
    uint64_t mfn = any_frame(r), in[2] = {mfn, mfn}, out[2] = {0, 0};
    struct xen_memory_exchange x;

    memset(&x, 0, sizeof(x));
    x.in.domid = x.out.domid = DOMID_SELF;
    x.in.nr_extents = 2;
    x.out.nr_extents = 1;
    x.out.extent_order = 1;
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    hypercall2(__HYPERVISOR_memory_op, XENMEM_exchange, (uint64_t)&x);
}

/* Give a frame back, mapped or not, and get another. */
static void replace(struct random *r)
{
    unsigned int i = pick(r, FRAMES);
    uint64_t mfn = frames[i];
    struct xen_memory_reservation m;

    memset(&m, 0, sizeof(m));
    m.domid = DOMID_SELF;
    m.nr_extents = 1;
    set_xen_guest_handle(m.extent_start, &mfn);
    /* One that is not ours any more was given back while something held it. */
    if (hypercall2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&m) != 1 &&
        M2P[mfn] != ~0ul)
        return;
    mfn = 0x100000 + i;
    if (hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&m) == 1)
        frames[i] = mfn;
}

/* Grants of the frames to oneself; a handle is anybody's to end. */
static grant_entry_v1_t *grants;
static volatile uint32_t handles[FRAMES];

static void grant_map(struct random *r)
{
    unsigned int i = pick(r, FRAMES);
    struct gnttab_map_grant_ref m = {.ref = 8 + i};

    if (!(grants[8 + i].flags & (GTF_reading | GTF_writing)))
        grants[8 + i].frame = (uint32_t)any_frame(r);
    m.host_addr = (uint64_t)WINDOW(r->cpu, pick(r, WINDOWS));
    m.flags = GNTMAP_host_map | (pick(r, 2) ? GNTMAP_readonly : 0);
    if (hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)&m, 1) == 0 &&
        m.status == GNTST_okay)
        handles[pick(r, FRAMES)] = m.handle;
}

static void grant_unmap(struct random *r)
{
    struct gnttab_unmap_grant_ref u = {.handle = handles[pick(r, FRAMES)]};
    unsigned int i;

    for (i = 0; i < WINDOWS; i++) {
        u.host_addr = (uint64_t)WINDOW(r->cpu, i);
        hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)&u, 1);
        if (u.status == GNTST_okay || u.status == GNTST_bad_handle)
            return;
    }
}

static void grant_copy(struct random *r)
{
    struct gnttab_copy c = {.len = 64, .flags = pick(r, 4)};

    c.source.domid = c.dest.domid = DOMID_SELF;
    if (c.flags & GNTCOPY_source_gref)
        c.source.u.ref = 8 + pick(r, FRAMES);
    else
        c.source.u.gmfn = any_frame(r);
    if (c.flags & GNTCOPY_dest_gref)
        c.dest.u.ref = 8 + pick(r, FRAMES);
    else
        c.dest.u.gmfn = any_frame(r);
    hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&c, 1);
}

static void grants_init(void)
{
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    static xen_pfn_t frame;
    unsigned int i;

    set_xen_guest_handle(s.frame_list, &frame);
    hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&s, 1);
    grants = page_alloc();
    check_eq("grant table", va_set(grants, MKPTE(frame, PTE_RWP), UVMF_INVLPG), 0);
    for (i = 0; i < FRAMES; i++) {
        grants[8 + i].frame = (uint32_t)frames[i];
        grants[8 + i].domid = 0;
        barrier();
        grants[8 + i].flags = GTF_permit_access;
        handles[i] = ~0u;
    }
}

static void store(struct random *r)
{
    uint64_t *va = WINDOW(r->cpu, pick(r, WINDOWS)) + pick(r, 512);
    uint64_t v = pick(r, 3) ? any_entry(r) : JUNK;

    __asm__ volatile(EX("movq %0, (%1)") : : "r"(v), "r"(va) : "memory");
}

static bool try_lock(void)
{
    return __atomic_exchange_n(&unpin_lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static void unlock(void)
{
    __atomic_store_n(&unpin_lock, 0, __ATOMIC_RELEASE);
}

/* Make a table of a frame, store junk wherever our TLB lets us, and look at it. */
static void look(struct random *r)
{
    uint64_t mfn = any_frame(r), *view = WINDOW(r->cpu, WINDOWS);
    unsigned int i;

    if (!try_lock())
        return;
    mmuext(MMUEXT_CLEAR_PAGE, mfn, 0);
    if (table_pin(1, mfn) == 0) {
        for (i = 0; i < 4 * WINDOWS; i++)
            __asm__ volatile(EX("movq %0, (%1)")
                             :
                             : "r"(JUNK), "r"(WINDOW(r->cpu, i % WINDOWS) + pick(r, 512))
                             : "memory");
        if (va_set(view, MKPTE(mfn, PTE_ROP), UVMF_INVLPG) == 0) {
            for (i = 0; i < 512; i++)
                found[r->cpu] += view[i] == JUNK;
            looked[r->cpu]++;
        }
        va_set(view, 0, UVMF_INVLPG);
        table_unpin(mfn);
    }
    unlock();
}

static void swap_in(struct random *r)
{
    uint64_t *va = WINDOW(r->cpu, pick(r, WINDOWS)) + pick(r, 512), v = any_entry(r);

    __asm__ volatile(EX("xchg %0, (%1)") : "+r"(v) : "r"(va) : "memory");
}

static void one(struct random *r)
{
    uint64_t mfn = any_frame(r), entry = any_entry(r);
    void *va = WINDOW(r->cpu, pick(r, WINDOWS));

    switch (pick(r, 40)) {
    case 0 ... 5:
        va_set(va, entry, UVMF_NONE);
        break;
    case 6 ... 11:
        store(r);
        break;
    case 12 ... 13:
        swap_in(r);
        break;
    case 14 ... 16:
        pt_update(any_slot(r, mfn), entry);
        break;
    case 17:
        pt_update(any_slot(r, mfn) | MMU_PT_UPDATE_PRESERVE_AD, entry);
        break;
    case 18 ... 20:
        table_pin(1 + pick(r, 4), mfn);
        break;
    case 21 ... 22:
        if (try_lock()) {
            table_unpin(mfn);
            unlock();
        }
        break;
    case 23:
    case 38:
        look(r);
        break;
    case 24:
        mmuext(MMUEXT_CLEAR_PAGE, mfn, 0);
        break;
    case 25:
        mmuext(MMUEXT_COPY_PAGE, mfn, any_frame(r));
        break;
    case 26:
        mmuext(MMUEXT_NEW_USER_BASEPTR, pick(r, 2) ? mfn : 0, 0);
        break;
    case 27:
        hypercall2(__HYPERVISOR_set_gdt, (uint64_t)&mfn, pick(r, 2) ? 512 : 0);
        break;
    case 28:
        mmuext(MMUEXT_SET_LDT, (uint64_t)va, pick(r, 2) ? 512 : 0);
        break;
    case 29:
        failing_exchange(r);
        break;
    case 30:
        replace(r);
        break;
    case 31 ... 33:
        grant_map(r);
        break;
    case 34 ... 36:
        grant_unmap(r);
        break;
    case 37:
        grant_copy(r);
        break;
    default:
        hypercall2(__HYPERVISOR_update_descriptor, any_slot(r, mfn), 0x00cff3000000ffff);
        break;
    }
    done_ops[r->cpu]++;
}

static void run(unsigned int cpu, uint64_t seed)
{
    struct random r = {.s = seed, .cpu = cpu};
    uint64_t end = now() + SECONDS * 1000000000ul;

    /* A loaded host needs longer for some to succeed. */
    while (now() < end || (looked[cpu] == 0 && now() < end + 3 * SECONDS * 1000000000ul))
        one(&r);
    mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
    mmuext(MMUEXT_SET_LDT, 0, 0);
    hypercall2(__HYPERVISOR_set_gdt, 0, 0);
}

static void second(void *arg)
{
    second_up = true;
    run(1, (uint64_t)arg);
    second_done = true;
    vcpu_stop(1);
}

/* Errors the audit names, as its last line says: "..., N errors"; 0 where there is no audit. */
static unsigned int audit_errors(void)
{
    static char log[65536];
    struct xen_sysctl s;
    char key = 'p', *p, *count = NULL;
    unsigned int n = 0;

    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_debug_keys;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    set_xen_guest_handle(s.u.debug_keys.keys, &key);
    s.u.debug_keys.nr_keys = 1;
    if (hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s) != 0)
        error("debug key");
    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_readconsole;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    set_xen_guest_handle(s.u.readconsole.buffer, log);
    s.u.readconsole.count = sizeof(log) - 1;
    if (hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s) != 0)
        error("read console");
    log[s.u.readconsole.count] = 0;
    for (p = log; *p; p++)
        if (starts_with(p, "held from elsewhere, "))
            count = p + 21;
    for (; count && *count >= '0' && *count <= '9'; count++)
        n = n * 10 + (unsigned int)(*count - '0');
    return n;
}

static uint64_t *table_new(void)
{
    uint64_t *t = page_alloc();

    page_ro(t);
    return t;
}

void test_main(const char *args)
{
    uint64_t *l2 = table_new(), *l3 = table_new(), seed = rdtsc() | 1;
    const char *p;
    unsigned int i;

    for (p = args; *p >= '0' && *p <= '9'; p++)
        seed = (p == args ? 0 : seed * 10) + (uint64_t)(*p - '0');
    windows_l1 = table_new();
    pt_set(&l2[0], MKPTE(va_mfn(windows_l1), PTE_RWP));
    pt_set(&l3[0], MKPTE(va_mfn(l2), PTE_RWP));
    check_eq("windows", pt_set(&((uint64_t *)start_info->pt_base)[300], MKPTE(va_mfn(l3), PTE_RWP)),
             0);
    for (i = 0; i < FRAMES; i++) {
        void *page = page_alloc();

        frames[i] = va_mfn(page);
        page_unmap(page);
    }
    grants_init();
    note("seed %lu", seed);
    check_eq("second vCPU", vcpu_start(1, second, (void *)(seed * 3)), 0);
    while (!second_up)
        sched_op(SCHEDOP_yield, NULL);
    run(0, seed);
    while (!second_done)
        sched_op(SCHEDOP_yield, NULL);
    note("%lu and %lu operations, %lu and %lu tables looked at", done_ops[0], done_ops[1],
         looked[0], looked[1]);
    check(looked[0] + looked[1] > 0, "tables were made");
    check_eq("stores that hit a table", (int64_t)(found[0] + found[1]), 0);
    check_eq("errors in the audit", audit_errors(), 0);
}
