/* SPDX-License-Identifier: MIT */
/*
 * What processor may a guest be told it has? The tools read the policy of PV guests, change it as
 * the configuration says and give the result to a new domain (public headers sysctl.h, domctl.h:
 * get_cpu_featureset, get_cpu_policy, set_cpu_policy).
 *
 * A domain's policy is the default one with every feature word and the feature-independent values
 * of the tools' leaves and-ed into it: they can take features away; what they add is ignored, since
 * they may not know what a PV guest cannot use. MSR entries are accepted and have no effect.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "base/lib.h"
#include "core/guestmem.h"
#include "core/page.h"
#include "hvm/hvm.h"

/* Sizes of Xen 4.17's policies, which the tools allocate for. */
#define LEAVES_MAX      120u
#define MSRS_MAX        2u
#define CACHE_SUBLEAVES 6u /* the tools' limit for leaf 4 */

/* The words of a featureset, in the order of the ABI (public header arch-x86/cpufeatureset.h). */
static const struct {
    u32 leaf, sub;
    u32 reg;
} words[] = {
    {1, 0, CPUPOLICY_EDX},          {1, 0, CPUPOLICY_ECX},          {0x80000001, 0, CPUPOLICY_EDX},
    {0x80000001, 0, CPUPOLICY_ECX}, {0xd, 1, CPUPOLICY_EAX},        {7, 0, CPUPOLICY_EBX},
    {7, 0, CPUPOLICY_ECX},          {0x80000007, 0, CPUPOLICY_EDX}, {0x80000008, 0, CPUPOLICY_EBX},
    {7, 0, CPUPOLICY_EDX},          {7, 1, CPUPOLICY_EAX},          {0x80000021, 0, CPUPOLICY_EAX},
    {7, 1, CPUPOLICY_EBX},          {7, 2, CPUPOLICY_EDX},          {7, 1, CPUPOLICY_ECX},
    {7, 1, CPUPOLICY_EDX},
};

static u32 word(const struct cpu_policy *p, u32 i)
{
    const struct cpu_policy_leaf *l = cpupolicy_find(p, words[i].leaf, words[i].sub);

    return l != NULL ? l->r[words[i].reg] : 0;
}

