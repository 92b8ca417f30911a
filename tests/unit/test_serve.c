// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The fallback's answers, read back by libknot and compared with what the RFCs and ECS.md say, in presentation form. Replies
 * of services are octet for octet what the stages give: the vectors hold those.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libknot/libknot.h>

#include "tests/serve_fixture.h"

static const char main_file[] =
	"server: {addresses: [198.18.0.1, \"fd00:ec5::1\"]}\n"
	"zones:\n"
	"  - {name: example.com, file: example.com.zone}\n"
	"  - {name: sub.example.com, file: sub.zone}\n"
	"pools:\n"
	"  tokyo: {members: [{name: t1, address: \"2001:db8::1\"}]}\n"
	"  osaka1: {members: [{name: o1, address: \"2001:db8:10::1\"}]}\n"
	"topologies:\n"
	"  japan: {default: tokyo, prefixes: {\"240b:10:200::/41\": osaka1}}\n"
	"services:\n"
	"  - {name: www.example.com, topology: japan, ttl: 10}\n"
	"  - {name: a.b.svc.example.com, topology: japan}\n"
	"  - {name: alone.example.org, topology: japan}\n";

static const char zone_file[] =
	"$ORIGIN example.com.\n$TTL 3600\n"
	"@ SOA ns1 host 1 7200 900 1209600 300\n"
	"@ NS ns1\n"
	"@ MX 10 Mail\n"
	"ns1 A 198.18.0.1\n"
	"mail A 192.0.2.25\n"
	"www TXT \"beside\"\n"
	"alias CNAME mail\n"
	"alias2 CNAME alias\n"
	"towww CNAME www\n"
	"loop1 CNAME loop2\n"
	"loop2 CNAME loop1\n"
	"out CNAME www.other.test.\n"
	"dangling CNAME nothere\n"
	"tosub CNAME x.sub\n"
	"toorg CNAME alone.example.org.\n"
	"todeleg CNAME x.deleg\n"
	"*.wild A 192.0.2.99\n"
	"*.cw CNAME mail\n"
	"deleg NS ns.deleg\n"
	"deleg NS ns.sib\n"
	"deleg NS ns.elsewhere.test.\n"
	"deleg DS 1 8 1 0000000000000000000000000000000000000000\n"
	"ns.deleg A 192.0.2.53\n"
	"sib NS ns.sib\n"
	"below NS ns1.below\n"
	"*.below A 192.0.2.55\n"
	"ns.sib A 192.0.2.54\n"
	"sub NS ns1\n"
	"a.b.ent A 192.0.2.7\n"
	"moved DNAME wild\n"
	"tomoved CNAME y.moved\n"
	"twice DNAME tw\n"
	"x.tw CNAME Zz.Twice\n"
	"zz.tw A 192.0.2.44\n"
	"loop3 CNAME Loop4\n"
	"loop4 CNAME lOop3\n"
	"grows DNAME x.grows\n"
	"far DNAME a-rather-long-label-to-move-names-to.another-rather-long-label.example.net.\n"
	"big TXT \"%s\"\n"
	"srv SRV 1 2 3 mail\n"
	"back DNAME @\n"
	"ping DNAME x.pong\n"
	"pong DNAME ping\n"
	"hosts MX 1 mail\n"
	"hosts MX 2 MAIL\n"
	"hosts MX 3 x.wild\n"
	"hosts MX 4 y.wild\n"
	"hosts MX 5 alias\n"
	"hosts MX 6 www\n"
	"hosts MX 7 ns.deleg\n"
	"hosts MX 8 x.moved\n"
	"hosts MX 9 mail.example.net.\n"
	"hosts MX 10 .\n"
	"hosts MX 11 X.wild\n"
	"https HTTPS 1 . alpn=h2\n"
	"https HTTPS 2 mail\n"
	"https AAAA 2001:db8::443\n"
	"tohttps HTTPS 0 https\n"
	"round1 SVCB 0 round2\n"
	"round2 SVCB 0 round1\n"
	"round1 A 192.0.2.61\n"
	"nosvcb SVCB 0 .\n";

static const char sub_file[] = "$TTL 60\n@ SOA ns1.example.com. h 1 2 3 4 5\n@ NS ns1.example.com.\nx A 192.0.2.200\n";

#define SOA_LINE "example.com. 300 SOA ns1.example.com. host.example.com. 1 7200 900 1209600 300\n"

/* -- replies as text -- */

static void put_section(char *text, const knot_pktsection_t *section, const char *title)
{
	knot_dump_style_t style = KNOT_DUMP_STYLE_DEFAULT;
	size_t room = 65536;
	char *line = malloc(room);

	style.show_ttl = true;
	strcat(text, title);
	for (unsigned int i = 0; i < section->count; i++) {
		if (knot_pkt_rr(section, i)->type == KNOT_RRTYPE_OPT)
			continue;
		assert_true(knot_rrset_txt_dump(knot_pkt_rr(section, i), &line, &room, &style) >= 0);
		for (char *at = line; *at; at++) {
			while ((*at == '\t' || *at == ' ') && (at[1] == '\t' || at[1] == ' '))
				memmove(at, at + 1, strlen(at));
			if (*at == '\t')
				*at = ' ';
		}
		strcat(text, line);
	}
	free(line);
}

static void put_edns(char *text, const knot_pkt_t *packet)
{
	const uint8_t *option;
	char line[80];

	if (!packet->opt_rr)
		return;
	assert_int_equal(knot_edns_get_payload(packet->opt_rr), 1232);
	assert_int_equal(knot_edns_get_version(packet->opt_rr), 0);
	strcat(text, knot_edns_do(packet->opt_rr) ? "edns do" : "edns");
	option = knot_edns_get_option(packet->opt_rr, KNOT_EDNS_OPTION_CLIENT_SUBNET, NULL);
	if (option) {
		const uint8_t *data = knot_edns_opt_get_data((uint8_t *)option);

		snprintf(line, sizeof(line), " ecs %u/%u/%u", data[0] << 8 | data[1], data[2], data[3]);
		strcat(text, line);
	}
	option = knot_edns_get_option(packet->opt_rr, KNOT_EDNS_OPTION_COOKIE, NULL);
	if (option) {
		snprintf(line, sizeof(line), " cookie %u %.8s", knot_edns_opt_get_length((uint8_t *)option),
			 (const char *)knot_edns_opt_get_data((uint8_t *)option));
		strcat(text, line);
	}
	option = knot_edns_get_option(packet->opt_rr, KNOT_EDNS_OPTION_NSID, NULL);
	if (option)
		sprintf(text + strlen(text), " nsid %.*s", knot_edns_opt_get_length((uint8_t *)option),
			(const char *)knot_edns_opt_get_data((uint8_t *)option));
	option = knot_edns_get_option(packet->opt_rr, KNOT_EDNS_OPTION_TCP_KEEPALIVE, NULL);
	if (option) {
		const uint8_t *data = knot_edns_opt_get_data((uint8_t *)option);

		assert_int_equal(knot_edns_opt_get_length((uint8_t *)option), 2);
		snprintf(line, sizeof(line), " keepalive %u ms", 100 * (data[0] << 8 | data[1]));
		strcat(text, line);
	}
	option = knot_edns_get_option(packet->opt_rr, KNOT_EDNS_OPTION_EDE, NULL);
	if (option) {
		const uint8_t *data = knot_edns_opt_get_data((uint8_t *)option);

		assert_int_equal(knot_edns_opt_get_length((uint8_t *)option), 2);
		assert_ptr_equal(data + 2, packet->opt_rr->rrs.rdata->data + packet->opt_rr->rrs.rdata->len);	/* the last */
		snprintf(line, sizeof(line), " ede %u", data[0] << 8 | data[1]);
		strcat(text, line);
	}
	strcat(text, "\n");
}

