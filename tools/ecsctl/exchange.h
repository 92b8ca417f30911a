/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An exchange of `ecsctl capture` for people: from a stream in pcap format to lines. Whatever is in it is only data. */
#ifndef ECSDNS_TOOLS_ECSCTL_EXCHANGE_H
#define ECSDNS_TOOLS_ECSCTL_EXCHANGE_H

#include <stdint.h>

#include "tools/ecsctl/ecsctl.h"

#define PACKET_OCTETS_MAX 65536

/* A stream, as far as it has been read. Starts as zeros. */
struct exchanges {
	int is_json;
	int has_head;		/* the file's header has been read */
	int has_query;		/* and its reply comes next */
	json_t *query;		/* of the packet before; null if it is none of ours */
	uint8_t octets[PACKET_OCTETS_MAX + 64];	/* what is not a whole packet yet */
	size_t length;
};

/* Takes more of the stream, and prints each exchange that is whole now. -1: this is not what capture sends. */
int exchanges_take(struct exchanges *exchanges, const void *octets, size_t length);
void exchanges_free(struct exchanges *exchanges);

#endif
