// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "user/fallback/authority.h"
#include "user/fallback/chaos.h"
#include "user/fallback/parse.h"
#include "user/fallback/serve.h"

/* RFC 5936, RFC 1995: transfers are refused, as a matter of policy; the other meta types get NOTIMP. */
#define TYPE_IXFR 251
#define TYPE_AXFR 252

/* What judging a message came to. */
struct verdict {
	int found;	/* enum reason as the parser or the selection named it first: what is counted */
	int fault;	/* why there is no service's answer; REASON_GO: there is one */
};

static struct verdict judge(struct serve *serve, const struct message *message, uint32_t length,
			    const struct client *client);
static int judge_message(struct serve *serve, const struct message *message, int *found);
static int judge_service(struct serve *serve, const struct message *message);
static int must_wait(const struct serve *serve, const struct verdict *verdict, const struct generation *generation);
static uint32_t reply(struct serve *serve, struct message *message, struct verdict *verdict,
		      const struct generation *generation, const struct client *client);
static void count(const struct tables *tables, unsigned int worker, int reason);
static uint32_t reply_records(struct serve *serve, struct message *message, struct verdict *verdict,
			      const struct generation *generation);
static uint32_t reply_cookie(struct serve *serve, struct message *message);
static uint32_t reply_class(struct serve *serve, struct message *message);
static uint32_t reply_zone(struct serve *serve, struct message *message, const struct generation *generation,
			   int is_service);
static uint32_t reply_error(struct serve *serve, struct message *message, int fault);
static uint32_t finish(struct serve *serve, struct status status);

/*
 * Judging reads the message and copies from the tables; only when the copies are known to be of one generation is
 * anything written. A push in between starts it over.
 */
uint32_t serve_query(struct serve *serve, struct message *message, uint32_t length, const struct client *client)
{
	const struct tables *tables = serve->generations->tables;
	const struct generation *generation;
	struct verdict verdict;
	uint32_t octets;

	for (;;) {
		generation = generation_hold(serve->generations, serve->worker);
		do {
			verdict = judge(serve, message, length, client);
		} while (!lookup_is_whole(&serve->lookup));
		if (!must_wait(serve, &verdict, generation))
			break;
		generation_release(serve->generations, serve->worker);
		serve->waited = tables_generation(serve->lookup.control);
		generations_await(serve->generations, serve->waited);
	}
	octets = reply(serve, message, &verdict, generation, client);
	generation_release(serve->generations, serve->worker);
	count(tables, serve->worker, verdict.found);
	return octets;
}

/*
 * Atomically, without contention nearly always: a process that takes over counts in the same columns while the one before
 * it finishes its connections.
 */
static void count(const struct tables *tables, unsigned int worker, int reason)
{
	__atomic_fetch_add((uint64_t *)reasons_at(&tables->fallback_counters[worker], reason), 1, __ATOMIC_RELAXED);
}

static void query_reset(struct serve *serve, uint32_t length, const struct client *client)
{
	struct query *query = &serve->query;

	memset(query, 0, sizeof(*query));
	query->length = length;
	memcpy(query->source_address, client->address, sizeof(query->source_address));
	query->source_family = client->family;
	query->source_port = client->port;
	query->flags = client->tcp ? QUERY_TCP : 0;
	query->ecs_enabled = serve->lookup.settings.flags & SETTINGS_ECS ? 1 : 0;
}

static struct verdict judge(struct serve *serve, const struct message *message, uint32_t length,
			    const struct client *client)
{
	int nothing = lookup_begin(&serve->lookup, serve->generations->tables);
	struct verdict verdict;

	serve->lookup.cache = &serve->cache;
	query_reset(serve, length, client);
	verdict.found = query_parse(message, &serve->query);
	switch (verdict.found) {
	case REASON_OPCODE:
	case REASON_QDCOUNT:
	case REASON_TOO_LONG:
	case REASON_RECORDS:
	case REASON_OPT_OWNER:
	case REASON_OPT_LENGTH:
	case REASON_OPTIONS:
		query_reset(serve, length, client);
		verdict.fault = judge_message(serve, message, &verdict.found);
		break;
	case REASON_NSID:
		verdict.fault = REASON_GO;	/* for options_begin(), whatever the answer */
		break;
	default:
		verdict.fault = verdict.found;
	}
	if (verdict.fault)
		return verdict;
	verdict.fault = nothing ? nothing : judge_service(serve, message);
	if (!verdict.found)
		verdict.found = verdict.fault;
	return verdict;
}

/* The whole message, whatever its shape. A fault it finds is the one to count. */
static int judge_message(struct serve *serve, const struct message *message, int *found)
{
	int fault = parse_message(message, &serve->query);

	if (fault)
		*found = fault;
	if (fault == REASON_NSID)
		return REASON_GO;
	return fault;
}

static int judge_service(struct serve *serve, const struct message *message)
{
	int fault = select_answer(message, &serve->query, &serve->selection, &serve->lookup, serve->lookup.slot);

	if (fault)
		return fault;
	return lookup_answer(&serve->lookup, serve->selection.answer) ? REASON_GO : REASON_NO_ANSWER;
}

/*
 * Is there no answer of any one configuration? A name that has just ceased to be a service is no longer in the tables, and
 * what it is instead is in zones that are not loaded yet. Where there was no zone it may have been a service as well.
 */
static int must_wait(const struct serve *serve, const struct verdict *verdict, const struct generation *generation)
{
	uint32_t number = tables_generation(serve->lookup.control);
	uint8_t name[NAME_OCTETS_MAX + 1];
	struct zone_found found;
	const struct zone *zone;
	enum zone_match match;

	if ((verdict->fault != REASON_NAME && verdict->fault != REASON_STATIC) || !generation || !generation->zones ||
	    generation->number == number || serve->waited == number)
		return 0;
	memcpy(name, serve->selection.key.words, serve->query.name_length);
	zone = zone_set_find(generation->zones, name);
	if (!zone)
		return 1;
	match = zone_find(zone, name, &found);
	return match == ZONE_FOUND && found.node->flags & ZONE_NODE_SERVICE &&
	       !zone_node_rrset(found.node, serve->query.type);
}

