/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a payload, into a buffer of a size the first two bytes say. The libraries are not
 * instrumented, but their writes land in a heap block that ASan guards.
 */
#include <stdlib.h>

#include "host/host.h"
#include "pure/unpack.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct reason why = {.text = ""};
    struct unpack_job job = {.why = &why};
    int rc;

    if (size < 2)
        return 0;
    job.src = data + 2;
    job.len = size - 2;
    job.dst_size = (size_t)(data[0] | data[1] << 8);
    job.dst = malloc(job.dst_size + 1);
    CHECK(unpack_scratch_size(job.src, job.len, job.dst_size) <= (2u << 20));
    rc = unpack_run(&job);
    CHECK(job.out_len <= job.dst_size);
    CHECK(rc ? why.text[0] : job.out_len == job.dst_size);
    free(job.dst);
    return 0;
}
