// SPDX-License-Identifier: GPL-3.0-or-later
#include <libknot/cookies.h>
#include <libknot/libknot.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "maps/cookie.h"
#include "tests/replay/judge.h"

#define FLAGS_COPIED 0x0110	/* RD and CD (ECS.md requirement 15) */
#define FLAGS_CLEAR 0x00e0	/* RA, Z, AD */

struct judge {
	const struct asked *asked;
	int ecs;
	const uint8_t *reply;
	size_t length;
	char *why;
	const knot_pkt_t *packet;
	int rcode;
};

static int judge_all(struct judge *judge);
static int judge_header(struct judge *judge);
static int judge_size(struct judge *judge);
static int judge_opt(struct judge *judge);
static int judge_question(struct judge *judge);
static int judge_options(struct judge *judge);
static int judge_service(struct judge *judge);
static int judge_error(struct judge *judge);

int judge_reply(const struct asked *asked, int ecs, const uint8_t *reply, size_t length, char why[JUDGE_WHY])
{
	struct judge judge = { .asked = asked, .ecs = ecs, .reply = reply, .length = length, .why = why };
	knot_pkt_t *packet = knot_pkt_new((void *)reply, length, NULL);
	int code;

	judge.packet = packet;
	code = packet ? knot_pkt_parse(packet, 0) : KNOT_ENOMEM;
	if (code)
		snprintf(why, JUDGE_WHY, "libknot: %s", knot_strerror(code));
	else if (packet->parsed != length)
		snprintf(why, JUDGE_WHY, "%zu octets behind the message", length - packet->parsed);
	else
		code = judge_all(&judge);
	knot_pkt_free(packet);
	return code ? -1 : 0;
}

static int wrong(struct judge *judge, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct judge *judge, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(judge->why, JUDGE_WHY, format, arguments);
	va_end(arguments);
	return -1;
}

/* Whether it was damaged or not, then what only holds for those that were not. */
static int judge_all(struct judge *judge)
{
	const struct asked *asked = judge->asked;

	judge->rcode = knot_pkt_ext_rcode(judge->packet);
	if (judge_header(judge) || judge_size(judge) || judge_opt(judge))
		return -1;
	if (asked->rcode != RCODE_ANY && !(asked->rcode_needs_ecs && !judge->ecs) && asked->rcode != judge->rcode)
		return wrong(judge, "rcode %d, which must be %d", judge->rcode, asked->rcode);
	if (judge_error(judge))
		return -1;
	if (asked->form == FORM_DAMAGED)
		return 0;
	if (judge_question(judge) || judge_options(judge))
		return -1;
	return asked->form == FORM_SERVICE ? judge_service(judge) : 0;
}

