// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Every opcode with every combination of header flags and every type, and with classes of every kind: RFC 8906 has it that
 * there is a reply to each, and ECS.md (requirements 15, 18, 19 and 24) which. All of them over UDP; over TCP with no flag and
 * with all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "maps/wire.h"
#include "tests/replay/judge.h"
#include "tests/replay/link.h"
#include "tests/replay/replay.h"
#include "tests/replay/show.h"
#include "tests/vectors/connect.h"
#include "tests/vectors/print.h"

#define OPCODES 16
#define FLAG_SETS 128		/* AA, TC, RD, RA, Z, AD, CD */
#define TYPES_LOW 301		/* 0 to 300 */
#define TYPES_HIGH 17		/* 65280 to 65520 by 16, and the last */
#define TYPES (TYPES_LOW + TYPES_HIGH)
#define NOERROR 0
#define TCP_PATIENCE 5000	/* milliseconds */
#define MISSING_MAX 4		/* replies; then it is no use going on */

struct run {
	struct link link;
	struct asked asked[LINK_WINDOW];
	struct exchange exchanges[LINK_WINDOW];
	unsigned int count;		/* in the window */
	uint16_t id;
	uint64_t total, services, over_tcp, missing, wrong;
};

static int run_target(struct run *run, const struct target *target);
static int ask(struct run *run, struct plain *plain);
static int flush_udp(struct run *run);
static int flush_tcp(struct run *run);

int replay_matrix(const struct options *options, const struct targets *targets)
{
	struct run *run = calloc(1, sizeof(*run));
	int code = run ? link_open(&run->link, options->interface, options->server_mac) : -ENOMEM, wrong;
	size_t i;

	for (i = 0; !code && i < targets->service_count; i++)
		code = run_target(run, &targets->services[i]);
	for (i = 0; !code && i < targets->other_count; i++)
		code = run_target(run, &targets->others[i]);
	if (code < 0)
		fprintf(stderr, "replay: %s\n", strerror(-code));
	else
		printf("asked %lu services %lu over_tcp %lu missing %lu wrong %lu\n", run->total, run->services,
		       run->over_tcp, run->missing, run->wrong);
	wrong = run && run->wrong;
	if (run)
		link_close(&run->link);
	free(run);
	return code < 0 ? 2 : wrong;
}

/* -- what is asked -- */

static uint16_t type_of(unsigned int number)
{
	if (number < TYPES_LOW)
		return number;
	return number == TYPES - 1 ? 65535 : 65280 + 16 * (number - TYPES_LOW);
}

/* Seven flags, AA to CD, stand between the opcode and the rcode. */
static uint16_t flags_of(unsigned int opcode, unsigned int set)
{
	return opcode << 11 | set << 4;
}

/* With an OPT record every other time. */
static int ask_types(struct run *run, struct plain *plain)
{
	unsigned int type;
	int code = 0;

	for (type = 0; !code && type < TYPES; type++) {
		plain->type = type_of(type);
		plain->has_opt = (type ^ plain->flags >> 4 ^ plain->flags >> 11) & 1;
		code = ask(run, plain);
	}
	return code;
}

static int ask_flags(struct run *run, struct plain *plain)
{
	unsigned int opcode, set;
	int code = 0;

	plain->class = CLASS_IN;
	for (opcode = 0; opcode < OPCODES; opcode++)
		for (set = 0; !code && set < FLAG_SETS; set++) {
			plain->version = set & 1 ? 6 : 4;
			plain->flags = flags_of(opcode, set);
			code = ask_types(run, plain);
		}
	return code;
}

static int ask_classes(struct run *run, struct plain *plain)
{
	static const uint16_t classes[] = { 0, 2, 3, 4, 5, 254, 255, 256, 32768, 65280, 65535 };
	unsigned int opcode, i;
	int code = 0;

	for (opcode = 0; opcode < OPCODES; opcode++)
		for (i = 0; !code && i < sizeof(classes) / sizeof(classes[0]); i++) {
			plain->version = i & 1 ? 6 : 4;
			plain->class = classes[i];
			plain->flags = flags_of(opcode, opcode & 1 ? FLAG_SETS - 1 : 0);
			code = ask_types(run, plain);
		}
	return code;
}

