/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_REPLAY_SHOW_H
#define ECSDNS_REPLAY_SHOW_H

#include "tests/replay/query.h"

/* What is wrong about a query, at most ten times. Returns whether it was shown. */
int show_wrong(const struct asked *asked, const char *why);

/* The same of one of a seed, and how to see it again. */
int show_wrong_number(uint64_t seed, uint64_t number, const struct asked *asked, const char *why);

#endif
