/* SPDX-License-Identifier: MIT */
/* Accept and refuse lists of the ELF loader, on an image made here. */
#include <elf.h>
#include <stdlib.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#include "host/host.h"
#include "pure/elf.h"

#define IMAGE_LEN 0x4000
#define NOTES_OFF 0x1000
#define NOTES_MAX 0x400
#define VIRT_BASE 0xffffffff80000000ull
#define ENTRY     (VIRT_BASE + 0x1000010)

static u8 image[IMAGE_LEN];
static struct elf_image e;
static struct reason why;

static Elf64_Ehdr *header(void)
{
    return (Elf64_Ehdr *)(void *)image;
}

static Elf64_Phdr *program(unsigned int i)
{
    return (Elf64_Phdr *)(void *)(image + sizeof(Elf64_Ehdr)) + i;
}

static u32 notes_len;

static void add_note(const char *name, u32 type, const void *desc, u32 len)
{
    u32 head[3] = {(u32)strlen(name) + 1, len, type};
    u8 *p = image + NOTES_OFF + notes_len;

    memcpy(p, head, sizeof(head));
    memcpy(p + 12, name, head[0]);
    memcpy(p + 12 + ((head[0] + 3) & ~3u), desc, len);
    notes_len += 12 + ((head[0] + 3) & ~3u) + ((len + 3) & ~3u);
    program(2)->p_filesz = program(2)->p_memsz = notes_len;
}

static void add_number(u32 type, u64 value)
{
    add_note("Xen", type, &value, sizeof(value));
}

static void make_bare(void)
{
    unsigned int i;

    for (i = 0; i < IMAGE_LEN; i++)
        image[i] = (u8)(i * 7 + (i >> 8));
    memset(image, 0, NOTES_OFF + NOTES_MAX);
    memcpy(header()->e_ident, "\177ELF\2\1\1", 7);
    header()->e_type = ET_EXEC;
    header()->e_machine = EM_X86_64;
    header()->e_entry = 0x1000000;
    header()->e_phoff = sizeof(Elf64_Ehdr);
    header()->e_phentsize = sizeof(Elf64_Phdr);
    header()->e_phnum = 3;
    *program(0) = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = 5,
                               .p_offset = 0x2000,
                               .p_paddr = 0x1000000,
                               .p_filesz = 0x1000,
                               .p_memsz = 0x1000};
    *program(1) = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = 6,
                               .p_offset = 0x3000,
                               .p_paddr = 0x1001800,
                               .p_filesz = 0xa00,
                               .p_memsz = 0x3800};
    *program(2) = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = NOTES_OFF};
    notes_len = 0;
}

static void make_good(void)
{
    make_bare();
    add_note("GNU", 3, "buildid-padding", 13);
    add_number(XEN_ELFNOTE_VIRT_BASE, VIRT_BASE);
    add_number(XEN_ELFNOTE_ENTRY, ENTRY);
}

static int parse(void)
{
    return elf_parse(image, IMAGE_LEN, &e, &why);
}

TEST(reads_segments_and_defaults)
{
    make_good();
    CHECK_EQ(parse(), 0);
    CHECK_EQ(e.segments, 2);
    CHECK_EQ(e.segment[1].paddr, 0x1001800);
    CHECK_EQ(e.segment[1].filesz, 0xa00);
    CHECK_EQ(e.low, 0x1000000);
    CHECK_EQ(e.high, 0x1005000);
    CHECK_EQ(e.entry, ENTRY);
    CHECK_EQ(e.paddr_offset, 0);
    CHECK_EQ(e.virt_start, VIRT_BASE + 0x1000000);
    CHECK_EQ(e.virt_end, VIRT_BASE + 0x1005000);
    CHECK(elf_has_note(&e, XEN_ELFNOTE_ENTRY));
    CHECK(!elf_has_note(&e, XEN_ELFNOTE_INIT_P2M));
}