/* A reply's octets, or 0 for none. What reply_records() leaves room for in the OPT record, comes last. */
static uint32_t reply(struct serve *serve, struct message *message, struct verdict *verdict,
		      const struct generation *generation, const struct client *client)
{
	uint32_t octets;

	if (verdict->fault == REASON_SHORT || verdict->fault == REASON_RESPONSE)
		return 0;
	options_begin(&serve->options, &serve->query, message, serve->policy, serve->generations->tables, client);
	octets = reply_records(serve, message, verdict, generation);
	return options_append(&serve->options, &serve->query, message, octets);
}

static uint32_t reply_records(struct serve *serve, struct message *message, struct verdict *verdict,
			      const struct generation *generation)
{
	uint32_t octets;

	switch (verdict->fault) {
	case REASON_COOKIE:
		return reply_cookie(serve, message);
	case REASON_CLASS:
		return reply_class(serve, message);
	case REASON_NAME:
		return reply_zone(serve, message, generation, 0);
	case REASON_STATIC:
		return reply_zone(serve, message, generation, 1);
	case REASON_GO:
		octets = answer_write(message, &serve->query, &serve->selection, &serve->lookup.answer,
				      &serve->lookup.settings);
		if (octets) {
			if (!verdict->found)
				verdict->found = serve->selection.outcome;
			return octets;
		}
		verdict->fault = verdict->found = REASON_NO_ANSWER;
		/* fall through */
	default:
		return reply_error(serve, message, verdict->fault);
	}
}

/*
 * Zones can be older than the tables for the moment that loading takes. Their answers are of that older configuration
 * then, and whole; only for what the tables have just begun or ceased to hold is there no answer yet.
 */
static uint32_t reply_zone(struct serve *serve, struct message *message, const struct generation *generation,
			   int is_service)
{
	int current = generation && generation->zones_number == tables_generation(serve->lookup.control);
	struct status status = { .rcode = RCODE_SERVFAIL, .info = INFO_NOT_READY };
	const struct query *query = &serve->query;
	uint8_t name[NAME_OCTETS_MAX + 1];

	response_begin(&serve->response, message, query);
	if (generation && generation->zones) {
		memcpy(name, serve->selection.key.words, query->name_length);	/* lowered; both keys begin with it */
		status = authority_answer(&serve->response, generation->zones, name, is_service && current);
	}
	return finish(serve, status);
}

/* RFC 7873 5.4: a query without a question, for a cookie or the word that it still is one. */
static uint32_t reply_cookie(struct serve *serve, struct message *message)
{
	struct status status = { .rcode = serve->options.cookie == COOKIE_INVALID ? RCODE_BADCOOKIE : RCODE_NOERROR };

	if (!serve->options.has_cookie)
		return reply_error(serve, message, REASON_QDCOUNT);
	response_begin(&serve->response, message, &serve->query);
	return finish(serve, status);
}

/* A class that is not IN: there is nothing in it but what the server says of itself. */
static uint32_t reply_class(struct serve *serve, struct message *message)
{
	const char *text = chaos_text(serve->policy, message, &serve->query);

	if (!text)
		return reply_error(serve, message, REASON_CLASS);
	response_begin(&serve->response, message, &serve->query);
	serve->response.at = chaos_write(message, &serve->query, text);
	serve->response.counts[SECTION_ANSWER] = 1;
	return finish(serve, (struct status){ .flags = HEADER_AA });
}

/* For replies whose OPT record is bare: what is malformed is not echoed (RFC 7871 7.1.2), nor what was not read. */
static void leave_options(struct query *query)
{
	query->flags &= ~QUERY_ECS;
	query->more_octets = 0;
}

/* The driver gives none of these replies, so that they alone may say more than it can. */
static uint32_t reply_error(struct serve *serve, struct message *message, int fault)
{
	struct query *query = &serve->query;
	struct status status = { .rcode = RCODE_FORMERR };

	switch (fault) {
	case REASON_CLASS:
		status = (struct status){ .rcode = RCODE_REFUSED, .info = INFO_NOT_SUPPORTED };
		break;
	case REASON_NO_GENERATION:
		status = (struct status){ .rcode = RCODE_REFUSED, .info = INFO_NOT_READY };
		break;
	case REASON_META_TYPE:
		status = (struct status){ .rcode = RCODE_NOTIMP, .info = INFO_NOT_SUPPORTED };
		if (query->type == TYPE_AXFR || query->type == TYPE_IXFR)
			status = (struct status){ .rcode = RCODE_REFUSED, .info = INFO_PROHIBITED };
		break;
	case REASON_NO_REGION:
	case REASON_NO_ANSWER:
		status.rcode = RCODE_SERVFAIL;
		break;
	case REASON_OPCODE:
		status = (struct status){ .flags = message_u16(message, 2) & HEADER_OPCODE, .rcode = RCODE_NOTIMP };
		leave_options(query);
		break;
	case REASON_VERSION:
		status.rcode = RCODE_BADVERS;
		leave_options(query);
		break;
	default:
		leave_options(query);
	}
	response_begin(&serve->response, message, query);
	return finish(serve, status);
}

static uint32_t finish(struct serve *serve, struct status status)
{
	struct response *response = &serve->response;

	options_explain(&serve->options, &serve->query, response->limit - response->at, status.info);
	return response_finish(response, status.flags, status.rcode);
}
