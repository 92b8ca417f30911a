// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The same queries to the fallback, from the same addresses and ports: where the driver has answered, the reply must be the
 * same, octet for octet. Every reply is judged by libknot; some go into a file for dnspython (sample.py).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/replay/answers.h"
#include "tests/replay/judge.h"
#include "tests/replay/link.h"
#include "tests/replay/replay.h"
#include "tests/replay/show.h"
#include "tests/vectors/connect.h"
#include "tests/vectors/print.h"

#define TCP_PATIENCE 5000	/* milliseconds */
#define MISSING_MAX 4		/* replies; then it is no use going on */

/* A query, what the driver said and what the fallback says. */
struct pair {
	struct asked asked;
	struct driver_answer driver;
	uint64_t number;
};

struct run {
	const struct options *options;
	const struct targets *targets;
	FILE *answers, *sample;
	struct link link;
	uint64_t next;			/* number of the next query */
	struct pair pairs[LINK_WINDOW];
	struct exchange exchanges[LINK_WINDOW];		/* of those to be asked over UDP, in the same order */
	unsigned int pair_count, exchange_count;
	uint64_t replies, missing, compared, over_tcp, truncated, wrong;
};

static int run_begin(struct run *run, const struct options *options, const struct targets *targets);
static int run_window(struct run *run);
static void look(struct run *run, const struct pair *pair, const uint8_t *reply, size_t length);
static int ask_tcp(struct run *run, const struct pair *pair);
static void run_end(struct run *run);

int replay_fallback(const struct options *options, const struct targets *targets)
{
	struct run *run = calloc(1, sizeof(*run));
	int code = run ? run_begin(run, options, targets) : -ENOMEM, wrong;

	while (!code && run->next < options->first + options->count && run->missing < MISSING_MAX)
		code = run_window(run);
	if (code) {
		fprintf(stderr, "replay: %s\n", strerror(-code));
	} else {
		run->wrong += run->link.strays;
		printf("replies %lu compared %lu truncated %lu over_tcp %lu strays %lu wrong %lu\n", run->replies, run->compared,
		       run->truncated, run->over_tcp, run->link.strays, run->wrong);
	}
	wrong = run && run->wrong;
	run_end(run);
	return code ? 2 : wrong;
}

static int run_begin(struct run *run, const struct options *options, const struct targets *targets)
{
	run->options = options;
	run->targets = targets;
	run->next = options->first;
	run->link.fd = -1;
	run->answers = fopen(options->answers, "r");
	run->sample = fopen(options->sample, "w");
	if (!run->answers || !run->sample)
		return -errno;
	return link_open(&run->link, options->interface, options->server_mac);
}

static void run_end(struct run *run)
{
	if (!run)
		return;
	link_close(&run->link);
	if (run->answers)
		fclose(run->answers);
	if (run->sample)
		fclose(run->sample);
	free(run);
}

/* -- asking -- */

/* As many as fit; one that is like another waits for the next window. */
static int run_fill(struct run *run)
{
	uint64_t end = run->options->first + run->options->count;

	run->exchange_count = 0;
	for (run->pair_count = 0; run->pair_count < LINK_WINDOW && run->next < end; run->pair_count++, run->next++) {
		struct pair *pair = &run->pairs[run->pair_count];
		long at = ftell(run->answers);

		replay_query(run->options, &pair->asked, run->targets, run->next);
		pair->number = run->next;
		if (answer_load(run->answers, &pair->driver))
			return -EIO;
		if (pair->asked.tcp)
			continue;
		if (link_is_ambiguous(run->exchanges, run->exchange_count, &pair->asked))
			return fseek(run->answers, at, SEEK_SET) ? -errno : 0;
		run->exchanges[run->exchange_count++].asked = &pair->asked;
	}
	return 0;
}

static int run_window(struct run *run)
{
	const struct exchange *exchange = run->exchanges;
	unsigned int i;
	int code = run_fill(run);

	if (!code)
		code = link_ask(&run->link, run->exchanges, run->exchange_count);
	for (i = 0; !code && i < run->pair_count; i++) {
		if (run->pairs[i].asked.tcp) {
			code = ask_tcp(run, &run->pairs[i]);
			continue;
		}
		look(run, &run->pairs[i], exchange->reply, exchange->reply_length);
		exchange++;
	}
	return code;
}

