/* SPDX-License-Identifier: MIT */
/*
 * Put before base/lib.c in host builds only: our versions of the C library's functions get names
 * of their own, so the sanitizers keep intercepting the library's. lib_test.c tests these.
 */
#ifndef HOST_RENAME_H
#define HOST_RENAME_H

#define memcpy  wh_memcpy
#define memmove wh_memmove
#define memset  wh_memset
#define memcmp  wh_memcmp
#define strlen  wh_strlen
#define strnlen wh_strnlen
#define strcmp  wh_strcmp
#define strncmp wh_strncmp
#define strchr  wh_strchr

#endif
