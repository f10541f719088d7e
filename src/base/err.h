/* SPDX-License-Identifier: MIT */
/*
 * Error numbers, returned negative: those in use. The values are the ABI's (public header
 * xen/errno.h), which equal Linux's on x86.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define EPERM         1
#define ENOENT        2
#define ESRCH         3
#define EIO           5
#define ENXIO         6
#define E2BIG         7
#define ENOEXEC       8
#define EAGAIN        11
#define ENOMEM        12
#define EACCES        13
#define EFAULT        14
#define EBUSY         16
#define EEXIST        17
#define ENODEV        19
#define EINVAL        22
#define ENOSPC        28
#define ENOSYS        38
#define ENODATA       61
#define EOPNOTSUPP    95
#define EADDRNOTAVAIL 99
#define ENOBUFS       105

/* Internal: the step ran out of budget, call again. Never reaches a guest. */
#define ERESTART 85

#endif
