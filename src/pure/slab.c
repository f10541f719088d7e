/* SPDX-License-Identifier: MIT */
/*
 * How to serve objects much smaller than a page?
 *
 * A slab is a page with a header and equal slots, one bit each saying whether it is in use. There
 * is a class for each number of slots per page that is worth having, so the rounding loss is what
 * the division of a page leaves, not a power of two. Slabs with room are on their class's partial
 * list, the others on its full list. Freeing finds the slab by masking the pointer and checks
 * everything the header can tell before believing it.
 *
 * Free slots are filled with a pattern. A debug build verifies it before a slot is handed out, so a
 * write after free is found at the next use of the slot; the audit verifies all.
 *
 * Left out: objects larger than a page, per-CPU caches, constructors.
 */
#include "pure/slab.h"

#include "base/err.h"
#include "base/lib.h"
#include "pure/port.h"

#define SLAB_MAGIC  0x62616c53u /* "Slab" */
#define SLAB_HEADER 64u
#define SLAB_POISON 0xf5f5f5f5f5f5f5f5ull /* non-canonical as an address */
#define SLAB_SLOTS  ((4096u - SLAB_HEADER) / 16)
#define SLAB_WORDS  ((SLAB_SLOTS + 63) / 64)

/* The header at the start of each page. */
struct slab_page {
    u32 magic;
    u16 cls;
    u16 used;
    const struct slab *pool;
    struct slab_page *next, **pprev; /* on the partial or the full list */
    u64 in_use[SLAB_WORDS];
};
STATIC_ASSERT(sizeof(struct slab_page) <= SLAB_HEADER, "slots begin behind the header");

/* Slot sizes: 4032 divided by a number of slots, down to a multiple of 16. */
static const u16 class_size[SLAB_CLASSES] = {16,  32,  48,  64,  96,   128,  192,  256,
                                             336, 448, 576, 800, 1008, 1344, 2016, 4032};

static unsigned int class_slots(unsigned int cls)
{
    return (4096u - SLAB_HEADER) / class_size[cls];
}

/* The smallest class that holds `size` bytes. */
static unsigned int class_for(size_t size)
{
    unsigned int cls = 0;

    while (class_size[cls] < size)
        cls++;
    return cls;
}

static void *slot_at(const struct slab_page *s, unsigned int slot)
{
    return (void *)((uintptr_t)s + SLAB_HEADER + (uintptr_t)slot * class_size[s->cls]);
}

static void slot_poison(const struct slab_page *s, unsigned int slot)
{
    u64 *word = slot_at(s, slot), *end = word + class_size[s->cls] / 8;

    while (word < end)
        *word++ = SLAB_POISON;
}

static bool slot_poisoned(const struct slab_page *s, unsigned int slot)
{
    const u64 *word = slot_at(s, slot), *end = word + class_size[s->cls] / 8;

    while (word < end)
        if (*word++ != SLAB_POISON)
            return false;
    return true;
}

static void list_push(struct slab_page **list, struct slab_page *s)
{
    s->next = *list;
    s->pprev = list;
    if (s->next)
        s->next->pprev = &s->next;
    *list = s;
}

static void list_unlink(struct slab_page *s)
{
    *s->pprev = s->next;
    if (s->next)
        s->next->pprev = s->pprev;
}

void slab_init(struct slab *p, void *(*get_page)(void *ctx),
               void (*put_page)(void *ctx, void *page), void *ctx)
{
    *p = (struct slab){.get_page = get_page, .put_page = put_page, .ctx = ctx};
}

static struct slab_page *slab_new(struct slab *p, unsigned int cls)
{
    struct slab_page *s = p->get_page(p->ctx);
    unsigned int slot;

    if (!s)
        return NULL;
    *s = (struct slab_page){.magic = SLAB_MAGIC, .cls = (u16)cls, .pool = p};
    for (slot = 0; slot < class_slots(cls); slot++)
        slot_poison(s, slot);
    list_push(&p->cls[cls].partial, s);
    p->cls[cls].pages++;
    return s;
}

static void slab_delete(struct slab *p, struct slab_page *s)
{
    list_unlink(s);
    p->cls[s->cls].pages--;
    s->magic = 0;
    p->put_page(p->ctx, s);
}

/* The first free slot of a slab that has one. */
static unsigned int slot_find(const struct slab_page *s)
{
    unsigned int w = 0;

    while (!~s->in_use[w])
        w++;
    return w * 64 + (unsigned int)__builtin_ctzll(~s->in_use[w]);
}

