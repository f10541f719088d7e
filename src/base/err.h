/* SPDX-License-Identifier: MIT */
/*
 * Error numbers, returned negative. The values are the ABI's (public header xen/errno.h), which
 * equal Linux's on x86; wire/wire.h asserts that.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define EPERM         1
#define ENOENT        2
#define ESRCH         3
#define EINTR         4
#define EIO           5
#define ENXIO         6
#define E2BIG         7
#define ENOEXEC       8
#define EBADF         9
#define EAGAIN        11
#define ENOMEM        12
#define EACCES        13
#define EFAULT        14
#define EBUSY         16
#define EEXIST        17
#define EXDEV         18
#define ENODEV        19
#define EISDIR        21
#define EINVAL        22
#define ENOSPC        28
#define EROFS         30
#define ERANGE        34
#define EDEADLK       35
#define ENOSYS        38
#define ENODATA       61
#define ETIME         62
#define EOVERFLOW     75
#define EILSEQ        84
#define EOPNOTSUPP    95
#define EADDRNOTAVAIL 99
#define ENOBUFS       105
#define ETIMEDOUT     110

/* Internal: the step ran out of budget, call again. Never reaches a guest. */
#define ERESTART 85

#endif
