// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "maps/siphash.h"
#include "user/controller/answers.h"

#define RECORD_HEADER_OCTETS 12		/* pointer, type, class, TTL, length */
#define POINTER 0xc000			/* RFC 1035 4.1.4 */
#define QUESTION_AT 12

/* -- octets -- */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* What follows an owner (RFC 1035 4.1.3). */
static void put_record(uint8_t *at, uint16_t type, uint32_t ttl, const struct answer_rdata *rdata)
{
	put16(at, type);
	put16(at + 2, CLASS_IN);
	put32(at + 4, ttl);
	put16(at + 8, rdata->length);
	memcpy(at + 10, rdata->octets, rdata->length);
}

static void put_record_of_question(uint8_t *at, uint16_t type, uint32_t ttl, const struct answer_rdata *rdata)
{
	put16(at, POINTER | QUESTION_AT);
	put_record(at + 2, type, ttl, rdata);
}

/* -- entries -- */

/* Records behind a choice table of `table` octets. */
static int records_fill(struct answer *answer, uint16_t table, uint16_t type, uint32_t ttl,
			const struct answer_rdata *rdata, size_t count)
{
	size_t stride = RECORD_HEADER_OCTETS + rdata->length;

	if (!count || count > ANSWER_RECORDS_MAX || table + count * stride > ANSWER_OCTETS)
		return -E2BIG;
	for (size_t i = 1; i < count; i++)
		if (rdata[i].length != rdata->length)
			return -E2BIG;
	answer->count = count;
	answer->stride = stride;
	answer->records = table;
	answer->tail = table + count * stride;
	for (size_t i = 0; i < count; i++)
		put_record_of_question(answer->octets + table + i * stride, type, ttl, &rdata[i]);
	return 0;
}

int answer_records_set(struct answer *answer, uint16_t type, uint32_t ttl, const struct answer_rdata *rdata,
		       size_t count)
{
	memset(answer, 0, sizeof(*answer));
	answer->method = ANSWER_ALL;
	answer->send = count;
	return records_fill(answer, 0, type, ttl, rdata, count);
}

int answer_nodata(struct answer *answer, uint16_t apex_offset, bool apex_root, uint32_t ttl,
		  const struct answer_rdata *soa)
{
	size_t owner = apex_root ? 1 : 2;

	memset(answer, 0, sizeof(*answer));
	answer->method = ANSWER_ALL;
	if (owner + 10 + soa->length > ANSWER_OCTETS)
		return -E2BIG;
	if (!apex_root)
		put16(answer->octets, POINTER | (QUESTION_AT + apex_offset));
	put_record(answer->octets + owner, TYPE_SOA, ttl, soa);
	answer->tail_length = owner + 10 + soa->length;
	answer->authority = 1;
	return 0;
}

/* -- pools -- */

/* 2^32 times the share of members 0..i; the last is 2^32 - 1, which no draw reaches (maps/answer.h). */
static void weighted_fill(struct answer *answer, const struct config_member *const *members, size_t count)
{
	uint64_t total = 0, sum = 0;
	uint32_t threshold;

	for (size_t i = 0; i < count; i++)
		total += members[i]->weight;
	for (size_t i = 0; i < count; i++) {
		sum += members[i]->weight;
		threshold = i + 1 == count ? 0xffffffff : (sum << 32) / total;
		memcpy(answer->octets + i * sizeof(threshold), &threshold, sizeof(threshold));
	}
}

/* A number in (0, 1) that only this member has for this slot. */
static double hash_score(const struct config_member *member, uint32_t slot)
{
	static const __u64 key[2] = {0, 0};	/* every server must come to the same table */
	uint64_t name = 0xcbf29ce484222325ULL, drawn;

	for (const char *at = member->name; *at; at++)
		name = (name ^ (uint8_t)*at) * 0x100000001b3ULL;
	drawn = siphash_three(key, name, slot, 0);
	return ((drawn >> 12) + 0.5) / (double)(1ULL << 52);
}

/*
 * Rendezvous hashing (Thaler and Ravishankar), with weights: each slot goes to the member with the highest score for
 * it, so that a member that comes or goes moves its own slots only.
 */
