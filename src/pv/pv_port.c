/* SPDX-License-Identifier: MIT */
/*
 * What happens when a PV guest touches an I/O port?
 *
 * The instruction always faults (hardware IOPL is 0). Ring rights come first: the vCPU's virtual
 * IOPL, then the I/O bitmap its kernel registered. Then the domain's: a granted range is accessed
 * directly. Else the access is taken apart into what is emulated - PCI configuration cycles with
 * the vCPU's own address register, the CMOS index pair, channel 2 of the timer - and the rest,
 * which reads as ones. The timer has to count for real: kernels wait for its output. Left out: the
 * interrupt controller, timer channels 0 and 1, byte writes to parts of the PCI address register.
 */
#include "pv/pv_port.h"

#include "arch/insn.h"
#include "arch/pci.h"
#include "arch/serial.h"
#include "base/lib.h"
#include "core/guestmem.h"
#include "pure/pit2.h"
#include "pv/pv.h"
#include "pv/pv_insn.h"

#define PORT_CMOS_INDEX 0x70
#define PORT_CMOS_DATA  0x71
#define PORT_PCI_ADDR   0xcf8
#define PORT_RESET      0xcf9
#define PORT_PCI_DATA   0xcfc

STATIC_ASSERT(sizeof(struct pit2) <= sizeof(((struct pv_domain *)NULL)->pit2_state),
              "the timer fits its place in struct pv_domain");

/* CMOS index and data are two accesses that belong together; so is the timer's state. */
static struct lock device_lock = LOCK_INIT(RANK_IRQ);

static const struct range denied[] = {
    {0x20, 0x22},
    {0xa0, 0xa2}, /* interrupt controllers */
    {0x40, 0x44},
    {PIT2_PORT_GATE, PIT2_PORT_GATE + 1}, /* timer */
    {0x70, 0x72},                         /* CMOS */
    {PORT_PCI_ADDR, PORT_PCI_DATA + 4},   /* PCI configuration */
};

static bool deny(struct range_set *s, u64 start, u64 end)
{
    return range_remove(s, start, end) == 0;
}

void pv_port_dom0_caps(struct domain *d)
{
    bool ok = range_add(d->ioports, 0, 0x10000) == 0;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(denied); i++)
        ok &= deny(d->ioports, denied[i].start, denied[i].end);
    ok &= range_add(d->ioports, PORT_RESET, PORT_RESET + 1) == 0;
    for (i = 0; i < 0x10000; i++)
        if (serial_owns_port((u16)i))
            ok &= deny(d->ioports, i, (u64)i + 1);
    if (!ok)
        log_msg(LOG_ERR, "dom%u: I/O port rights do not fit", d->id);
}

static bool granted(const struct domain *d, u16 port, u32 size)
{
    return range_contains(d->ioports, port, (u64)port + size);
}

static u32 direct_read(u16 port, u32 size)
{
    return size == 1 ? insn_inb(port) : size == 2 ? insn_inw(port) : insn_inl(port);
}

static void direct_write(u16 port, u32 size, u32 val)
{
    if (size == 1)
        insn_outb(port, (u8)val);
    else if (size == 2)
        insn_outw(port, (u16)val);
    else
        insn_outl(port, val);
}

static u8 cmos_read(u8 index)
{
    u8 val;

    lock_acquire(&device_lock);
    insn_outb(PORT_CMOS_INDEX, index);
    val = insn_inb(PORT_CMOS_DATA);
    lock_release(&device_lock);
    return val;
}

static void cmos_write(u8 index, u8 val)
{
    lock_acquire(&device_lock);
    insn_outb(PORT_CMOS_INDEX, index);
    insn_outb(PORT_CMOS_DATA, val);
    lock_release(&device_lock);
}

/* The domain's own timer channel; val: NULL reads. */
static u8 timer_access(struct domain *d, u16 port, const u8 *val)
{
    struct pit2 p;
    u8 got = 0;

    lock_acquire(&device_lock);
    memcpy(&p, d->pv->pit2_state, sizeof(p));
    if (val)
        pit2_write(&p, port, *val);
    else
        got = pit2_read(&p, port);
    memcpy(d->pv->pit2_state, &p, sizeof(p));
    lock_release(&device_lock);
    return got;
}

/* One byte of a port that is not granted as a whole. */
static u8 read_byte(struct vcpu *v, u16 port)
{
    struct domain *d = v->domain;

    if (granted(d, port, 1))
        return insn_inb(port);
    if (pit2_owns(port))
        return timer_access(d, port, NULL);
    if (d->privileged && port == PORT_CMOS_INDEX)
        return (u8)d->pv->cmos_index;
    if (d->privileged && port == PORT_CMOS_DATA)
        return cmos_read((u8)d->pv->cmos_index);
    if (d->privileged && (port & ~3u) == PORT_PCI_ADDR)
        return (u8)(v->pv->pci_cf8 >> (port & 3) * 8);
    return 0xff;
}

