// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <libknot/libknot.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/ecsctl/exchange.h"
#include "user/common/pcap.h"

#define VLAN_TAG_OCTETS 4
#define VLAN_TAGS_MAX 2
#define LABEL_TEXT_OCTETS 16
#define RECORD_TEXT_OCTETS 4096

/* -- a frame -- */

struct datagram {
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	uint16_t vlans[VLAN_TAGS_MAX];
	unsigned int vlan_count;
	const uint8_t *message;
	size_t length;
};

static uint16_t load16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* Behind Ethernet and VLAN tags: the network header's offset, or 0. */
static size_t datagram_network(const uint8_t *frame, size_t length, struct datagram *datagram, uint16_t *type)
{
	size_t at = sizeof(struct ether_header);

	if (length < at)
		return 0;
	*type = load16(frame + 2 * ETH_ALEN);
	while ((*type == ETHERTYPE_VLAN || *type == ETH_P_8021AD) && datagram->vlan_count < VLAN_TAGS_MAX) {
		if (length - at < VLAN_TAG_OCTETS)
			return 0;
		datagram->vlans[datagram->vlan_count++] = load16(frame + at) & 0xfff;
		*type = load16(frame + at + 2);
		at += VLAN_TAG_OCTETS;
	}
	return at;
}

/* Addresses, and the offset of UDP, or 0. */
static size_t datagram_addresses(const uint8_t *frame, size_t length, size_t at, uint16_t type,
				 struct datagram *datagram)
{
	if (type == ETHERTYPE_IP && length - at >= sizeof(struct iphdr)) {
		inet_ntop(AF_INET, frame + at + offsetof(struct iphdr, saddr), datagram->source, sizeof(datagram->source));
		inet_ntop(AF_INET, frame + at + offsetof(struct iphdr, daddr), datagram->destination,
			  sizeof(datagram->destination));
		return at + sizeof(struct iphdr);
	}
	if (type == ETHERTYPE_IPV6 && length - at >= sizeof(struct ip6_hdr)) {
		inet_ntop(AF_INET6, frame + at + offsetof(struct ip6_hdr, ip6_src), datagram->source,
			  sizeof(datagram->source));
		inet_ntop(AF_INET6, frame + at + offsetof(struct ip6_hdr, ip6_dst), datagram->destination,
			  sizeof(datagram->destination));
		return at + sizeof(struct ip6_hdr);
	}
	return 0;
}

/* 0, or -1 for what the driver does not answer. */
static int datagram_parse(const uint8_t *frame, size_t length, struct datagram *datagram)
{
	uint16_t type = 0, octets;
	size_t at = datagram_network(frame, length, datagram, &type);

	at = at ? datagram_addresses(frame, length, at, type, datagram) : 0;
	if (!at || length - at < sizeof(struct udphdr))
		return -1;
	octets = load16(frame + at + offsetof(struct udphdr, len));
	if (octets < sizeof(struct udphdr) || octets > length - at)
		return -1;
	datagram->message = frame + at + sizeof(struct udphdr);
	datagram->length = octets - sizeof(struct udphdr);
	return 0;
}

/* -- a message, as JSON -- */

static void exchange_question(json_t *exchange, const knot_pkt_t *packet)
{
	const knot_dname_t *name = knot_pkt_wire_qname(packet);	/* as it came, with capital letters */
	char type[LABEL_TEXT_OCTETS] = "", *text = name ? knot_dname_to_str_alloc(name) : NULL;

	knot_rrtype_to_string(knot_pkt_qtype(packet), type, sizeof(type));
	json_object_set_new(exchange, "name", json_string(text ? text : ""));
	json_object_set_new(exchange, "type", json_string(type));
	free(text);
}

