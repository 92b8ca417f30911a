/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is this a reply to that query? libknot reads it; what it must have is known from how the query was made. */
#ifndef ECSDNS_REPLAY_JUDGE_H
#define ECSDNS_REPLAY_JUDGE_H

#include "tests/replay/query.h"

#define JUDGE_WHY 200

/* `ecs`: the server reads client subnets. 0, or -1 with what is wrong in `why`. */
int judge_reply(const struct asked *asked, int ecs, const uint8_t *reply, size_t length, char why[JUDGE_WHY]);

#endif
