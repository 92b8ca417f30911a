/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes a reply record by record behind the question of the query, in the query's own buffer, with names compressed
 * (RFC 1035 4.1.4) where RFC 3597 4 allows it. Equal input gives equal octets.
 */
#ifndef ECSDNS_FALLBACK_RESPONSE_H
#define ECSDNS_FALLBACK_RESPONSE_H

#include <stdint.h>

#include "user/common/lookup.h"
#include "user/common/zone.h"

/* Names that later ones may point to; when the table is full, further names are written out. */
#define RESPONSE_NAMES_MAX 192
#define RESPONSE_SLOTS 64

/* RFC 1035 4.1.1, RFC 2136 2.2, RFC 6891 9, RFC 7873 8 */
enum rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_BADVERS = 16,
	RCODE_BADCOOKIE = 23,
};

/* Why an error is one, for whoever looks for its cause: RFC 8914 4 */
enum info_code {
	INFO_NONE = 0,		/* 0 is "other error", which explains nothing and is never sent */
	INFO_NOT_READY = 14,
	INFO_PROHIBITED = 18,
	INFO_NOT_AUTHORITATIVE = 20,
	INFO_NOT_SUPPORTED = 21,
};

/* What a reply says besides its records. */
struct status {
	uint16_t flags;		/* HEADER_* to set */
	enum rcode rcode;
	enum info_code info;
};

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTION_COUNT };

struct response {
	struct message *message;
	const struct query *query;
	uint32_t at;			/* where the next record goes */
	uint32_t limit;			/* for records: the OPT record fits behind */
	uint16_t counts[SECTION_COUNT];
	int has_names;			/* those of the question are remembered */
	uint32_t name_count;
	uint16_t slots[RESPONSE_SLOTS];	/* hash -> 1 + the name written last, 0 if none */
	struct {
		uint32_t hash;
		uint16_t offset;	/* in the message */
		uint16_t next;		/* 1 + the one before it in its slot */
	} names[RESPONSE_NAMES_MAX];
};

/* Makes ready for records. A query without a whole question (question_end 0) gets a reply without one. */
void response_begin(struct response *response, struct message *message, const struct query *query);

/*
 * Appends a record set, whole or not at all. Sections in their order. An owner that is the question's name should be given
 * as it lies in the message: it takes no search. 0, or -ENOSPC if it does not fit.
 */
int response_rrset(struct response *response, enum section section, const uint8_t *owner,
		   const struct zone_rrset *rrset, uint32_t ttl);

/* Takes all records back, for TC=1 (RFC 2181 9). */
void response_clear(struct response *response);

/* Writes header and OPT (client subnet echoed with scope 0 if the query has QUERY_ECS). `flags`: HEADER_* to
 * set. Returns the octets, without those of query->more_octets, which are the caller's. */
uint32_t response_finish(struct response *response, uint16_t flags, enum rcode rcode);

#endif
