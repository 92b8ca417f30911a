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
#define CLIENT_4 "198.18.0.2"
#define CLIENT_6 "fd00:ec5::2"
#define SERVER_4 "198.18.0.1"
#define SERVER_6 "fd00:ec5::1"

const char *const vector_reasons[] = {
	"GO",
#define REASON(name, outcome, help) #name,
#include "maps/counters.def"
#undef REASON
};

static int take_line(struct vector *vector, const char *key, char *value);

static int family_of(const struct vector *vector)
{
	return vector->version == 4 ? AF_INET : AF_INET6;
}

static struct vector *vector_add(struct vectors *vectors, unsigned int version, const char *name, const char *file,
				 unsigned int line)
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
	vector->version = version;
	inet_pton(family_of(vector), version == 4 ? CLIENT_4 : CLIENT_6, vector->client);
	inet_pton(family_of(vector), version == 4 ? SERVER_4 : SERVER_6, vector->server);
	vector->port = CLIENT_PORT;
	vector->via = VECTOR_UDP | VECTOR_TCP;
	vector->verdict = VERDICT_NONE;
	return vector->name ? vector : NULL;
}

static void vector_free(struct vector *vector)
{
	free(vector->name);
	free(vector->query.data);
	free(vector->reply.data);
	free(vector->query_frame.data);
	free(vector->reply_frame.data);
}

/* A row that is not asked over this transport goes again when all its lines have been read. */
static void vector_end(struct vectors *vectors)
{
	if (vectors->count && vectors->list[vectors->count - 1].elsewhere)
		vector_free(&vectors->list[--vectors->count]);
}

int vectors_read(struct vectors *vectors, const char *path, unsigned int version)
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
			vector_end(vectors);
			vector = vector_add(vectors, version, value, path, number);
			code = vector ? 0 : -ENOMEM;
		} else {
			code = vector ? take_line(vector, key, value) : -EINVAL;
		}
		if (code)
			fprintf(stderr, "%s:%u: %s: %s\n", path, number, key, strerror(-code));
	}
	vector_end(vectors);
	free(line);
	fclose(file);
	return code;
}

void vectors_free(struct vectors *vectors)
{
	size_t i;

	for (i = 0; i < vectors->count; i++)
		vector_free(&vectors->list[i]);
	free(vectors->list);
	memset(vectors, 0, sizeof(*vectors));
}

struct ends vector_ends(const struct vector *vector)
{
	struct ends ends = { .version = vector->version, .port = vector->port };

	memcpy(ends.client, vector->client, sizeof(ends.client));
	memcpy(ends.server, vector->server, sizeof(ends.server));
	return ends;
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

/*
 * The one of the addresses that is of the vector's IP version; 4 and 6 stand for the lab's own. Returns 1, 0 if there is
 * none, or -EINVAL.
 */
static int take_address(const struct vector *vector, char *text, uint8_t address[16])
{
	char *word;

	for (word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		unsigned int version = strchr(word, ':') || !strcmp(word, "6") ? 6 : 4;

		if (version != vector->version)
			continue;
		if (word[1] && inet_pton(family_of(vector), word, address) != 1)
			return -EINVAL;
		return 1;
	}
	return 0;
}

/* A row that names who asks is asked over the transports of those. */
static int take_from(struct vector *vector, char *text)
{
	int found = take_address(vector, text, vector->client);

	vector->elsewhere = !found;
	return found < 0 ? found : 0;
}

static int take_to(struct vector *vector, char *text)
{
	int found = take_address(vector, text, vector->server);

	return found < 0 ? found : 0;
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
	if (!strcmp(key, "port")) {
		vector->port = strtoul(value, NULL, 10);
		return vector->port ? 0 : -EINVAL;
	}
	if (!strcmp(key, "to"))
		return take_to(vector, value);
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
