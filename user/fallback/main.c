// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ecsdns-fallback: the full authoritative server for whatever the driver passes up. Files in the order a query flows:
 * worker.c -> udp.c, tcp.c -> serve.c -> the stages of maps/ (parse.c for unusual messages), else authority.c ->
 * response.c; generation.c brings zones and addresses.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/common/tables.h"
#include "user/common/version.h"
#include "user/fallback/generation.h"
#include "user/fallback/worker.h"

#define STATE_DEFAULT "/var/lib/ecsdns"
#define PORT_DEFAULT 53
#define EXIT_USAGE 2

struct options {
	const char *pins, *state, *user;
	const char *cookie_secrets;	/* null: a random one */
	unsigned int workers;
	uint32_t tcp_idle;			/* seconds */
	uint16_t port;
};

struct fallback {
	struct tables tables;
	struct generations generations;
	struct policy policy;
	struct worker *workers[FALLBACK_WORKERS_MAX];
	unsigned int worker_count;
};

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
	"  --cookie-secrets FILE\n"
	"                  sign DNS cookies (RFC 9018) with the first secret in FILE and believe those of all, 1 to 3\n"
	"                  lines of 32 hexadecimal digits; read again on SIGHUP. Servers of one anycast address need the\n"
	"                  same. Without it, a random secret is made at every start\n"
	"  --tcp-idle N    close a TCP connection that has been idle for N seconds, 1 to 600 (default 10)\n"
	"  --port N        listen on another port than 53, for tests\n"
	"  --help          show this\n"
	"  --version       show the version\n"
	"\n"
	"Exit status: 0 stopped by a signal, 1 could not start, 2 wrong usage.\n";

static void options_parse(struct options *options, int argc, char **argv);
static int cookies_read(struct fallback *fallback, const struct options *options);
static void run(struct fallback *fallback, const struct options *options, const sigset_t *signals);
static int rights_drop(const char *user);
static int fallback_start(struct fallback *fallback, const struct options *options);
static void fallback_stop(struct fallback *fallback);

int main(int argc, char **argv)
{
	static struct fallback fallback;
	struct options options;
	char error[512];
	sigset_t signals;
	int code;

	options_parse(&options, argc, argv);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);		/* threads inherit it */
	signal(SIGPIPE, SIG_IGN);
	if (tables_open(&fallback.tables, options.pins, TABLES_FALLBACK, error, sizeof(error))) {
		log_error("%s", error);
		tables_close(&fallback.tables);
		return 1;
	}
	code = cookies_read(&fallback, &options);
	if (!code && options.user)
		code = rights_drop(options.user);
	if (!code)
		code = fallback_start(&fallback, &options);
	if (!code)
		run(&fallback, &options, &signals);
	fallback_stop(&fallback);
	return code ? 1 : 0;
}

/* What is wrong with a file is told; the secrets that were live stay. */
static int cookies_read(struct fallback *fallback, const struct options *options)
{
	struct faults faults;
	int code;

	faults_init(&faults);
	code = cookies_load(&fallback->policy.cookies, options->cookie_secrets, &faults);
	faults_log(&faults);
	faults_free(&faults);
	return code;
}

/* Workers do the work. SIGHUP: the secrets again. */
static void run(struct fallback *fallback, const struct options *options, const sigset_t *signals)
{
	int number;

	while (!sigwait(signals, &number) && number == SIGHUP) {
		if (options->cookie_secrets && !cookies_read(fallback, options))
			log_notice("%s has been read again", options->cookie_secrets);
	}
	log_info("stopping: %s", strsignal(number));
}

/* -- command line -- */

static void __attribute__((noreturn)) usage_error(const char *message, const char *value)
{
	fprintf(stderr, "ecsdns-fallback: %s%s\nTry --help.\n", message, value);
	exit(EXIT_USAGE);
}

static unsigned long number_parse(const char *text, unsigned long max, const char *message)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || number < 1 || number > max)
		usage_error(message, text);
	return number;
}

static unsigned int workers_default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 1)
		return 1;
	return cpus < FALLBACK_WORKERS_MAX ? cpus : FALLBACK_WORKERS_MAX;
}

