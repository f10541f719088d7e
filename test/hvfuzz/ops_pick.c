/* SPDX-License-Identifier: MIT */
/* Which frame, entry, address, domain does a byte stand for? */
#include "ops_pick.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/domain.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/page.h"
#include "guest.h"
#include "machine.h"
#include "pv/pv.h"

u8 pick_byte(struct pick *p)
{
    if (p->left == 0)
        return 0;
    p->left--;
    return *p->arg++;
}

void pick_say(struct pick *p, const char *f, ...)
{
    char text[200];
    va_list ap;

    (void)p;
    va_start(ap, f);
    vsnprintf(text, sizeof(text), f, ap);
    va_end(ap);
    machine_note("  cpu%u d%uv%u: %s\n", machine_cpu(), vcpu_current()->domain->id,
                 vcpu_current()->id, text);
}

u32 pick_slot(struct pick *p)
{
    u8 b = pick_byte(p);

    if (b < 0xa0)
        return GUEST_DATA + b % 6;
    if (b < 0xc0)
        return 4 + (b & 1);
    return b % GUEST_SLOTS;
}

u64 pick_slot_mfn(u32 slot)
{
    const struct guest *g = guest_current();

    return slot < g->nr ? g->mfn[slot] : MACHINE_FRAMES;
}

/* Frames a guest has no business with, or of a special kind. */
static u64 odd_frame(u8 b)
{
    const struct domain *d = vcpu_current()->domain;
    const struct guest *other = guest_of((d->id + 1u + (b >> 4)) % GUEST_MAX);

    switch (b & 15) {
    case 0:
        return maddr_to_mfn(hmap_direct_to_maddr(d->shared_info)).v;
    case 1:
        return d->pv ? d->pv->perdomain_l3.v : 2;
    case 2:
        return MACHINE_IO + (b >> 4);
    case 3:
        return MACHINE_FRAMES - 1;
    case 4:
        return MACHINE_FRAMES;
    case 5:
        return 5; /* low memory */
    case 6:
        return 300; /* free, or the machine-to-phys table's */
    case 7:
        return 0;
    case 8:
        return PTE_ADDR >> PAGE_SHIFT;
    case 9:
        return grant_frame(d, 0).v;
    case 10:
        d = domain_lookup((domid_t)((d->id + 1u + (b >> 4)) % GUEST_MAX));
        return d && d->grants && grant_frames(d) != 0 ? grant_frame(d, 0).v : 6;
    default:
        return other->nr ? other->mfn[GUEST_DATA + b % 7] : 6;
    }
}

static u64 frame(u32 slot, u8 odd)
{
    u64 mfn = pick_slot_mfn(slot);

    return mfn < MACHINE_FRAMES ? mfn : odd_frame(odd);
}

u64 pick_mfn(struct pick *p)
{
    u8 b = pick_byte(p);

    if (b < 0x80)
        return frame(GUEST_DATA + b % 6, b);
    if (b < 0xc0)
        return frame(GUEST_DATA + b % (GUEST_SLOTS - GUEST_DATA), b);
    if (b < 0xe0)
        return frame(b % GUEST_DATA, b);
    return odd_frame(pick_byte(p));
}

u64 pick_table(struct pick *p)
{
    u8 b = pick_byte(p);

    if (b < 0x60)
        return frame(GUEST_DATA + b % 6, b);
    if (b < 0xa0)
        return frame(4 + (b & 1), b);
    if (b < 0xe8)
        return frame(b % 7, b);
    return odd_frame(pick_byte(p));
}

u64 pick_index(struct pick *p)
{
    static const u16 some[16] = {0, 1, 2, 3, 255, 256, 260, 271, 272, 273, 511, 13, 14, 15, 16, 17};
    u8 b = pick_byte(p);

    return b < 0xc0 ? some[b & 15] : GUEST_DATA + (b & 63);
}

