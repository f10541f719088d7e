/* SPDX-License-Identifier: MIT */
/*
 * Where in a Linux bzImage is the compressed kernel, and how large will it be?
 *
 * The file is a real-mode part of setup_sects + 1 sectors and then the protected-mode part;
 * payload_offset counts from the latter. The last four bytes of the payload are the unpacked length
 * (Documentation/arch/x86/boot.rst): the build appends them to the compressed stream, except for
 * gzip, whose own trailer ends so. They stay in the slice; a decoder stops where its stream ends.
 * The real-mode code, the EFI stub and the relocation data are left alone.
 */
#include "pure/bzimage.h"

#include "base/err.h"
#include "pure/bytes.h"

/* Offsets in the file, and the first protocol with a payload (boot.rst, header fields). */
#define OFF_SETUP_SECTS 0x1f1
#define OFF_BOOT_FLAG   0x1fe
#define OFF_MAGIC       0x202
#define OFF_VERSION     0x206
#define OFF_PAYLOAD     0x248
#define OFF_PAYLOAD_LEN 0x24c
#define HEADER_END      0x250

#define BOOT_FLAG                   0xaa55
#define MAGIC_HDRS                  0x53726448u /* "HdrS" */
#define FIRST_PROTOCOL_WITH_PAYLOAD 0x0208
#define SECTOR                      512

int bzimage_parse(const void *file, size_t len, struct bzimage *out, struct reason *why)
{
    const u8 *f = file;
    u64 start, size;

    if (len < OFF_PAYLOAD || bytes_le16(f + OFF_BOOT_FLAG) != BOOT_FLAG ||
        bytes_le32(f + OFF_MAGIC) != MAGIC_HDRS)
        return reason_set(why, -ENOEXEC, "no bzImage header in %zu bytes", len);

    out->protocol = bytes_le16(f + OFF_VERSION);
    if (out->protocol < FIRST_PROTOCOL_WITH_PAYLOAD)
        return reason_set(why, -EOPNOTSUPP, "bzImage boot protocol 0x%x is older than 0x%x",
                          out->protocol, FIRST_PROTOCOL_WITH_PAYLOAD);
    if (len < HEADER_END)
        return reason_set(why, -EINVAL, "truncated bzImage: %zu bytes end inside its header", len);

    start = f[OFF_SETUP_SECTS] ? f[OFF_SETUP_SECTS] : 4; /* 0 means 4, boot.rst setup_sects */
    start = (start + 1) * SECTOR + bytes_le32(f + OFF_PAYLOAD);
    size = bytes_le32(f + OFF_PAYLOAD_LEN);
    if (size <= sizeof(u32))
        return reason_set(why, -EINVAL, "bzImage has a payload of %llu bytes",
                          (unsigned long long)size);
    if (!bytes_inside(start, size, len))
        return reason_set(why, -EINVAL,
                          "truncated bzImage: payload ends at 0x%llx but the file has 0x%zx bytes",
                          (unsigned long long)(start + size), len);

    out->payload = (size_t)start;
    out->payload_len = (size_t)size;
    out->unpacked_len = bytes_le32(f + start + size - sizeof(u32));
    return 0;
}