/* "RCODE flags", the sections that are not empty, "edns ..." */
static const char *reply_text(uint32_t octets)
{
	static char text[256 * 1024];
	uint8_t *wire = fixture.message.octets;
	knot_pkt_t *packet;
	const knot_lookup_t *rcode;

	if (!octets)
		return "nothing";
	packet = knot_pkt_new(wire, octets, NULL);
	assert_non_null(packet);
	assert_int_equal(knot_pkt_parse(packet, KNOT_PF_NOCANON), KNOT_EOK);
	assert_int_equal(packet->parsed, octets);
	rcode = knot_lookup_by_id(knot_rcode_names, knot_pkt_ext_rcode(packet));
	sprintf(text, "%s%s%s%s%s%s%s\n", rcode ? rcode->name : "?", knot_wire_get_aa(wire) ? " aa" : "",
		knot_wire_get_tc(wire) ? " tc" : "", knot_wire_get_rd(wire) ? " rd" : "",
		knot_wire_get_cd(wire) ? " cd" : "", knot_wire_get_qdcount(wire) ? "" : " noquestion",
		knot_wire_get_opcode(wire) ? " opcode" : "");
	assert_true(knot_wire_get_qr(wire));
	assert_false(knot_wire_get_ra(wire) || knot_wire_get_ad(wire) || knot_wire_get_z(wire));
	if (knot_pkt_section(packet, KNOT_ANSWER)->count)
		put_section(text, knot_pkt_section(packet, KNOT_ANSWER), "");
	if (knot_pkt_section(packet, KNOT_AUTHORITY)->count)
		put_section(text, knot_pkt_section(packet, KNOT_AUTHORITY), "authority\n");
	if (knot_pkt_section(packet, KNOT_ADDITIONAL)->count > (packet->opt_rr ? 1 : 0))
		put_section(text, knot_pkt_section(packet, KNOT_ADDITIONAL), "additional\n");
	put_edns(text, packet);
	knot_pkt_free(packet);
	return text;
}

static uint64_t counted(int reason)
{
	return *reasons_at(&fixture.counters[0], reason);
}

static const char *ask(uint32_t length, int tcp)
{
	struct client client = fixture_client;

	client.tcp = tcp;
	return reply_text(serve_query(&fixture.serve, &fixture.message, length, &client));
}

/* Asks without EDNS. */
static const char *ask_plain(const char *name, uint16_t type)
{
	return ask(fixture_question(name, type, 0), 0);
}

#define ECS_V6 "\0\x08\0\x09\0\x02\x28\0\x24\x0b\0\x10\x02"
#define ECS_V4 "\0\x08\0\x07\0\x01\x18\0\x01\x02\x03"

static const char *ask_ecs(const char *name, uint16_t type)
{
	return ask(fixture_opt(fixture_question(name, type, 0), 4096, ECS_V4, sizeof(ECS_V4) - 1), 0);
}

/* -- tests -- */

static struct fixture_file files[] = {
	{ "main.yaml", main_file }, { "example.com.zone", NULL }, { "sub.zone", sub_file },
};

/* Nothing is published; then something is, and its zones have not come; then they have. */
static void says_that_it_is_not_ready(void **state)
{
	(void)state;
	assert_string_equal(ask_plain("www.example.com", 28), "REFUSED\n");
	assert_string_equal(ask_ecs("www.example.com", 28), "REFUSED\nedns ede 14\n");
	fixture_write(files, 3);
	fixture_flip();
	assert_string_equal(ask_plain("mail.example.com", 1), "SERVFAIL\n");
	assert_string_equal(ask_ecs("mail.example.com", 1), "SERVFAIL\nedns ecs 1/24/0 ede 14\n");
	assert_string_equal(ask_plain("www.example.com", 28), "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\n");
	fixture_push(files, 3);
}