static int ask_tcp(struct run *run, const struct pair *pair)
{
	static uint8_t received[2 + MESSAGE_ROOM];
	int fd = ends_connect(&pair->asked.ends, SOCK_STREAM), code;
	ssize_t length;

	if (fd < 0)
		return fd;
	code = tcp_send(fd, pair->asked.octets, pair->asked.length, 0);
	length = code ? 0 : tcp_receive(fd, TCP_PATIENCE, received);
	close(fd);
	run->over_tcp++;
	look(run, pair, received + 2, length > 0 ? length : 0);
	return code;
}

/* -- looking -- */

static void wrong(struct run *run, const struct pair *pair, const uint8_t *reply, size_t length, const char *why)
{
	run->wrong++;
	if (!show_wrong_number(run->options->seed, pair->number, &pair->asked, why))
		return;
	printf("#   expected is the fallback's, received the driver's\n");
	print_messages(reply, length, pair->driver.length ? pair->driver.octets : NULL, pair->driver.length);
}

static void put_hex(FILE *file, const uint8_t *octets, size_t length)
{
	size_t i;

	fputc(' ', file);
	if (!length)
		fputc('-', file);
	for (i = 0; i < length; i++)
		fprintf(file, "%02x", octets[i]);
}

/* NUMBER FORM TRANSPORT CLIENT QUERY DRIVER FALLBACK, in hex, "-" for nothing */
static void put_sample(struct run *run, const struct pair *pair, const uint8_t *reply, size_t length)
{
	static const char forms[] = { [FORM_SERVICE] = 's', [FORM_OTHER] = 'o', [FORM_DAMAGED] = 'd' };

	fprintf(run->sample, "%lu %c %s", pair->number, forms[pair->asked.form], pair->asked.tcp ? "tcp" : "udp");
	put_hex(run->sample, pair->asked.ends.client, pair->asked.ends.version == 4 ? 4 : 16);
	put_hex(run->sample, pair->asked.octets, pair->asked.length);
	put_hex(run->sample, pair->driver.octets, pair->driver.length);
	put_hex(run->sample, reply, length);
	fputc('\n', run->sample);
}

/* Over TCP nothing is truncated, and edns-tcp-keepalive is answered: then there is nothing to compare. */
static int is_comparable(const struct pair *pair)
{
	const struct asked *asked = &pair->asked;

	if (!pair->driver.length)
		return 0;
	return !asked->tcp || (!(pair->driver.octets[2] & 0x02) && !asked->keepalive && asked->form != FORM_DAMAGED);
}

static void look(struct run *run, const struct pair *pair, const uint8_t *reply, size_t length)
{
	const struct driver_answer *driver = &pair->driver;
	struct asked over_udp = pair->asked;
	char why[JUDGE_WHY];

	if (pair->number % run->options->sample_one_in == run->options->seed % run->options->sample_one_in)
		put_sample(run, pair, reply, length);
	over_udp.tcp = 0;
	if (!length != !query_is_owed(&pair->asked)) {
		run->missing += !length;
		wrong(run, pair, reply, length, length ? "a reply where none is owed" : "no reply");
		return;
	}
	if (!length) {
		if (driver->length)
			wrong(run, pair, reply, length, "the driver replies where no reply is owed");
		return;
	}
	run->replies++;
	if (judge_reply(&pair->asked, run->options->ecs, reply, length, why))
		wrong(run, pair, reply, length, why);
	else if (driver->length && judge_reply(&over_udp, run->options->ecs, driver->octets, driver->length, why))
		wrong(run, pair, reply, length, why);
	if (!is_comparable(pair))
		return;
	run->compared++;
	run->truncated += driver->octets[2] >> 1 & 1;
	if (driver->length != length || memcmp(driver->octets, reply, length))
		wrong(run, pair, reply, length, "the driver and the fallback give different replies");
}