static uint16_t get(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static int judge_header(struct judge *judge)
{
	const uint8_t *asked = judge->asked->octets, *reply = judge->reply;
	uint16_t flags = get(reply + 2), asked_flags = get(asked + 2);

	if (get(reply) != get(asked))
		return wrong(judge, "id %04x to a query with %04x", get(reply), get(asked));
	if (!(flags & 0x8000) || (flags ^ asked_flags) & 0x7800 || (flags ^ asked_flags) & FLAGS_COPIED || flags & FLAGS_CLEAR)
		return wrong(judge, "flags %04x to a query with %04x", flags, asked_flags);
	if (get(reply + 4) > 1)
		return wrong(judge, "%u questions", get(reply + 4));
	return 0;
}

/* ECS.md requirement 16. Of a damaged query only our own limits are certain. */
static int judge_size(struct judge *judge)
{
	const struct asked *asked = judge->asked;
	size_t limit = judge->packet->opt_rr ? REPLY_OCTETS_MAX : REPLY_OCTETS_MIN;

	if (asked->tcp)
		return knot_wire_get_tc(judge->reply) ? wrong(judge, "TC over TCP") : 0;
	if (asked->form != FORM_DAMAGED && asked->size < limit)
		limit = asked->size > REPLY_OCTETS_MIN ? asked->size : REPLY_OCTETS_MIN;
	return judge->length > limit ? wrong(judge, "%zu octets where %zu is the limit", judge->length, limit) : 0;
}

/* ECS.md requirements 14 and 15 */
static int judge_opt(struct judge *judge)
{
	const knot_rrset_t *opt = judge->packet->opt_rr;
	const struct asked *asked = judge->asked;

	if (asked->form != FORM_DAMAGED && !opt != !asked->has_opt)
		return wrong(judge, asked->has_opt ? "no OPT record" : "an OPT record unasked");
	if (!opt)
		return 0;
	if (*opt->owner || knot_edns_get_version(opt) || knot_edns_get_payload(opt) != REPLY_OCTETS_MAX)
		return wrong(judge, "OPT's owner, version or size");
	if (opt->ttl & 0x7fff)
		return wrong(judge, "flags %04x of OPT", opt->ttl & 0xffff);
	if (asked->form != FORM_DAMAGED && !knot_edns_do(opt) != !asked->has_do)
		return wrong(judge, "DO is not as it came");
	return 0;
}

static int judge_question(struct judge *judge)
{
	const struct asked *asked = judge->asked;

	if (get(judge->reply + 4) == 1 && judge->length >= asked->question_end &&
	    !memcmp(judge->reply + 12, asked->octets + 12, asked->question_end - 12))
		return 0;
	return wrong(judge, "the question came back changed or not at all");
}

/* FORMERR, NOTIMP for the opcode and BADVERS have the question and a bare OPT at most, and are of no authority. */
static int judge_error(struct judge *judge)
{
	int opcode = judge->reply[2] >> 3 & 15;

	if (judge->rcode != KNOT_RCODE_FORMERR && judge->rcode != KNOT_RCODE_BADVERS && !opcode)
		return 0;
	if (opcode && judge->rcode != KNOT_RCODE_NOTIMPL)
		return wrong(judge, "rcode %d to opcode %d", judge->rcode, opcode);
	if (get(judge->reply + 6) || get(judge->reply + 8) || get(judge->reply + 10) > 1 || knot_wire_get_aa(judge->reply))
		return wrong(judge, "an error with records or AA");
	if (judge->packet->opt_rr && knot_edns_get_option(judge->packet->opt_rr, KNOT_EDNS_OPTION_CLIENT_SUBNET, NULL))
		return wrong(judge, "an error with a client subnet");
	return 0;
}

/* RFC 7871 7.2.1: family, source and address unchanged. */
static int judge_ecs(struct judge *judge, const uint8_t *data, size_t octets)
{
	const struct asked *asked = judge->asked;
	const uint8_t *sent = asked->octets + asked->ecs_at;
	int is_negative = !get(judge->reply + 6) && !knot_wire_get_tc(judge->reply);

	if (!asked->ecs_at || !judge->ecs)
		return wrong(judge, "a client subnet unasked");
	if (octets != asked->ecs_octets || memcmp(data, sent, 3) || memcmp(data + 4, sent + 4, octets - 4))
		return wrong(judge, "the client subnet is not echoed as it was sent");
	if (data[3] > (get(data) == ECS_FAMILY_IPV4 ? 32 : 128))
		return wrong(judge, "scope %u of family %u", data[3], get(data));
	if (data[3] && (asked->form != FORM_SERVICE || !data[2] || is_negative))
		return wrong(judge, "scope %u where it must be 0", data[3]);
	return 0;
}

/* RFC 8914 4, of errors in which the query was understood. */
static int info_owed(const struct judge *judge)
{
	const struct asked *asked = judge->asked;

	switch (judge->rcode) {
	case KNOT_RCODE_REFUSED:
		if (asked->class != CLASS_IN)
			return KNOT_EDNS_EDE_NOTSUP;
		return asked->type == KNOT_RRTYPE_AXFR || asked->type == KNOT_RRTYPE_IXFR ? KNOT_EDNS_EDE_PROHIBITED :
											    KNOT_EDNS_EDE_NOTAUTH;
	case KNOT_RCODE_NOTIMPL:
		return asked->octets[2] & 0x78 ? KNOT_EDNS_EDE_NONE : KNOT_EDNS_EDE_NOTSUP;
	default:
		return KNOT_EDNS_EDE_NONE;
	}
}

/* Of the client's part that was sent, and one that the first secret signed for this client within the last half hour. */
static int judge_cookie(struct judge *judge, const uint8_t *data, size_t octets)
{
	const struct asked *asked = judge->asked;
	const struct cookie_key secret = COOKIE_SECRET(1);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	knot_edns_cookie_params_t params = {
		.version = KNOT_EDNS_COOKIE_VERSION, .timestamp = COOKIE_CLOCK,
		.lifetime_before = COOKIE_FRESH, .lifetime_after = COOKIE_BELIEVED_AFTER,
		.client_addr = asked->ends.version == 4 ? (struct sockaddr_storage *)&in : (struct sockaddr_storage *)&in6,
	};
	knot_edns_cookie_t of_client, of_server;

	if (!asked->cookie_at || octets != COOKIE_OCTETS || memcmp(data, asked->octets + asked->cookie_at, COOKIE_CLIENT_OCTETS))
		return wrong(judge, "another cookie");
	memcpy(&in.sin_addr, asked->ends.client, 4);
	memcpy(&in6.sin6_addr, asked->ends.client, 16);
	memcpy(params.secret, &secret, sizeof(params.secret));
	if (knot_edns_cookie_parse(&of_client, &of_server, data, octets) ||
	    knot_edns_cookie_server_check(&of_server, &of_client, &params))
		return wrong(judge, "a cookie that is not fresh, of the first secret and for this client");
	return 0;
}

static int judge_option(struct judge *judge, uint16_t code, const uint8_t *data, size_t octets)
{
	const struct asked *asked = judge->asked;

	switch (code) {
	case KNOT_EDNS_OPTION_CLIENT_SUBNET:
		return judge_ecs(judge, data, octets);
	case KNOT_EDNS_OPTION_COOKIE:	/* RFC 7873 4 */
		return judge_cookie(judge, data, octets);
	case KNOT_EDNS_OPTION_TCP_KEEPALIVE:
		if (asked->keepalive && asked->tcp && octets == 2)
			return 0;
		return wrong(judge, "option %u", code);
	case KNOT_EDNS_OPTION_EDE:
		if (octets == 2 && get(data) == info_owed(judge))
			return 0;
		return wrong(judge, "another extended error than %d", info_owed(judge));
	default:
		return wrong(judge, "option %u", code);
	}
}

/* Each at most once, and those that are owed. The errors of judge_error() have none. */
static int judge_options(struct judge *judge)
{
	const struct asked *asked = judge->asked;
	const knot_rrset_t *opt = judge->packet->opt_rr;
	int is_error = judge->rcode == KNOT_RCODE_FORMERR || judge->rcode == KNOT_RCODE_BADVERS || judge->reply[2] & 0x78;
	const uint8_t *at, *end;
	uint64_t seen = 0;

	if (!opt)
		return 0;
	at = opt->rrs.rdata->data;
	end = at + opt->rrs.rdata->len;
	for (; at + 4 <= end; at += 4 + get(at + 2)) {
		uint16_t code = get(at);

		if (judge_option(judge, code, at + 4, get(at + 2)))
			return -1;
		if (seen >> code & 1)
			return wrong(judge, "option %u twice", code);
		if (seen >> KNOT_EDNS_OPTION_EDE & 1)
			return wrong(judge, "option %u behind the extended error", code);
		seen |= 1ULL << code;
	}
	if (!is_error && asked->ecs_at && judge->ecs && !(seen >> KNOT_EDNS_OPTION_CLIENT_SUBNET & 1))
		return wrong(judge, "no client subnet");
	if (!is_error && asked->cookie_at && !(seen >> KNOT_EDNS_OPTION_COOKIE & 1))
		return wrong(judge, "no cookie");
	if (info_owed(judge) != KNOT_EDNS_EDE_NONE && !(seen >> KNOT_EDNS_OPTION_EDE & 1))
		return wrong(judge, "no extended error %d", info_owed(judge));
	return 0;
}

/* RFC 2308 2.2, RFC 8482 4.2; the records are of the name and type that were asked, or its CNAME, with one TTL. */
static int judge_service(struct judge *judge)
{
	const knot_pktsection_t *answer = knot_pkt_section(judge->packet, KNOT_ANSWER);
	const knot_pktsection_t *authority = knot_pkt_section(judge->packet, KNOT_AUTHORITY);
	uint16_t asked = knot_pkt_qtype(judge->packet), type;
	unsigned int i;

	if (!knot_wire_get_aa(judge->reply))
		return wrong(judge, "not authoritative");
	if (knot_wire_get_tc(judge->reply))
		return answer->count || authority->count ? wrong(judge, "TC with records") : 0;
	if (!answer->count)
		return authority->count == 1 && knot_pkt_rr(authority, 0)->type == KNOT_RRTYPE_SOA ?
			       0 : wrong(judge, "neither an answer nor an SOA record");
	for (i = 0; i < answer->count; i++) {
		const knot_rrset_t *record = knot_pkt_rr(answer, i);

		type = record->type;
		if (type != asked && type != KNOT_RRTYPE_CNAME && !(asked == KNOT_RRTYPE_ANY && type == KNOT_RRTYPE_HINFO))
			return wrong(judge, "a record of type %u", type);
		if (!knot_dname_is_case_equal(record->owner, knot_pkt_qname(judge->packet)))
			return wrong(judge, "a record of another name");
		if (record->ttl != knot_pkt_rr(answer, 0)->ttl)
			return wrong(judge, "two TTLs");
	}
	return 0;
}
