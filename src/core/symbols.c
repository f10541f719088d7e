/* SPDX-License-Identifier: MIT */
/*
 * Which function does an address belong to? Binary search in a table sorted by address. The last
 * entry has no function: it is the end of the code.
 */
#include "core/symbols.h"

#include "arch/layout.h"
#include "base/lib.h"
#include "core/console.h"

/* Generated: addresses are offsets from IMAGE_BASE, names are NUL-terminated strings. */
extern const u32 symbols_count;
extern const u32 symbols_addr[];
extern const u32 symbols_name_off[];
extern const char symbols_names[];

bool symbols_find(u64 addr, struct symbol *out)
{
    u64 off = addr - IMAGE_BASE;
    u32 lo = 0, hi = symbols_total(), mid;

    if (hi == 0 || off < symbols_addr[0] || off >= symbols_addr[hi])
        return false;
    /* symbols_addr[lo] <= off < symbols_addr[hi] */
    while (hi - lo > 1) {
        mid = lo + (hi - lo) / 2;
        if (symbols_addr[mid] <= off)
            lo = mid;
        else
            hi = mid;
    }
    out->name = symbols_names + symbols_name_off[lo];
    out->start = IMAGE_BASE + symbols_addr[lo];
    out->size = symbols_addr[lo + 1] - symbols_addr[lo];
    return true;
}

u32 symbols_total(void)
{
    return symbols_count ? symbols_count - 1 : 0;
}

void console_symbol(u64 addr, char *buf, size_t size)
{
    struct symbol s;

    if (symbols_find(addr, &s))
        fmt_snprintf(buf, size, "%s+0x%lx/0x%x", s.name, addr - s.start, s.size);
    else
        str_copy(buf, "?", size);
}
