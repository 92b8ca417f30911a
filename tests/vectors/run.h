/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_TESTS_RUN_H
#define ECSDNS_TESTS_RUN_H

#include "tests/vectors/vector.h"

struct tally {
	unsigned int passed, failed;
};

/* One more vector done; prints "ok - ..." unless it failed, for then "not ok - ..." stands there already. */
void tally_count(struct tally *tally, const struct vector *vector, const char *how, int failed);

/* Both print TAP: behind each "not ok" what differs. 0, or -errno if they could not begin. */
int run_driver(const struct vectors *vectors, const char *pins, unsigned int ifindex, struct tally *tally);
int run_server(const struct vectors *vectors, struct tally *tally);

/* Lets the clock of cookies stand still, for driver and fallback; 0: lets it go on. 0, or -ENOENT with a line on standard error. */
int stop_clock(const char *pins, uint32_t seconds);

#endif
