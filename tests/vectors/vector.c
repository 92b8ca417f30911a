// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/abi.h"
#include "tests/vectors/vector.h"

#define CLIENT_PORT 40000

const char *const vector_reasons[] = {
	"GO",
#define REASON(name, outcome, help) #name,
#include "maps/counters.def"
#undef REASON
};

static int take_line(struct vector *vector, const char *key, char *value);

static struct vector *vector_add(struct vectors *vectors, const char *name, const char *file, unsigned int line)
{
	struct vector *list = realloc(vectors->list, (vectors->count + 1) * sizeof(*list)), *vector;

	if (!list)
		return NULL;
	vectors->list = list;
	vector = &list[vectors->count++];
	memset(vector, 0, sizeof(*vector));
	vector->name = strdup(name);
	vector->file = file;
	vector->line = line;
	vector->version = 4;
	inet_pton(AF_INET, "198.18.0.2", vector->client);
	inet_pton(AF_INET, "198.18.0.1", vector->server);
	vector->port = CLIENT_PORT;
	vector->via = VECTOR_UDP | VECTOR_TCP;
	vector->verdict = VERDICT_NONE;
	return vector->name ? vector : NULL;
}

int vectors_read(struct vectors *vectors, const char *path)
{
	struct vector *vector = NULL;
	char *line = NULL, *key, *value;
	unsigned int number = 0;
	size_t room = 0;
	FILE *file;
	int code = 0;

	file = fopen(path, "r");
	if (!file) {
		code = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return code;
	}
	while (!code && getline(&line, &room, file) > 0) {
		number++;
		key = line + strspn(line, " \t");
		key[strcspn(key, "\r\n")] = '\0';
		if (!*key || *key == '#')
			continue;
		value = key + strcspn(key, " \t");
		if (*value)
			*value++ = '\0';
		value += strspn(value, " \t");
		if (!strcmp(key, "vector")) {
			vector = vector_add(vectors, value, path, number);
			code = vector ? 0 : -ENOMEM;
		} else {
			code = vector ? take_line(vector, key, value) : -EINVAL;
		}
		if (code)
			fprintf(stderr, "%s:%u: %s: %s\n", path, number, key, strerror(-code));
	}
	free(line);
	fclose(file);
	return code;
}

void vectors_free(struct vectors *vectors)
{
	size_t i;

	for (i = 0; i < vectors->count; i++) {
		free(vectors->list[i].name);
		free(vectors->list[i].query.data);
		free(vectors->list[i].reply.data);
		free(vectors->list[i].query_frame.data);
		free(vectors->list[i].reply_frame.data);
	}
	free(vectors->list);
	memset(vectors, 0, sizeof(*vectors));
}

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex(struct octets *octets, const char *text)
{
	size_t length = strlen(text), i;

	if (octets->data || length % 2)
		return -EINVAL;
	octets->data = malloc(length / 2 + 1);
	if (!octets->data)
		return -ENOMEM;
	octets->length = length / 2;
	for (i = 0; i < length; i += 2) {
		if (digit(text[i]) < 0 || digit(text[i + 1]) < 0)
			return -EINVAL;
		octets->data[i / 2] = digit(text[i]) << 4 | digit(text[i + 1]);
	}
	return 0;
}

/* 4, 6 (the lab's client), or an address; then a port. */
static int take_from(struct vector *vector, char *text)
{
	char *address = strtok(text, " "), *port = strtok(NULL, " ");

	if (!address)
		return -EINVAL;
	if (!strcmp(address, "4"))
		address = (char *)"198.18.0.2";
	else if (!strcmp(address, "6"))
		address = (char *)"fd00:ec5::2";
	vector->version = strchr(address, ':') ? 6 : 4;
	if (vector->version == 6)
		inet_pton(AF_INET6, "fd00:ec5::1", vector->server);
	if (port)
		vector->port = strtoul(port, NULL, 10);
	return inet_pton(vector->version == 4 ? AF_INET : AF_INET6, address, vector->client) == 1 ? 0 : -EINVAL;
}

static int take_driver(struct vector *vector, char *text)
{
	const char *verdict = strtok(text, " "), *reason = strtok(NULL, " ");

	if (!verdict)
		return -EINVAL;
	if (!strcmp(verdict, "none"))
		return 0;
	vector->verdict = !strcmp(verdict, "tx") ? VERDICT_TX : VERDICT_PASS;
	for (vector->reason = 1; reason && vector->reason < REASON_COUNT; vector->reason++)
		if (!strcmp(vector_reasons[vector->reason], reason))
			return strcmp(verdict, "tx") && strcmp(verdict, "pass") ? -EINVAL : 0;
	return -EINVAL;
}

static int take_line(struct vector *vector, const char *key, char *value)
{
	if (!strcmp(key, "from"))
		return take_from(vector, value);
	if (!strcmp(key, "to"))
		return inet_pton(vector->version == 4 ? AF_INET : AF_INET6, value, vector->server) == 1 ? 0 : -EINVAL;
	if (!strcmp(key, "via")) {
		vector->via = !strcmp(value, "udp") ? VECTOR_UDP : !strcmp(value, "tcp") ? VECTOR_TCP : 0;
		return vector->via ? 0 : -EINVAL;
	}
	if (!strcmp(key, "driver"))
		return take_driver(vector, value);
	if (!strcmp(key, "query"))
		return take_hex(&vector->query, value);
	if (!strcmp(key, "reply"))
		return take_hex(&vector->reply, strcmp(value, "drop") ? value : "");
	if (!strcmp(key, "query-frame"))
		return take_hex(&vector->query_frame, value);
	if (!strcmp(key, "reply-frame"))
		return take_hex(&vector->reply_frame, value);
	return 0;	/* symbolic: make.py's */
}
