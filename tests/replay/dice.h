/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_REPLAY_DICE_H
#define ECSDNS_REPLAY_DICE_H

#include "tests/load/ask.h"

/* 0 to count - 1 */
static inline uint32_t below(uint64_t *random, uint32_t count)
{
	return (ask_random(random) >> 32) % count;
}

static inline int one_in(uint64_t *random, uint32_t count)
{
	return !below(random, count);
}

#endif
