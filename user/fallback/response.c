// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/descriptor.h>
#include <string.h>

#include "user/fallback/response.h"

#define POINTER 0xc000
#define POINTER_MAX 0x3fff
#define RECORD_OCTETS 10	/* type, class, TTL, RDLENGTH */

static int write_record(struct response *response, const uint8_t *owner, const struct zone_rrset *rrset, uint32_t ttl,
			const struct zone_rdata *rdata);
static int write_rdata(struct response *response, uint16_t type, const struct zone_rdata *rdata);
static int write_name(struct response *response, const uint8_t *name);
static int write_octets(struct response *response, const uint8_t *octets, uint32_t length);
static void names_forget(struct response *response, uint32_t count);

void response_begin(struct response *response, struct message *message, const struct query *query)
{
	response->message = message;
	response->query = query;
	response->at = query->question_end ? query->question_end : HEADER_OCTETS;
	response->limit = answer_limit(query) - answer_opt_octets(query);
	memset(response->counts, 0, sizeof(response->counts));
	response->has_names = 0;
	response->name_count = 0;
}

int response_rrset(struct response *response, enum section section, const uint8_t *owner,
		   const struct zone_rrset *rrset, uint32_t ttl)
{
	uint32_t at = response->at, names = response->name_count;
	int had_names = response->has_names;

	for (unsigned int i = 0; i < rrset->count; i++) {
		if (!write_record(response, owner, rrset, ttl, &rrset->records[i]))
			continue;
		response->at = at;
		names_forget(response, names);
		response->has_names = had_names;
		return -ENOSPC;
	}
	response->counts[section] += rrset->count;
	return 0;
}

void response_clear(struct response *response)
{
	response_begin(response, response->message, response->query);
}

uint32_t response_finish(struct response *response, uint16_t flags, enum rcode rcode)
{
	const struct query *query = response->query;
	uint32_t edns = query->flags & QUERY_EDNS ? 1 : 0;

	answer_header(response->message, HEADER_QR | flags | (rcode & 15), response->counts[SECTION_ANSWER],
		      response->counts[SECTION_AUTHORITY], response->counts[SECTION_ADDITIONAL] + edns);
	message_put_u16(response->message, 4, query->question_end ? 1 : 0);
	return answer_opt(response->message, query, response->at, 0, rcode);
}

/* -- records -- */

static int write_record(struct response *response, const uint8_t *owner, const struct zone_rrset *rrset, uint32_t ttl,
			const struct zone_rdata *rdata)
{
	struct message *message = response->message;
	uint32_t fixed;
	int code;

	code = write_name(response, owner);
	if (code)
		return code;
	fixed = response->at;
	if (fixed + RECORD_OCTETS > response->limit)
		return -ENOSPC;
	message_put_u16(message, fixed, rrset->type);
	message_put_u16(message, fixed + 2, CLASS_IN);
	message_put_u16(message, fixed + 4, ttl >> 16);
	message_put_u16(message, fixed + 6, ttl & 0xffff);
	response->at += RECORD_OCTETS;
	code = write_rdata(response, rrset->type, rdata);
	if (code)
		return code;
	message_put_u16(message, fixed + 8, response->at - fixed - RECORD_OCTETS);
	return 0;
}

/*
 * Names within data are compressed for the types of RFC 1035 alone, which libknot's descriptors tell; behind the last
 * such name everything is copied. Zone data are known to be sound (zone_load()).
 */
static int write_rdata(struct response *response, uint16_t type, const struct zone_rdata *rdata)
{
	const int *blocks = knot_get_rdata_descriptor(type)->block_types;
	uint32_t at = 0;
	int code = 0;

	for (; !code && (*blocks > 0 || *blocks == KNOT_RDATA_WF_COMPRESSIBLE_DNAME); blocks++) {
		uint32_t length = *blocks;

		if (*blocks > 0) {
			code = write_octets(response, rdata->octets + at, length);
		} else {
			length = zone_name_length(rdata->octets + at);
			code = write_name(response, rdata->octets + at);
		}
		at += length;
	}
	return code ? code : write_octets(response, rdata->octets + at, rdata->length - at);
}

static int write_octets(struct response *response, const uint8_t *octets, uint32_t length)
{
	if (response->at + length > response->limit)
		return -ENOSPC;
	if (length)
		memcpy(response->message->octets + response->at, octets, length);
	response->at += length;
	return 0;
}

/* -- names -- */

