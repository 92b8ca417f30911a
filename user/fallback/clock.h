/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_FALLBACK_CLOCK_H
#define ECSDNS_FALLBACK_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds that only go forward. */
static inline int64_t clock_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

#endif
