# SPDX-License-Identifier: MIT
"""Kernels that no guest can be started with."""

import os
import subprocess

import vm

# Types of notes (public header elfnote.h).
ENTRY, VIRT_BASE, XEN_VERSION, GUEST_OS, LOADER, FEATURES, PHYS32 = 1, 3, 5, 6, 8, 10, 18

CODE = """
        .section .note.GNU-stack,"",@progbits
        .text
        .globl _start
_start: hlt
        jmp _start
"""
NOTE = """
        .section .note.Xen,"a",@note
        .balign 4
        .long 4, 2f - 1f, {kind}
        .asciz "Xen"
1:      {value}
2:      .balign 4
"""
TEXTS = {GUEST_OS: '.asciz "test"', XEN_VERSION: '.asciz "xen-3.0"', LOADER: '.asciz "generic"'}


def elf(path, notes, bits=64):
    """An ELF of that size of words, with these notes: {type: assembler}."""
    text = CODE + "".join(NOTE.format(kind=kind, value=value) for kind, value in notes.items())
    target = ["as", "--32"] if bits == 32 else ["as", "--64"]
    link = ["ld", "-m", "elf_i386" if bits == 32 else "elf_x86_64", "-Ttext=0x100000"]
    subprocess.run(target + ["-o", path + ".o"], input=text, text=True, check=True)
    subprocess.run(link + ["-o", path, path + ".o"], check=True)
    os.remove(path + ".o")


def make(folder):
    """All of them, named after what is wrong."""
    def path(name):
        return os.path.join(folder, name)

    with open(os.path.join(vm.IMAGE, "vmlinuz"), "rb") as file:
        kernel = bytearray(file.read())
    with open(path("truncated"), "wb") as file:
        file.write(kernel[:1 << 20])
    kernel[len(kernel) // 2] ^= 0x55
    with open(path("corrupted"), "wb") as file:
        file.write(kernel)
    with open(path("garbage"), "wb") as file:
        file.write(b"neither a kernel nor an ELF file\n" * 4000)
    with open(path("empty"), "wb"):
        pass
    word = {**TEXTS, ENTRY: ".quad _start", VIRT_BASE: ".quad 0"}
    elf(path("no-notes"), {})
    elf(path("bits32"), {**TEXTS, ENTRY: ".long _start", VIRT_BASE: ".long 0"}, 32)
    elf(path("pvh-only"), {PHYS32: ".quad _start"})
    elf(path("feature"), {**word, FEATURES: '.asciz "!nonsense"'})
    elf(path("loader"), {**word, LOADER: '.asciz "special"'})
    elf(path("base"), {**word, VIRT_BASE: ".quad 0xffffffff80000000"})
