// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/replay/targets.h"

static int take_line(struct targets *targets, char *line);

int targets_read(struct targets *targets, const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int number = 0;
	char *line = NULL;
	size_t room = 0;
	int code = file ? 0 : -errno;

	memset(targets, 0, sizeof(*targets));
	while (!code && getline(&line, &room, file) > 0) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		code = take_line(targets, line);
	}
	if (!code && (!targets->service_count || !targets->other_count || !targets->prefix_count[0] || !targets->prefix_count[1]))
		code = -ENODATA;
	if (code)
		fprintf(stderr, "%s:%u: %s\n", path, number, strerror(-code));
	free(line);
	if (file)
		fclose(file);
	return code;
}

void targets_free(struct targets *targets)
{
	free(targets->services);
	free(targets->others);
	free(targets->prefixes[0]);
	free(targets->prefixes[1]);
	memset(targets, 0, sizeof(*targets));
}

/* Octets, or -1. */
static int take_hex(const char *text, uint8_t *octets, size_t room)
{
	size_t length = text ? strlen(text) : 1, i;

	if (length % 2 || length / 2 > room)
		return -1;
	for (i = 0; i < length / 2; i++)
		if (sscanf(text + 2 * i, "%2hhx", &octets[i]) != 1)
			return -1;
	return length / 2;
}

/* One more element behind `count` of them; zeroed. */
static void *grow(void *list, size_t count, size_t octets)
{
	char *grown = realloc(list, (count + 1) * octets);

	if (grown)
		memset(grown + count * octets, 0, octets);
	return grown;
}

static int take_target(struct target **list, size_t *count, char *name, char *types)
{
	struct target *grown = grow(*list, *count, sizeof(*grown)), *target;
	int octets;

	if (!grown)
		return -ENOMEM;
	*list = grown;
	target = &grown[(*count)++];
	octets = take_hex(name, target->name, sizeof(target->name));
	if (octets < 1)
		return -EINVAL;
	target->name_octets = octets;
	target->is_service = types != NULL;
	for (types = strtok(types ? types : (char *)"-", ","); types && *types != '-'; types = strtok(NULL, ",")) {
		if (target->type_count == TARGET_TYPES_MAX)
			return -E2BIG;
		target->types[target->type_count++] = strtoul(types, NULL, 10);
	}
	return 0;
}

static int take_prefix(struct targets *targets, const char *family, const char *address, const char *length)
{
	int i = family && *family == '2';
	struct prefix *grown = grow(targets->prefixes[i], targets->prefix_count[i], sizeof(*grown)), *prefix;

	if (!grown)
		return -ENOMEM;
	targets->prefixes[i] = grown;
	prefix = &grown[targets->prefix_count[i]++];
	if (!length || take_hex(address, prefix->address, sizeof(prefix->address)) != (i ? 16 : 4))
		return -EINVAL;
	prefix->length = strtoul(length, NULL, 10);
	return 0;
}

static int take_line(struct targets *targets, char *line)
{
	char *kind = strtok(line, " "), *first = strtok(NULL, " "), *second = strtok(NULL, " "), *third = strtok(NULL, " ");

	if (kind && first && second && !strcmp(kind, "service"))
		return take_target(&targets->services, &targets->service_count, first, second);
	if (kind && first && !strcmp(kind, "zone"))
		return take_target(&targets->others, &targets->other_count, first, NULL);
	if (kind && !strcmp(kind, "prefix"))
		return take_prefix(targets, first, second, third);
	return -EINVAL;
}