/* The notes of Debian's 6.1 kernel. */
TEST(reads_every_note)
{
    u64 pair[2] = {1, 3};
    u32 four = 1;

    make_good();
    add_note("Xen", XEN_ELFNOTE_GUEST_OS, "linux", 6);
    add_note("Xen", XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb", 42);
    add_note("Xen", XEN_ELFNOTE_L1_MFN_VALID, pair, 16);
    add_note("Xen", XEN_ELFNOTE_SUSPEND_CANCEL, &four, 4);
    add_number(XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000ull);
    add_number(XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    add_number(XEN_ELFNOTE_MOD_START_PFN, 1);
    add_number(XEN_ELFNOTE_SUPPORTED_FEATURES, 0x8801);
    add_number(XEN_ELFNOTE_PHYS32_ENTRY, 0x1000850);
    add_number(XEN_ELFNOTE_HYPERCALL_PAGE, VIRT_BASE + 0x1001000);
    add_number(99, 5);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(e.note[XEN_ELFNOTE_INIT_P2M], 0x8000000000);
    CHECK_EQ(e.note[XEN_ELFNOTE_SUSPEND_CANCEL], 1);
    CHECK_EQ(e.note[XEN_ELFNOTE_L1_MFN_VALID], 1);
    CHECK_EQ(e.note[XEN_ELFNOTE_HYPERCALL_PAGE], VIRT_BASE + 0x1001000);
    CHECK_EQ(e.supported, 0x8801 | 1u << XENFEAT_pae_pgdir_above_4gb);
    CHECK(elf_has_note(&e, XEN_ELFNOTE_MOD_START_PFN));
    CHECK(elf_has_note(&e, XEN_ELFNOTE_GUEST_OS));
}

TEST(entry_defaults_to_the_header)
{
    make_bare();
    add_number(XEN_ELFNOTE_SUSPEND_CANCEL, 1);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(e.entry, 0x1000000);
    CHECK_EQ(e.virt_base, 0);
}

TEST(obeys_paddr_offset)
{
    make_good();
    add_number(XEN_ELFNOTE_PADDR_OFFSET, 0xff0000);
    add_number(XEN_ELFNOTE_ENTRY, VIRT_BASE + 0x10000);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(e.virt_start, VIRT_BASE + 0x10000);

    add_number(XEN_ELFNOTE_PADDR_OFFSET, 0x1000001);
    CHECK_EQ(parse(), -EINVAL);
    CHECK_STR(why.text, "ELF segment at 0x1000000 lies below PADDR_OFFSET 0x1000001");
}

TEST(finds_notes_in_sections)
{
    Elf64_Shdr sh[2] = {{.sh_type = SHT_NULL},
                        {.sh_type = SHT_NOTE, .sh_offset = NOTES_OFF, .sh_size = 0}};

    make_good();
    sh[1].sh_size = notes_len;
    program(2)->p_type = PT_NULL;
    CHECK_EQ(parse(), -ENODATA);
    memcpy(image + 0x1800, sh, sizeof(sh));
    header()->e_shoff = 0x1800;
    header()->e_shentsize = sizeof(Elf64_Shdr);
    header()->e_shnum = 2;
    CHECK_EQ(parse(), 0);
    header()->e_shoff = IMAGE_LEN - 64;
    CHECK_EQ(parse(), -ENODATA);
}

TEST(fills_pages)
{
    static u8 page[PAGE_SIZE];
    unsigned int i;

    make_good();
    CHECK_EQ(parse(), 0);
    elf_fill_page(&e, 0x1000000, page);
    CHECK_MEM(page, image + 0x2000, 0x1000);
    elf_fill_page(&e, 0x1001000, page);
    for (i = 0; i < 0x800; i++)
        CHECK_EQ(page[i], 0);
    CHECK_MEM(page + 0x800, image + 0x3000, 0x800);
    elf_fill_page(&e, 0x1002000, page);
    CHECK_MEM(page, image + 0x3800, 0x200);
    for (i = 0x200; i < 0x1000; i++)
        CHECK_EQ(page[i], 0);
    memset(page, 0xff, sizeof(page));
    elf_fill_page(&e, ~(u64)0xfff, page);
    for (i = 0; i < 0x1000; i++)
        CHECK_EQ(page[i], 0);
}

TEST(refuses_other_formats)
{
    make_good();
    CHECK_EQ(elf_parse(image, 0, &e, &why), -ENOEXEC);
    CHECK_EQ(elf_parse("MZ12", 4, &e, &why), -ENOEXEC);
    CHECK_EQ(elf_parse(image, 63, &e, &why), -EINVAL);
    header()->e_ident[EI_CLASS] = ELFCLASS32;
    CHECK_EQ(parse(), -EINVAL);
    CHECK_STR(why.text, "ELF class 1, not 2 (64-bit)");
    make_good();
    header()->e_ident[EI_DATA] = ELFDATA2MSB;
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    header()->e_machine = EM_386;
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    header()->e_type = ET_REL;
    CHECK_EQ(parse(), -EINVAL);
}

TEST(refuses_bad_program_headers)
{
    make_good();
    header()->e_phentsize = 32;
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    header()->e_phnum = 0;
    CHECK_EQ(parse(), -EINVAL);
    header()->e_phnum = 0xffff;
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    header()->e_phoff = IMAGE_LEN - 3 * sizeof(Elf64_Phdr) + 1;
    CHECK_EQ(parse(), -EINVAL);
    header()->e_phoff = ~0ull;
    CHECK_EQ(parse(), -EINVAL);
}

TEST(refuses_bad_segments)
{
    static const struct {
        u64 offset, paddr, filesz, memsz;
        int rc;
    } bad[] = {
        {0x2000, 0x1000000, 0x1000, 0xfff, -EINVAL},   /* memsz < filesz */
        {0x3001, 0x1000000, 0x1000, 0x1000, -EINVAL},  /* beyond the file */
        {0x4000, 0x1000000, 1, 1, -EINVAL},            /* right behind it */
        {~0ull, 0x1000000, 0x1000, 0x1000, -EINVAL},   /* offset + filesz wraps */
        {0x2000, 0x1000000, ~0ull, ~0ull, -EINVAL},    /* so does this */
        {0x2000, ~0xfffull, 0x1000, 0x2000, -EINVAL},  /* paddr + memsz wraps */
        {0x2000, 0x80000000, 0x1000, 0x1000, -EINVAL}, /* VIRT_BASE + paddr wraps */
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        make_good();
        program(0)->p_offset = bad[i].offset;
        program(0)->p_paddr = bad[i].paddr;
        program(0)->p_filesz = bad[i].filesz;
        program(0)->p_memsz = bad[i].memsz;
        CHECK_EQ(parse(), bad[i].rc);
        CHECK(why.text[0]);
    }
}

TEST(refuses_too_many_or_no_segments)
{
    unsigned int i;

    make_good();
    header()->e_phnum = 20;
    for (i = 3; i < 20; i++)
        *program(i) = *program(0);
    CHECK_EQ(parse(), -E2BIG);
    make_good();
    program(0)->p_type = program(1)->p_type = PT_NULL;
    CHECK_EQ(parse(), -EINVAL);
    CHECK_STR(why.text, "ELF image has nothing to load");
    make_good();
    program(0)->p_filesz = program(0)->p_memsz = 0;
    add_number(XEN_ELFNOTE_ENTRY, VIRT_BASE + 0x1001800);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(e.segments, 1);
}

TEST(refuses_bad_notes)
{
    u32 head[3] = {4, 0xfffffff0, XEN_ELFNOTE_ENTRY};

    make_bare();
    CHECK_EQ(parse(), -ENODATA);
    CHECK_STR(why.text, "ELF image has no Xen notes: not a kernel for Xen");
    add_note("Xin", XEN_ELFNOTE_ENTRY, "12345678", 8);
    CHECK_EQ(parse(), -ENODATA);

    make_good();
    add_note("Xen", XEN_ELFNOTE_INIT_P2M, "123456", 6);
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    add_note("Xen", XEN_ELFNOTE_L1_MFN_VALID, "1234", 4);
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    add_note("Xen", XEN_ELFNOTE_FEATURES, "!perpetual_motion", 17);
    CHECK_EQ(parse(), -EINVAL);
    CHECK_STR(why.text, "kernel requires an unknown feature: perpetual_motion");

    make_good();
    memcpy(image + NOTES_OFF + notes_len, head, sizeof(head));
    program(2)->p_filesz += 16;
    CHECK_EQ(parse(), -EINVAL);
    make_good();
    program(2)->p_offset = IMAGE_LEN - 4;
    CHECK_EQ(parse(), -EINVAL);
    program(2)->p_offset = ~0ull - 4;
    CHECK_EQ(parse(), -EINVAL);
}

TEST(refuses_an_entry_outside)
{
    make_good();
    add_number(XEN_ELFNOTE_ENTRY, VIRT_BASE + 0x1005000);
    CHECK_EQ(parse(), -EINVAL);
    add_number(XEN_ELFNOTE_ENTRY, VIRT_BASE + 0xffffff);
    CHECK_EQ(parse(), -EINVAL);
    CHECK_STR(why.text, "ELF entry 0xffffffff80ffffff lies outside the image 0xffffffff81000000-"
                        "0xffffffff81005000");
}

/* No prefix of a good image makes the parser read beyond it: ASan watches the exact copies. */
TEST(survives_every_truncation)
{
    size_t n;

    make_good();
    for (n = 0; n < IMAGE_LEN; n += n < 0x1200 ? 1 : 97) {
        u8 *copy = malloc(n + 1);

        memcpy(copy + 1, image, n);
        why.text[0] = 0;
        CHECK((elf_parse(copy + 1, n, &e, &why) < 0) == (n < 0x3a00));
        CHECK(n >= 0x3a00 || why.text[0]);
        free(copy);
    }
}
