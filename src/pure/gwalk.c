/* SPDX-License-Identifier: MIT */
/*
 * Where does a guest's virtual address lead? One loop over a table of levels serves 32-bit, PAE and
 * long mode; the rights of all levels are combined and checked at the end.
 */
#include "pure/gwalk.h"

#define CR0_PG   (1ul << 31)
#define CR0_WP   (1ul << 16)
#define CR4_PSE  (1ul << 4)
#define CR4_PAE  (1ul << 5)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)
#define EFER_LMA (1ul << 10)
#define EFER_NX  (1ul << 11)

#define E_P    1ul
#define E_RW   2ul
#define E_US   4ul
#define E_PS   (1ul << 7)
#define E_NX   (1ul << 63)
#define E_ADDR 0x000ffffffffff000ul
#define PFEC_P 1u
#define PFEC_R 8u

/* One paging mode: how many levels, how wide an index, how large an entry. */
struct shape {
    u8 levels, bits, entry;
};

static const struct shape *shape_of(const struct gwalk_mode *m)
{
    static const struct shape legacy = {2, 10, 4}, pae = {3, 9, 8}, lm = {4, 9, 8};

    if (m->efer & EFER_LMA)
        return &lm;
    return m->cr4 & CR4_PAE ? &pae : &legacy;
}

static bool large_allowed(const struct gwalk_mode *m, const struct shape *s, unsigned int level)
{
    if (s->entry == 4)
        return level == 2 && m->cr4 & CR4_PSE;
    return level == 2 || (level == 3 && s->levels == 4);
}

/* Rights of the whole walk against the access; true: allowed. */
static bool allowed(const struct gwalk_mode *m, u64 rights, u64 nx, u32 access)
{
    bool user_page = rights & E_US, user = access & GWALK_USER;

    if (user && !user_page)
        return false;
    if (access & GWALK_WRITE && !(rights & E_RW) && (user || m->cr0 & CR0_WP))
        return false;
    if (access & GWALK_INSN && (nx || (!user && user_page && m->cr4 & CR4_SMEP)))
        return false;
    if (!(access & GWALK_INSN) && !user && user_page && m->cr4 & CR4_SMAP && !m->ac)
        return false;
    return true;
}

static u64 table_base(const struct gwalk_mode *m, const struct shape *s)
{
    if (s->levels == 4)
        return m->cr3 & E_ADDR;
    return m->cr3 & (s->levels == 3 ? 0xffffffe0ul : 0xfffff000ul);
}

bool gwalk_translate(const struct gwalk_mode *m, u64 va, u32 access, gwalk_read_fn read, void *ctx,
                     u64 *gpa, u32 *pfec)
{
    const struct shape *s = shape_of(m);
    u64 table, e, rights = E_RW | E_US, nx = 0, span;
    unsigned int level, shift;

    *pfec = access & ~(m->efer & EFER_NX || m->cr4 & CR4_SMEP ? 0 : GWALK_INSN);
    if (!(m->cr0 & CR0_PG)) {
        *gpa = (u32)va;
        return true;
    }
    if (s->levels != 4)
        va = (u32)va;
    else if (!va_canonical(va))
        return false;
    table = table_base(m, s);
    for (level = s->levels;; level--) {
        shift = PAGE_SHIFT + (level - 1u) * s->bits;
        e = 0;
        if (!read(ctx, table + (va >> shift & ((1u << s->bits) - 1)) * s->entry, &e, s->entry) ||
            !(e & E_P))
            return false;
        if (s->entry == 8 && e & E_NX) {
            if (!(m->efer & EFER_NX)) {
                *pfec |= PFEC_P | PFEC_R;
                return false;
            }
            nx = 1;
        }
        if (s->levels != 3 || level != 3) /* PAE's top entries carry no rights */
            rights &= e;
        if (level == 1 || (e & E_PS && large_allowed(m, s, level)))
            break;
        table = s->entry == 8 ? e & E_ADDR : e & 0xfffff000ul;
    }
    if (!allowed(m, rights, nx, access)) {
        *pfec |= PFEC_P;
        return false;
    }
    span = ((u64)1 << shift) - 1;
    if (s->entry == 4 && level == 2) /* PSE-36: bits 13 to 20 are address bits 32 to 39 */
        *gpa = (e & 0xffc00000ul) | (e & 0x1fe000ul) << 19 | (va & span);
    else
        *gpa = (e & E_ADDR & ~span) | (va & span);
    return true;
}
