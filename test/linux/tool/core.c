/* SPDX-License-Identifier: MIT */
/*
 * Reads a core file as `xl dump-core` writes it (ELF, sections .xen_*; public header elfnote.h, and
 * what gdb and crash expect) and says what is in it:
 *
 *     CORE vcpus N pages N frames N marker PFN... rip ADDRESS cr3 ADDRESS
 *
 * core FILE TEXT: marker is the first page that has TEXT. Ends with 1 when the file is not whole.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/elfnote.h>
#include <xen/xen.h>

#define MAGIC_PV 0xF00FEBEDull

struct header {
    uint64_t magic, vcpus, pages, page_size;
};

static const uint8_t *base;
static uint64_t size;

static void __attribute__((noreturn, format(printf, 1, 2))) bad(const char *f, ...)
{
    va_list ap;

    va_start(ap, f);
    printf("CORE bad: ");
    vprintf(f, ap);
    printf("\n");
    exit(1);
}

/* The section of that name; it must lie in the file. */
static const Elf64_Shdr *section(const char *name)
{
    const Elf64_Ehdr *e = (const void *)base;
    const Elf64_Shdr *s = (const void *)(base + e->e_shoff), *names = s + e->e_shstrndx;
    unsigned int i;

    if (e->e_shoff + (uint64_t)e->e_shnum * sizeof(*s) > size || e->e_shstrndx >= e->e_shnum)
        bad("section headers at %lu", e->e_shoff);
    for (i = 0; i < e->e_shnum; i++) {
        if (strcmp((const char *)base + names->sh_offset + s[i].sh_name, name) != 0)
            continue;
        if (s[i].sh_offset > size || s[i].sh_size > size - s[i].sh_offset)
            bad("%s ends beyond the file", name);
        return s + i;
    }
    bad("no section %s", name);
}

static const struct header *header(void)
{
    const Elf64_Shdr *s = section(".note.Xen");
    uint64_t at = 0;

    while (at + sizeof(Elf64_Nhdr) <= s->sh_size) {
        const Elf64_Nhdr *n = (const void *)(base + s->sh_offset + at);

        at += sizeof(*n) + ((n->n_namesz + 3) & ~3u);
        if (n->n_type == XEN_ELFNOTE_DUMPCORE_HEADER)
            return (const void *)(base + s->sh_offset + at);
        at += (n->n_descsz + 3) & ~3u;
    }
    bad("no header note");
}

int main(int argc, char **argv)
{
    const Elf64_Shdr *context, *p2m, *pages;
    const vcpu_guest_context_t *vcpu;
    const struct header *h;
    const uint64_t *frame;
    const Elf64_Ehdr *e;
    const uint8_t *hit;
    struct stat st;
    uint64_t i;
    int fd;

    if (argc != 3 || (fd = open(argv[1], O_RDONLY)) < 0 || fstat(fd, &st) != 0)
        bad("core FILE TEXT");
    size = (uint64_t)st.st_size;
    base = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    e = (const void *)base;
    if (base == MAP_FAILED || size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
        e->e_type != ET_CORE || e->e_machine != EM_X86_64)
        bad("not an ELF core of x86-64");
    h = header();
    if (h->magic != MAGIC_PV || h->page_size != 4096)
        bad("magic %lx, page size %lu", h->magic, h->page_size);
    context = section(".xen_prstatus");
    p2m = section(".xen_p2m");
    pages = section(".xen_pages");
    if (section(".xen_shared_info")->sh_size != 4096)
        bad("shared info of %lu bytes", section(".xen_shared_info")->sh_size);
    if (context->sh_size != h->vcpus * sizeof(*vcpu) || pages->sh_size != h->pages * 4096 ||
        p2m->sh_size != h->pages * 16)
        bad("%lu vCPUs in %lu bytes, %lu pages in %lu, table of %lu", h->vcpus, context->sh_size,
            h->pages, pages->sh_size, p2m->sh_size);
    vcpu = (const void *)(base + context->sh_offset);
    frame = (const void *)(base + p2m->sh_offset);
    for (i = 1; i < h->pages; i++)
        if (frame[2 * i] <= frame[2 * i - 2])
            bad("entry %lu of the table: page %lu after %lu", i, frame[2 * i], frame[2 * i - 2]);
    hit = memmem(base + pages->sh_offset, pages->sh_size, argv[2], strlen(argv[2]));
    printf("CORE vcpus %lu pages %lu marker %s rip %016lx cr3 %lx\n", h->vcpus, h->pages,
           hit ? "found" : "missing", vcpu->user_regs.rip, vcpu->ctrlreg[3]);
    return hit ? 0 : 1;
}
