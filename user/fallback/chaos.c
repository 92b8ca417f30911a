// SPDX-License-Identifier: GPL-3.0-or-later
#include <stddef.h>
#include <string.h>

#include "user/fallback/chaos.h"

#define TYPE_TXT 16
#define RECORD_OCTETS 12	/* a pointer to the question's name, type, class, TTL, RDLENGTH */

/* Lowered wire names. */
static const struct {
	const char *name;
	size_t length;
	size_t text;		/* which text of the policy it asks for */
} names[] = {
#define NAME(octets, field) {octets, sizeof(octets), offsetof(struct policy, field)}
	NAME("\2id\6server", identity),
	NAME("\x08hostname\4bind", identity),
	NAME("\7version\6server", version),
	NAME("\7version\4bind", version),
#undef NAME
};

const char *chaos_text(const struct policy *policy, const struct message *message, const struct query *query)
{
	union name_key key;

	if (query->class != CLASS_CH || (query->type != TYPE_TXT && query->type != TYPE_ANY) ||
	    query->name_length > NAME_SHORT_OCTETS)
		return NULL;
	query_name_key(message, query, &key, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (query->name_length == names[i].length && !memcmp(key.in_short.name, names[i].name, names[i].length))
			return *(const char *const *)((const char *)policy + names[i].text);
	return NULL;
}

/* One string, which the policy's texts are short enough for (RFC 1035 3.3). TTL 0: not for caches. */
uint32_t chaos_write(struct message *message, const struct query *query, const char *text)
{
	uint32_t at = query->question_end, length = strlen(text);

	message_put_u16(message, at, 0xc000 | HEADER_OCTETS);
	message_put_u16(message, at + 2, TYPE_TXT);
	message_put_u16(message, at + 4, CLASS_CH);
	message_put_u16(message, at + 6, 0);
	message_put_u16(message, at + 8, 0);
	message_put_u16(message, at + 10, 1 + length);
	message_put_u8(message, at + RECORD_OCTETS, length);
	memcpy(message->octets + at + RECORD_OCTETS + 1, text, length);
	return at + RECORD_OCTETS + 1 + length;
}
