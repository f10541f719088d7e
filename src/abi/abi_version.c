/* SPDX-License-Identifier: MIT */
/*
 * What is below this guest? The tools and the kernel take their decisions from the version, the
 * capability string and the feature bits (ABI: public headers version.h, features.h). Sub-op 0
 * is also what a kernel calls to have its events delivered, so it comes first.
 */
#include "abi/abi.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/guestmem.h"
#include "core/host.h"
#include "core/page.h"
#include "hvm/hvm.h"

#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define VERSION_EXTRA ".4-wheeler"

/* Guest types the tools may create; the text ends with a blank, as the tools' parser likes it. */
#define CAPABILITIES     "xen-3.0-x86_64 "
#define CAPABILITIES_HVM CAPABILITIES "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "

#define FEATURE(f) (1u << (f))
#define FEATURES_PV                                                                                \
    (FEATURE(XENFEAT_pae_pgdir_above_4gb) | FEATURE(XENFEAT_mmu_pt_update_preserve_ad) |           \
     FEATURE(XENFEAT_highmem_assist) | FEATURE(XENFEAT_gnttab_map_avail_bits) |                    \
     FEATURE(XENFEAT_memory_op_vnode_supported) | FEATURE(XENFEAT_direct_mapped))

#define FEATURES_HVM                                                                               \
    (FEATURE(XENFEAT_writable_page_tables) | FEATURE(XENFEAT_auto_translated_physmap) |            \
     FEATURE(XENFEAT_hvm_callback_vector) | FEATURE(XENFEAT_hvm_safe_pvclock) |                    \
     FEATURE(XENFEAT_memory_op_vnode_supported) | FEATURE(XENFEAT_not_direct_mapped))

STATIC_ASSERT((FEATURES_PV | FEATURE(XENFEAT_dom0)) == 0x228f0, "what PV Linux is known to see");
STATIC_ASSERT(sizeof(VERSION_EXTRA) <= XEN_EXTRAVERSION_LEN, "fits its field");

/* A text in a field of fixed size, the rest zero. */
static long put_text(u64 arg, const char *s, size_t field)
{
    char *dst = (char *)arg;
    size_t n = strnlen(s, field - 1);

    if (!guestmem_copy_out(dst, s, n) || !guestmem_clear(dst + n, field - n))
        return -EFAULT;
    return 0;
}

static long put_compile_info(u64 arg)
{
    xen_compile_info_t info = {.compile_by = BUILD_BY};

    str_copy(info.compiler, "cc " __VERSION__, sizeof(info.compiler));
    str_copy(info.compile_date, BUILD_DATE, sizeof(info.compile_date));
    return GUESTMEM_OUT((xen_compile_info_t *)arg, &info) ? 0 : -EFAULT;
}

static long put_features(const struct domain *d, u64 arg)
{
    struct xen_feature_info fi;

    if (!GUESTMEM_IN(&fi, (const void *)arg))
        return -EFAULT;
    if (fi.submap_idx != 0)
        return -EINVAL;
    fi.submap = d->hvm != NULL ? FEATURES_HVM : FEATURES_PV;
    if (d == domain_hardware)
        fi.submap |= FEATURE(XENFEAT_dom0);
    return GUESTMEM_OUT((struct xen_feature_info *)arg, &fi) ? 0 : -EFAULT;
}

static long put_platform(u64 arg)
{
    xen_platform_parameters_t p = {.virt_start = HV_VIRT_START};

    return GUESTMEM_OUT((xen_platform_parameters_t *)arg, &p) ? 0 : -EFAULT;
}

long abi_xen_version(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    const struct domain *d = vcpu_current()->domain;

    (void)a3, (void)a4, (void)a5, (void)a6;
    if ((u32)cmd == XENVER_version)
        return VERSION_MAJOR << 16 | VERSION_MINOR;
    switch ((u32)cmd) {
    case XENVER_extraversion:
        return put_text(arg, VERSION_EXTRA, sizeof(xen_extraversion_t));
    case XENVER_compile_info:
        return put_compile_info(arg);
    case XENVER_capabilities:
        return put_text(arg, hvm_offered() ? CAPABILITIES_HVM : CAPABILITIES,
                        sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return put_text(arg, BUILD_COMMIT, sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters:
        return put_platform(arg);
    case XENVER_get_features:
        return put_features(d, arg);
    case XENVER_pagesize:
        return arg ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return guestmem_copy_out((void *)arg, d->handle, sizeof(d->handle)) ? 0 : -EFAULT;
    case XENVER_commandline:
        /* The options may tell secrets of the host. */
        return put_text(arg, d->privileged ? host_command_line() : "<denied>",
                        sizeof(xen_commandline_t));
    case XENVER_build_id:
        return d->privileged ? -ENODATA : -EPERM;
    default:
        return hypercall_refuse(-ENOSYS, "xen_version: %u is unknown", (u32)cmd);
    }
}
