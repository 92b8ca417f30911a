// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * One query over UDP, with RD set so that a resolver answers it, too. It is sent once: another try is the next check.
 * Messages that are not the reply to it are passed over.
 */
#include "user/controller/check_kind.h"

#include <errno.h>
#include <libknot/libknot.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define QUERY_OCTETS 512
#define REPLY_OCTETS 4096	/* no EDNS is sent: 512 would do for all who obey */
#define RDATA_TEXT_OCTETS 2048

struct dns {
	struct check check;
	uint16_t id;
	bool is_sent;
};

static void dns_start(struct check *check)
{
	struct dns *dns = (struct dns *)check;

	if (getrandom(&dns->id, sizeof(dns->id), GRND_NONBLOCK) != sizeof(dns->id))
		dns->id = (uintptr_t)check >> 4;	/* the socket is connected: it need only be no constant */
	check_connect(check, SOCK_DGRAM, IPPROTO_UDP, check->target.check->port);
}

static void dns_send(struct dns *dns)
{
	const struct config_check *config = dns->check.target.check;
	knot_pkt_t *query = knot_pkt_new(NULL, QUERY_OCTETS, NULL);
	int fault = query ? 0 : -ENOMEM;

	if (!fault)
		fault = knot_pkt_put_question(query, config->query->name, KNOT_CLASS_IN, config->query_type);
	if (fault) {
		check_over(&dns->check, CHECK_unable, "no query: %s", knot_strerror(fault));
	} else {
		knot_wire_set_id(query->wire, dns->id);
		knot_wire_set_rd(query->wire);
		dns->is_sent = true;
		check_watch_for(&dns->check, UV_READABLE);
		if (send(dns->check.file, query->wire, query->size, MSG_NOSIGNAL) < 0)
			check_over_errno(&dns->check, errno);
	}
	knot_pkt_free(query);
}

/* Does data, as text, read as the configuration has it? Names in it may be written in any case. */
static bool dns_data_is(const knot_rrset_t *rrset, uint16_t number, const char *expected)
{
	knot_dump_style_t style = KNOT_DUMP_STYLE_DEFAULT;
	char text[RDATA_TEXT_OCTETS];

	style.wrap = false;
	return knot_rrset_txt_dump_data(rrset, number, text, sizeof(text), &style) >= 0 && !strcasecmp(text, expected);
}

static bool dns_has_answer(const knot_pkt_t *reply, uint16_t type, const char *expected)
{
	const knot_pktsection_t *section = knot_pkt_section(reply, KNOT_ANSWER);

	for (uint16_t i = 0; i < section->count; i++) {
		const knot_rrset_t *rrset = knot_pkt_rr(section, i);

		for (uint16_t number = 0; rrset->type == type && number < rrset->rrs.count; number++)
			if (dns_data_is(rrset, number, expected))
				return true;
	}
	return false;
}

static bool dns_is_ours(const struct dns *dns, const knot_pkt_t *reply)
{
	const struct config_check *config = dns->check.target.check;

	return knot_wire_get_id(reply->wire) == dns->id && knot_wire_get_qr(reply->wire) &&
	       knot_wire_get_qdcount(reply->wire) == 1 && knot_pkt_qtype(reply) == config->query_type &&
	       knot_dname_is_case_equal(knot_pkt_qname(reply), config->query->name);
}

static void dns_judge(struct dns *dns, const knot_pkt_t *reply)
{
	const struct config_check *config = dns->check.target.check;
	uint8_t rcode = knot_wire_get_rcode(reply->wire);
	const knot_lookup_t *name = knot_lookup_by_id(knot_rcode_names, rcode);

	if (rcode != config->rcode)
		check_over(&dns->check, CHECK_rcode, "rcode %s", name ? name->name : "unknown");
	else if (config->answer && !dns_has_answer(reply, config->query_type, config->answer))
		check_over(&dns->check, CHECK_content, "answer does not have what was expected");
	else
		check_over(&dns->check, CHECK_ok, "ok");
}

static void dns_receive(struct dns *dns)
{
	uint8_t wire[REPLY_OCTETS];
	ssize_t got = recv(dns->check.file, wire, sizeof(wire), 0);
	knot_pkt_t *reply;
	int fault;

	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			check_over_errno(&dns->check, errno);
		return;
	}
	reply = knot_pkt_new(wire, got, NULL);
	if (!reply)
		return;
	fault = got < KNOT_WIRE_HEADER_SIZE ? KNOT_EMALF : knot_pkt_parse(reply, 0);
	if (got < KNOT_WIRE_HEADER_SIZE || knot_wire_get_id(wire) != dns->id)
		;	/* a late one, or a forged one */
	else if (fault)
		check_over(&dns->check, CHECK_protocol, "reply makes no sense: %s", knot_strerror(fault));
	else if (dns_is_ours(dns, reply))
		dns_judge(dns, reply);
	knot_pkt_free(reply);
}

static void dns_ready(struct check *check, int events)
{
	struct dns *dns = (struct dns *)check;

	(void)events;
	if (!dns->is_sent)
		dns_send(dns);
	else
		dns_receive(dns);
}

const struct check_kind check_dns = {.size = sizeof(struct dns), .start = dns_start, .ready = dns_ready};
