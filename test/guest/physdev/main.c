/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: interrupt lines and messages as pirqs, the IO-APIC's registers, I/O rights, what
 * dom0 says about PCI; each with its refusals. Devices are those of the test machine.
 */
#include "guest.h"

#define BAD_VA ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define IOAPIC 0xfec00000ul

static const uint32_t irqs[] = {0, 1, 2, 9, 16, 23, 24, 255, 1000, 0x7fffffff, 0xffffffff};

static long physdev_op(unsigned long cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_physdev_op, cmd, (uint64_t)arg);
}

static void every_op(void)
{
    unsigned int op;

    for (op = 0; op < 40; op++) {
        value_rc(text("op %u without argument", op), physdev_op(op, NULL));
        value_rc(text("op %u, bad argument", op), physdev_op(op, BAD_VA));
    }
    value_rc("op -1", physdev_op(0xffffffff, NULL));
    value_rc("op 6, high half", physdev_op(1ul << 32 | PHYSDEVOP_set_iopl, NULL));
    value_rc("old physdev_op", hypercall1(__HYPERVISOR_physdev_op_compat, 0));
}

/* ---- I/O rights ---- */

static int in_port(uint16_t port)
{
    uint8_t v;

    fault_take();
    __asm__ volatile(EX("inb %1, %0") : "=a"(v) : "d"(port) : "memory");
    return fault_take();
}

static void io_rights(void)
{
    static const uint32_t levels[] = {0, 1, 2, 3, 4, 255, 0xffffffff};
    static const uint32_t ports[] = {0, 1, 1024, 65535, 65536, 65537, 0xffffffff};
    static uint8_t bitmap[8192];
    struct physdev_set_iopl iopl;
    struct physdev_set_iobitmap map = {.nr_ports = 0};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(levels); i++) {
        iopl.iopl = levels[i];
        value_rc(text("set_iopl %x", levels[i]), physdev_op(PHYSDEVOP_set_iopl, &iopl));
        value(text("port 0x61 after set_iopl %x", levels[i]), "%d", in_port(0x61));
    }
    iopl.iopl = 0;
    physdev_op(PHYSDEVOP_set_iopl, &iopl);
    memset(bitmap, 0xff, sizeof(bitmap));
    set_xen_guest_handle(map.bitmap, bitmap);
    for (i = 0; i < ARRAY_SIZE(ports); i++) {
        map.nr_ports = ports[i];
        value_rc(text("set_iobitmap of %x ports", ports[i]),
                 physdev_op(PHYSDEVOP_set_iobitmap, &map));
    }
    map.nr_ports = 1024;
    set_xen_guest_handle(map.bitmap, (uint8_t *)BAD_VA);
    value_rc("set_iobitmap in the hypervisor", physdev_op(PHYSDEVOP_set_iobitmap, &map));
    value("port 0x61, bitmap in the hypervisor", "%d", in_port(0x61));
    set_xen_guest_handle(map.bitmap, (uint8_t *)0x5ead00000000ul);
    value_rc("set_iobitmap nowhere", physdev_op(PHYSDEVOP_set_iobitmap, &map));
    value("port 0x61, bitmap nowhere", "%d", in_port(0x61));
    set_xen_guest_handle(map.bitmap, (uint8_t *)NULL);
    map.nr_ports = 0;
    check_eq("no bitmap", physdev_op(PHYSDEVOP_set_iobitmap, &map), 0);
    iopl.iopl = 1;
    check_eq("set_iopl 1", physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
}

/* ---- The IO-APIC ---- */

static void ioapic(void)
{
    static const uint32_t regs[] = {0,    1,    2,    3,    0x10, 0x11,
                                    0x12, 0x3e, 0x3f, 0x40, 0xff, 0xffffffff};
    static const uint64_t bases[] = {0, IOAPIC + 4, IOAPIC + 0x1000, 0xfee00000, 0xfed00000, ~0ul};
    struct physdev_apic a = {.apic_physbase = IOAPIC};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        a.reg = regs[i];
        a.value = 0x5a5a5a5a;
        value_rc(text("apic_read %x", regs[i]), physdev_op(PHYSDEVOP_apic_read, &a));
        if (regs[i] < 3)
            value(text("register %x", regs[i]), "%x", a.value);
    }
    a.reg = 1;
    for (i = 0; i < ARRAY_SIZE(bases); i++) {
        a.apic_physbase = bases[i];
        value_rc(text("apic_read at %lx", (unsigned long)bases[i]),
                 physdev_op(PHYSDEVOP_apic_read, &a));
        value_rc(text("apic_write at %lx", (unsigned long)bases[i]),
                 physdev_op(PHYSDEVOP_apic_write, &a));
    }
}

/* ---- Lines ---- */

static long map(int type, int index, int *pirq, unsigned int dom)
{
    struct physdev_map_pirq m = {
        .domid = (domid_t)dom, .type = type, .index = index, .pirq = *pirq, .bus = 0};
    long rc = physdev_op(PHYSDEVOP_map_pirq, &m);

    *pirq = m.pirq;
    return rc;
}

