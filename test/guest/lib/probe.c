/* SPDX-License-Identifier: MIT */
/* What did a few bytes of code do? They are run in kernel or user mode, the outcome put in words.
 */
#include "guest.h"

static uint8_t probe_stack[8192] __attribute__((aligned(4096)));

const char *vector_name(int vector)
{
    static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "9",   "#TS", "#NP", "#SS", "#GP",
                                        "#PF", "15",  "#MF", "#AC", "#MC", "#XM"};

    switch (vector) {
    case VECTOR_EVENT:
        return "event";
    case VECTOR_FAILSAFE:
        return "failsafe";
    case VECTOR_SYSCALL:
        return "syscall";
    case VECTOR_SYSCALL32:
        return "syscall32";
    case VECTOR_NMI_CB:
        return "NMI callback";
    default:
        if (vector < 0)
            return "none";
        return (unsigned int)vector < ARRAY_SIZE(names) ? names[vector] : text("%d", vector);
    }
}

/* An address that is the same in every build of the test: what lies in the image, by its offset. */
static const char *address_text(uint64_t va)
{
    if (va >= (uint64_t)code_page && va < (uint64_t)code_page + PAGE_SIZE)
        return text("code+%lx", va - (uint64_t)code_page);
    if (va >= USER_DATA && va < USER_DATA + PAGE_SIZE)
        return text("code+%lx", va - USER_DATA);
    if (va >= VIRT_BASE && va < VIRT_BASE + (1ul << 30))
        return text("page+%lx", va & (PAGE_SIZE - 1));
    return text("%lx", va);
}

const char *outcome_of(const struct frame *f, int vector, uint64_t start, unsigned int len)
{
    const char *rip = "";

    if (vector == VECTOR_BP && f->rip == start + len + 1)
        return "done";
    if (f->rip != start)
        rip = f->rip - start < PAGE_SIZE ? text(" +%lu", f->rip - start)
                                         : text(" rip %s", address_text(f->rip));
    if (vector == VECTOR_PF)
        return text("#PF(%lx) %s%s", f->error, address_text(fault.cr2), rip);
    if ((vector >= 10 && vector <= 14) || vector == VECTOR_AC || vector == VECTOR_DF)
        return text("%s(%lx)%s", vector_name(vector), f->error, rip);
    return text("%s%s", vector_name(vector), rip);
}

const char *probe(struct frame *f, const void *code, unsigned int len)
{
    memcpy(code_page, code, len);
    code_page[len] = 0xcc;
    f->rip = (uint64_t)code_page;
    f->cs = FLAT_KERNEL_CS & ~3;
    f->ss = FLAT_KERNEL_SS;
    f->rflags |= 2;
    if (f->rsp == 0)
        f->rsp = (uint64_t)probe_stack + sizeof(probe_stack) - 256;
    return outcome_of(f, run_frame(f), (uint64_t)code_page, len);
}

const char *probe_user(const struct user_space *u, struct frame *f, const void *code,
                       unsigned int len)
{
    memcpy(u->data, code, len);
    ((uint8_t *)u->data)[len] = 0xcc;
    f->rip = USER_DATA;
    f->cs = FLAT_USER_CS;
    f->ss = FLAT_USER_SS;
    f->rflags |= 2;
    if (f->rsp == 0)
        f->rsp = USER_STACK;
    return outcome_of(f, run_frame(f), USER_DATA, len);
}
