// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "maps/wire.h"
#include "tests/load/ask.h"

#define OPTION_UNKNOWN 100

static void ask_u8(struct ask *ask, uint8_t value)
{
	ask->octets[ask->length++] = value;
}

static void ask_u16(struct ask *ask, uint16_t value)
{
	ask_u8(ask, value >> 8);
	ask_u8(ask, value & 0xff);
}

/* Label lengths are below 'A', so every octet that is a letter is one of the name's (0x20 case, RFC 4343). */
static void ask_question(struct ask *ask, uint64_t *seed)
{
	uint64_t bits = 0;
	int i;

	for (i = 0; i < ask->row->name_length; i++) {
		uint8_t octet = ask->row->name[i];

		if (!(i & 63))
			bits = ask_random(seed);
		if (octet >= 'a' && octet <= 'z' && bits >> (i & 63) & 1)
			octet -= 'a' - 'A';
		ask_u8(ask, octet);
	}
	ask_u16(ask, ask->row->type);
	ask_u16(ask, CLASS_IN);
	ask->question_end = ask->length;
}

/* The base, random bits from `length` on, none past the source length. */
static void ask_address(const struct expect_row *row, uint8_t source, uint8_t address[16], uint64_t *seed)
{
	uint64_t bits = 0;
	int bit;

	memcpy(address, row->base, 16);
	for (bit = row->length; bit < source; bit++) {
		if (!(bit & 63) || bit == row->length)
			bits = ask_random(seed);
		if (bits >> (bit & 63) & 1)
			address[bit / 8] |= 0x80 >> bit % 8;
	}
}

static void ask_subnet(struct ask *ask, uint64_t *seed)
{
	const struct expect_row *row = ask->row;
	uint8_t source = row->least + ask_random(seed) % (row->most - row->least + 1u), address[16], octets;

	octets = (source + 7) / 8;
	ask_address(row, source, address, seed);
	ask_u16(ask, OPTION_ECS);
	ask_u16(ask, ECS_HEADER_OCTETS + octets);
	ask->subnet = ask->length;
	ask->subnet_length = ECS_HEADER_OCTETS + octets;
	ask_u16(ask, row->family);
	ask_u8(ask, source);
	ask_u8(ask, 0);
	memcpy(ask->octets + ask->length, address, octets);
	ask->length += octets;
}

static void ask_nsid(struct ask *ask)
{
	ask_u16(ask, OPTION_NSID);
	ask_u16(ask, 0);
}

static void ask_unknown(struct ask *ask)
{
	ask_u16(ask, OPTION_UNKNOWN);
	ask_u16(ask, 1);
	ask_u8(ask, 0xff);
}

static void ask_opt(struct ask *ask, unsigned int flags, uint64_t *seed)
{
	uint64_t dice = ask_random(seed);
	uint16_t begin, length;

	ask->has_edns = 1;
	ask_u8(ask, 0);
	ask_u16(ask, TYPE_OPT);
	ask_u16(ask, dice & 1 ? 1232 : 4096);
	ask_u16(ask, 0);	/* extended rcode, version */
	ask_u16(ask, dice & 2 ? OPT_DO : 0);
	ask_u16(ask, 0);
	begin = ask->length;
	if (flags & ASK_NSID && dice & 4)
		ask_nsid(ask);
	if (!(dice >> 8 & 15))
		ask_unknown(ask);
	if (ask->row->family)
		ask_subnet(ask, seed);
	if (flags & ASK_NSID && !(dice & 4))
		ask_nsid(ask);
	length = ask->length - begin;
	ask->octets[begin - 2] = length >> 8;
	ask->octets[begin - 1] = length & 0xff;
}

void ask_make(struct ask *ask, const struct expect_row *row, uint16_t id, unsigned int flags, uint64_t *seed)
{
	uint64_t dice = ask_random(seed);
	int has_edns = row->family || flags & ASK_NSID || dice & 4;

	ask->row = row;
	ask->length = ask->subnet = 0;
	ask->subnet_length = 0;
	ask->has_edns = 0;
	ask_u16(ask, id);
	ask_u16(ask, (dice & 1 ? HEADER_RD : 0) | (dice & 2 ? HEADER_CD : 0));
	ask_u16(ask, 1);
	ask_u16(ask, 0);
	ask_u16(ask, 0);
	ask_u16(ask, has_edns);
	ask_question(ask, seed);
	if (has_edns)
		ask_opt(ask, flags, seed);
}
