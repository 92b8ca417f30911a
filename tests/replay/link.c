// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* sendmmsg() */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/replay/link.h"
#include "tests/vectors/connect.h"

#define PATIENCE 5000		/* milliseconds for a reply that is owed */
#define SILENCE 2		/* and for those that are not, behind those that are */
#define BATCH 64
#define BUFFER_OCTETS (16 << 20)

static int send_all(struct link *link, struct exchange *exchanges, unsigned int count);
static unsigned int receive(struct link *link, struct exchange *exchanges, unsigned int count);

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static int read_mac(const char *text, uint8_t mac[MAC_OCTETS])
{
	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6 ?
		       0 : -EINVAL;
}

static int link_bind(struct link *link, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	if (ioctl(link->fd, SIOCGIFHWADDR, &request))
		return -errno;
	memcpy(link->client_mac, request.ifr_hwaddr.sa_data, MAC_OCTETS);
	address.sll_ifindex = if_nametoindex(interface);
	return bind(link->fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

int link_open(struct link *link, const char *interface, const char *server_mac)
{
	int code;

	memset(link, 0, sizeof(*link));
	link->fd = socket(AF_PACKET, SOCK_RAW, 0);
	code = link->fd < 0 ? -errno : read_mac(server_mac, link->server_mac);
	if (!code)
		code = set(link->fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
	if (!code)
		code = set(link->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (!code)
		code = link_bind(link, interface);
	if (code)
		fprintf(stderr, "%s: %s\n", interface, strerror(-code));
	return code;
}

void link_close(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
}

static int64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

int link_ask(struct link *link, struct exchange *exchanges, unsigned int count)
{
	unsigned int owed = 0, silent = 0, i;
	int64_t end;
	int code;

	for (i = 0; i < count; i++) {
		exchanges[i].reply_length = 0;
		if (query_is_owed(exchanges[i].asked))
			owed++;
		else
			silent++;
	}
	code = send_all(link, exchanges, count);
	for (end = now() + PATIENCE; !code && owed && now() < end;)
		if (readable(link->fd, end - now()))
			owed -= receive(link, exchanges, count);
	if (!code && silent && readable(link->fd, SILENCE))
		receive(link, exchanges, count);
	return code;
}

/* Whose is a message with this id to or from this client? NULL: nobody's. */
static struct exchange *find(struct exchange *exchanges, unsigned int count, const struct ends *ends, const uint8_t *id)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct asked *asked = exchanges[i].asked;

		if (asked->ends.port == ends->port && !memcmp(asked->octets, id, 2) && asked->ends.version == ends->version &&
		    !memcmp(asked->ends.client, ends->client, 16) && !memcmp(asked->ends.server, ends->server, 16))
			return &exchanges[i];
	}
	return NULL;
}

int link_is_ambiguous(struct exchange *exchanges, unsigned int count, const struct asked *asked)
{
	return find(exchanges, count, &asked->ends, asked->octets) != NULL;
}

static int send_all(struct link *link, struct exchange *exchanges, unsigned int count)
{
	static struct frame frames[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	unsigned int done = 0, i;
	struct ends ends;
	int sent;

	while (done < count) {
		memset(messages, 0, sizeof(messages));
		for (i = 0; i < BATCH && done + i < count; i++) {
			const struct asked *asked = exchanges[done + i].asked;

			ends = asked->ends;
			memcpy(ends.client_mac, link->client_mac, MAC_OCTETS);
			memcpy(ends.server_mac, link->server_mac, MAC_OCTETS);
			frame_make(&frames[i], &ends, asked->octets, asked->length);
			vectors[i] = (struct iovec){ frames[i].octets, frames[i].length };
			messages[i].msg_hdr.msg_iov = &vectors[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		sent = sendmmsg(link->fd, messages, i, 0);
		if (sent <= 0)
			return -errno;
		done += sent;
	}
	return 0;
}

/* The reply's ends and message. 0: not a reply. */
static int take_apart(uint8_t *frame, size_t length, struct ends *ends, uint8_t **message, size_t *octets)
{
	unsigned int type = frame[12] << 8 | frame[13], network = type == ETH_P_IP ? 20 : 40, udp_octets;
	uint8_t *ip = frame + ETH_HLEN, *udp = ip + network;

	if ((type != ETH_P_IP && type != ETH_P_IPV6) || length < ETH_HLEN + network + 8)
		return 0;
	if ((type == ETH_P_IP ? ip[9] : ip[6]) != IPPROTO_UDP || udp[0] || udp[1] != DNS_PORT)
		return 0;
	udp_octets = udp[4] << 8 | udp[5];
	if (udp_octets < 8 || ETH_HLEN + network + udp_octets > length)
		return 0;
	memset(ends, 0, sizeof(*ends));
	ends->version = type == ETH_P_IP ? 4 : 6;
	memcpy(ends->server, type == ETH_P_IP ? ip + 12 : ip + 8, type == ETH_P_IP ? 4 : 16);
	memcpy(ends->client, type == ETH_P_IP ? ip + 16 : ip + 24, type == ETH_P_IP ? 4 : 16);
	ends->port = udp[2] << 8 | udp[3];
	*message = udp + 8;
	*octets = udp_octets - 8;
	return 1;
}

/* Returns how many of the replies are owed and came for the first time. */
static unsigned int take(struct link *link, uint8_t *frame, size_t length, struct exchange *exchanges, unsigned int count)
{
	struct exchange *exchange;
	struct ends ends;
	uint8_t *message;
	size_t octets;

	if (!take_apart(frame, length, &ends, &message, &octets))
		return 0;
	exchange = octets >= 2 && octets <= REPLY_ROOM ? find(exchanges, count, &ends, message) : NULL;
	if (!exchange || exchange->reply_length) {
		link->strays++;
		return 0;
	}
	memcpy(exchange->reply, message, octets);
	exchange->reply_length = octets;
	return query_is_owed(exchange->asked);
}

static unsigned int receive(struct link *link, struct exchange *exchanges, unsigned int count)
{
	static uint8_t frames[BATCH][2048];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	unsigned int owed = 0;
	int got, i;

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ frames[i], sizeof(frames[i]) };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	got = recvmmsg(link->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < got; i++)
		owed += take(link, frames[i], messages[i].msg_len, exchanges, count);
	return owed;
}
