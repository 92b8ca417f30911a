// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/limits.h"
#include "user/common/tables.h"
#include "user/common/version.h"
#include "user/fallback/arguments.h"
#include "user/fallback/control.h"
#include "user/fallback/policy.h"

#define STATE_DEFAULT "/var/lib/ecsdns"
#define PORT_DEFAULT 53
#define EXIT_USAGE 2

static const char usage[] =
	"Usage: ecsdns-fallback [OPTION]...\n"
	"The authoritative DNS server behind the driver: answers over UDP and TCP, on the server addresses of the\n"
	"published configuration, whatever the driver passes up. Follows every push; needs no controller to run.\n"
	"\n"
	"  --pins DIR      where the tables are pinned (default $ECSDNS_PINS or " ECSDNS_PINS_DEFAULT ")\n"
	"  --state DIR     where the controller keeps configurations (default " STATE_DEFAULT ")\n"
	"  --workers N     threads that answer, 1 to 16 (default: one a CPU)\n"
	"  --user NAME     give up all rights but that to bind low ports, and become this user, who has to be able\n"
	"                  to read DIR/generations of --state\n"
	"  --identity TEXT say TEXT to those who ask which of several servers this is: NSID (RFC 5001), and id.server and\n"
	"                  hostname.bind in class CH (RFC 4892). Without it they are not told\n"
	"  --chaos-version TEXT\n"
	"                  say TEXT to those who ask for version.bind or version.server. Without it they are not told\n"
	"  --tcp-idle N    close a TCP connection that has been idle for N seconds, 1 to 600 (default 10)\n"
	"  --tcp-connections N\n"
	"                  hold at most N TCP connections, 1 to 65535 (default 1024); one more takes the place of one that\n"
	"                  is idle\n"
	"  --tcp-per-network N\n"
	"                  of these at most N from one /24 or /56 (default: an eighth)\n"
	"  --take-over     take the place of the process that answers at --control, with its sockets and without losing a\n"
	"                  query: it ends when its TCP connections do. Where there is none, just start\n"
	"  --control PATH  socket by which the next process finds this one (environment: ECSDNS_FALLBACK_SOCKET; default\n"
	"                  " CONTROL_DEFAULT "); one a process, so several side by side need one each\n"
	"  --port N        listen on another port than 53, for tests\n"
	"  --no-seccomp    allow every system call, for sanitizers and other tools that look into the process\n"
	"  --help          show this\n"
	"  --version       show the version\n"
	"\n"
	"SIGTERM and SIGINT end it when what has arrived is answered, within seconds. systemd is told when it is ready, what\n"
	"it does and that it lives (Type=notify, WatchdogSec=).\n"
	"\n"
	"Exit status: 0 stopped by a signal or taken over from, 1 could not start or go on, 2 wrong usage.\n";

/* Each option's field. */
static const struct argument {
	const char *name;
	size_t field;
	enum { TEXT, NUMBER, FLAG } kind;
	uint32_t max;		/* of a number, which begins at 1 */
} known[] = {
#define TEXT(name, field) {name, offsetof(struct arguments, field), TEXT, 0}
#define NUMBER(name, field, max) {name, offsetof(struct arguments, field), NUMBER, max}
#define FLAG(name, field) {name, offsetof(struct arguments, field), FLAG, 0}
	TEXT("pins", pins),
	TEXT("state", state),
	TEXT("user", user),
	TEXT("identity", identity),
	TEXT("chaos-version", version),
	TEXT("control", control),
	NUMBER("workers", workers, FALLBACK_WORKERS_MAX),
	NUMBER("tcp-idle", tcp_idle, TCP_IDLE_SECONDS_MAX),
	NUMBER("tcp-connections", tcp_connections, CENSUS_CONNECTIONS_MAX),
	NUMBER("tcp-per-network", tcp_per_network, CENSUS_CONNECTIONS_MAX),
	NUMBER("port", port, 65535),
	FLAG("take-over", take_over),
	FLAG("no-seccomp", no_seccomp),
#undef TEXT
#undef NUMBER
#undef FLAG
};
#define KNOWN (sizeof(known) / sizeof(known[0]))
enum { HELP = KNOWN, VERSION, OPTIONS };

static void __attribute__((noreturn)) usage_error(void)
{
	fputs("Try --help.\n", stderr);
	exit(EXIT_USAGE);
}

static uint32_t number_parse(const struct argument *argument, const char *text)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (!errno && *text >= '0' && *text <= '9' && !*end && number >= 1 && number <= argument->max)
		return number;
	fprintf(stderr, "ecsdns-fallback: --%s takes 1 to %u, not %s\n", argument->name, argument->max, text);
	usage_error();
}

static uint32_t workers_default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 1)
		return 1;
	return cpus < FALLBACK_WORKERS_MAX ? cpus : FALLBACK_WORKERS_MAX;
}

static void argument_take(struct arguments *arguments, int number, const char *value)
{
	const struct argument *argument = &known[number];
	char *field = (char *)arguments + argument->field;

	switch (argument->kind) {
	case TEXT:
		*(const char **)field = value;
		break;
	case NUMBER:
		*(uint32_t *)field = number_parse(argument, value);
		break;
	case FLAG:
		*(uint32_t *)field = 1;
		break;
	}
}

static void arguments_read(struct arguments *arguments, int argc, char **argv)
{
	struct option options[OPTIONS + 1] = {
		[HELP] = {"help", no_argument, NULL, HELP}, [VERSION] = {"version", no_argument, NULL, VERSION},
	};
	int option;

	for (size_t i = 0; i < KNOWN; i++)
		options[i] = (struct option){known[i].name, known[i].kind == FLAG ? no_argument : required_argument, NULL, i};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case HELP:
			fputs(usage, stdout);
			exit(0);
		case VERSION:
			puts("ecsdns-fallback " ECSDNS_VERSION);
			exit(0);
		case '?':
			usage_error();
		default:
			argument_take(arguments, option, optarg);
		}
	}
	if (optind == argc)
		return;
	fprintf(stderr, "ecsdns-fallback: unexpected argument %s\n", argv[optind]);
	usage_error();
}

static void text_check(const char *name, const char *text)
{
	if (!text || (*text && strlen(text) <= POLICY_TEXT_OCTETS_MAX))
		return;
	fprintf(stderr, "ecsdns-fallback: --%s takes 1 to %d octets\n", name, POLICY_TEXT_OCTETS_MAX);
	usage_error();
}

void arguments_parse(struct arguments *arguments, int argc, char **argv)
{
	const char *control = getenv("ECSDNS_FALLBACK_SOCKET");

	*arguments = (struct arguments){
		.state = STATE_DEFAULT, .control = control && *control ? control : CONTROL_DEFAULT,
		.workers = workers_default(), .port = PORT_DEFAULT,
		.tcp_idle = TCP_IDLE_SECONDS_DEFAULT, .tcp_connections = CENSUS_CONNECTIONS_DEFAULT,
	};
	arguments_read(arguments, argc, argv);
	text_check("identity", arguments->identity);
	text_check("chaos-version", arguments->version);
	if (!arguments->tcp_per_network)
		arguments->tcp_per_network = (arguments->tcp_connections + 7) / 8;
	arguments->pins = tables_pins(arguments->pins);
}
