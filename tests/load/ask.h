/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A row of the table -> one query of the many that it stands for. */
#ifndef ECSDNS_LOAD_ASK_H
#define ECSDNS_LOAD_ASK_H

#include "tests/load/expect.h"

#define ASK_OCTETS_MAX 384

#define ASK_NSID 0x1		/* ask who answers (RFC 5001): the driver passes it up, and who is not told a name says none */

struct ask {
	const struct expect_row *row;
	uint8_t octets[ASK_OCTETS_MAX];
	uint16_t length;
	uint16_t question_end;	/* offset */
	uint16_t subnet;	/* offset of the client subnet option's data; 0: none sent */
	uint16_t subnet_length;
	uint8_t has_edns;
};

/* xorshift: cheap, and repeatable from a seed that is not 0. */
static inline uint64_t ask_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/*
 * Writes a query with this id: letters in random case, RD, CD and DO at random, the options in either order, sometimes
 * with one nobody knows. A query without client subnet sometimes has no OPT at all.
 */
void ask_make(struct ask *ask, const struct expect_row *row, uint16_t id, unsigned int flags, uint64_t *seed);

#endif