static long map_gsi(int gsi)
{
    int pirq = gsi;

    return map(MAP_PIRQ_TYPE_GSI, gsi, &pirq, DOMID_SELF);
}

static long unmap(int pirq, unsigned int dom)
{
    struct physdev_unmap_pirq u = {.domid = (domid_t)dom, .pirq = pirq};

    return physdev_op(PHYSDEVOP_unmap_pirq, &u);
}

static int bind(uint32_t pirq, uint32_t flags)
{
    struct evtchn_bind_pirq b = {.pirq = pirq, .flags = flags};
    long rc = evtchn_op(EVTCHNOP_bind_pirq, &b);

    return rc < 0 ? (int)rc : (int)b.port;
}

static long setup(int gsi, unsigned int trigger, unsigned int polarity)
{
    struct physdev_setup_gsi s = {
        .gsi = gsi, .triggering = (uint8_t)trigger, .polarity = (uint8_t)polarity};

    return physdev_op(PHYSDEVOP_setup_gsi, &s);
}

static void lines_before(void)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(irqs); i++) {
        struct physdev_irq_status_query q = {.irq = irqs[i], .flags = 0x55};
        struct physdev_irq v = {.irq = irqs[i], .vector = 0};
        struct physdev_eoi e = {.irq = irqs[i]};
        long rc = physdev_op(PHYSDEVOP_irq_status_query, &q);

        value(text("status of %x", irqs[i]), "%ld, %x", rc, rc ? 0 : q.flags);
        value_rc(text("eoi of %x", irqs[i]), physdev_op(PHYSDEVOP_eoi, &e));
        rc = physdev_op(PHYSDEVOP_alloc_irq_vector, &v);
        value(text("vector of %x", irqs[i]), "%ld, %s", rc, v.vector ? "given" : "none");
        value_rc(text("free the vector of %x", irqs[i]), physdev_op(PHYSDEVOP_free_irq_vector, &v));
    }
}

static void setups(void)
{
    static const int bad[] = {-1, 24, 25, 255, 1000, 0x7fffffff, -0x7fffffff - 1};
    unsigned int i;

    value_rc("set up line 20, level, low", setup(20, 1, 1));
    value_rc("set up line 20 again", setup(20, 1, 1));
    value_rc("set up line 20 otherwise", setup(20, 0, 0));
    value_rc("set up line 21, odd values", setup(21, 7, 255));
    value_rc("set up line 9", setup(9, 1, 1));
    value_rc("set up line 1", setup(1, 0, 0));
    for (i = 0; i < ARRAY_SIZE(bad); i++)
        value_rc(text("set up line %d", bad[i]), setup(bad[i], 1, 1));
}

static void lines(void)
{
    struct physdev_irq_status_query q = {.irq = 20};
    struct physdev_eoi e = {.irq = 20};
    static const int bad[] = {-1, 24, 100, 1000, 0x7fffffff};
    unsigned int i;
    int port, pirq = 20;

    value_rc("bind line 20 before it is mapped", bind(20, 0) > 0);
    value_rc("map line 20", map_gsi(20));
    value_rc("map line 20 again", map_gsi(20));
    port = bind(20, BIND_PIRQ__WILL_SHARE);
    check(port > 0, "bind line 20");
    value_rc("bind line 20 again", bind(20, BIND_PIRQ__WILL_SHARE));
    physdev_op(PHYSDEVOP_irq_status_query, &q);
    value("status of line 20", "%x", q.flags);
    value_rc("eoi of line 20", physdev_op(PHYSDEVOP_eoi, &e));
    value_rc("eoi of line 20 again", physdev_op(PHYSDEVOP_eoi, &e));
    value_rc("send to a line's port", evtchn_send((uint32_t)port));
    value_rc("unmap line 20 while bound", unmap(20, DOMID_SELF));
    value_rc("close its port", evtchn_close((uint32_t)port));
    value_rc("unmap line 20", unmap(20, DOMID_SELF));
    value_rc("unmap line 20 again", unmap(20, DOMID_SELF));
    value_rc("eoi of the unmapped", physdev_op(PHYSDEVOP_eoi, &e));
    value_rc("bind the unmapped", bind(20, 0) > 0);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        value_rc(text("map line %d", bad[i]), map_gsi(bad[i]));
        value_rc(text("unmap %d", bad[i]), unmap(bad[i], DOMID_SELF));
    }
    value_rc("map a line for domain 1", map(MAP_PIRQ_TYPE_GSI, 21, &pirq, 1));
    value_rc("map a line for DOMID_IO", map(MAP_PIRQ_TYPE_GSI, 21, &pirq, DOMID_IO));
    value_rc("unmap a line of domain 1", unmap(21, 1));
    pirq = 21;
    value_rc("map a line by domain 0's number", map(MAP_PIRQ_TYPE_GSI, 21, &pirq, 0));
    pirq = -1;
    value_rc("map line 22, any pirq", map(MAP_PIRQ_TYPE_GSI, 22, &pirq, DOMID_SELF));
    note("its pirq is %d", pirq);
    for (i = 2; i < 8; i += i == 2 ? 3 : 1) {
        pirq = -1;
        value_rc(text("map type %u", i), map((int)i, 22, &pirq, DOMID_SELF));
    }
}

