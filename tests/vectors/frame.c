// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "tests/vectors/frame.h"

#define ETHERNET_OCTETS 14
#define UDP_OCTETS 8
#define PROTOCOL_UDP 17

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static unsigned int get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* RFC 1071, octet by octet. */
static uint32_t sum_add(uint32_t sum, const uint8_t *octets, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		sum += i % 2 ? octets[i] : octets[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum over pseudo-header and UDP datagram; 0xffff if its checksum is right. */
static uint32_t udp_sum(const uint8_t *source, const uint8_t *destination, size_t address, const uint8_t *udp, size_t length)
{
	uint8_t pseudo[4] = { length >> 8, length & 0xff, 0, PROTOCOL_UDP };
	uint32_t sum;

	sum = sum_add(0, source, address);
	sum = sum_add(sum, destination, address);
	sum = sum_add(sum, pseudo, sizeof(pseudo));
	return sum_add(sum, udp, length);
}

void frame_make(struct frame *frame, const struct ends *ends, const uint8_t *message, size_t length)
{
	size_t network = ends->version == 4 ? 20 : 40, address = ends->version == 4 ? 4 : 16;
	uint8_t *ip = frame->octets + ETHERNET_OCTETS, *udp = ip + network;
	size_t datagram = UDP_OCTETS + length;

	memset(frame->octets, 0, ETHERNET_OCTETS + network + UDP_OCTETS);
	memcpy(frame->octets, ends->server_mac, MAC_OCTETS);
	memcpy(frame->octets + MAC_OCTETS, ends->client_mac, MAC_OCTETS);
	put16(frame->octets + 12, ends->version == 4 ? 0x0800 : 0x86dd);
	if (ends->version == 4) {
		ip[0] = 0x45;
		put16(ip + 2, network + datagram);
		put16(ip + 4, 0x4242);
		ip[8] = 63;
		ip[9] = PROTOCOL_UDP;
		memcpy(ip + 12, ends->client, 4);
		memcpy(ip + 16, ends->server, 4);
		put16(ip + 10, ~sum_add(0, ip, network));
	} else {
		ip[0] = 0x60;
		put16(ip + 4, datagram);
		ip[6] = PROTOCOL_UDP;
		ip[7] = 63;
		memcpy(ip + 8, ends->client, 16);
		memcpy(ip + 24, ends->server, 16);
	}
	put16(udp, ends->port);
	put16(udp + 2, DNS_PORT);
	put16(udp + 4, datagram);
	memcpy(udp + UDP_OCTETS, message, length);
	put16(udp + 6, ~udp_sum(ends->client, ends->server, address, udp, datagram));
	if (!get16(udp + 6))
		put16(udp + 6, 0xffff);
	frame->length = ETHERNET_OCTETS + network + datagram;
}

static const char *check_ipv4(const uint8_t *ip, size_t length, const struct ends *ends)
{
	if (length < 20 || ip[0] != 0x45 || get16(ip + 2) != length)
		return "IPv4 header or its length";
	if (ip[1] || get16(ip + 4) || get16(ip + 6) != 0x4000 || ip[8] != 64 || ip[9] != PROTOCOL_UDP)
		return "DSCP, id, flags, TTL or protocol";
	if (sum_add(0, ip, 20) != 0xffff)
		return "IPv4 checksum";
	if (memcmp(ip + 12, ends->server, 4) || memcmp(ip + 16, ends->client, 4))
		return "addresses";
	return NULL;
}

static const char *check_ipv6(const uint8_t *ip, size_t length, const struct ends *ends)
{
	if (length < 40 || ip[0] != 0x60 || ip[1] || get16(ip + 2) || get16(ip + 4) != length - 40)
		return "IPv6 header or its length";
	if (ip[6] != PROTOCOL_UDP || ip[7] != 64)
		return "next header or hop limit";
	if (memcmp(ip + 8, ends->server, 16) || memcmp(ip + 24, ends->client, 16))
		return "addresses";
	return NULL;
}

const char *frame_check(const struct frame *frame, const struct ends *ends, size_t *message)
{
	size_t network = ends->version == 4 ? 20 : 40, address = ends->version == 4 ? 4 : 16;
	const uint8_t *ip = frame->octets + ETHERNET_OCTETS, *udp = ip + network;
	const char *fault;

	if (frame->length < ETHERNET_OCTETS + network + UDP_OCTETS)
		return "frame's length";
	if (memcmp(frame->octets, ends->client_mac, MAC_OCTETS) ||
	    memcmp(frame->octets + MAC_OCTETS, ends->server_mac, MAC_OCTETS))
		return "MACs";
	if (get16(frame->octets + 12) != (ends->version == 4 ? 0x0800 : 0x86dd))
		return "ethertype";
	fault = ends->version == 4 ? check_ipv4(ip, frame->length - ETHERNET_OCTETS, ends) :
				     check_ipv6(ip, frame->length - ETHERNET_OCTETS, ends);
	if (fault)
		return fault;
	if (get16(udp) != DNS_PORT || get16(udp + 2) != ends->port)
		return "ports";
	if (get16(udp + 4) != frame->length - ETHERNET_OCTETS - network)
		return "UDP length";
	if (!get16(udp + 6) || udp_sum(ip + network - 2 * address, ip + network - address, address, udp, get16(udp + 4)) != 0xffff)
		return "UDP checksum";
	*message = ETHERNET_OCTETS + network + UDP_OCTETS;
	return NULL;
}
