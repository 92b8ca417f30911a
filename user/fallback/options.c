// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdbool.h>
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

/* The driver's clock, less what the table says that it is ahead. */
static uint32_t cookies_now(const struct cookies *cookies)
{
	struct timespec tai;

	clock_gettime(CLOCK_TAI, &tai);
	return cookie_now(cookies, tai.tv_sec);
}

/* The cookie for the reply, whole whatever the controller does meanwhile; false: there are no secrets. */
static bool options_judge_cookie(struct options *options, const struct query *query, const struct message *message,
				 const struct cookies *cookies, struct cookie *reply)
{
	uint32_t changes;

	do {
		changes = __atomic_load_n(&cookies->changes, __ATOMIC_ACQUIRE);
		if (!changes)
			return false;
		options->cookie = cookie_judge(message, query, &cookies->sets[changes % COOKIE_SETS], cookies_now(cookies), reply);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&cookies->changes, __ATOMIC_RELAXED) != changes);
	return true;
}

void options_begin(struct options *options, struct query *query, const struct message *message,
		   const struct policy *policy, const struct tables *tables, const struct client *client)
{
	struct cookie cookie;
	uint32_t idle_ms;
	uint8_t *at;
	size_t length;

	query->more_octets = 0;
	options->has_cookie = query->flags & QUERY_COOKIE && query_options_judge(query, 0) == REASON_GO &&
			      options_judge_cookie(options, query, message, tables->cookies, &cookie);
	if (options->has_cookie)
		memcpy(options_put(options, query, OPTION_COOKIE, COOKIE_OCTETS), &cookie, COOKIE_OCTETS);
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
