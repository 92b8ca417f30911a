/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file format of libpcap (pcap-savefile(5)), in this host's byte order, which every reader tells by the first word. */
#ifndef ECSDNS_USER_PCAP_H
#define ECSDNS_USER_PCAP_H

#include <stdint.h>

#define PCAP_MAGIC 0xa1b2c3d4	/* times in microseconds: what all readers know */
#define PCAP_LINK_ETHERNET 1

struct pcap_file {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy;	/* always 0 */
	uint32_t snap;			/* no packet has more octets in the file */
	uint32_t link;
};

struct pcap_packet {
	uint32_t seconds, microseconds;
	uint32_t octets;		/* in the file, behind this */
	uint32_t length;		/* as it was */
};

_Static_assert(sizeof(struct pcap_file) == 24 && sizeof(struct pcap_packet) == 16, "the format's");

#endif
