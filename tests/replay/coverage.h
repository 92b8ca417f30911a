/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much of "every" has been asked: orders of options, source lengths, sizes, types of each service, ways of damage. */
#ifndef ECSDNS_REPLAY_COVERAGE_H
#define ECSDNS_REPLAY_COVERAGE_H

#include "tests/replay/query.h"

struct coverage;

/* NULL: no memory. */
struct coverage *coverage_new(const struct targets *targets);
void coverage_free(struct coverage *coverage);

/* One more that was asked; `answered` by the driver: of those that are not damaged only they count. */
void coverage_count(struct coverage *coverage, const struct asked *asked, int answered);

/* A line for each: "covered 33 of 33 source lengths of IPv4", with those that are missing behind it. */
void coverage_print(const struct coverage *coverage);

#endif
