// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The vectors through the driver: BPF_PROG_RUN on the pinned program, with the interface's number as the one that the
 * frame came in on. Frames are made and judged here with code of our own, or stand whole in the vector.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/abi.h"
#include "tests/vectors/print.h"
#include "tests/vectors/run.h"

#define FRAME_ROOM 4096
#define MAC_OCTETS 6
#define ETHERNET_OCTETS 14
#define UDP_OCTETS 8
#define PROTOCOL_UDP 17
#define DNS_PORT 53

/* In a vector's frames this stands for the interface's own MAC. */
static const uint8_t server_mac[MAC_OCTETS] = { 0x02, 0xec, 0x5d, 0, 0, 1 };
static const uint8_t client_mac[MAC_OCTETS] = { 0x02, 0xec, 0x5d, 0, 0, 2 };

struct driver {
	int program, counters;
	unsigned int ifindex, cpus;
	uint8_t mac[MAC_OCTETS];
	struct reasons *per_cpu;
};

struct frame {
	uint8_t octets[FRAME_ROOM];
	size_t length;
};

static int run_vector(struct driver *driver, const struct vector *vector);

static int open_pin(const char *pins, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return fd;
}

static int driver_open(struct driver *driver, const char *pins, unsigned int ifindex)
{
	struct interface interface;
	int interfaces;

	memset(driver, 0, sizeof(*driver));
	driver->ifindex = ifindex;
	driver->cpus = libbpf_num_possible_cpus();
	driver->per_cpu = calloc(driver->cpus, sizeof(*driver->per_cpu));
	driver->program = open_pin(pins, "program");
	driver->counters = open_pin(pins, "counters");
	interfaces = open_pin(pins, "interfaces");
	if (!driver->per_cpu || driver->program < 0 || driver->counters < 0 || interfaces < 0)
		return -ENOENT;
	if (bpf_map_lookup_elem(interfaces, &ifindex, &interface) || !interface.count) {
		fprintf(stderr, "interface %u is not in the map `interfaces`: attach first\n", ifindex);
		return -ENOENT;
	}
	memcpy(driver->mac, interface.macs[0], sizeof(driver->mac));
	return 0;
}

int run_driver(const struct vectors *vectors, const char *pins, unsigned int ifindex, struct tally *tally)
{
	struct driver driver;
	size_t i;

	if (driver_open(&driver, pins, ifindex))
		return -ENOENT;
	for (i = 0; i < vectors->count; i++) {
		if (vectors->list[i].verdict == VERDICT_NONE)
			continue;
		tally_count(tally, &vectors->list[i], "driver", run_vector(&driver, &vectors->list[i]));
	}
	free(driver.per_cpu);
	return 0;
}

/* -- frames -- */

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

/* A plain frame around the vector's query. */
static void frame_make(struct frame *frame, const struct driver *driver, const struct vector *vector)
{
	size_t network = vector->version == 4 ? 20 : 40, address = vector->version == 4 ? 4 : 16;
	uint8_t *ip = frame->octets + ETHERNET_OCTETS, *udp = ip + network;
	size_t length = UDP_OCTETS + vector->query.length;

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->octets, driver->mac, MAC_OCTETS);
	memcpy(frame->octets + MAC_OCTETS, client_mac, MAC_OCTETS);
	put16(frame->octets + 12, vector->version == 4 ? 0x0800 : 0x86dd);
	if (vector->version == 4) {
		ip[0] = 0x45;
		put16(ip + 2, network + length);
		put16(ip + 4, 0x4242);
		ip[8] = 63;
		ip[9] = PROTOCOL_UDP;
		memcpy(ip + 12, vector->client, 4);
		memcpy(ip + 16, vector->server, 4);
		put16(ip + 10, ~sum_add(0, ip, network));
	} else {
		ip[0] = 0x60;
		put16(ip + 4, length);
		ip[6] = PROTOCOL_UDP;
		ip[7] = 63;
		memcpy(ip + 8, vector->client, 16);
		memcpy(ip + 24, vector->server, 16);
	}
	put16(udp, vector->port);
	put16(udp + 2, DNS_PORT);
	put16(udp + 4, length);
	memcpy(udp + UDP_OCTETS, vector->query.data, vector->query.length);
	put16(udp + 6, ~udp_sum(vector->client, vector->server, address, udp, length));
	if (!get16(udp + 6))
		put16(udp + 6, 0xffff);
	frame->length = ETHERNET_OCTETS + network + length;
}