static void answers_from_zones(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t type;
		const char *reply;
	} rows[] = {
		{ "mail.example.com", 1, "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\n" },
		{ "example.com", 6, "NOERROR aa\nexample.com. 3600 SOA ns1.example.com. host.example.com. 1 7200 900 1209600 300\n" },
		{ "example.com", 2, "NOERROR aa\nexample.com. 3600 NS ns1.example.com.\n"
		  "additional\nns1.example.com. 3600 A 198.18.0.1\n" },
		{ "example.com", 15, "NOERROR aa\nexample.com. 3600 MX 10 Mail.example.com.\n"
		  "additional\nMail.example.com. 3600 A 192.0.2.25\n" },
		{ "srv.example.com", 33, "NOERROR aa\nsrv.example.com. 3600 SRV 1 2 3 mail.example.com.\n"
		  "additional\nmail.example.com. 3600 A 192.0.2.25\n" },
		/* a host once, whatever its case; not what is an alias, a service, delegated, redirected, elsewhere, nothing */
		{ "hosts.example.com", 15, "NOERROR aa\nhosts.example.com. 3600 MX 1 mail.example.com.\n"
		  "hosts.example.com. 3600 MX 2 mail.example.com.\nhosts.example.com. 3600 MX 3 x.wild.example.com.\n"
		  "hosts.example.com. 3600 MX 4 y.wild.example.com.\nhosts.example.com. 3600 MX 5 alias.example.com.\n"
		  "hosts.example.com. 3600 MX 6 www.example.com.\nhosts.example.com. 3600 MX 7 ns.deleg.example.com.\n"
		  "hosts.example.com. 3600 MX 8 x.moved.example.com.\nhosts.example.com. 3600 MX 9 mail.example.net.\n"
		  "hosts.example.com. 3600 MX 10 .\nhosts.example.com. 3600 MX 11 x.wild.example.com.\n"
		  "additional\nmail.example.com. 3600 A 192.0.2.25\nx.wild.example.com. 3600 A 192.0.2.99\n"
		  "y.wild.example.com. 3600 A 192.0.2.99\n" },
		/* RFC 9460 4.1: the target may be the owner; a target's own records; AliasMode is followed, a loop once round */
		{ "https.example.com", 65, "NOERROR aa\nhttps.example.com. 3600 HTTPS 1 . alpn=h2\n"
		  "https.example.com. 3600 HTTPS 2 mail.example.com.\n"
		  "additional\nhttps.example.com. 3600 AAAA 2001:db8::443\nmail.example.com. 3600 A 192.0.2.25\n" },
		{ "tohttps.example.com", 65, "NOERROR aa\ntohttps.example.com. 3600 HTTPS 0 https.example.com.\n"
		  "additional\nhttps.example.com. 3600 AAAA 2001:db8::443\nhttps.example.com. 3600 HTTPS 1 . alpn=h2\n"
		  "https.example.com. 3600 HTTPS 2 mail.example.com.\nmail.example.com. 3600 A 192.0.2.25\n" },
		{ "round1.example.com", 64, "NOERROR aa\nround1.example.com. 3600 SVCB 0 round2.example.com.\n"
		  "additional\nround2.example.com. 3600 SVCB 0 round1.example.com.\nround1.example.com. 3600 A 192.0.2.61\n" },
		{ "nosvcb.example.com", 64, "NOERROR aa\nnosvcb.example.com. 3600 SVCB 0 .\n" },
		{ "mail.example.com", 28, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "mail.example.com", 1000, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "none.example.com", 1, "NXDOMAIN aa\nauthority\n" SOA_LINE },
		{ "b.ent.example.com", 1, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "alias.example.com", 5, "NOERROR aa\nalias.example.com. 3600 CNAME mail.example.com.\n" },
		{ "alias2.example.com", 1, "NOERROR aa\nalias2.example.com. 3600 CNAME alias.example.com.\n"
		  "alias.example.com. 3600 CNAME mail.example.com.\nmail.example.com. 3600 A 192.0.2.25\n" },
		{ "alias.example.com", 28, "NOERROR aa\nalias.example.com. 3600 CNAME mail.example.com.\nauthority\n" SOA_LINE },
		{ "dangling.example.com", 1, "NXDOMAIN aa\ndangling.example.com. 3600 CNAME nothere.example.com.\n"
		  "authority\n" SOA_LINE },
		{ "out.example.com", 1, "NOERROR aa\nout.example.com. 3600 CNAME www.other.test.\n" },
		{ "loop1.example.com", 1, "NOERROR aa\nloop1.example.com. 3600 CNAME loop2.example.com.\n"
		  "loop2.example.com. 3600 CNAME loop1.example.com.\n" },
		{ "tosub.example.com", 1, "NOERROR aa\ntosub.example.com. 3600 CNAME x.sub.example.com.\n"
		  "x.sub.example.com. 60 A 192.0.2.200\n" },
		/* RFC 4592 */
		{ "x.y.wild.example.com", 1, "NOERROR aa\nx.y.wild.example.com. 3600 A 192.0.2.99\n" },
		{ "x.wild.example.com", 16, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "*.wild.example.com", 1, "NOERROR aa\n*.wild.example.com. 3600 A 192.0.2.99\n" },
		{ "x.*.wild.example.com", 1, "NXDOMAIN aa\nauthority\n" SOA_LINE },
		{ "x.cw.example.com", 1, "NOERROR aa\nx.cw.example.com. 3600 CNAME mail.example.com.\n"
		  "mail.example.com. 3600 A 192.0.2.25\n" },
		/* RFC 6672 */
		{ "moved.example.com", 1, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "moved.example.com", 39, "NOERROR aa\nmoved.example.com. 3600 DNAME wild.example.com.\n" },
		{ "x.moved.example.com", 1, "NOERROR aa\nmoved.example.com. 3600 DNAME wild.example.com.\n"
		  "x.moved.example.com. 3600 CNAME x.wild.example.com.\nx.wild.example.com. 3600 A 192.0.2.99\n" },
		{ "x.moved.example.com", 5, "NOERROR aa\nmoved.example.com. 3600 DNAME wild.example.com.\n"
		  "x.moved.example.com. 3600 CNAME x.wild.example.com.\n" },
		{ "a123456789012345678901234567890123456789012345678901234567890.b12345678901234567890123456789"
		  "0123456789012345678901234567890.c123456789012345678901234567890123456789012345678901234567890.far.example.com", 1,
		  "YXDOMAIN aa\nfar.example.com. 3600 DNAME a-rather-long-label-to-move-names-to.another-rather-long-"
		  "label.example.net.\n" },
		{ "x.twice.example.com", 1, "NOERROR aa\ntwice.example.com. 3600 DNAME tw.example.com.\n"
		  "x.twice.example.com. 3600 CNAME x.tw.example.com.\nx.tw.example.com. 3600 CNAME Zz.twice.example.com.\n"
		  "Zz.twice.example.com. 3600 CNAME Zz.tw.example.com.\nZz.tw.example.com. 3600 A 192.0.2.44\n" },
		{ "back.back.example.com", 39, "NOERROR aa\nback.example.com. 3600 DNAME example.com.\n"
		  "back.back.example.com. 3600 CNAME back.example.com.\n" },
		/* one step below itself; two that lead below each other */
		{ "q.grows.example.com", 1, "NOERROR aa\ngrows.example.com. 3600 DNAME x.grows.example.com.\n"
		  "q.grows.example.com. 3600 CNAME q.x.grows.example.com.\n" },
		{ "q.ping.example.com", 1, "NOERROR aa\nping.example.com. 3600 DNAME x.pong.example.com.\n"
		  "q.ping.example.com. 3600 CNAME q.x.pong.example.com.\npong.example.com. 3600 DNAME ping.example.com.\n"
		  "q.x.pong.example.com. 3600 CNAME q.x.ping.example.com.\n"
		  "q.x.ping.example.com. 3600 CNAME q.x.x.pong.example.com.\n"
		  "q.x.x.pong.example.com. 3600 CNAME q.x.x.ping.example.com.\n"
		  "q.x.x.ping.example.com. 3600 CNAME q.x.x.x.pong.example.com.\n"
		  "q.x.x.x.pong.example.com. 3600 CNAME q.x.x.x.ping.example.com.\n"
		  "q.x.x.x.ping.example.com. 3600 CNAME q.x.x.x.x.pong.example.com.\n"
		  "q.x.x.x.x.pong.example.com. 3600 CNAME q.x.x.x.x.ping.example.com.\n"
		  "q.x.x.x.x.ping.example.com. 3600 CNAME q.x.x.x.x.x.pong.example.com.\n"
		  "q.x.x.x.x.x.pong.example.com. 3600 CNAME q.x.x.x.x.x.ping.example.com.\n"
		  "q.x.x.x.x.x.ping.example.com. 3600 CNAME q.x.x.x.x.x.x.pong.example.com.\n"
		  "q.x.x.x.x.x.x.pong.example.com. 3600 CNAME q.x.x.x.x.x.x.ping.example.com.\n" },
		/* delegations: AA is unset, glue inside and beside it */
		{ "x.deleg.example.com", 1, "NOERROR\nauthority\ndeleg.example.com. 3600 NS ns.deleg.example.com.\n"
		  "deleg.example.com. 3600 NS ns.sib.example.com.\ndeleg.example.com. 3600 NS ns.elsewhere.test.\n"
		  "additional\nns.deleg.example.com. 3600 A 192.0.2.53\nns.sib.example.com. 3600 A 192.0.2.54\n" },
		{ "below.example.com", 1, "NOERROR\nauthority\nbelow.example.com. 3600 NS ns1.below.example.com.\n"
		  "additional\nns1.below.example.com. 3600 A 192.0.2.55\n" },
		{ "deleg.example.com", 43, "NOERROR aa\ndeleg.example.com. 3600 DS 1 8 1 "
		  "0000000000000000000000000000000000000000\n" },
		{ "sib.example.com", 43, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "sub.example.com", 43, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "sub.example.com", 1, "NOERROR aa\nauthority\nsub.example.com. 5 SOA ns1.example.com. h.sub.example.com. "
		  "1 2 3 4 5\n" },
		/* RFC 8482 */
		{ "mail.example.com", 255, "NOERROR aa\nmail.example.com. 3600 HINFO \"RFC8482\" \"\"\n" },
		{ "alias.example.com", 255, "NOERROR aa\nalias.example.com. 3600 CNAME mail.example.com.\n" },
		{ "ent.example.com", 255, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "none.example.com", 255, "NXDOMAIN aa\nauthority\n" SOA_LINE },
		/* services exist, and what stands above them does; aliases to them are not followed */
		{ "www.example.com", 28, "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\n" },
		{ "www.example.com", 16, "NOERROR aa\nwww.example.com. 3600 TXT \"beside\"\n" },
		{ "www.example.com", 15, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "x.www.example.com", 1, "NXDOMAIN aa\nauthority\n" SOA_LINE },
		{ "svc.example.com", 1, "NOERROR aa\nauthority\n" SOA_LINE },
		{ "towww.example.com", 28, "NOERROR aa\ntowww.example.com. 3600 CNAME www.example.com.\n" },
		{ "towww.example.com", 16, "NOERROR aa\ntowww.example.com. 3600 CNAME www.example.com.\n"
		  "www.example.com. 3600 TXT \"beside\"\n" },
		{ "toorg.example.com", 28, "NOERROR aa\ntoorg.example.com. 3600 CNAME alone.example.org.\n" },
		/* outside every zone a service is a zone of its own */
		{ "x.alone.example.org", 28, "NXDOMAIN aa\nauthority\nalone.example.org. 60 SOA ns.alone.example.org. "
		  "hostmaster.alone.example.org. 1 3600 600 604800 60\n" },
		{ "example.net", 1, "REFUSED\n" },
		{ ".", 2, "REFUSED\n" },
		/* types that are not data */
		{ "example.com", 252, "REFUSED\n" },
		{ "example.com", 251, "REFUSED\n" },
		{ "example.com", 253, "NOTIMPL\n" },
		{ "example.com", 41, "NOTIMPL\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reply = ask_plain(rows[i].name, rows[i].type);

		if (strcmp(reply, rows[i].reply))
			print_error("%s type %u\n", rows[i].name, rows[i].type);
		assert_string_equal(reply, rows[i].reply);
	}
}

