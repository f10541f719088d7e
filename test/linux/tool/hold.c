/* SPDX-License-Identifier: MIT */
/*
 * hold DOMID MFN: map the domain's frame MFN as the tools do, and the frames behind its first two
 * grant entries, which the tools made for the console and xenstore. Says "held", waits for the end
 * of its input, and says whether what it sees is still the same.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/gntdev.h>

/* Linux's include/uapi/xen/privcmd.h, which needs a header that user space does not have. */
struct privcmd_mmapbatch_v2 {
    unsigned int num;
    uint16_t dom;
    uint64_t addr;
    const uint64_t *arr;
    int *err;
};
#define IOCTL_PRIVCMD_MMAPBATCH_V2 _IOC(_IOC_NONE, 'P', 4, sizeof(struct privcmd_mmapbatch_v2))

#define PAGE   4096
#define GRANTS 2

static int give_up(const char *what)
{
    perror(what);
    return 1;
}

static uint32_t sum(const uint8_t *p, size_t n)
{
    uint32_t s = 0;

    while (n-- > 0)
        s = s * 31 + *p++;
    return s;
}

int main(int argc, char **argv)
{
    union {
        struct ioctl_gntdev_map_grant_ref map;
        uint8_t room[sizeof(struct ioctl_gntdev_map_grant_ref) +
                     GRANTS * sizeof(struct ioctl_gntdev_grant_ref)];
    } grants = {.map = {.count = GRANTS}};
    uint64_t mfn = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    int privcmd = open("/dev/xen/privcmd", O_RDWR), gntdev = open("/dev/xen/gntdev", O_RDWR);
    int err = 0, i;
    struct privcmd_mmapbatch_v2 batch = {1, argc > 1 ? (uint16_t)atoi(argv[1]) : 0, 0, &mfn, &err};
    uint8_t *foreign, *granted;
    uint32_t before;

    if (argc != 3 || privcmd < 0 || gntdev < 0)
        return give_up("hold: DOMID MFN, /dev/xen/privcmd, /dev/xen/gntdev");
    foreign = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
    batch.addr = (uint64_t)foreign;
    if (foreign == MAP_FAILED || ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) != 0 || err)
        return give_up("hold: the frame");
    for (i = 0; i < GRANTS; i++)
        grants.map.refs[i] = (struct ioctl_gntdev_grant_ref){batch.dom, (uint32_t)i};
    if (ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &grants.map) != 0)
        return give_up("hold: the grants");
    granted = mmap(NULL, GRANTS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev,
                   (off_t)grants.map.index);
    if (granted == MAP_FAILED)
        return give_up("hold: mapping the grants");
    /* The end of each page: the rings' data is at their beginning. */
    memset(foreign + PAGE - 64, 0x5a, 64);
    memset(granted + GRANTS * PAGE - 64, 0xa5, 64);
    before = sum(foreign + PAGE - 64, 64) + sum(granted + GRANTS * PAGE - 64, 64);
    printf("held\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    i = before == sum(foreign + PAGE - 64, 64) + sum(granted + GRANTS * PAGE - 64, 64);
    printf("%s\n", i ? "unchanged" : "changed");
    return !i;
}