static const char *check_ipv4(const uint8_t *ip, size_t length, const struct vector *vector)
{
	if (length < 20 || ip[0] != 0x45 || get16(ip + 2) != length)
		return "IPv4 header or its length";
	if (ip[1] || get16(ip + 4) || get16(ip + 6) != 0x4000 || ip[8] != 64 || ip[9] != PROTOCOL_UDP)
		return "DSCP, id, flags, TTL or protocol";
	if (sum_add(0, ip, 20) != 0xffff)
		return "IPv4 checksum";
	if (memcmp(ip + 12, vector->server, 4) || memcmp(ip + 16, vector->client, 4))
		return "addresses";
	return NULL;
}

static const char *check_ipv6(const uint8_t *ip, size_t length, const struct vector *vector)
{
	if (length < 40 || ip[0] != 0x60 || ip[1] || get16(ip + 2) || get16(ip + 4) != length - 40)
		return "IPv6 header or its length";
	if (ip[6] != PROTOCOL_UDP || ip[7] != 64)
		return "next header or hop limit";
	if (memcmp(ip + 8, vector->server, 16) || memcmp(ip + 24, vector->client, 16))
		return "addresses";
	return NULL;
}

/* Everything around the reply's message. NULL, or what is wrong; sets where the message begins. */
static const char *frame_check(const struct frame *frame, const struct driver *driver, const struct vector *vector,
			       size_t *message)
{
	size_t network = vector->version == 4 ? 20 : 40, address = vector->version == 4 ? 4 : 16;
	const uint8_t *ip = frame->octets + ETHERNET_OCTETS, *udp = ip + network;
	const char *fault;

	if (frame->length < ETHERNET_OCTETS + network + UDP_OCTETS)
		return "frame's length";
	if (memcmp(frame->octets, client_mac, MAC_OCTETS) || memcmp(frame->octets + MAC_OCTETS, driver->mac, MAC_OCTETS))
		return "MACs";
	if (get16(frame->octets + 12) != (vector->version == 4 ? 0x0800 : 0x86dd))
		return "ethertype";
	fault = vector->version == 4 ? check_ipv4(ip, frame->length - ETHERNET_OCTETS, vector) :
				       check_ipv6(ip, frame->length - ETHERNET_OCTETS, vector);
	if (fault)
		return fault;
	if (get16(udp) != DNS_PORT || get16(udp + 2) != vector->port)
		return "ports";
	if (get16(udp + 4) != frame->length - ETHERNET_OCTETS - network)
		return "UDP length";
	if (!get16(udp + 6) || udp_sum(ip + network - 2 * address, ip + network - address, address, udp, get16(udp + 4)) != 0xffff)
		return "UDP checksum";
	*message = ETHERNET_OCTETS + network + UDP_OCTETS;
	return NULL;
}

/* A vector's whole frame with the interface's MAC in it. */
static void frame_take(struct frame *frame, const struct driver *driver, const struct octets *octets)
{
	memcpy(frame->octets, octets->data, octets->length);
	frame->length = octets->length;
	if (frame->length >= 2 * MAC_OCTETS && !memcmp(frame->octets, server_mac, MAC_OCTETS))
		memcpy(frame->octets, driver->mac, MAC_OCTETS);
	if (frame->length >= 2 * MAC_OCTETS && !memcmp(frame->octets + MAC_OCTETS, server_mac, MAC_OCTETS))
		memcpy(frame->octets + MAC_OCTETS, driver->mac, MAC_OCTETS);
}

/* -- one vector -- */

