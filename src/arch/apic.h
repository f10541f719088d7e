/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of the running CPU, by memory (xAPIC) or MSR (x2APIC). For arch only: irq.h is
 * what others use. Source: SDM vol. 3, chapter 11 (Advanced Programmable Interrupt Controller).
 */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include "base/def.h"

/*
 * Boot CPU: chooses the mode, maps the registers at maddr (0: where the MSR says) and sets this
 * CPU's APIC up; false when the machine has none. nmi_lint: the pin (0 or 1) that NMI comes in by.
 * Further CPUs: the same mode.
 */
bool apic_init(maddr_t maddr, u32 nmi_lint) MUST_CHECK;
void apic_init_secondary(void);

u32 apic_id(void);
/* The highest id an interrupt can be sent to in this mode. */
u32 apic_id_max(void);
/* Ends the interrupt of the highest priority in service. */
void apic_eoi(void);
/* Is this vector in service? */
bool apic_in_service(u32 vector);

/* To an APIC id. INIT and start-up as SDM vol. 3, 9.4.4 has them; page is the SIPI's vector. */
void apic_send_fixed(u32 id, u32 vector);
void apic_send_nmi(u32 id);
void apic_send_init(u32 id);
void apic_send_startup(u32 id, u32 page);

/* The error interrupt: reads and logs why. */
void apic_error(void);

/* One-shot timer. Boot CPU: calibrates against the TSC; needs clock_measure. Then each CPU. */
void apic_timer_init(void);
/* At a value of this CPU's TSC, or early when it is seconds away; 0 = off. */
void apic_timer_arm(u64 tsc);

#endif