/* 0, or -1 if none came. */
static int exchange_subnet(const knot_pkt_t *packet, knot_edns_client_subnet_t *subnet)
{
	uint8_t *option = packet->opt_rr ? knot_pkt_edns_option(packet, KNOT_EDNS_OPTION_CLIENT_SUBNET) : NULL;

	return !option || knot_edns_client_subnet_parse(subnet, knot_edns_opt_get_data(option),
							knot_edns_opt_get_length(option)) ? -1 : 0;
}

static json_t *exchange_subnet_text(const knot_edns_client_subnet_t *subnet)
{
	struct sockaddr_storage address;
	char text[INET6_ADDRSTRLEN] = "";

	if (knot_edns_client_subnet_get_addr(&address, subnet))
		return json_sprintf("family %u/%u", subnet->family, subnet->source_len);
	if (address.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text, sizeof(text));
	return json_sprintf("%s/%u", text, subnet->source_len);
}

/* Of records that are not of the question's name or type, the reader is told which they are. */
static json_t *exchange_answers(const knot_pkt_t *packet)
{
	const knot_pktsection_t *section = knot_pkt_section(packet, KNOT_ANSWER);
	char text[RECORD_TEXT_OCTETS], type[LABEL_TEXT_OCTETS];
	json_t *list = json_array();

	for (uint16_t i = 0; i < section->count; i++) {
		const knot_rrset_t *set = knot_pkt_rr(section, i);

		for (uint16_t at = 0; at < set->rrs.count; at++) {
			if (knot_rrset_txt_dump_data(set, at, text, sizeof(text), &KNOT_DUMP_STYLE_DEFAULT) < 0)
				continue;
			knot_rrtype_to_string(set->type, type, sizeof(type));
			json_array_append_new(list, set->type == knot_pkt_qtype(packet) ? json_string(text) :
					      json_sprintf("%s %s", type, text));
		}
	}
	return list;
}

static json_t *exchange_query(const struct pcap_packet *packet, const uint8_t *frame)
{
	struct datagram datagram = {0};
	knot_edns_client_subnet_t subnet;
	json_t *exchange, *vlans;
	knot_pkt_t *message;

	if (datagram_parse(frame, packet->octets, &datagram))
		return NULL;
	message = knot_pkt_new((void *)datagram.message, datagram.length, NULL);
	if (!message || knot_pkt_parse(message, 0)) {
		knot_pkt_free(message);
		return NULL;
	}
	exchange = json_pack("{s:f, s:s, s:s}", "time", packet->seconds + packet->microseconds / 1e6,
			     "client", datagram.source, "server", datagram.destination);
	vlans = json_array();
	for (unsigned int i = 0; i < datagram.vlan_count; i++)
		json_array_append_new(vlans, json_integer(datagram.vlans[i]));
	json_object_set_new(exchange, "vlans", vlans);
	exchange_question(exchange, message);
	if (!exchange_subnet(message, &subnet))
		json_object_set_new(exchange, "client_subnet", exchange_subnet_text(&subnet));
	knot_pkt_free(message);
	return exchange;
}

/* 0, or -1 if it is no reply. */
static int exchange_reply(json_t *exchange, const struct pcap_packet *packet, const uint8_t *frame)
{
	struct datagram datagram = {0};
	knot_edns_client_subnet_t subnet;
	knot_pkt_t *message;
	const char *rcode;

	if (datagram_parse(frame, packet->octets, &datagram))
		return -1;
	message = knot_pkt_new((void *)datagram.message, datagram.length, NULL);
	if (!message || knot_pkt_parse(message, 0)) {
		knot_pkt_free(message);
		return -1;
	}
	rcode = knot_pkt_ext_rcode_name(message);
	json_object_set_new(exchange, "rcode", rcode && *rcode ? json_string(rcode) :
			    json_sprintf("RCODE%u", knot_pkt_ext_rcode(message)));
	if (!exchange_subnet(message, &subnet))
		json_object_set_new(exchange, "scope", json_integer(subnet.scope_len));
	json_object_set_new(exchange, "truncated", json_boolean(knot_wire_get_tc(message->wire)));
	json_object_set_new(exchange, "answers", exchange_answers(message));
	knot_pkt_free(message);
	return 0;
}

