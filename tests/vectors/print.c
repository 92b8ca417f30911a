// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/vectors/print.h"

struct reader {
	const uint8_t *octets;
	size_t length, at;
	int is_broken;
};

static unsigned int read_number(struct reader *reader, unsigned int octets)
{
	unsigned int value = 0;

	while (octets--) {
		if (reader->at >= reader->length) {
			reader->is_broken = 1;
			return 0;
		}
		value = value << 8 | reader->octets[reader->at++];
	}
	return value;
}

/* A name, pointers followed; each pointer costs one of 128 steps. */
static void print_name(struct reader *reader)
{
	size_t at = reader->at, back = 0;
	unsigned int steps, i;

	for (steps = 0; steps < 256 && at < reader->length; steps++) {
		unsigned int label = reader->octets[at++];

		if (label >= 0xc0 && at < reader->length) {
			if (!back)
				back = at + 1;
			at = (label & 0x3f) << 8 | reader->octets[at];
			continue;
		}
		if (!label)
			break;
		for (i = 0; i < label && at < reader->length; i++, at++)
			printf(reader->octets[at] > 32 && reader->octets[at] < 127 ? "%c" : "\\%03u", reader->octets[at]);
		printf(".");
	}
	printf(back ? "* " : " ");
	reader->at = back ? back : at;
}

static void print_record(struct reader *reader)
{
	unsigned int length;

	printf("#     ");
	print_name(reader);
	printf("type %u", read_number(reader, 2));
	printf(" class %u", read_number(reader, 2));
	printf(" ttl %u ", read_number(reader, 4));
	length = read_number(reader, 2);
	while (length-- && !reader->is_broken)
		printf("%02x", read_number(reader, 1));
	printf("\n");
}

static void print_message(const char *title, const uint8_t *octets, size_t length)
{
	struct reader reader = { .octets = octets, .length = length };
	unsigned int flags, counts[4], i;

	printf("#   %s: %zu octets", title, length);
	if (length < 12) {
		printf("\n");
		return;
	}
	printf(" id %04x", read_number(&reader, 2));
	flags = read_number(&reader, 2);
	for (i = 0; i < 4; i++)
		counts[i] = read_number(&reader, 2);
	printf(" flags %04x%s%s%s rcode %u counts %u %u %u %u\n", flags, flags & 0x400 ? " aa" : "",
	       flags & 0x200 ? " tc" : "", flags & 0x100 ? " rd" : "", flags & 15, counts[0], counts[1], counts[2],
	       counts[3]);
	for (i = 0; i < counts[0] && reader.at < length; i++) {
		printf("#     ");
		print_name(&reader);
		printf("type %u", read_number(&reader, 2));
		printf(" class %u ?\n", read_number(&reader, 2));
	}
	for (i = 0; i < counts[1] + counts[2] + counts[3] && reader.at < length && !reader.is_broken; i++)
		print_record(&reader);
	if (reader.is_broken)
		printf("#     (broken off)\n");
	else if (reader.at < length)
		printf("#     (%zu octets behind)\n", length - reader.at);
}

static void print_hex(const char *title, const uint8_t *octets, size_t length)
{
	size_t i;

	printf("#   %-8s ", title);
	for (i = 0; i < length; i++)
		printf("%02x", octets[i]);
	printf("\n");
}

void print_octets(const uint8_t *expected, size_t expected_length, const uint8_t *got, size_t got_length)
{
	size_t at = 0;

	while (at < expected_length && at < got_length && expected[at] == got[at])
		at++;
	print_hex("expected", expected, expected_length);
	print_hex("received", got, got_length);
	printf("#   they part at octet %zu\n", at);
}

void print_messages(const uint8_t *expected, size_t expected_length, const uint8_t *got, size_t got_length)
{
	print_message("expected", expected, expected_length);
	if (!got) {
		printf("#   received: nothing\n");
		return;
	}
	print_message("received", got, got_length);
	print_octets(expected, expected_length, got, got_length);
}