static int ask_tcp(struct run *run, struct plain *plain)
{
	unsigned int opcode, set;
	int code = 0;

	plain->tcp = 1;
	plain->class = CLASS_IN;
	for (opcode = 0; opcode < OPCODES; opcode++)
		for (set = 0; !code && set < FLAG_SETS; set += FLAG_SETS - 1) {
			plain->version = set ? 6 : 4;
			plain->flags = flags_of(opcode, set);
			code = ask_types(run, plain);
			if (!code)
				code = flush_tcp(run);
		}
	return code;
}

static int run_target(struct run *run, const struct target *target)
{
	struct plain plain = { .target = target };
	int code = ask_flags(run, &plain);

	if (!code)
		code = ask_classes(run, &plain);
	if (!code)
		code = flush_udp(run);
	return code ? code : ask_tcp(run, &plain);
}

/* -- what comes -- */

static void look(struct run *run, const struct asked *asked, const uint8_t *reply, size_t length)
{
	char why[JUDGE_WHY] = "no reply";

	if (!length)
		run->missing++;
	else if (!judge_reply(asked, 1, reply, length, why))
		return;
	run->wrong++;
	if (show_wrong(asked, why) && length)
		print_messages(NULL, 0, reply, length);
}

/* Whatever data is asked for, the name exists. */
static int ask(struct run *run, struct plain *plain)
{
	struct asked *asked = &run->asked[run->count];

	plain->id = run->id++;
	query_plain(asked, plain);
	if (asked->rcode == RCODE_ANY)
		asked->rcode = NOERROR;
	run->exchanges[run->count++].asked = asked;
	run->total++;
	run->services += asked->form == FORM_SERVICE && !asked->tcp;
	if (run->count < LINK_WINDOW)
		return 0;
	return plain->tcp ? flush_tcp(run) : flush_udp(run);
}

/* 0; 1 to give up; or -errno. */
static int flush_udp(struct run *run)
{
	int code = link_ask(&run->link, run->exchanges, run->count);
	unsigned int i;

	for (i = 0; !code && i < run->count; i++)
		look(run, run->exchanges[i].asked, run->exchanges[i].reply, run->exchanges[i].reply_length);
	run->count = 0;
	return code ? code : run->missing >= MISSING_MAX;
}

/* Where the answer to this one waits, or NULL. */
static struct exchange *find(struct run *run, const uint8_t *reply, ssize_t length)
{
	unsigned int i;

	for (i = 0; length >= 2 && i < run->count; i++)
		if (!run->exchanges[i].reply_length && !memcmp(run->exchanges[i].asked->octets, reply, 2))
			return &run->exchanges[i];
	return NULL;
}

/* All of them in one connection, answered in any order. */
static int exchange_tcp(struct run *run, int fd)
{
	static uint8_t received[2 + MESSAGE_ROOM];
	struct exchange *exchange;
	unsigned int i;
	ssize_t length;
	int code = 0;

	for (i = 0; !code && i < run->count; i++) {
		run->exchanges[i].reply_length = 0;
		code = tcp_send(fd, run->asked[i].octets, run->asked[i].length, 0);
	}
	for (i = 0; !code && i < run->count; i++) {
		length = tcp_receive(fd, TCP_PATIENCE, received);
		exchange = find(run, received + 2, length);
		if (!exchange || length > REPLY_ROOM)
			break;
		memcpy(exchange->reply, received + 2, length);
		exchange->reply_length = length;
	}
	return code;
}

static int flush_tcp(struct run *run)
{
	int fd = run->count ? ends_connect(&run->asked[0].ends, SOCK_STREAM) : -1, code;
	unsigned int i;

	if (!run->count)
		return 0;
	code = fd < 0 ? fd : exchange_tcp(run, fd);
	if (fd >= 0)
		close(fd);
	for (i = 0; !code && i < run->count; i++)
		look(run, run->exchanges[i].asked, run->exchanges[i].reply, run->exchanges[i].reply_length);
	run->over_tcp += run->count;
	run->count = 0;
	return code ? code : run->missing >= MISSING_MAX;
}