static int complain(const struct vector *vector, const char *what)
{
	printf("not ok - %s:%u: %s (driver, IPv%u): %s\n", vector->file, vector->line, vector->name, vector->version, what);
	return 1;
}

static int counters_read(const struct driver *driver, uint64_t counts[REASON_COUNT])
{
	uint32_t zero = 0;
	unsigned int cpu, reason;

	memset(counts, 0, REASON_COUNT * sizeof(counts[0]));
	if (bpf_map_lookup_elem(driver->counters, &zero, driver->per_cpu))
		return -errno;
	for (cpu = 0; cpu < driver->cpus; cpu++)
		for (reason = 1; reason < REASON_COUNT; reason++)
			counts[reason] += *reasons_at(&driver->per_cpu[cpu], reason);
	return 0;
}

/* The vector's reason by one, nothing else; but frames of others may be counted as NOT_DNS meanwhile. */
static int counters_check(const struct vector *vector, const uint64_t *before, const uint64_t *after)
{
	unsigned int reason;
	char text[160];

	for (reason = 1; reason < REASON_COUNT; reason++) {
		uint64_t moved = after[reason] - before[reason], want = reason == vector->reason;

		if (moved == want || (reason == REASON_NOT_DNS && moved > want))
			continue;
		snprintf(text, sizeof(text), "counter %s moved by %llu, expected was %s", vector_reasons[reason],
			 (unsigned long long)moved, vector_reasons[vector->reason]);
		return complain(vector, text);
	}
	return 0;
}

static int run_frame(const struct driver *driver, const struct frame *in, struct frame *out, uint32_t *verdict)
{
	struct xdp_md context = { .data_end = in->length, .ingress_ifindex = driver->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in->octets, .data_size_in = in->length,
		    .data_out = out->octets, .data_size_out = sizeof(out->octets), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	int code = bpf_prog_test_run_opts(driver->program, &options);

	out->length = options.data_size_out;
	*verdict = options.retval;
	return code;
}

static int check_reply(const struct driver *driver, const struct vector *vector, const struct frame *out)
{
	struct frame want;
	const char *fault;
	size_t at;

	if (vector->reply_frame.data) {
		frame_take(&want, driver, &vector->reply_frame);
		if (want.length == out->length && !memcmp(want.octets, out->octets, want.length))
			return 0;
		complain(vector, "another reply frame");
		print_octets(want.octets, want.length, out->octets, out->length);
		return 1;
	}
	fault = frame_check(out, driver, vector, &at);
	if (fault) {
		complain(vector, fault);
		print_octets(NULL, 0, out->octets, out->length);
		return 1;
	}
	if (out->length - at == vector->reply.length && !memcmp(out->octets + at, vector->reply.data, vector->reply.length))
		return 0;
	complain(vector, "another reply");
	print_messages(vector->reply.data, vector->reply.length, out->octets + at, out->length - at);
	return 1;
}

static int run_vector(struct driver *driver, const struct vector *vector)
{
	uint64_t before[REASON_COUNT], after[REASON_COUNT];
	static struct frame in, out;
	uint32_t verdict;
	char text[160];

	if (vector->query_frame.data)
		frame_take(&in, driver, &vector->query_frame);
	else
		frame_make(&in, driver, vector);
	if (counters_read(driver, before) || run_frame(driver, &in, &out, &verdict) || counters_read(driver, after)) {
		snprintf(text, sizeof(text), "BPF_PROG_RUN: %s", strerror(errno));
		return complain(vector, text);
	}
	if (verdict != (vector->verdict == VERDICT_TX ? XDP_TX : XDP_PASS)) {
		snprintf(text, sizeof(text), "verdict %u", verdict);
		complain(vector, text);
		counters_check(vector, before, after);
		return 1;
	}
	if (counters_check(vector, before, after))
		return 1;
	if (vector->verdict == VERDICT_TX)
		return check_reply(driver, vector, &out);
	if (out.length == in.length && !memcmp(in.octets, out.octets, in.length))
		return 0;
	complain(vector, "passed, but changed");
	print_octets(in.octets, in.length, out.octets, out.length);
	return 1;
}