static void hash_fill(struct answer *answer, const struct config_member *const *members, size_t count)
{
	double score, best;

	for (uint32_t slot = 0; slot < ANSWER_HASH_SLOTS; slot++) {
		best = -1;
		for (size_t i = 0; i < count; i++) {
			score = members[i]->weight / -log(hash_score(members[i], slot));
			if (score <= best)
				continue;
			best = score;
			answer->octets[slot] = i;
		}
	}
}

/* Members that may be chosen, at most one more than fit: enough to see that they do not. */
static size_t pool_members(const struct config_pool *pool, enum service_type type, const struct health *health,
			   const struct config_member *members[ANSWER_RECORDS_MAX + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < pool->member_count && count <= ANSWER_RECORDS_MAX; i++)
		if (choose_member_fits(pool, &pool->members[i], type) && choose_member_up(pool, i, health))
			members[count++] = &pool->members[i];
	return count;
}

int answer_pool(struct answer *answer, const struct config_pool *pool, enum service_type type, uint32_t ttl,
		const struct health *health)
{
	const struct config_member *members[ANSWER_RECORDS_MAX + 1];
	struct answer_rdata rdata[ANSWER_RECORDS_MAX + 1];
	size_t count = pool_members(pool, type, health, members), table = 0;
	int fault;

	if (pool->cname) {
		rdata[0] = (struct answer_rdata){pool->cname->name, pool->cname->length};
		return answer_records_set(answer, TYPE_CNAME, ttl, rdata, 1);
	}
	if (pool->method == CONFIG_METHOD_failover && count)
		count = 1;
	if (pool->method == CONFIG_METHOD_weighted)
		table = count * sizeof(uint32_t);
	if (pool->method == CONFIG_METHOD_hash)
		table = ANSWER_HASH_SLOTS;
	for (size_t i = 0; i < count; i++)
		rdata[i] = (struct answer_rdata){members[i]->address.octets, members[i]->address.length};
	memset(answer, 0, sizeof(*answer));
	fault = records_fill(answer, table, type == SERVICE_A ? TYPE_A : TYPE_AAAA, ttl, rdata, count);
	if (fault)
		return fault;
	answer->method = ANSWER_ALL;
	answer->send = 1;
	if (pool->method == CONFIG_METHOD_all)
		answer->send = count < pool->max_answers ? count : pool->max_answers;
	if (pool->method == CONFIG_METHOD_weighted) {
		answer->method = ANSWER_WEIGHTED;
		weighted_fill(answer, members, count);
	}
	if (pool->method == CONFIG_METHOD_hash) {
		answer->method = ANSWER_HASH;
		hash_fill(answer, members, count);
	}
	return 0;
}

/* -- the list -- */

void answers_free(struct answers *answers)
{
	free(answers->list);
	free(answers->slots);
	memset(answers, 0, sizeof(*answers));
}

uint64_t answer_hash(const struct answer *answer)
{
	const uint8_t *octets = (const uint8_t *)answer;
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < sizeof(*answer); i += 8) {
		hash = (hash ^ wire_load64(octets + i)) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

static size_t answers_slot(const struct answers *answers, const struct answer *answer)
{
	size_t slot, mask = answers->slot_count - 1;

	for (slot = answer_hash(answer) & mask; answers->slots[slot]; slot = (slot + 1) & mask)
		if (!memcmp(&answers->list[answers->slots[slot] - 1], answer, sizeof(*answer)))
			break;
	return slot;
}

/* Room for one more in both. */
static int answers_reserve(struct answers *answers)
{
	size_t room = answers->room ? answers->room * 2 : 64;
	struct answer *list;
	uint32_t *slots;

	if (answers->count < answers->room)
		return 0;
	list = realloc(answers->list, room * sizeof(*list));
	if (!list)
		return -ENOMEM;
	answers->list = list;
	slots = calloc(room * 4, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(answers->slots);
	answers->slots = slots;
	answers->slot_count = room * 4;
	answers->room = room;
	for (size_t i = 0; i < answers->count; i++)
		slots[answers_slot(answers, &list[i])] = i + 1;
	return 0;
}

int answers_number(struct answers *answers, const struct answer *answer, uint32_t *number)
{
	int fault = answers_reserve(answers);
	size_t slot;

	if (fault)
		return fault;
	slot = answers_slot(answers, answer);
	if (!answers->slots[slot]) {
		answers->list[answers->count++] = *answer;
		answers->slots[slot] = answers->count;
	}
	*number = answers->slots[slot];
	return 0;
}
