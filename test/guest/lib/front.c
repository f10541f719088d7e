/* SPDX-License-Identifier: MIT */
/* The console ring and xenstore, as a domain built by the tools has them. */
#include "front.h"

#include <xen/io/console.h>

static bool fired;
static uint32_t request_id;

void ring_print(const char *s)
{
    struct xencons_interface *ring = mfn_va(start_info->console.domU.mfn);
    uint32_t prod = ring->out_prod, i, len = (uint32_t)strlen(s);

    if (len > sizeof(ring->out) - (prod - ring->out_cons))
        return;
    for (i = 0; i < len; i++)
        ring->out[MASK_XENCONS_IDX(prod + i, ring->out)] = s[i];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring->out_prod = prod + len;
    evtchn_send(start_info->console.domU.evtchn);
}

static struct xenstore_domain_interface *store(void)
{
    return mfn_va(start_info->store_mfn);
}

void timer_init(void)
{
    evtchn_virq(VIRQ_TIMER, 0);
}

void block_until(uint64_t t)
{
    hypercall1(__HYPERVISOR_set_timer_op, t);
    event_block();
}

static void send(const void *data, uint32_t len)
{
    struct xenstore_domain_interface *s = store();
    uint32_t i;

    for (i = 0; i < len; i++) {
        while (s->req_prod - *(volatile uint32_t *)&s->req_cons == XENSTORE_RING_SIZE) {
            evtchn_send(start_info->store_evtchn);
            event_block();
        }
        s->req[MASK_XENSTORE_IDX(s->req_prod)] = ((const char *)data)[i];
        __atomic_store_n(&s->req_prod, s->req_prod + 1, __ATOMIC_SEQ_CST);
    }
}

/* data NULL: the bytes are dropped. */
static void receive(void *data, uint32_t len)
{
    struct xenstore_domain_interface *s = store();
    uint32_t i;

    for (i = 0; i < len; i++) {
        while (s->rsp_cons == __atomic_load_n(&s->rsp_prod, __ATOMIC_SEQ_CST))
            event_block();
        if (data != NULL)
            ((char *)data)[i] = s->rsp[MASK_XENSTORE_IDX(s->rsp_cons)];
        __atomic_store_n(&s->rsp_cons, s->rsp_cons + 1, __ATOMIC_SEQ_CST);
    }
    evtchn_send(start_info->store_evtchn);
}

/* The next message's header; a watch's event is noted and its body dropped. */
static struct xsd_sockmsg next_message(void)
{
    struct xsd_sockmsg head;

    receive(&head, sizeof(head));
    if (head.type == XS_WATCH_EVENT) {
        receive(NULL, head.len);
        fired = true;
    }
    return head;
}

int xs_request(uint32_t type, const char *body, uint32_t len, char *reply, uint32_t size)
{
    struct xsd_sockmsg head = {.type = type, .req_id = ++request_id, .len = len};
    uint32_t kept;

    send(&head, sizeof(head));
    send(body, len);
    evtchn_send(start_info->store_evtchn);
    do {
        head = next_message();
    } while (head.type == XS_WATCH_EVENT);
    kept = head.len < size ? head.len : size - 1;
    receive(reply, kept);
    receive(NULL, head.len - kept);
    reply[kept] = '\0';
    return head.type == XS_ERROR ? -1 : (int)head.len;
}

int xs_read(const char *path, char *value, uint32_t size)
{
    return xs_request(XS_READ, path, (uint32_t)strlen(path) + 1, value, size);
}

/* "path", NUL, "value", with or without its NUL. */
static int request2(uint32_t type, const char *path, const char *value, bool ended)
{
    uint32_t a = (uint32_t)strlen(path) + 1, b = (uint32_t)strlen(value) + ended;
    char body[128], reply[16];

    if (a + b > sizeof(body))
        error("xenstore: %s is too long", path);
    memcpy(body, path, a);
    memcpy(body + a, value, b);
    return xs_request(type, body, a + b, reply, sizeof(reply));
}

int xs_write(const char *path, const char *value)
{
    return request2(XS_WRITE, path, value, false);
}

int xs_watch(const char *path)
{
    return request2(XS_WATCH, path, "token", true);
}

bool xs_fired(void)
{
    struct xenstore_domain_interface *s = store();
    bool was;

    while (s->rsp_cons != __atomic_load_n(&s->rsp_prod, __ATOMIC_SEQ_CST))
        next_message();
    was = fired;
    fired = false;
    return was;
}

uint64_t read_number(const char **s)
{
    uint64_t n = 0;

    while (**s == ' ')
        ++*s;
    for (; **s >= '0' && **s <= '9'; ++*s)
        n = n * 10 + (uint64_t)(**s - '0');
    return n;
}