static void echoes_the_subnet(void **state)
{
	(void)state;
	assert_string_equal(ask_ecs("mail.example.com", 1), "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\nedns ecs 1/24/0\n");
	assert_string_equal(ask_ecs("none.example.com", 1), "NXDOMAIN aa\nauthority\n" SOA_LINE "edns ecs 1/24/0\n");
	assert_string_equal(ask_ecs("www.example.com", 16), "NOERROR aa\nwww.example.com. 3600 TXT \"beside\"\nedns ecs 1/24/0\n");
	assert_string_equal(ask_ecs("www.example.com", 28), "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\nedns ecs 1/24/1\n");
	assert_string_equal(ask_ecs("example.net", 1), "REFUSED\nedns ecs 1/24/0 ede 20\n");
	assert_string_equal(ask_ecs("example.com", 252), "REFUSED\nedns ecs 1/24/0 ede 18\n");
	assert_string_equal(ask(fixture_opt(fixture_question("www.example.com", 28, 0), 4096, ECS_V6, sizeof(ECS_V6) - 1), 0),
			    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8:10::1\nedns ecs 2/40/41\n");
}

#define COOKIE "\0\x0a\0\x08" "chocolat"
#define COOKIE_WRONG "\0\x0a\0\x18" "chocolat" "\1\0\0\0" "when" "not ours"
#define KEEPALIVE "\0\x0b\0\0"

static const char *ask_options(const char *name, uint16_t type, const void *options, size_t length, int tcp)
{
	return ask(fixture_opt(fixture_question(name, type, 0), 1232, options, length), tcp);
}

/* RFC 7873, RFC 7828: in every reply whose options were understood, behind the client subnet, truncated or not. */
static void speaks_cookies_and_keepalive(void **state)
{
	(void)state;
#define ROW(name, type, options, tcp, reply) { name, type, options, sizeof(options) - 1, tcp, reply }
	static const struct {
		const char *name;
		uint16_t type;
		const char *options;
		size_t length;
		int tcp;
		const char *reply;
	} rows[] = {
		ROW("www.example.com", 28, COOKIE, 0, "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\nedns cookie 24 chocolat\n"),
		ROW("www.example.com", 28, COOKIE_WRONG, 0,
		    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\nedns cookie 24 chocolat\n"),
		ROW("www.example.com", 28, COOKIE ECS_V6, 0,
		    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8:10::1\nedns ecs 2/40/41 cookie 24 chocolat\n"),
		ROW("www.example.com", 28, ECS_V6 COOKIE COOKIE_WRONG, 1,
		    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8:10::1\nedns ecs 2/40/41 cookie 24 chocolat\n"),
		ROW("mail.example.com", 1, COOKIE KEEPALIVE ECS_V4, 1,
		    "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\nedns ecs 1/24/0 cookie 24 chocolat keepalive 10000 ms\n"),
		ROW("mail.example.com", 1, KEEPALIVE, 0, "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\nedns\n"),
		ROW("none.example.com", 1, COOKIE, 0, "NXDOMAIN aa\nauthority\n" SOA_LINE "edns cookie 24 chocolat\n"),
		ROW("example.net", 1, COOKIE, 0, "REFUSED\nedns cookie 24 chocolat ede 20\n"),
		ROW("example.com", 252, COOKIE, 0, "REFUSED\nedns cookie 24 chocolat ede 18\n"),
		/* lengths that no cookie has, also beside a second one that is sound */
		ROW("www.example.com", 28, "\0\x0a\0\0", 0, "FORMERR\nedns\n"),
		ROW("www.example.com", 28, "\0\x0a\0\x07" "chocola" COOKIE, 0, "FORMERR\nedns\n"),
		ROW("www.example.com", 28, "\0\x0a\0\x0f" "chocolat1234567", 0, "FORMERR\nedns\n"),
		ROW("www.example.com", 28, "\0\x0a\0\x10" "chocolat12345678", 0,
		    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\nedns cookie 24 chocolat\n"),
		ROW("www.example.com", 28, "\0\x0a\0\x28" "chocolat12345678901234567890123456789012", 0,
		    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\nedns cookie 24 chocolat\n"),
		ROW("www.example.com", 28, "\0\x0a\0\x29" "chocolat123456789012345678901234567890123", 0, "FORMERR\nedns\n"),
		/* a malformed client subnet is judged first, and its reply is bare */
		ROW("www.example.com", 28, COOKIE "\0\x08\0\0", 0, "FORMERR\nedns\n"),
	};
#undef ROW

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reply = ask_options(rows[i].name, rows[i].type, rows[i].options, rows[i].length, rows[i].tcp);

		if (strcmp(reply, rows[i].reply))
			print_error("row %zu\n", i);
		assert_string_equal(reply, rows[i].reply);
	}
	assert_int_equal(counted(REASON_COOKIE_MALFORMED), 4);
}

/* RFC 7873 5.4: without a question, for the cookie alone. */
static void gives_cookies_alone(void **state)
{
	static uint8_t given[COOKIE_OCTETS];
	uint32_t length, octets;

	(void)state;
	memset(fixture.message.octets, 0, HEADER_OCTETS);
	length = fixture_opt(HEADER_OCTETS, 1232, COOKIE, sizeof(COOKIE) - 1);
	octets = serve_query(&fixture.serve, &fixture.message, length, &fixture_client);
	memcpy(given, fixture.message.octets + octets - COOKIE_OCTETS, COOKIE_OCTETS);
	assert_string_equal(reply_text(octets), "NOERROR noquestion\nedns cookie 24 chocolat\n");

	for (int wrong = 0; wrong < 2; wrong++) {
		given[COOKIE_OCTETS - 1] ^= wrong;
		memset(fixture.message.octets, 0, HEADER_OCTETS);
		length = fixture_opt(HEADER_OCTETS, 1232, "\0\x0a\0\x18", 4);
		message_put_u16(&fixture.message, HEADER_OCTETS + 9, OPTION_HEADER_OCTETS + COOKIE_OCTETS);
		length = fixture_append(length, given, sizeof(given));
		assert_string_equal(ask(length, 0), wrong ? "BADCOOKIE noquestion\nedns cookie 24 chocolat\n" :
				    "NOERROR noquestion\nedns cookie 24 chocolat\n");
	}
	assert_int_equal(counted(REASON_QDCOUNT), 0);
}

/* Until the controller has given secrets, a cookie is an option that nobody knows. */
static void has_no_secrets_yet(void **state)
{
	uint32_t changes = fixture.cookies.changes, length;

	(void)state;
	fixture.cookies.changes = 0;
	assert_string_equal(ask_options("www.example.com", 28, COOKIE ECS_V6, sizeof(COOKIE ECS_V6) - 1, 0),
			    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8:10::1\nedns ecs 2/40/41\n");
	memset(fixture.message.octets, 0, HEADER_OCTETS);
	length = fixture_opt(HEADER_OCTETS, 1232, COOKIE, sizeof(COOKIE) - 1);
	assert_string_equal(ask(length, 0), "FORMERR noquestion\nedns\n");
	fixture.cookies.changes = changes;
}

#define NSID "\0\3\0\0"

static const char *ask_chaos(const char *name, uint16_t type, const void *options, size_t length)
{
	uint32_t at = fixture_question(name, type, 0);

	message_put_u16(&fixture.message, at - 2, 3);
	return ask(fixture_opt(at, 1232, options, length), 0);
}

/* RFC 4892, RFC 5001: told if the operator says so, and not otherwise. */
static void tells_who_it_is(void **state)
{
	static char longest[POLICY_TEXT_OCTETS_MAX + 1];

	(void)state;
	assert_string_equal(ask_chaos("version.bind", 16, NULL, 0), "REFUSED\nedns ede 21\n");
	assert_string_equal(ask_chaos("id.server", 16, NULL, 0), "REFUSED\nedns ede 21\n");
	assert_string_equal(ask_options("mail.example.com", 1, NSID, 4, 0),
			    "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\nedns\n");
	fixture.policy.identity = "osaka-3";
	fixture.policy.version = "none of yours";
	assert_string_equal(ask_chaos("Version.BIND", 16, NULL, 0),
			    "NOERROR aa\nversion.bind. 0 TXT \"none of yours\"\nedns\n");
	assert_string_equal(ask_chaos("version.server", 255, COOKIE, sizeof(COOKIE) - 1),
			    "NOERROR aa\nversion.server. 0 TXT \"none of yours\"\nedns cookie 24 chocolat\n");
	assert_string_equal(ask_chaos("id.server", 16, ECS_V4, sizeof(ECS_V4) - 1),
			    "NOERROR aa\nid.server. 0 TXT \"osaka-3\"\nedns ecs 1/24/0\n");
	assert_string_equal(ask_chaos("hostname.bind", 16, NULL, 0), "NOERROR aa\nhostname.bind. 0 TXT \"osaka-3\"\nedns\n");
	assert_string_equal(ask_chaos("hostname.bind", 1, NULL, 0), "REFUSED\nedns ede 21\n");
	assert_string_equal(ask_chaos("a.hostname.bind", 16, NULL, 0), "REFUSED\nedns ede 21\n");
	assert_string_equal(ask_options("mail.example.com", 1, ECS_V4 COOKIE NSID, sizeof(ECS_V4 COOKIE NSID) - 1, 0),
			    "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\n"
			    "edns ecs 1/24/0 cookie 24 chocolat nsid osaka-3\n");
	memset(longest, 'x', POLICY_TEXT_OCTETS_MAX);
	fixture.policy.identity = longest;
	assert_non_null(strstr(ask_chaos("id.server", 16, COOKIE NSID, sizeof(COOKIE NSID) - 1), "nsid xxx"));
	fixture.policy.identity = fixture.policy.version = NULL;
}

/*
 * RFC 8914: why, behind the other options. The longest name with the longest of each has room for it in 512 octets; where
 * there is none it is left out, and so it is without an OPT record.
 */
static void explains_errors(void **state)
{
	static const char options[] = "\0\x08\0\x14\0\2\x80\0" "0123456789abcdef" COOKIE NSID;
	char label[64], name[256], identity[POLICY_TEXT_OCTETS_MAX + 1], reply[512];
	struct query query = { .flags = QUERY_EDNS };
	uint32_t length, octets;

	(void)state;
	memset(label, 'x', 63);
	label[63] = 0;
	snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label, label);
	memset(identity, 'i', POLICY_TEXT_OCTETS_MAX);
	identity[POLICY_TEXT_OCTETS_MAX] = 0;
	fixture.policy.identity = identity;
	snprintf(reply, sizeof(reply), "REFUSED\nedns ecs 2/128/0 cookie 24 chocolat nsid %s ede 20\n", identity);
	length = fixture_opt(fixture_question(name, 1, 0), 512, options, sizeof(options) - 1);
	octets = serve_query(&fixture.serve, &fixture.message, length, &fixture_client);
	assert_in_range(octets, 470, 512);
	assert_string_equal(reply_text(octets), reply);
	fixture.policy.identity = NULL;
	assert_string_equal(ask_options("example.com", 251, NULL, 0, 1), "REFUSED\nedns ede 18\n");
	assert_string_equal(ask_options("example.com", 253, NULL, 0, 0), "NOTIMPL\nedns ede 21\n");
	assert_string_equal(ask_options("example.com", 41, KEEPALIVE, 4, 1), "NOTIMPL\nedns keepalive 10000 ms ede 21\n");
	assert_string_equal(ask_options("none.example.com", 1, NULL, 0, 0), "NXDOMAIN aa\nauthority\n" SOA_LINE "edns\n");

	options_explain(&fixture.serve.options, &query, 5, INFO_PROHIBITED);
	assert_int_equal(query.more_octets, 0);
	options_explain(&fixture.serve.options, &query, 6, INFO_PROHIBITED);
	assert_int_equal(query.more_octets, 6);
	query = (struct query){ 0 };
	options_explain(&fixture.serve.options, &query, 512, INFO_PROHIBITED);
	assert_int_equal(query.more_octets, 0);
}

/* Each message is a header and question for mail.example.com, with counts and octets behind it as given. */
static void judges_unusual_messages(void **state)
{
	(void)state;
#define OPT(length) "\0\0\x29\x10\0\0\0\0\0" length	/* from RDLENGTH on */
#define TSIG "\1k\0\0\xfa\0\xff\0\0\0\0\0\2ab"
#define MAIL "\x04mail\x07" "example\x03" "com\0\0\1\0\1"
#define GOOD "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\n"
#define ROW(counts, octets, reply, reason) { counts, octets, sizeof(octets) - 1, reply, REASON_##reason }
	static const struct {
		const char *header;	/* flags, then the four counts */
		const char *octets;
		size_t length;
		const char *reply;
		int reason;
	} rows[] = {
		ROW("\0\0" "\0\1\0\0\0\0\0\0", MAIL, GOOD, NAME),
		ROW("\1\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\0"), "NOERROR aa rd\nmail.example.com. 3600 A 192.0.2.25\nedns\n", NAME),
		ROW("\5\xff" "\0\1\0\0\0\0\0\0", MAIL, "NOERROR aa rd cd\nmail.example.com. 3600 A 192.0.2.25\n", NAME),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL "\0\0\x29\x10\0\0\0\xff\xff\0\0",
		    "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\nedns do\n", NAME),
		ROW("\x80\0" "\0\1\0\0\0\0\0\0", MAIL, "nothing", RESPONSE),
		ROW("\x28\0" "\0\1\0\0\0\0\0\0", MAIL, "NOTIMPL opcode\n", OPCODE),
		ROW("\x28\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\0"), "NOTIMPL opcode\nedns\n", OPCODE),
		ROW("\x20\0" "\0\1\0\1\0\0\0\0", MAIL "\xc0\x0c\0\6\0\1\0\0\0\0\0\2xx", "NOTIMPL opcode\n", OPCODE),
		ROW("\0\0" "\0\0\0\0\0\0\0\0", "", "FORMERR noquestion\n", QDCOUNT),
		ROW("\0\0" "\0\0\0\0\0\0\0\1", OPT("\0\0"), "FORMERR noquestion\nedns\n", QDCOUNT),
		ROW("\0\0" "\0\2\0\0\0\0\0\1", MAIL MAIL OPT("\0\0"), "FORMERR noquestion\nedns\n", QDCOUNT),
		ROW("\0\0" "\0\2\0\0\0\0\0\0", MAIL, "FORMERR noquestion\n", QDCOUNT),
		ROW("\0\0" "\0\1\0\0\0\0\0\0", "\x04mail\x07" "example\x03" "com\0\0\1\0", "FORMERR noquestion\n", QUESTION),
		ROW("\0\0" "\0\1\0\0\0\0\0\0", "\xc0\x0c\0\1\0\1", "FORMERR noquestion\n", QUESTION),
		ROW("\0\0" "\0\1\0\0\0\0\0\0", "\x41mail", "FORMERR noquestion\n", QUESTION),
		ROW("\0\0" "\0\1\0\0\0\0\0\0", MAIL "x", "FORMERR\n", TRAILING),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\0") "x", "FORMERR\nedns\n", TRAILING),
		/* records of all kinds: good ones are ignored, bad ones are not */
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL TSIG, GOOD, OPT_OWNER),
		ROW("\0\0" "\0\1\0\0\0\0\0\2", MAIL TSIG OPT("\0\0"), GOOD "edns\n", RECORDS),
		ROW("\0\0" "\0\1\0\0\0\0\0\2", MAIL OPT("\0\0") TSIG, GOOD "edns\n", RECORDS),
		ROW("\0\0" "\0\1\0\1\0\1\0\1", MAIL "\xc0\x0c\0\1\0\1\0\0\0\0\0\0" "\xc0\x11\0\2\0\1\0\0\0\0\0\1y" OPT("\0\0"),
		    GOOD "edns\n", RECORDS),
		ROW("\0\0" "\0\1\0\0\0\0\0\2", MAIL OPT("\0\0") OPT("\0\0"), "FORMERR\nedns\n", RECORDS),
		ROW("\0\0" "\0\1\0\1\0\0\0\0", MAIL OPT("\0\0"), "FORMERR\nedns\n", RECORDS),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL "\1k" OPT("\0\0"), "FORMERR\nedns\n", OPT_OWNER),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL "\xc0\x1d" "\0\x29\x10\0\0\0\0\0\0\0", GOOD "edns\n", OPT_OWNER),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\4"), "FORMERR\nedns\n", OPT_LENGTH),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\4\0\x64\0\1"), "FORMERR\nedns\n", OPT_LENGTH),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\3\0\x64\0"), "FORMERR\nedns\n", OPT_LENGTH),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0"), "FORMERR\n", RECORDS),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL, "FORMERR\n", RECORDS),
		ROW("\0\0" "\0\1\0\1\0\0\0\0", MAIL "\xc0\x22\0\1\0\1\0\0\0\0\0\0", "FORMERR\n", RECORDS),	/* to itself */
		ROW("\0\0" "\0\1\0\1\0\0\0\0", MAIL "\xc0\x04\0\1\0\1\0\0\0\0\0\0", "FORMERR\n", RECORDS),	/* to the header */
		ROW("\0\0" "\0\1\0\1\0\0\0\0", MAIL "\0\0\1\0\1\0\0\0\0\xff\xff", "FORMERR\n", RECORDS),
		ROW("\0\0" "\0\1\xff\xff\xff\xff\xff\xff", MAIL, "FORMERR\n", RECORDS),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL "\0\0\x29\x10\0\0\1\0\0\0\0", "BADVERS\nedns\n", VERSION),
		ROW("\0\0" "\0\1\0\0\0\0\0\2", MAIL "\0\0\x29\x10\0\0\1\0\0\0\0" TSIG, "BADVERS\nedns\n", VERSION),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\x0b" ECS_V4), GOOD "edns ecs 1/24/0\n", NAME),
		ROW("\0\0" "\0\1\0\0\0\0\0\2", MAIL OPT("\0\x0b" ECS_V4) TSIG, GOOD "edns ecs 1/24/0\n", RECORDS),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\x0b\0\x08\0\x07\0\1\x17\0\1\2\3"), "FORMERR\nedns\n", ECS_MALFORMED),
		ROW("\0\0" "\0\1\0\0\0\0\0\2", MAIL OPT("\0\x0b\0\x08\0\x07\0\1\x17\0\1\2\3") TSIG, "FORMERR\nedns\n", ECS_MALFORMED),
		/* the first subnet is good, the second is not: nothing is echoed */
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\x16" ECS_V4 "\0\x08\0\x07\0\3\x18\0\1\2\3"), "FORMERR\nedns\n",
		    ECS_MALFORMED),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\x0c\0\x0a\0\x08" "12345678"), GOOD "edns cookie 24 12345678\n", NAME),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", MAIL OPT("\0\4\0\3\0\0"), GOOD "edns\n", NSID),
		ROW("\0\0" "\0\1\0\0\0\0\0\0", "\x04mail\x07" "example\x03" "com\0\0\1\0\3", "REFUSED\n", CLASS),
		ROW("\0\0" "\0\1\0\0\0\0\0\1", "\x04mail\x07" "example\x03" "com\0\0\1\0\3" OPT("\0\x0b" ECS_V4),
		    "REFUSED\nedns ecs 1/24/0 ede 21\n", CLASS),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before = counted(rows[i].reason);
		const char *reply;

		memcpy(fixture.message.octets, "\x12\x34", 2);
		memcpy(fixture.message.octets + 2, rows[i].header, 10);
		memcpy(fixture.message.octets + 12, rows[i].octets, rows[i].length);
		memset(fixture.message.octets + 12 + rows[i].length, 0xee, 64);
		reply = ask(12 + rows[i].length, 0);
		if (strcmp(reply, rows[i].reply) || counted(rows[i].reason) != before + 1)
			print_error("row %zu\n", i);
		assert_string_equal(reply, rows[i].reply);
		assert_int_equal(counted(rows[i].reason), before + 1);
	}
	for (uint32_t length = 0; length < HEADER_OCTETS; length++)
		assert_string_equal(ask(length, 0), "nothing");
	assert_int_equal(counted(REASON_SHORT), HEADER_OCTETS);
}

