/* SPDX-License-Identifier: MIT */
/* The fuzzer's machine has SVM, or nothing: VMX is left out, as is the way into an SVM guest. */
#include "hvm/svm.h"
#include "pure/p2m.h"

const struct hvm_vendor vmx_vendor;

bool vmx_init(void)
{
    return false;
}

void svm_enter(void)
{
    BUG();
}