static void write_byte(struct vcpu *v, u16 port, u8 val)
{
    struct domain *d = v->domain;

    if (granted(d, port, 1))
        insn_outb(port, val);
    else if (pit2_owns(port))
        (void)timer_access(d, port, &val);
    else if (d->privileged && port == PORT_CMOS_INDEX)
        d->pv->cmos_index = val & 0x7f; /* bit 7 would mask the machine's NMIs */
    else if (d->privileged && port == PORT_CMOS_DATA)
        cmos_write((u8)d->pv->cmos_index, val);
}

/* PCI data port: the offset of an access in it, when all of it is inside. */
static bool pci_data(const struct domain *d, u16 port, u32 size)
{
    return d->privileged && port >= PORT_PCI_DATA && port + size <= PORT_PCI_DATA + 4;
}

/* One access of size 1, 2 or 4 by v's domain; no rights of the vCPU are checked. */
static u32 port_read(struct vcpu *v, u16 port, u32 size)
{
    struct domain *d = v->domain;
    u32 val = 0, i;

    if (pci_data(d, port, size)) /* the most frequent by far */
        return pci_cycle_read(v->pv->pci_cf8, port - PORT_PCI_DATA, size);
    if (granted(d, port, size))
        return direct_read(port, size);
    if (port == PORT_PCI_ADDR && size == 4 && d->privileged)
        return v->pv->pci_cf8;
    for (i = 0; i < size; i++)
        val |= (u32)read_byte(v, (u16)(port + i)) << (8 * i);
    return val;
}

static void port_write(struct vcpu *v, u16 port, u32 size, u32 val)
{
    struct domain *d = v->domain;
    u32 i;

    if (port == PORT_PCI_ADDR && size == 4 && d->privileged) {
        v->pv->pci_cf8 = val;
    } else if (pci_data(d, port, size)) {
        pci_cycle_write(v->pv->pci_cf8, port - PORT_PCI_DATA, size, val);
    } else if (granted(d, port, size)) {
        direct_write(port, size, val);
    } else {
        for (i = 0; i < size; i++)
            write_byte(v, (u16)(port + i), (u8)(val >> (8 * i)));
    }
}

/* Ring rights: kernel at IOPL 1 and up, user at 3; else the I/O bitmap. */
static bool port_allowed(const struct pv_vcpu *pv, u16 port, u32 size)
{
    u16 bits = 0xffff;
    bool ok;

    if (pv->iopl >= (pv->kernel_mode ? 1u : 3u))
        return true;
    if (!pv->iobitmap || port + size > pv->iobitmap_ports)
        return false;
    /* The bitmap is the kernel's memory, which user mode's tables need not map. */
    if (!pv->kernel_mode)
        insn_write_cr3(pv->cr3_kernel);
    /* Two bytes hold the bits of any access; the bitmap's last byte has no second. */
    ok = guestmem_copy_in(&bits, (const u8 *)pv->iobitmap + port / 8,
                          port / 8 + 2u <= (pv->iobitmap_ports + 7) / 8 ? 2 : 1);
    if (!pv->kernel_mode)
        insn_write_cr3(pv->cr3_user);
    if (!ok)
        return false;
    return !(bits >> (port & 7) & ((1u << size) - 1));
}

/* String instructions: elements done per fault; then the guest's events get a chance. */
#define STRING_BYTES 256

struct string_io {
    u16 port;
    u32 size;
    u32 count; /* elements of this round, 1 or more */
    u64 addr;
    bool down; /* DF */
};

/* Delivers the fault of a round's memory: an element may hang over into the next page. */
static void string_fault(struct cpu_regs *regs, const struct string_io *s, u32 error)
{
    u64 next = (s->addr | ~PAGE_MASK) + 1, first = next - s->addr;
    u8 buf[8];

    if (first < s->size && guestmem_copy_in(buf, (const void *)s->addr, first) &&
        (!error || guestmem_copy_out((void *)s->addr, buf, first)))
        pv_inject_pf(regs, next, error);
    else
        pv_inject_pf(regs, s->addr, error);
}

