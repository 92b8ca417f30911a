/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vectors as the runner knows them: the literal lines of the files, not the symbolic ones (README.md). */
#ifndef ECSDNS_TESTS_VECTOR_H
#define ECSDNS_TESTS_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "tests/vectors/frame.h"

#define VECTOR_UDP 0x1
#define VECTOR_TCP 0x2

enum vector_verdict { VERDICT_TX, VERDICT_PASS, VERDICT_NONE };	/* NONE: not for the driver */

struct octets {
	uint8_t *data;		/* NULL: the line is missing */
	size_t length;
};

struct vector {
	char *name;
	const char *file;
	unsigned int line;
	unsigned int version;		/* of IP: 4 or 6 */
	int elsewhere;			/* while it is read: `from` names nobody of this version */
	uint8_t client[16], server[16];	/* network order; IPv4 in the first four octets */
	uint16_t port;			/* the client's */
	unsigned int via;		/* VECTOR_UDP, VECTOR_TCP */
	enum vector_verdict verdict;
	unsigned int reason;		/* enum reason that the driver counts */
	struct octets query, reply;	/* messages; a reply of length 0: none comes */
	struct octets query_frame, reply_frame;
};

struct vectors {
	struct vector *list;
	size_t count;
};

/*
 * Appends a file's vectors as they are asked over this IP version: a row that does not say from where stands in both.
 * 0, or -errno with a line "file:line: ..." printed. Free with vectors_free() after either.
 */
int vectors_read(struct vectors *vectors, const char *path, unsigned int version);
void vectors_free(struct vectors *vectors);

/* Who asks whom; the MACs are left zero. */
struct ends vector_ends(const struct vector *vector);

extern const char *const vector_reasons[];	/* by enum reason */

#endif