/* -- and for people -- */

static void exchange_print_line(const json_t *exchange, const struct pcap_packet *packet)
{
	const json_t *answers = json_object_get(exchange, "answers"), *scope = json_object_get(exchange, "scope"), *each;
	const char *subnet = field_text(exchange, "client_subnet");
	time_t seconds = packet->seconds;
	struct tm parts;
	char text[32];
	size_t i;

	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&seconds, &parts));
	printf("%s.%06u  %s  %s  %s %s  %s  ", text, packet->microseconds, field_text(exchange, "client"),
	       *subnet ? subnet : "-", field_text(exchange, "name"), field_text(exchange, "type"),
	       field_text(exchange, "rcode"));
	if (scope)
		printf("/%lld  ", json_integer_value(scope));
	else
		printf("-  ");
	if (!json_array_size(answers))
		printf("%s", field_is(exchange, "truncated") ? "truncated" : "no data");
	json_array_foreach(answers, i, each)
		printf("%s%s", i ? ", " : "", json_string_value(each));
	putchar('\n');
}

static void exchange_print(const struct exchanges *exchanges, const json_t *exchange, const struct pcap_packet *packet)
{
	if (exchanges->is_json) {
		json_dumpf(exchange, stdout, JSON_COMPACT | JSON_REAL_PRECISION(16));
		putchar('\n');
	} else {
		exchange_print_line(exchange, packet);
	}
	fflush(stdout);
}

/* -- the stream -- */

static void exchanges_packet(struct exchanges *exchanges, const struct pcap_packet *packet, const uint8_t *frame)
{
	if (!exchanges->has_query)
		exchanges->query = exchange_query(packet, frame);
	else if (exchanges->query && !exchange_reply(exchanges->query, packet, frame))
		exchange_print(exchanges, exchanges->query, packet);
	exchanges->has_query = !exchanges->has_query;
	if (exchanges->has_query)
		return;
	json_decref(exchanges->query);
	exchanges->query = NULL;
}

/* The octets that are done with; 0: more are needed; -1: no such stream. */
static ssize_t exchanges_step(struct exchanges *exchanges, const uint8_t *octets, size_t length)
{
	struct pcap_packet packet;
	struct pcap_file file;

	if (!exchanges->has_head) {
		if (length < sizeof(file))
			return 0;
		memcpy(&file, octets, sizeof(file));
		exchanges->has_head = 1;
		return file.magic == PCAP_MAGIC && file.link == PCAP_LINK_ETHERNET ? (ssize_t)sizeof(file) : -1;
	}
	if (length < sizeof(packet))
		return 0;
	memcpy(&packet, octets, sizeof(packet));
	if (packet.octets > PACKET_OCTETS_MAX)
		return -1;
	if (length - sizeof(packet) < packet.octets)
		return 0;
	exchanges_packet(exchanges, &packet, octets + sizeof(packet));
	return sizeof(packet) + packet.octets;
}

int exchanges_take(struct exchanges *exchanges, const void *octets, size_t length)
{
	size_t room, at;
	ssize_t step;

	while (length) {
		room = sizeof(exchanges->octets) - exchanges->length;
		room = room < length ? room : length;
		memcpy(exchanges->octets + exchanges->length, octets, room);
		exchanges->length += room;
		octets = (const uint8_t *)octets + room;
		length -= room;
		at = 0;
		while ((step = exchanges_step(exchanges, exchanges->octets + at, exchanges->length - at)) > 0)
			at += step;
		if (step < 0)
			return -1;
		memmove(exchanges->octets, exchanges->octets + at, exchanges->length - at);
		exchanges->length -= at;
	}
	return 0;
}

void exchanges_free(struct exchanges *exchanges)
{
	json_decref(exchanges->query);
	exchanges->query = NULL;
}