u64 pick_entry(struct pick *p)
{
    static const u64 odd[16] = {0,    0x64, 0x63,  0x27, 0x05,          0x07,          0xe7, 0x167,
                                0x77, 0x6f, 0x867, 0x66, PTE_NX | 0x67, PTE_NX | 0x65, 0x7f, 0x01};
    u64 mfn = pick_mfn(p) & (PTE_ADDR >> PAGE_SHIFT);
    u8 b = pick_byte(p);

    return mfn << PAGE_SHIFT | (b < 0x80 ? 0x67 : b < 0xc0 ? 0x65 : odd[b & 15]);
}

u64 pick_va(struct pick *p)
{
    static const u64 odd[8] = {0,
                               0x1000,
                               HV_VIRT_START,
                               HV_VIRT_END - PAGE_SIZE,
                               PERDOMAIN_BASE,
                               0x0000800000000000,
                               ~0ul << PAGE_SHIFT,
                               M2P_RO_BASE};
    u8 b = pick_byte(p);

    if (b < 0x60)
        return GUEST_VA(512 + b % 8);
    if (b < 0xd0)
        return GUEST_VA(GUEST_DATA + b % 7);
    if (b < 0xf0)
        return GUEST_VA(b % GUEST_SLOTS);
    return odd[b & 7];
}

u32 pick_domid(struct pick *p)
{
    static const u16 odd[8] = {DOMID_SELF,    DOMID_IO, DOMID_XEN, DOMID_SELF,
                               DOMID_INVALID, 5,        DOMID_COW, DOMID_IDLE};
    u8 b = pick_byte(p);

    return b < 0xc0 ? b % GUEST_MAX : odd[b & 7];
}

u32 pick_port(struct pick *p)
{
    const struct evtchn_domain *e = vcpu_current()->domain->evt;
    u8 b = pick_byte(p);
    u32 port = 0, i;

    if (b >= 0xe0)
        return b < 0xf8 ? b % 12 : b < 0xfc ? 4095 : 5000;
    for (i = 0; i <= b % 6u; i++) {
        port = evtchn_next(e, port + 1);
        if (port == 0)
            port = i == 0 ? 1 : evtchn_next(e, 1);
    }
    return port;
}

bool pick_unbound(struct pick *p, u32 *id, u32 *port)
{
    u16 me = vcpu_current()->domain->id;
    u8 b = pick_byte(p);
    const struct domain *d;
    evtchn_word_t w;
    u32 i;

    for (i = 0; i < GUEST_MAX; i++) {
        *id = (b + i) % GUEST_MAX;
        d = domain_lookup((domid_t)*id);
        for (*port = 1; d && d->evt && (*port = evtchn_next(d->evt, *port)) != 0; ++*port) {
            w = evtchn_read(d->evt, *port);
            if (evtchn_state(w) == EVTCHN_UNBOUND && evtchn_dom(w) == me)
                return true;
        }
    }
    return false;
}

bool pick_granted(struct pick *p, u32 *id, u32 *ref)
{
    u16 me = vcpu_current()->domain->id;
    const grant_entry_v1_t *e;
    u8 b = pick_byte(p);
    const struct domain *d;
    u32 i;

    for (i = 0; i < 8 * GUEST_MAX; i++) {
        *id = (b + i / 8) % GUEST_MAX;
        *ref = (b / GUEST_MAX + i) % 8;
        d = domain_lookup((domid_t)*id);
        if (!d || !d->grants || d->teardown || grant_frames(d) == 0)
            continue;
        e = hmap_direct(mfn_to_maddr(grant_frame(d, 0)));
        if ((e[*ref].flags & GTF_type_mask) == GTF_permit_access && e[*ref].domid == me)
            return true;
    }
    return false;
}

u32 pick_handle(struct pick *p)
{
    const struct maptrack *m = grant_handles(vcpu_current()->domain);
    u8 b = pick_byte(p);
    u32 i;

    for (i = 0; b < 0xe0 && i < MIN(m->nr, 64u); i++)
        if (maptrack_entry(m, (b + i) % MIN(m->nr, 64u))->flags)
            return (b + i) % MIN(m->nr, 64u);
    return b % 5;
}