void *slab_alloc(struct slab *p, size_t size)
{
    struct slab_class *c;
    struct slab_page *s;
    unsigned int cls, slot;

    if (!size || size > SLAB_MAX_SIZE || port_inject_failure())
        return NULL;
    cls = class_for(size);
    c = &p->cls[cls];
    s = c->partial ? c->partial : slab_new(p, cls);
    if (!s)
        return NULL;
    slot = slot_find(s);
    BUG_ON(slot >= class_slots(cls));
    ASSERT(slot_poisoned(s, slot)); /* nobody wrote to it after its free */
    s->in_use[slot / 64] |= (u64)1 << (slot % 64);
    s->used++;
    c->objects++;
    if (s->used == class_slots(cls)) {
        list_unlink(s);
        list_push(&c->full, s);
    }
    return memset(slot_at(s, slot), 0, class_size[cls]);
}

/* The slot number of an object in use; false when ptr is none. */
static bool slot_of(const struct slab *p, const struct slab_page *s, const void *ptr,
                    unsigned int *slot)
{
    uintptr_t offset = (uintptr_t)ptr - (uintptr_t)s - SLAB_HEADER;

    if (s->magic != SLAB_MAGIC || s->pool != p || s->cls >= SLAB_CLASSES)
        return false;
    if (offset % class_size[s->cls])
        return false;
    *slot = (unsigned int)(offset / class_size[s->cls]);
    return *slot < class_slots(s->cls) && (s->in_use[*slot / 64] >> (*slot % 64)) & 1;
}

int slab_free(struct slab *p, void *ptr)
{
    struct slab_page *s = (struct slab_page *)((uintptr_t)ptr & PAGE_MASK);
    struct slab_class *c;
    unsigned int slot;

    if (!ptr)
        return 0;
    if (!slot_of(p, s, ptr, &slot)) {
        log_msg(LOG_ERR, "slab: bad or second free of %p", ptr);
        return -EINVAL;
    }
    c = &p->cls[s->cls];
    slot_poison(s, slot);
    s->in_use[slot / 64] &= ~((u64)1 << (slot % 64));
    c->objects--;
    if (s->used-- == class_slots(s->cls)) {
        list_unlink(s);
        list_push(&c->partial, s);
    }
    /* Keep one empty page, so that one object freed and taken in turn costs no page each time. */
    if (!s->used && (s != c->partial || s->next))
        slab_delete(p, s);
    return 0;
}

size_t slab_size(size_t size)
{
    return size && size <= SLAB_MAX_SIZE ? class_size[class_for(size)] : 0;
}

void slab_count(const struct slab *p, u64 *objects, u64 *pages)
{
    unsigned int cls;

    *objects = *pages = 0;
    for (cls = 0; cls < SLAB_CLASSES; cls++) {
        *objects += p->cls[cls].objects;
        *pages += p->cls[cls].pages;
    }
}

static const char *audit_slab(const struct slab *p, const struct slab_page *s, unsigned int cls,
                              bool full)
{
    unsigned int slot, used = 0;

    if (s->magic != SLAB_MAGIC || s->cls != cls || s->pool != p)
        return "header is damaged";
    for (slot = 0; slot < SLAB_WORDS * 64; slot++) {
        if ((s->in_use[slot / 64] >> (slot % 64)) & 1) {
            if (slot >= class_slots(cls))
                return "slot beyond the page is in use";
            used++;
        } else if (slot < class_slots(cls) && !slot_poisoned(s, slot)) {
            return "free slot was written to";
        }
    }
    if (used != s->used || full != (used == class_slots(cls)))
        return "count of used slots is wrong";
    return NULL;
}

static const char *audit_list(const struct slab *p, struct slab_page *const *list, unsigned int cls,
                              bool full, struct slab_class *sum)
{
    struct slab_page *const *back = list;
    const struct slab_page *s;
    const char *wrong;

    for (s = *list; s; back = &s->next, s = s->next) {
        wrong = audit_slab(p, s, cls, full);
        if (wrong)
            return wrong;
        if (s->pprev != back)
            return "list is not linked back";
        sum->pages++;
        sum->objects += s->used;
    }
    return NULL;
}

const char *slab_audit(const struct slab *p)
{
    const struct slab_class *c;
    struct slab_class sum;
    const char *wrong;
    unsigned int cls;

    for (cls = 0; cls < SLAB_CLASSES; cls++) {
        c = &p->cls[cls];
        sum = (struct slab_class){.pages = 0};
        wrong = audit_list(p, &c->partial, cls, false, &sum);
        if (!wrong)
            wrong = audit_list(p, &c->full, cls, true, &sum);
        if (wrong)
            return wrong;
        if (sum.pages != c->pages || sum.objects != c->objects)
            return "class's counts are wrong";
    }
    return NULL;
}