long abi_sysctl_cpu_featureset(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    bool hvm =
        f->index == XEN_SYSCTL_cpu_featureset_hvm || f->index == XEN_SYSCTL_cpu_featureset_hvm_max;
    const struct cpu_policy *p;
    u32 i, w, n = ARRAY_SIZE(words);

    if (f->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EINVAL;
    if (hvm && !hvm_offered())
        return -EOPNOTSUPP;
    p = hvm ? hvm_guest_kind.cpu_policy : pv_guest_kind.cpu_policy;
    for (i = 0; f->features.p != NULL && i < MIN(n, f->nr_features); i++) {
        w = word(p, i);
        if (!GUESTMEM_OUT(f->features.p + i, &w))
            return -EFAULT;
    }
    f->nr_features = n;
    return 0;
}

/* Where the leaves go, and how many are there. */
struct leaf_list {
    xen_cpuid_leaf_t *to; /* guest address */
    u32 nr, room;
};

static long put_leaf(struct leaf_list *list, u32 leaf, u32 sub, const u32 r[4])
{
    const xen_cpuid_leaf_t l = {leaf, sub, r[0], r[1], r[2], r[3]};

    if (list->nr == list->room)
        return -ENOBUFS;
    if (!GUESTMEM_OUT(list->to + list->nr, &l))
        return -EFAULT;
    list->nr++;
    return 0;
}

/* Leaves first to last that the policy has not, as zeros. */
static long put_missing(struct leaf_list *list, const struct cpu_policy *p, u32 first, u32 last)
{
    static const u32 zero[4];
    long rc = 0;
    u32 leaf;

    for (leaf = first; leaf <= last && rc == 0; leaf++) {
        if (cpupolicy_find(p, leaf, 0) != NULL)
            continue;
        rc = put_leaf(list, leaf, leaf == 0xb ? 0 : CPUPOLICY_NO_SUB, zero);
        if (rc == 0 && leaf == 0xb)
            rc = put_leaf(list, leaf, 1, zero);
    }
    return rc;
}

/* Likewise the subleaves of extended states that are between two the policy has. */
static long put_missing_states(struct leaf_list *list, const struct cpu_policy *p)
{
    const struct cpu_policy_leaf *l = cpupolicy_find(p, 0xd, 0);
    u64 states = l != NULL ? l->r[CPUPOLICY_EAX] | (u64)l->r[CPUPOLICY_EDX] << 32 : 0;
    static const u32 zero[4];
    long rc = 0;
    u32 sub;

    for (sub = 2; sub < 63 && states >> sub != 0 && rc == 0; sub++)
        if (cpupolicy_find(p, 0xd, sub) == NULL)
            rc = put_leaf(list, 0xd, sub, zero);
    return rc;
}

/*
 * Leaves out; *nr: room in, number out. -ENOBUFS: no room. The tools take the number for what they
 * may give back, and give back every leaf up to the highest: so all of them are listed.
 */
static long put_leaves(const struct cpu_policy *p, xen_cpuid_leaf_t *to, u32 *nr)
{
    struct leaf_list list = {.to = to, .room = *nr};
    const struct cpu_policy_leaf *basic = cpupolicy_find(p, 0, 0),
                                 *ext = cpupolicy_find(p, 0x80000000, 0);
    long rc = 0;
    u32 i;

    if (to == NULL) {
        *nr = LEAVES_MAX;
        return 0;
    }
    for (i = 0; i < p->nr && rc == 0; i++)
        if (p->leaf[i].leaf != 4 || p->leaf[i].sub < CACHE_SUBLEAVES)
            rc = put_leaf(&list, p->leaf[i].leaf, p->leaf[i].sub, p->leaf[i].r);
    if (rc == 0)
        rc = put_missing_states(&list, p);
    if (rc == 0)
        rc = put_missing(&list, p, 0, basic != NULL ? basic->r[0] : 0);
    if (rc == 0)
        rc = put_missing(&list, p, 0x40000000, 0x40000000);
    if (rc == 0)
        rc = put_missing(&list, p, 0x40000100, 0x40000100);
    if (rc == 0 && ext != NULL)
        rc = put_missing(&list, p, 0x80000000, ext->r[0]);
    *nr = list.nr;
    return rc;
}

long abi_sysctl_cpu_policy(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_policy *c = &op->u.cpu_policy;
    bool hvm =
        c->index == XEN_SYSCTL_cpu_policy_hvm_max || c->index == XEN_SYSCTL_cpu_policy_hvm_default;

    if (c->index > XEN_SYSCTL_cpu_policy_hvm_default || c->_rsvd != 0)
        return -EINVAL;
    if (hvm && !hvm_offered())
        return -EOPNOTSUPP;
    c->nr_msrs = c->msrs.p != NULL ? 0 : MSRS_MAX;
    return put_leaves(hvm ? hvm_guest_kind.cpu_policy : pv_guest_kind.cpu_policy, c->leaves.p,
                      &c->nr_leaves);
}

long abi_domctl_get_cpu_policy(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *c = &op->u.cpu_policy;

    c->nr_msrs = c->msrs.p != NULL ? 0 : MSRS_MAX;
    return put_leaves(domain_cpu_policy(d), c->leaves.p, &c->nr_leaves);
}

/* One leaf of the tools into the domain's policy: feature words are cut, model data is taken. */
static void apply_leaf(struct cpu_policy *p, const xen_cpuid_leaf_t *l)
{
    const u32 in[4] = {l->a, l->b, l->c, l->d};
    u32 i, j;

    for (i = 0; i < p->nr; i++) {
        struct cpu_policy_leaf *mine = &p->leaf[i];

        if (mine->leaf != l->leaf || mine->sub != l->subleaf)
            continue;
        for (j = 0; j < ARRAY_SIZE(words); j++)
            if (words[j].leaf == l->leaf &&
                (mine->sub == CPUPOLICY_NO_SUB || mine->sub == words[j].sub))
                mine->r[words[j].reg] &= in[words[j].reg];
        /* Brand string: free text. */
        if (l->leaf >= 0x80000002 && l->leaf <= 0x80000004)
            memcpy(mine->r, in, sizeof(in));
    }
}

long abi_domctl_set_cpu_policy(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *c = &op->u.cpu_policy;
    struct cpu_policy *p;
    xen_cpuid_leaf_t l;
    u32 i;

    c->err_leaf = c->err_subleaf = c->err_msr = ~0u;
    if (c->nr_leaves > LEAVES_MAX || c->nr_msrs > MSRS_MAX)
        return hypercall_refuse(-E2BIG, "domctl: set_cpu_policy: %u leaves, %u MSRs", c->nr_leaves,
                                c->nr_msrs);
    if (d->state != DOMAIN_BUILDING)
        return hypercall_refuse(-EEXIST, "domctl: set_cpu_policy: d%u has run", d->id);
    p = domain_zalloc(d, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    memcpy(p, d->kind->cpu_policy, sizeof(*p));
    for (i = 0; i < c->nr_leaves; i++) {
        if (!GUESTMEM_IN(&l, c->leaves.p + i)) {
            domain_zfree(d, p, sizeof(*p));
            return -EFAULT;
        }
        apply_leaf(p, &l);
    }
    /* The domain has not run: nobody reads its policy yet. */
    lock_acquire(&d->lock);
    if (d->cpu_policy != NULL)
        memcpy(d->cpu_policy, p, sizeof(*p));
    else
        d->cpu_policy = p;
    lock_release(&d->lock);
    if (d->cpu_policy != p)
        domain_zfree(d, p, sizeof(*p));
    return 0;
}