static void takes_many_options_and_long_messages(void **state)
{
	(void)state;
	static uint8_t options[60000];
	uint64_t before;
	uint32_t at;

	for (at = 0; at < 4 * 40; at += 4)
		memcpy(options + at, "\0\x64\0\0", 4);
	memcpy(options + at, ECS_V6, sizeof(ECS_V6) - 1);
	before = counted(REASON_OPTIONS);
	assert_string_equal(ask(fixture_opt(fixture_question("www.example.com", 28, 0), 4096, options, at + sizeof(ECS_V6) - 1), 0),
			    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8:10::1\nedns ecs 2/40/41\n");
	assert_int_equal(counted(REASON_OPTIONS), before + 1);
	memset(options, 0, sizeof(options));
	memcpy(options, "\0\x0c\xea\x5c", 4);	/* padding (RFC 7830) of 59996 octets */
	before = counted(REASON_TOO_LONG);
	assert_string_equal(ask(fixture_opt(fixture_question("www.example.com", 28, 0), 4096, options, sizeof(options)), 1),
			    "NOERROR aa\nwww.example.com. 10 AAAA 2001:db8::1\nedns\n");
	assert_int_equal(counted(REASON_TOO_LONG), before + 1);
}

/* Records whose owners are the same chain of 5000 pointers, which stands in the first one's data. */
static const char *ask_chains(uint32_t count)
{
	uint8_t record[] = { 0, 0, 0xff, 0, 0, 1, 0, 0, 0, 0, 10000 >> 8, 10000 & 0xff };
	uint32_t at = fixture_question("mail.example.com", 1, 0), to = HEADER_OCTETS;

	message_put_u16(&fixture.message, 10, 1 + count);
	at = fixture_append(at, record + 1, sizeof(record) - 1);
	for (uint32_t i = 0; i < 5000; i++) {
		uint8_t pointer[] = { 0xc0 | to >> 8, to & 0xff };

		to = at;
		at = fixture_append(at, pointer, sizeof(pointer));
	}
	record[0] = 0xc0 | to >> 8;
	record[1] = to & 0xff;
	memset(record + sizeof(record) - 2, 0, 2);
	while (count--)
		at = fixture_append(at, record, sizeof(record));
	return ask(at, 0);
}

/* Names may have any number of pointers, but following them ends. */
static void follows_pointers_for_a_while(void **state)
{
	(void)state;
	assert_string_equal(ask_chains(1), GOOD);
	assert_string_equal(ask_chains(12), GOOD);
	assert_string_equal(ask_chains(14), "FORMERR\n");
	assert_string_equal(ask_chains(4000), "FORMERR\n");
}

static void truncates(void **state)
{
	(void)state;
	uint32_t length;

	length = fixture_opt(fixture_question("big.example.com", 16, 0), 65535, ECS_V4, sizeof(ECS_V4) - 1);
	assert_string_equal(ask(length, 0), "NOERROR aa tc\nedns ecs 1/24/0\n");
	length = fixture_opt(fixture_question("big.example.com", 16, 0), 65535, ECS_V4, sizeof(ECS_V4) - 1);
	assert_non_null(strstr(ask(length, 1), "\nbig.example.com. 3600 TXT "));
	assert_string_equal(ask_plain("big.example.com", 16), "NOERROR aa tc\n");
	/* 300 octets advertised mean 512: 33 of header and question, OPT of 11, TXT of 12 + 256 + 161 is 473 */
	length = fixture_opt(fixture_question("mid.example.com", 16, 0), 300, NULL, 0);
	assert_non_null(strstr(ask(length, 0), "NOERROR aa\nmid.example.com. 3600 TXT"));
}

/*
 * "fat" has 40 addresses of each family: 640 and 1120 octets. Only glue without which nobody gets further makes TC
 * (RFC 9471 3.1), and it comes before glue that takes its place.
 */
static void leaves_out_what_only_helps(void **state)
{
	(void)state;
	const char *reply;

	assert_string_equal(ask_plain("tofat.example.com", 15), "NOERROR aa\ntofat.example.com. 3600 MX 1 fat.example.com.\n");
	reply = ask(fixture_opt(fixture_question("tofat.example.com", 15, 0), 1232, NULL, 0), 0);
	assert_memory_equal(reply, "NOERROR aa\n", 11);
	assert_non_null(strstr(reply, "\nadditional\nfat.example.com. 3600 A 192.0.2.1\n"));
	assert_null(strstr(reply, "AAAA"));
	assert_non_null(strstr(ask(fixture_question("tofat.example.com", 15, 0), 1), "\nfat.example.com. 3600 AAAA 2001:db8::40\n"));
	assert_string_equal(ask_plain("x.slim.example.com", 1), "NOERROR\nauthority\nslim.example.com. 3600 NS fat.example.com.\n"
			    "slim.example.com. 3600 NS ns.slim.example.com.\nadditional\nns.slim.example.com. 3600 A 192.0.2.53\n");
	assert_string_equal(ask_plain("x.stout.example.com", 1), "NOERROR tc\n");
	reply = ask(fixture_question("x.stout.example.com", 1, 0), 1);
	assert_non_null(strstr(reply, "\nadditional\nns.stout.example.com. 3600 A 192.0.2.1\n"));
}

static void names_are_compressed(void **state)
{
	(void)state;
	struct client client = fixture_client;
	/* the question is octets 12 to 36, "ns.deleg" stands at 37 + 12 and "ns.sib" at 54 + 12 */
	static const uint8_t reply[] =
		"\x12\x34\x80\0\0\1\0\0\0\3\0\2"
		"\1x\5" "deleg\7" "example\3" "com\0\0\1\0\1"
		"\xc0\x0e\0\2\0\1\0\0\x0e\x10\0\5\2ns\xc0\x0e"
		"\xc0\x0e\0\2\0\1\0\0\x0e\x10\0\x09\2ns\3sib\xc0\x14"
		"\xc0\x0e\0\2\0\1\0\0\x0e\x10\0\x13\2ns\x09" "elsewhere\4test\0"
		"\xc0\x31\0\1\0\1\0\0\x0e\x10\0\4\xc0\0\2\x35"
		"\xc0\x42\0\1\0\1\0\0\x0e\x10\0\4\xc0\0\2\x36";
	uint32_t octets = serve_query(&fixture.serve, &fixture.message, fixture_question("x.deleg.example.com", 1, 0), &client);

	assert_int_equal(octets, sizeof(reply) - 1);
	assert_memory_equal(fixture.message.octets, reply, octets);
}

static void keeps_the_case_of_the_question(void **state)
{
	(void)state;
	uint32_t length = fixture_question("mail.example.com", 1, 0), octets;
	uint8_t question[64];

	memcpy(fixture.message.octets + 13, "mAiL\7ExAmPlE", 12);
	memcpy(question, fixture.message.octets + 12, length - 12);
	octets = serve_query(&fixture.serve, &fixture.message, length, &fixture_client);
	assert_int_equal(octets, length + 16);
	assert_memory_equal(fixture.message.octets + 12, question, length - 12);
	assert_memory_equal(fixture.message.octets + length, "\xc0\x0c\0\1\0\1", 6);
}

static const char *ask_as_written(const char *name, uint16_t type)
{
	uint32_t length = fixture_question(name, type, 0);

	for (size_t i = 0; name[i]; i++)
		if (name[i] != '.')
			fixture.message.octets[HEADER_OCTETS + 1 + i] = name[i];
	return ask(length, 0);
}

/* RFC 4343 4.1: names come out as they went in, those of DNAME records (RFC 6672) with the labels of the question. */
static void keeps_the_case_of_aliases(void **state)
{
	(void)state;
	assert_string_equal(ask_as_written("X.Y.MovED.example.com", 1),
			    "NOERROR aa\nMovED.example.com. 3600 DNAME wild.example.com.\n"
			    "X.Y.MovED.example.com. 3600 CNAME X.Y.wild.example.com.\nX.Y.wild.example.com. 3600 A 192.0.2.99\n");
	/* made twice, with an alias of the file between: its own labels are the file's */
	assert_string_equal(ask_as_written("X.TWICE.example.com", 1),
			    "NOERROR aa\nTWICE.example.com. 3600 DNAME tw.example.com.\nX.TWICE.example.com. 3600 CNAME X.tw.example.com.\n"
			    "X.tw.example.com. 3600 CNAME Zz.TWICE.example.com.\nZz.TWICE.example.com. 3600 CNAME Zz.tw.example.com.\n"
			    "Zz.tw.example.com. 3600 A 192.0.2.44\n");
	assert_string_equal(ask_as_written("LOOP3.example.com", 1), "NOERROR aa\nLOOP3.example.com. 3600 CNAME Loop4.example.com.\n"
			    "Loop4.example.com. 3600 CNAME LOOP3.example.com.\n");
}

/* What the reply before had is no part of this one: here a DNAME record, nothing else being done in between. */
static void forgets_the_reply_before(void **state)
{
	(void)state;
	serve_query(&fixture.serve, &fixture.message, fixture_question("x.moved.example.com", 1, 0), &fixture_client);
	assert_string_equal(ask_plain("tomoved.example.com", 1),
			    "NOERROR aa\ntomoved.example.com. 3600 CNAME y.moved.example.com.\n"
			    "moved.example.com. 3600 DNAME wild.example.com.\n"
			    "y.moved.example.com. 3600 CNAME y.wild.example.com.\ny.wild.example.com. 3600 A 192.0.2.99\n");
}

/* -- pushes -- */

static void push_number(unsigned int number, int live)
{
	char yaml[512], zone[512];
	const struct fixture_file fresh[] = { { "main.yaml", yaml }, { "z", zone } };

	snprintf(yaml, sizeof(yaml), "server: {addresses: [198.18.0.%u]}\nzones: [{name: example.com, file: z}]\n"
		 "pools: {p: {members: [{name: m, address: 192.0.2.%u}]}}\ntopologies: {t: {default: p}}\n"
		 "services: [{name: www.example.com, topology: t, ttl: %u}]\n", number, number, number);
	snprintf(zone, sizeof(zone), "$TTL %u\n@ SOA n h %u 1 1 1 1\n@ NS n\nn TXT \"%u\"\n", number, number, number);
	fixture_write(fresh, 2);
	if (live)
		fixture_flip();
}

static unsigned int flips_left;

static void flip_once(void)
{
	if (!flips_left)
		return;
	flips_left--;
	fixture_flip();
}

static void mixes_no_generations(void **state)
{
	(void)state;
	const struct generation *live = fixture.generations.live;

	/* The push becomes live in the middle of a query: after the first look-up found the service of the old one. */
	push_number(7, 0);
	memset(&fixture.serve.cache, 0, sizeof(fixture.serve.cache));	/* so that there is a first look-up */
	flips_left = 1;
	fixture.on_lookup = flip_once;
	assert_string_equal(ask_plain("www.example.com", 1), "NOERROR aa\nwww.example.com. 7 A 192.0.2.7\n");
	fixture.on_lookup = NULL;
	assert_int_equal(flips_left, 0);
	/* Zones are still the old ones, and answer whole. For what is no longer a service there is no answer yet. */
	assert_string_equal(ask_plain("mail.example.com", 1), "NOERROR aa\nmail.example.com. 3600 A 192.0.2.25\n");
	assert_string_equal(ask_plain("a.b.svc.example.com", 28), "SERVFAIL\n");
	assert_string_equal(ask_ecs("a.b.svc.example.com", 28), "SERVFAIL\nedns ecs 1/24/0 ede 14\n");
	assert_ptr_equal(fixture.generations.live, live);
	assert_int_equal(generations_look(&fixture.generations), 1);
	assert_string_equal(ask_plain("n.example.com", 16), "NOERROR aa\nn.example.com. 7 TXT \"7\"\n");
	assert_string_equal(ask_plain("mail.example.com", 1), "NXDOMAIN aa\nauthority\nexample.com. 1 SOA n.example.com. "
			    "h.example.com. 7 1 1 1 1\n");
	assert_int_equal(generations_look(&fixture.generations), 0);
	assert_int_equal(fixture.generations.live->address_count, 1);
	assert_memory_equal(fixture.generations.live->addresses[0], "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x12\0\7", 16);
}

/* A name is looked up once a generation, whether it is a service or not, and a block once; never believed beyond it. */
static void lookups_are_remembered(void **state)
{
	unsigned int before;

	(void)state;
	for (unsigned int number = 30; number < 33; number++) {
		push_number(number, 1);
		before = fixture.lookups;
		for (int i = 0; i < 3; i++) {
			char reply[80];

			snprintf(reply, sizeof(reply), "NOERROR aa\nwww.example.com. %u A 192.0.2.%u\n", number, number);
			assert_string_equal(ask_plain("www.example.com", 1), reply);
			ask_plain("n.example.com", 16);
		}
		assert_int_equal(fixture.lookups - before, 1 + 1 + 1);	/* www, its region, n */
		generations_look(&fixture.generations);
	}
}

static void held_generations_stay(void **state)
{
	(void)state;
	const struct generation *held = generation_hold(&fixture.generations, 3);

	assert_int_equal(held->zones_number, held->number);
	for (unsigned int number = 8; number < 12; number++) {
		push_number(number, 1);
		assert_int_equal(generations_look(&fixture.generations), 1);
	}
	/* the sleeper wakes up, four pushes later; under ASan this would say if it had been freed */
	assert_non_null(zone_set_find(held->zones, (const uint8_t *)"\7" "example\3" "com"));
	assert_ptr_not_equal(held, fixture.generations.live);
	assert_ptr_equal(fixture.generations.retired, held);
	generation_release(&fixture.generations, 3);
	generations_look(&fixture.generations);
	assert_null(fixture.generations.retired);
}

static void zones_stay_when_the_next_do_not_load(void **state)
{
	(void)state;
	char path[PATH_MAX], kept[PATH_MAX + 8];
	int loaded = 0;

	push_number(20, 1);
	fixture_path(path, fixture.control.generation);
	snprintf(kept, sizeof(kept), "%s.kept", path);
	assert_int_equal(rename(path, kept), 0);
	assert_int_equal(generations_look(&fixture.generations), 1);
	assert_int_equal(fixture.generations.live->addresses[0][15], 20);
	assert_string_equal(ask_plain("n.example.com", 16), "NOERROR aa\nn.example.com. 11 TXT \"11\"\n");
	assert_string_equal(ask_plain("www.example.com", 1), "NOERROR aa\nwww.example.com. 20 A 192.0.2.20\n");
	/* it is tried again, not at every look */
	assert_int_equal(rename(kept, path), 0);
	for (unsigned int looks = 0; looks < 200 && !loaded; looks++)
		loaded = generations_look(&fixture.generations);
	assert_int_equal(loaded, 1);
	assert_string_equal(ask_plain("n.example.com", 16), "NOERROR aa\nn.example.com. 20 TXT \"20\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_that_it_is_not_ready),
		cmocka_unit_test(answers_from_zones),
		cmocka_unit_test(echoes_the_subnet),
		cmocka_unit_test(speaks_cookies_and_keepalive),
		cmocka_unit_test(gives_cookies_alone),
		cmocka_unit_test(has_no_secrets_yet),
		cmocka_unit_test(tells_who_it_is),
		cmocka_unit_test(explains_errors),
		cmocka_unit_test(judges_unusual_messages),
		cmocka_unit_test(takes_many_options_and_long_messages),
		cmocka_unit_test(follows_pointers_for_a_while),
		cmocka_unit_test(truncates),
		cmocka_unit_test(leaves_out_what_only_helps),
		cmocka_unit_test(names_are_compressed),
		cmocka_unit_test(keeps_the_case_of_the_question),
		cmocka_unit_test(keeps_the_case_of_aliases),
		cmocka_unit_test(forgets_the_reply_before),
		cmocka_unit_test(mixes_no_generations),
		cmocka_unit_test(lookups_are_remembered),
		cmocka_unit_test(held_generations_stay),
		cmocka_unit_test(zones_stay_when_the_next_do_not_load),
	};
	char *zone = malloc(sizeof(zone_file) + 16384), *at;
	int failed;

	/* "big" is 10 strings of 250 octets, "mid" fits into 512 octets with no more than EDNS */
	at = strstr(zone_file, "%s");
	sprintf(zone, "%.*s", (int)(at - zone_file), zone_file);
	for (int i = 0; i < 10; i++)
		sprintf(zone + strlen(zone), "%s%0250d", i ? "\" \"" : "", i);
	strcat(zone, at + 2);
	sprintf(zone + strlen(zone), "mid TXT \"%0255d\" \"%0160d\"\n", 1, 2);
	strcat(zone, "tofat MX 1 fat\nslim NS fat\nslim NS ns.slim\nns.slim A 192.0.2.53\nstout NS ns.stout\n");
	for (int i = 1; i <= 40; i++)
		sprintf(zone + strlen(zone), "fat A 192.0.2.%d\nfat AAAA 2001:db8::%d\nns.stout A 192.0.2.%d\n", i, i, i);
	files[1].content = zone;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	fixture_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_stop();
	free(zone);
	return failed;
}
