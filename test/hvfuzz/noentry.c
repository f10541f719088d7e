/* SPDX-License-Identifier: MIT */
/* The ways into a guest and back are assembly: hvmguest.c and vmxguest.c do what they do. */
#include "hvm/svm.h"
#include "hvm/vmx.h"

void svm_enter(void)
{
    BUG();
}

void vmx_enter(void)
{
    BUG();
}

void vmx_exit_entry(void)
{
    BUG();
}
