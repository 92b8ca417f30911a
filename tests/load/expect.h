/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What may be asked and what each of two configurations prescribes, as tests/load/model.py works it out.
 *
 * The table is a text file of lines, fields parted by one space:
 *
 *	form NUMBER HEX
 *	ask KIND TRANSPORT NAME TYPE FAMILY BASE LENGTH LEAST MOST SCOPE FORMS SCOPE FORMS
 *
 * A form is a reply without its question and OPT, in one fixed spelling: rcode (1 octet), records in answer, authority and
 * additional (2 octets each), then the records of each section, sorted: owner, type, class, TTL, length and data, names
 * lowered and uncompressed. FORMS are numbers parted by commas, any of which is right (a rotated window, a draw).
 *
 * KIND is `service` (the driver's to answer) or `zone` (the fallback's, at least in one configuration). TRANSPORT is 4,
 * 6 or 0 for both. NAME is wire form in hex, BASE an address in hex. FAMILY 0: no client subnet is sent. Else the source
 * length is from LEAST to MOST and the address BASE, with random bits behind LENGTH; the answer is the same for all.
 */
#ifndef ECSDNS_LOAD_EXPECT_H
#define ECSDNS_LOAD_EXPECT_H

#include <stddef.h>
#include <stdint.h>

#define EXPECT_SIDES 2		/* configurations A and B */
#define EXPECT_FORMS_MAX 64

#define EXPECT_SERVICE 1
#define EXPECT_ZONE 2

struct expect_form {
	uint8_t *octets;
	uint32_t length;
};

struct expect_side {
	uint8_t scope;
	uint32_t count;
	uint32_t *forms;		/* numbers */
};

struct expect_row {
	uint8_t kind;			/* EXPECT_SERVICE or EXPECT_ZONE */
	uint8_t transport;		/* 4, 6 or 0 */
	uint8_t name[255];
	uint16_t name_length;
	uint16_t type;
	uint16_t family;		/* 0: no client subnet */
	uint8_t base[16];		/* IPv4 in the first four octets */
	uint8_t length, least, most;
	struct expect_side sides[EXPECT_SIDES];
};

struct expect {
	struct expect_form *forms;
	size_t form_count;
	struct expect_row *rows;
	size_t row_count;
};

/* Reads a table; on a fault says file and line on standard error. 0 or -errno; expect_free() may follow either. */
int expect_read(struct expect *expect, const char *path);
void expect_free(struct expect *expect);

#endif