static bool string_in(struct cpu_regs *regs, const struct string_io *s)
{
    struct vcpu *v = vcpu_current();
    u8 buf[STRING_BYTES];
    u32 i, val, n = s->count * s->size;

    /* A device's data is gone once read: see first that there is a place for it. */
    if (!guestmem_copy_in(buf, (const void *)s->addr, n) ||
        !guestmem_copy_out((void *)s->addr, buf, n)) {
        string_fault(regs, s, PFEC_WRITE);
        return false;
    }
    for (i = 0; i < s->count; i++) {
        val = port_read(v, s->port, s->size);
        memcpy(buf + i * s->size, &val, s->size);
    }
    if (!guestmem_copy_out((void *)s->addr, buf, n)) {
        string_fault(regs, s, PFEC_WRITE);
        return false;
    }
    return true;
}

static bool string_out(struct cpu_regs *regs, const struct string_io *s)
{
    struct vcpu *v = vcpu_current();
    u8 buf[STRING_BYTES];
    u32 i, val;

    if (!guestmem_copy_in(buf, (const void *)s->addr, s->count * s->size)) {
        string_fault(regs, s, 0);
        return false;
    }
    for (i = 0; i < s->count; i++) {
        val = 0;
        memcpy(&val, buf + i * s->size, s->size);
        port_write(v, s->port, s->size, val);
    }
    return true;
}

/* A register that counts or points: cut to the address size, whose upper part a write clears. */
static u64 addr_reg(u64 val, u8 asize)
{
    return asize == 8 ? val : asize == 4 ? (u32)val : (u16)val;
}

static void addr_reg_add(u64 *r, u8 asize, u64 delta)
{
    u64 val = addr_reg(*r + delta, asize);

    *r = asize == 2 ? (*r & ~(u64)0xffff) | val : val;
}

/* True: the instruction is done. False: a fault was delivered (*fault), or elements are left. */
static bool emulate_string(struct cpu_regs *regs, const struct x86_insn *in, bool *fault)
{
    bool rep = in->prefix & (X86_PFX_REP | X86_PFX_REPNE), input = in->opcode < 0x6e;
    u64 *ptr = input ? &regs->rdi : &regs->rsi, left = addr_reg(regs->rcx, in->asize), delta;
    u32 room;
    struct string_io s = {.port = (u16)regs->rdx, .size = in->width > 4 ? 4 : in->width};

    if (rep && left == 0)
        return true;
    s.down = regs->rflags & RFLAGS_DF;
    s.addr = addr_reg(*ptr, in->asize);
    if (!input && in->seg == X86_SEG_FS)
        s.addr += insn_rdmsr(MSR_FS_BASE);
    else if (!input && in->seg == X86_SEG_GS)
        s.addr += insn_rdmsr(MSR_GS_BASE);
    /* A round ends with its page, so that what comes before a bad one is done. */
    room = (u32)(PAGE_SIZE - (s.addr & ~PAGE_MASK));
    s.count = rep && !s.down ? (u32)MIN(left, MIN(STRING_BYTES, room) / s.size) : 1;
    if (!s.count || regs->rflags & RFLAGS_TF) /* each element is a step */
        s.count = 1;
    if (!va_canonical(s.addr) || pv_range_is_hv(s.addr, s.size)) {
        *fault = true;
        pv_inject(regs, TRAP_GP, 0);
        return false;
    }
    /* The page fault is what the guest gets; the registers still say how far it came. */
    *fault = !(input ? string_in(regs, &s) : string_out(regs, &s));
    if (*fault)
        return false;
    delta = (u64)s.count * s.size;
    addr_reg_add(ptr, in->asize, s.down ? -delta : delta);
    if (rep)
        addr_reg_add(&regs->rcx, in->asize, -(u64)s.count);
    return !rep || left == s.count;
}

bool pv_port_emulate(struct cpu_regs *regs, const struct x86_insn *in)
{
    struct vcpu *v = vcpu_current();
    bool imm = in->opcode < 0xe8, done = true, fault = false;
    u32 size = in->width > 4 ? 4 : in->width;
    u16 port = (u16)regs->rdx;

    if (in->opcode >= 0xe4 && imm)
        port = (u8)in->imm;
    if (!port_allowed(v->pv, port, size))
        return false;
    if (in->opcode < 0x70) {
        done = emulate_string(regs, in, &fault);
    } else if (in->opcode & 2) {
        port_write(v, port, size,
                   (u32)(size == 4 ? regs->rax : regs->rax & ((1u << (8 * size)) - 1)));
    } else {
        u32 val = port_read(v, port, size);

        if (size == 4)
            regs->rax = val;
        else
            regs->rax = (regs->rax & ~(u64)(size == 1 ? 0xff : 0xffff)) | val;
    }
    if (done)
        pv_insn_skip(regs, in->len);
    if (!fault)
        pv_insn_step(regs);
    return true;
}
