/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_REPLAY_SHOW_H
#define ECSDNS_REPLAY_SHOW_H

#include "tests/replay/query.h"

/* What is wrong with number `number` of a seed, and the query; at most ten times. Returns whether it was shown. */
int show_wrong(uint64_t seed, uint64_t number, const struct asked *asked, const char *why);

#endif
