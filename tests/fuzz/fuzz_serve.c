// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Octets off the wire through the fallback's whole answer function, with services, zones and tables of a real
 * configuration. Replies must be such that libknot, which shares nothing with ours, reads them to their end; and both
 * parsers must understand the messages that both take alike.
 *
 * The first octet chooses the transport and whether a question is put before the input, so that names which exist are
 * met from the beginning.
 */
#include <libknot/libknot.h>

#include "tests/serve_fixture.h"
#include "user/fallback/chaos.h"
#include "user/fallback/parse.h"

#define MUST(condition) do { if (!(condition)) { fprintf(stderr, "not so: %s\n", #condition); abort(); } } while (0)

#define INPUT_TCP 0x01
#define INPUT_V6 0x02
#define INPUT_QUESTION 0x04

static const struct fixture_file files[] = {
	{ "main.yaml",
	  "server: {addresses: [198.18.0.1, \"fd00:ec5::1\"], ecs: {enabled: true, trust: [198.18.0.0/15, \"::/0\"]}}\n"
	  "zones: [{name: example.com, file: z}, {name: sub.example.com, file: s}]\n"
	  "pools:\n"
	  "  one: {method: weighted, members: [{name: a, address: \"2001:db8::1\"}, {name: b, address: 192.0.2.1}]}\n"
	  "  two: {members: [{name: c, address: \"2001:db8::2\"}, {name: d, address: 192.0.2.2}, {name: e, address: 192.0.2.3}]}\n"
	  "  far: {cname: cdn.example.net.}\n"
	  "topologies:\n"
	  "  t: {default: one, prefixes: {\"240b:10:200::/41\": two, 10.0.0.0/8: two}}\n"
	  "  u: {default: far}\n"
	  "services: [{name: www.example.com, topology: t}, {name: c.e.example.com, topology: u}, {name: w.org, topology: t}]\n" },
	{ "z",
	  "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n@ MX 1 m\nns A 192.0.2.9\nwww TXT x\na CNAME b\nb CNAME www\nl CNAME l\n"
	  "*.w CNAME *.w2\n*.w2 A 192.0.2.1\nd NS ns.d\nd NS a.ns.d\nns.d A 192.0.2.8\na.ns.d AAAA ::1\nn DNAME w\nr DNAME n\n"
	  "k DNAME k2.k3.k4.k5.k6.k7.example.org.\nsub NS ns\nx.y.z TXT q\nnaptr NAPTR 1 2 u a !x!y! r.\nsrv SRV 1 2 3 m\n"
	  "m A 192.0.2.4\nm AAAA ::4\nsrv SRV 2 2 3 v.w2\nsv SVCB 0 sv2\nsv2 SVCB 0 sv\nsv2 SVCB 1 .\nsv2 A 192.0.2.5\nsv SVCB 2 v.w2\n"
	  "down DNAME x.down\nping DNAME x.pong\npong DNAME ping\n"
	  "big TXT 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n"
	  "big TXT 1123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n"
	  "big TXT 2123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n"
	  "big TXT 3123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n" },
	{ "s", "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n* A 192.0.2.7\n" },
};

static const char *const names[] = {
	"example.com", "www.example.com", "c.e.example.com", "w.org", "a.example.com", "l.example.com", "q.w.example.com",
	"x.d.example.com", "v.n.example.com", "v.r.example.com", "v.k.example.com", "y.z.example.com", "big.example.com",
	"srv.example.com", "naptr.example.com", "x.sub.example.com", "none.example.com", "org", "sub.example.com", "id.server",
	"version.bind", "sv.example.com", "sv2.example.com", "q.down.example.com", "q.ping.example.com",
};

/* As long as they may be: they share small replies with everything else. */
static char longest[POLICY_TEXT_OCTETS_MAX + 1];

/* RFC 8914: why there is an error, at the end of the OPT record, wherever there is one to tell. */
static int info_owed(const knot_pkt_t *packet, const struct query *query)
{
	switch (knot_pkt_ext_rcode(packet)) {
	case KNOT_RCODE_REFUSED:
		if (query->class != CLASS_IN)
			return KNOT_EDNS_EDE_NOTSUP;
		return query->type == KNOT_RRTYPE_AXFR || query->type == KNOT_RRTYPE_IXFR ? KNOT_EDNS_EDE_PROHIBITED :
											   KNOT_EDNS_EDE_NOTAUTH;
	case KNOT_RCODE_NOTIMPL:
		return knot_wire_get_opcode(packet->wire) ? KNOT_EDNS_EDE_NONE : KNOT_EDNS_EDE_NOTSUP;
	default:
		return KNOT_EDNS_EDE_NONE;
	}
}