/* ---- Messages: 00:1f.2 is the disk controller, 00:00.0 the host bridge, which has none ---- */

static long map_msi(int type, int bus, int devfn, int entry, uint64_t base, int *pirq)
{
    struct physdev_map_pirq m = {.domid = DOMID_SELF,
                                 .type = type,
                                 .index = -1,
                                 .pirq = -1,
                                 .bus = bus,
                                 .devfn = devfn,
                                 .entry_nr = entry,
                                 .table_base = base};
    long rc = physdev_op(PHYSDEVOP_map_pirq, &m);

    *pirq = m.pirq;
    return rc;
}

static void messages(void)
{
    int pirq, other, port;

    value_rc("message of the disk controller",
             map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, 0xfa, 0, 0, &pirq));
    note("pirq %d", pirq);
    port = bind((uint32_t)pirq, 0);
    check(port > 0, "bind the message");
    value_rc("the same message again", map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, 0xfa, 0, 0, &other) == 0);
    check_eq("close the message's port", evtchn_close((uint32_t)port), 0);
    check_eq("unmap the message", unmap(pirq, DOMID_SELF), 0);
    value_rc("unmap the message again", unmap(pirq, DOMID_SELF));
    value_rc("message of the host bridge", map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, 0, 0, 0, &pirq));
    value_rc("message of no device", map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, 0x70, 0, 0, &pirq));
    value_rc("message of no bus", map_msi(MAP_PIRQ_TYPE_MSI_SEG, 77, 0, 0, 0, &pirq));
    value_rc("message of no segment", map_msi(MAP_PIRQ_TYPE_MSI_SEG, 9 << 16, 0xfa, 0, 0, &pirq));
    value_rc("MSI-X of a device without",
             map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, 0xfa, 0, 0xfebf1000, &pirq));
    value_rc("MSI-X entry 70000",
             map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, 0xfa, 70000, 0xfebf1000, &pirq));
}

/* ---- PCI ---- */

static void pci(void)
{
    struct physdev_pci_device_add add = {.bus = 0, .devfn = 0xfa};
    struct physdev_pci_device dev = {.bus = 0, .devfn = 0xfa};
    struct physdev_manage_pci manage = {.bus = 0, .devfn = 0xfa};
    struct physdev_manage_pci_ext ext = {.bus = 0, .devfn = 0xfa};
    struct physdev_pci_mmcfg_reserved cfg = {
        .address = 0xb0000000, .end_bus = 255, .flags = XEN_PCI_MMCFG_RESERVED};
    struct physdev_dbgp_op dbgp = {.op = PHYSDEVOP_DBGP_RESET_PREPARE};
    struct physdev_get_free_pirq free = {.type = MAP_PIRQ_TYPE_MSI};
    struct physdev_pirq_eoi_gmfn eoi = {.gmfn = 1ul << 40};

    value_rc("pci_device_add", physdev_op(PHYSDEVOP_pci_device_add, &add));
    value_rc("pci_device_add again", physdev_op(PHYSDEVOP_pci_device_add, &add));
    value_rc("manage_pci_add", physdev_op(PHYSDEVOP_manage_pci_add, &manage));
    value_rc("manage_pci_add_ext", physdev_op(PHYSDEVOP_manage_pci_add_ext, &ext));
    value_rc("restore_msi", physdev_op(PHYSDEVOP_restore_msi, &manage));
    value_rc("restore_msi_ext", physdev_op(PHYSDEVOP_restore_msi_ext, &dev));
    /* Not for a device without MSI-X: Debian's Xen panics then. */
    dev.devfn = 0x70;
    value_rc("prepare_msix of no device", physdev_op(PHYSDEVOP_prepare_msix, &dev));
    value_rc("pci_device_remove of no device", physdev_op(PHYSDEVOP_pci_device_remove, &dev));
    dev.seg = 9;
    value_rc("pci_device_remove of no segment", physdev_op(PHYSDEVOP_pci_device_remove, &dev));
    manage.devfn = 0x70;
    value_rc("manage_pci_remove of no device", physdev_op(PHYSDEVOP_manage_pci_remove, &manage));
    value_rc("restore_msi of no device", physdev_op(PHYSDEVOP_restore_msi, &manage));
    value_rc("pci_mmcfg_reserved", physdev_op(PHYSDEVOP_pci_mmcfg_reserved, &cfg));
    value_rc("dbgp_op", physdev_op(PHYSDEVOP_dbgp_op, &dbgp));
    value_rc("get_free_pirq", physdev_op(PHYSDEVOP_get_free_pirq, &free));
    value_rc("pirq_eoi_gmfn_v1, bad frame", physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v1, &eoi));
    value_rc("pirq_eoi_gmfn_v2, bad frame", physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &eoi));
}

void test_main(const char *args)
{
    (void)args;
    every_op();
    io_rights();
    ioapic();
    lines_before();
    setups();
    lines();
    pci();
    messages();
}
