/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A reply against its query and the table: wholly of configuration A, wholly of B, or neither. An independent reader: it
 * shares no code with the programs under test but the names of constants.
 */
#ifndef ECSDNS_LOAD_JUDGE_H
#define ECSDNS_LOAD_JUDGE_H

#include "tests/load/ask.h"

#define JUDGE_A 0x1		/* wholly as configuration A prescribes */
#define JUDGE_B 0x2		/* wholly as B prescribes; both bits where they agree */

/*
 * Everything in the reply is looked at: header, question, every record, OPT, every option, no octets left over.
 * Returns JUDGE_* bits, or 0 with one line in `why`.
 */
int judge_reply(const struct expect *expect, const struct ask *ask, const uint8_t *reply, size_t length, char why[256]);

#endif