static uint8_t lower(uint8_t octet)
{
	return octet >= 'A' && octet <= 'Z' ? octet + 32 : octet;
}

/*
 * Where the labels of a name begin, and a hash of the suffix that begins there, case ignored. Returns the count, without
 * the root.
 */
static uint32_t name_suffixes(const uint8_t *name, uint8_t offsets[NAME_LABELS_MAX], uint32_t hashes[NAME_LABELS_MAX])
{
	uint32_t count = 0, at = 0, hash = 2166136261u, i;

	while (name[at] && count < NAME_LABELS_MAX) {
		offsets[count++] = at;
		at += name[at] + 1;
	}
	for (i = count; i; i--) {
		for (at = 0; at <= name[offsets[i - 1]]; at++)
			hash = (hash ^ lower(name[offsets[i - 1] + at])) * 16777619u;
		hashes[i - 1] = hash;
	}
	return count;
}

static void names_remember(struct response *response, uint32_t hash, uint32_t offset)
{
	uint16_t *slot = &response->slots[hash % RESPONSE_SLOTS];

	if (response->name_count == RESPONSE_NAMES_MAX || offset > POINTER_MAX)
		return;
	response->names[response->name_count].hash = hash;
	response->names[response->name_count].offset = offset;
	response->names[response->name_count].next = *slot;
	*slot = ++response->name_count;
}

/* Takes back the names remembered last: each is the first of its slot then. */
static void names_forget(struct response *response, uint32_t count)
{
	while (response->name_count > count) {
		uint32_t last = --response->name_count;

		response->slots[response->names[last].hash % RESPONSE_SLOTS] = response->names[last].next;
	}
}

/* Is what we wrote at this offset, our own pointers followed, the name? */
static int name_is_at(const struct message *message, uint32_t offset, const uint8_t *name)
{
	for (;;) {
		uint32_t length = message_u8(message, offset), i;

		if (length > LABEL_OCTETS_MAX) {
			offset = message_u16(message, offset) & POINTER_MAX;
			continue;
		}
		for (i = 0; i <= length; i++)
			if (lower(message_u8(message, offset + i)) != lower(name[i]))
				return 0;
		if (!length)
			return 1;
		offset += length + 1;
		name += length + 1;
	}
}

/* Offset of the same name in the message, or 0. */
static uint32_t names_find(const struct response *response, uint32_t hash, const uint8_t *name)
{
	uint32_t at = response->slots[hash % RESPONSE_SLOTS];

	for (; at; at = response->names[at - 1].next)
		if (response->names[at - 1].hash == hash && name_is_at(response->message, response->names[at - 1].offset, name))
			return response->names[at - 1].offset;
	return 0;
}

/* Many replies have no name but the question's, and need none of this. */
static void names_begin(struct response *response)
{
	const uint8_t *name = response->message->octets + HEADER_OCTETS;
	uint32_t hashes[NAME_LABELS_MAX], count;
	uint8_t offsets[NAME_LABELS_MAX];

	response->has_names = 1;
	memset(response->slots, 0, sizeof(response->slots));
	if (!response->query->question_end)
		return;
	count = name_suffixes(name, offsets, hashes);
	for (uint32_t i = 0; i < count; i++)
		names_remember(response, hashes[i], HEADER_OCTETS + offsets[i]);
}

static int write_pointer(struct response *response, uint32_t to)
{
	uint8_t octets[2] = { (POINTER | to) >> 8, to & 0xff };

	return write_octets(response, octets, sizeof(octets));
}

/* Labels as they are, until one begins a name that is already there. Only whole names are remembered. */
static int write_name(struct response *response, const uint8_t *name)
{
	uint32_t hashes[NAME_LABELS_MAX], count, pointer = 0, start = response->at, i;
	uint8_t offsets[NAME_LABELS_MAX];
	int code;

	if (name == response->message->octets + HEADER_OCTETS && name[0])
		return write_pointer(response, HEADER_OCTETS);
	if (!response->has_names)
		names_begin(response);
	count = name_suffixes(name, offsets, hashes);
	for (i = 0; i < count; i++) {
		pointer = names_find(response, hashes[i], name + offsets[i]);
		if (pointer)
			break;
		if (write_octets(response, name + offsets[i], name[offsets[i]] + 1))
			return -ENOSPC;
	}
	code = pointer ? write_pointer(response, pointer) : write_octets(response, (const uint8_t *)"", 1);
	while (!code && i--)
		names_remember(response, hashes[i], start + offsets[i]);
	return code;
}