static void check_info(const knot_pkt_t *packet, const struct query *query)
{
	const uint8_t *option = knot_edns_get_option(packet->opt_rr, KNOT_EDNS_OPTION_EDE, NULL);
	const knot_rdata_t *rdata = packet->opt_rr->rrs.rdata;
	int owed = info_owed(packet, query);

	MUST(!option == (owed == KNOT_EDNS_EDE_NONE));
	if (!option)
		return;
	MUST(option + KNOT_EDNS_EDE_MIN_LENGTH == rdata->data + rdata->len);
	MUST(knot_edns_opt_get_length((uint8_t *)option) == 2);
	MUST(knot_wire_read_u16(option + KNOT_EDNS_OPTION_HDRLEN) == owed);
}

static void check_reply(const uint8_t *asked, const struct query *query, uint32_t octets, int tcp)
{
	uint8_t *reply = fixture.message.octets;
	knot_pkt_t *packet = knot_pkt_new(reply, octets, NULL);

	MUST(packet);
	MUST(octets >= HEADER_OCTETS && octets <= (tcp ? 65535 : REPLY_OCTETS_MAX));
	MUST(!knot_pkt_parse(packet, 0) && packet->parsed == octets);
	MUST(tcp || octets <= (packet->opt_rr ? answer_limit(query) : REPLY_OCTETS_MIN));
	if (packet->opt_rr)
		check_info(packet, query);
	MUST(knot_wire_get_id(reply) == knot_wire_get_id(asked) && knot_wire_get_qr(reply));
	MUST(knot_wire_get_opcode(reply) == knot_wire_get_opcode(asked));
	MUST(knot_wire_get_rd(reply) == knot_wire_get_rd(asked) && knot_wire_get_cd(reply) == knot_wire_get_cd(asked));
	MUST(!knot_wire_get_ra(reply) && !knot_wire_get_ad(reply) && !knot_wire_get_z(reply));
	if (query->question_end)
		MUST(!memcmp(reply + HEADER_OCTETS, asked + HEADER_OCTETS, query->question_end - HEADER_OCTETS));
	else
		MUST(!knot_wire_get_qdcount(reply) && !knot_wire_get_ancount(reply));
	knot_pkt_free(packet);
}

/* What the stages' parser takes, the other one takes too and in the same way; and it finds the same faults. */
static void check_parsers(const struct message *message, uint32_t length)
{
	struct query one = { .length = length, .ecs_enabled = 1 }, other = one;
	int fault = query_parse(message, &one), other_fault;

	switch (fault) {
	case REASON_SHORT:
	case REASON_RESPONSE:
	case REASON_TOO_LONG:
	case REASON_QDCOUNT:	/* perhaps for a cookie alone */
	case REASON_RECORDS:
	case REASON_OPTIONS:
	case REASON_OPT_OWNER:	/* perhaps of another record than OPT */
	case REASON_OPT_LENGTH:	/* likewise */
		return;
	}
	other_fault = parse_message(message, &other);
	MUST(fault == other_fault);
	if (fault == REASON_GO || fault == REASON_NSID || fault == REASON_CLASS)
		MUST(!memcmp(&one, &other, sizeof(one)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fixture_start();
	fixture_push(files, sizeof(files) / sizeof(files[0]));
	memset(longest, 'x', sizeof(longest) - 1);
	fixture.policy.identity = fixture.policy.version = longest;
	atexit(fixture_stop);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t asked[65536];
	struct client client = fixture_client;
	uint32_t length = 0, octets;
	uint8_t choice;

	if (size < 4)
		return 0;
	choice = data[0];
	client.tcp = choice & INPUT_TCP;
	if (choice & INPUT_V6)
		client.family = ECS_FAMILY_IPV6;
	if (choice & INPUT_QUESTION) {
		length = fixture_question(names[data[1] % (sizeof(names) / sizeof(names[0]))], data[2] | data[3] >> 7 << 8,
					  data[3] << 4 & (HEADER_RD | HEADER_CD));
		message_put_u16(&fixture.message, 10, data[3] & 3);
		if (data[3] & 4)
			message_put_u16(&fixture.message, length - 2, CLASS_CH);
		data += 3;
		size -= 3;
	}
	data++;
	size--;
	if (length + size > 65535)
		return 0;
	length = fixture_append(length, data, size);
	memset(fixture.message.octets + length, 0xc0, MESSAGE_OCTETS - length < 512 ? MESSAGE_OCTETS - length : 512);
	memcpy(asked, fixture.message.octets, length);
	if (length >= HEADER_OCTETS)
		check_parsers(&fixture.message, length);
	octets = serve_query(&fixture.serve, &fixture.message, length, &client);
	MUST((octets == 0) == (length < HEADER_OCTETS || knot_wire_get_qr(asked)));
	if (octets)
		check_reply(asked, &fixture.serve.query, octets, client.tcp);
	return 0;
}
