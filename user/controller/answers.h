/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answer entries as maps/abi.h lays them out, and the growing list of those of a generation, in which equal ones are
 * one. Every record's owner is the question (0xc00c), so that services share entries.
 */
#ifndef ECSDNS_CONTROLLER_ANSWERS_H
#define ECSDNS_CONTROLLER_ANSWERS_H

#include "maps/abi.h"
#include "user/controller/choose.h"

struct answers {
	struct answer *list;	/* number n is list[n - 1] */
	size_t count, room;
	uint32_t *slots;	/* hash of contents: number or 0 */
	size_t slot_count;
};

void answers_free(struct answers *answers);

/* The number of an entry with this content, added if need be. 0 or -ENOMEM. */
int answers_number(struct answers *answers, const struct answer *answer, uint32_t *number);

/* Of its content, for tables of them. */
uint64_t answer_hash(const struct answer *answer);

/*
 * A pool's records of a type: of the members that are up or, with health null, of all. -E2BIG if they do not fit an
 * entry.
 */
int answer_pool(struct answer *answer, const struct config_pool *pool, enum service_type type, uint32_t ttl,
		const struct health *health);

/* One record set: `count` rdata of equal lengths, all sent. -E2BIG if they do not fit or differ in length. */
struct answer_rdata {
	const uint8_t *octets;
	uint16_t length;
};
int answer_records_set(struct answer *answer, uint16_t type, uint32_t ttl, const struct answer_rdata *rdata,
		       size_t count);

/*
 * No data, with this SOA in the authority section (RFC 2308 3). Its owner is the name that begins `apex_offset` octets
 * into the question's; apex_root: the root, which is not compressed. -E2BIG if the rdata does not fit.
 */
int answer_nodata(struct answer *answer, uint16_t apex_offset, bool apex_root, uint32_t ttl,
		  const struct answer_rdata *soa);

#endif
