// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <time.h>

#include "user/fallback/options.h"

/* Returns where its data go. */
static uint8_t *options_put(struct options *options, struct query *query, uint16_t code, uint16_t length)
{
	uint8_t *at = options->octets + query->more_octets;

	at[0] = code >> 8;
	at[1] = code & 0xff;
	at[2] = length >> 8;
	at[3] = length & 0xff;
	query->more_octets += OPTION_HEADER_OCTETS + length;
	return at + OPTION_HEADER_OCTETS;
}

void options_begin(struct options *options, struct query *query, const struct message *message,
		   const struct policy *policy, const struct client *client)
{
	uint32_t idle_ms;
	uint8_t *at;
	size_t length;

	query->more_octets = 0;
	if (query->flags & QUERY_COOKIE && query_options_judge(query, 0) == REASON_GO) {
		at = options_put(options, query, OPTION_COOKIE, COOKIE_OCTETS);
		options->cookie = cookies_judge(&policy->cookies, client, message->octets + query->cookie_at,
						query->cookie_octets, time(NULL), at);
	}
	if (query->flags & QUERY_NSID && policy->identity) {
		length = strlen(policy->identity);
		memcpy(options_put(options, query, OPTION_NSID, length), policy->identity, length);
	}
	/* RFC 7828 3.2.1: over UDP it means nothing. In units of 100 ms; 0 asks the client to close (3.3.2). */
	if (query->flags & QUERY_KEEPALIVE && client->tcp) {
		idle_ms = __atomic_load_n(&policy->is_leaving, __ATOMIC_RELAXED) ? 0 : policy->tcp_idle_ms;
		at = options_put(options, query, OPTION_KEEPALIVE, 2);
		at[0] = idle_ms / 100 >> 8;
		at[1] = idle_ms / 100 & 0xff;
	}
}

void options_explain(struct options *options, struct query *query, uint32_t room, enum info_code info)
{
	uint8_t *at;

	if (info == INFO_NONE || !(query->flags & QUERY_EDNS) || room < OPTION_HEADER_OCTETS + 2)
		return;
	at = options_put(options, query, OPTION_EDE, 2);
	at[0] = info >> 8;
	at[1] = info & 0xff;
}

uint32_t options_append(const struct options *options, const struct query *query, struct message *message,
			uint32_t octets)
{
	memcpy(message->octets + octets, options->octets, query->more_octets);
	return octets + query->more_octets;
}