static void options_parse(struct options *options, int argc, char **argv)
{
	enum { PINS = 1, STATE, WORKERS, USER, COOKIE_SECRETS, TCP_IDLE, PORT, HELP, VERSION };
	static const struct option known[] = {
		{ "pins", required_argument, NULL, PINS },	 { "state", required_argument, NULL, STATE },
		{ "workers", required_argument, NULL, WORKERS }, { "user", required_argument, NULL, USER },
		{ "cookie-secrets", required_argument, NULL, COOKIE_SECRETS },
		{ "tcp-idle", required_argument, NULL, TCP_IDLE },
		{ "port", required_argument, NULL, PORT },	 { "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },	 { NULL, 0, NULL, 0 },
	};
	const char *pins = NULL;
	int option;

	*options = (struct options){ .state = STATE_DEFAULT, .workers = workers_default(), .port = PORT_DEFAULT,
				     .tcp_idle = TCP_IDLE_SECONDS_DEFAULT };
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case PINS:
			pins = optarg;
			break;
		case STATE:
			options->state = optarg;
			break;
		case WORKERS:
			options->workers = number_parse(optarg, FALLBACK_WORKERS_MAX, "--workers takes 1 to 16, not ");
			break;
		case USER:
			options->user = optarg;
			break;
		case COOKIE_SECRETS:
			options->cookie_secrets = optarg;
			break;
		case TCP_IDLE:
			options->tcp_idle = number_parse(optarg, TCP_IDLE_SECONDS_MAX,
							 "--tcp-idle takes 1 to 600 seconds, not ");
			break;
		case PORT:
			options->port = number_parse(optarg, 65535, "--port takes 1 to 65535, not ");
			break;
		case HELP:
			fputs(usage, stdout);
			exit(0);
		case VERSION:
			puts("ecsdns-fallback " ECSDNS_VERSION);
			exit(0);
		default:
			fputs("Try --help.\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc)
		usage_error("unexpected argument ", argv[optind]);
	options->pins = tables_pins(pins);
}

/* -- rights -- */

/*
 * The tables are open by now; reading them through these descriptors needs no rights (kernels from 5.19). Binding to
 * addresses of later pushes does.
 */
static int rights_keep_binding(void)
{
	const cap_value_t bind_only[] = { CAP_NET_BIND_SERVICE };
	cap_t rights = cap_init();
	int code = 0;

	if (!rights)
		return -ENOMEM;
	if (cap_set_flag(rights, CAP_PERMITTED, 1, bind_only, CAP_SET) ||
	    cap_set_flag(rights, CAP_EFFECTIVE, 1, bind_only, CAP_SET) || cap_set_proc(rights))
		code = -errno;
	cap_free(rights);
	return code;
}

static int rights_drop(const char *user)
{
	struct passwd *passwd;
	int code = 0;

	errno = 0;
	passwd = getpwnam(user);
	if (!passwd) {
		log_error("--user %s: %s", user, errno ? strerror(errno) : "no such user");
		return -ENOENT;
	}
	if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(user, passwd->pw_gid) || setgid(passwd->pw_gid) ||
	    setuid(passwd->pw_uid))
		code = -errno;
	if (!code)
		code = rights_keep_binding();
	if (!code && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		code = -errno;
	if (code)
		log_error("becoming user %s: %s", user, strerror(-code));
	return code;
}

/* -- threads -- */

static void wake_all(void *context)
{
	struct fallback *fallback = context;
	unsigned int count = __atomic_load_n(&fallback->worker_count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++)
		worker_wake(fallback->workers[i]);
}

/* As many descriptors as all connections of all workers take, if we may. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int fallback_start(struct fallback *fallback, const struct options *options)
{
	int code;

	raise_descriptors();
	fallback->policy.tcp_idle_ms = options->tcp_idle * 1000;
	fallback->generations.tables = &fallback->tables;
	fallback->generations.state = options->state;
	fallback->generations.changed = wake_all;
	fallback->generations.context = fallback;
	code = generations_start(&fallback->generations);
	if (code) {
		log_error("starting: %s", strerror(-code));
		return code;
	}
	if (!__atomic_load_n(&fallback->generations.live, __ATOMIC_ACQUIRE))
		log_warning("nothing has been published yet; `ecsctl push FILE` does that");
	for (unsigned int i = 0; i < options->workers; i++) {
		code = worker_start(&fallback->generations, &fallback->policy, i, options->port, &fallback->workers[i]);
		if (code) {
			log_error("starting worker %u: %s", i, strerror(-code));
			return code;
		}
		__atomic_store_n(&fallback->worker_count, i + 1, __ATOMIC_RELEASE);
	}
	wake_all(fallback);	/* for what was published while they started */
	log_info("ecsdns-fallback " ECSDNS_VERSION " answers with %u workers", options->workers);
	return 0;
}

/* The watching thread first: it wakes workers. */
static void fallback_stop(struct fallback *fallback)
{
	generations_stop_watching(&fallback->generations);
	for (unsigned int i = 0; i < fallback->worker_count; i++)
		worker_stop(fallback->workers[i]);
	generations_free(&fallback->generations);
	cookies_free(&fallback->policy.cookies);
	tables_close(&fallback->tables);
}
