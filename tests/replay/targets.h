/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be asked of a configuration, as targets.py lists it. */
#ifndef ECSDNS_REPLAY_TARGETS_H
#define ECSDNS_REPLAY_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#define TARGET_TYPES_MAX 16

struct target {
	int is_service;
	uint8_t name[255];		/* lowered wire form */
	uint16_t name_octets;
	uint16_t types[TARGET_TYPES_MAX];	/* of a service beside zone data: its own; none: all are */
	unsigned int type_count;
};

struct prefix {
	uint8_t address[16];		/* IPv4 in the first four octets */
	uint8_t length;
};

struct targets {
	struct target *services, *others;
	struct prefix *prefixes[2];	/* IPv4, IPv6 */
	size_t service_count, other_count, prefix_count[2];
};

/* 0, or -errno with a line on standard error; targets_free() may follow either. */
int targets_read(struct targets *targets, const char *path);
void targets_free(struct targets *targets);

#endif
