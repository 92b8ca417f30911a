// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/expect.h"

/* Appends a zeroed element to an array that grows by doubling. Null without memory. */
static void *expect_grow(void **array, size_t *count, size_t size)
{
	void *grown = *array;

	if (!(*count & (*count - 1))) {
		grown = reallocarray(*array, *count ? *count * 2 : 1, size);
		if (!grown)
			return NULL;
		*array = grown;
	}
	grown = (uint8_t *)*array + *count * size;
	memset(grown, 0, size);
	(*count)++;
	return grown;
}

/* Hex digits -> octets, at most `room` of them. Returns how many, or -1. */
static long expect_hex(const char *text, uint8_t *octets, size_t room)
{
	size_t digits = strlen(text), i;
	unsigned int octet;

	if (digits % 2 || digits / 2 > room)
		return -1;
	for (i = 0; i < digits / 2; i++) {
		if (sscanf(text + 2 * i, "%2x", &octet) != 1)
			return -1;
		octets[i] = octet;
	}
	return (long)(digits / 2);
}

static int expect_number(const char *text, unsigned long most, unsigned long *out)
{
	char *end;

	if (!text || !*text)
		return -1;
	*out = strtoul(text, &end, 10);
	return *end || *out > most ? -1 : 0;
}

static int expect_form(struct expect *expect, char *rest)
{
	char *number = strtok_r(NULL, " ", &rest), *hex = strtok_r(NULL, " ", &rest);
	struct expect_form *form;
	unsigned long value;
	size_t room;

	if (!hex || expect_number(number, UINT32_MAX, &value) || value != expect->form_count)
		return -EINVAL;
	form = expect_grow((void **)&expect->forms, &expect->form_count, sizeof(*form));
	room = strlen(hex) / 2;
	if (!form || !(form->octets = malloc(room + 1)))
		return -ENOMEM;
	form->length = room;
	return expect_hex(hex, form->octets, room) < 0 ? -EINVAL : 0;
}

static int expect_forms(const struct expect *expect, struct expect_side *side, char *text)
{
	char *rest = text, *number;
	unsigned long value;

	side->forms = calloc(EXPECT_FORMS_MAX, sizeof(*side->forms));
	if (!side->forms)
		return -ENOMEM;
	while ((number = strtok_r(NULL, ",", &rest))) {
		if (side->count == EXPECT_FORMS_MAX || !expect->form_count ||
		    expect_number(number, expect->form_count - 1, &value))
			return -EINVAL;
		side->forms[side->count++] = value;
	}
	return side->count ? 0 : -EINVAL;
}

/* The numbers of a row in their order, each with its greatest value. */
static int expect_numbers(struct expect_row *row, char **fields)
{
	unsigned long type, family, transport, length, least, most;

	if (expect_number(fields[1], 6, &transport) || expect_number(fields[3], 65535, &type) ||
	    expect_number(fields[4], 2, &family) || expect_number(fields[6], 128, &length) ||
	    expect_number(fields[7], 128, &least) || expect_number(fields[8], 128, &most) || least > most)
		return -EINVAL;
	row->transport = transport;
	row->type = type;
	row->family = family;
	row->length = length;
	row->least = least;
	row->most = most;
	return 0;
}

static int expect_row(struct expect *expect, char *rest)
{
	char *fields[13];
	struct expect_row *row;
	unsigned long scope;
	long length;
	size_t i;
	int fault;

	for (i = 0; i < 13; i++)
		if (!(fields[i] = strtok_r(NULL, " ", &rest)))
			return -EINVAL;
	row = expect_grow((void **)&expect->rows, &expect->row_count, sizeof(*row));
	if (!row)
		return -ENOMEM;
	row->kind = !strcmp(fields[0], "service") ? EXPECT_SERVICE : EXPECT_ZONE;
	length = expect_hex(fields[2], row->name, sizeof(row->name));
	if (length < 1 || expect_hex(fields[5], row->base, sizeof(row->base)) < 0 || expect_numbers(row, fields))
		return -EINVAL;
	row->name_length = length;
	for (i = 0; i < EXPECT_SIDES; i++) {
		if (expect_number(fields[9 + 2 * i], 128, &scope))
			return -EINVAL;
		row->sides[i].scope = scope;
		fault = expect_forms(expect, &row->sides[i], fields[10 + 2 * i]);
		if (fault)
			return fault;
	}
	return 0;
}

static int expect_line(struct expect *expect, char *line)
{
	char *rest = line, *word;

	line[strcspn(line, "\n")] = 0;
	word = strtok_r(NULL, " ", &rest);
	if (word && !strcmp(word, "form"))
		return expect_form(expect, rest);
	if (word && !strcmp(word, "ask"))
		return expect_row(expect, rest);
	return word ? -EINVAL : 0;
}

int expect_read(struct expect *expect, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int fault = 0, number = 0;

	memset(expect, 0, sizeof(*expect));
	if (!file) {
		fprintf(stderr, "flood: %s: %s\n", path, strerror(errno));
		return -ENOENT;
	}
	while (!fault && getline(&line, &room, file) > 0) {
		number++;
		fault = expect_line(expect, line);
	}
	if (!fault && !expect->row_count)
		fault = -EINVAL;
	if (fault)
		fprintf(stderr, "flood: %s:%d: %s\n", path, number, strerror(-fault));
	free(line);
	fclose(file);
	return fault;
}

void expect_free(struct expect *expect)
{
	size_t i, side;

	for (i = 0; i < expect->form_count; i++)
		free(expect->forms[i].octets);
	for (i = 0; i < expect->row_count; i++)
		for (side = 0; side < EXPECT_SIDES; side++)
			free(expect->rows[i].sides[side].forms);
	free(expect->forms);
	free(expect->rows);
}
