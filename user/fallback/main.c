// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ecsdns-fallback: the full authoritative server for whatever the driver passes up. Files in the order a query flows:
 * worker.c -> endpoints.c -> udp.c, tcp.c -> serve.c -> the stages of maps/ (parse.c for unusual messages), else
 * authority.c -> response.c; generation.c brings zones and addresses. Here is the start and the end, and supervise.c is
 * what the main thread does in between.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/common/version.h"
#include "user/fallback/control.h"
#include "user/fallback/fallback.h"
#include "user/fallback/rights.h"
#include "user/fallback/seccomp.h"
#include "user/fallback/supervise.h"

#define DESCRIPTORS_BESIDES 256

static int take_signals(struct fallback *fallback);
static int fallback_open(struct fallback *fallback);
static int fallback_start(struct fallback *fallback);
static void fallback_end(struct fallback *fallback);

int main(int argc, char **argv)
{
	static struct fallback fallback = {
		.signals = -1, .news = -1, .take = {.peer = -1, .control = -1}, .give = {.listener = -1, .peer = -1},
	};
	int code;

	arguments_parse(&fallback.arguments, argc, argv);
	if (take_signals(&fallback))
		return 1;
	code = fallback_open(&fallback);
	if (!code)
		code = fallback_start(&fallback);
	if (!code)
		code = supervise(&fallback);
	if (code == -ETIME)
		_exit(1);	/* a worker may be at work in what would be freed */
	fallback_end(&fallback);
	return code ? 1 : 0;
}

/* Blocked in all threads, which inherit that, and read from a descriptor by the main one. */
static int take_signals(struct fallback *fallback)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	fallback->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	fallback->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fallback->signals >= 0 && fallback->news >= 0)
		return 0;
	log_error("starting: %s", strerror(errno));
	return -errno;
}

/* -- the start -- */

/* As the one that takes over from another, or as one that nobody is there beside. */
static int open_control(struct fallback *fallback)
{
	const struct arguments *arguments = &fallback->arguments;
	uid_t user;
	int fd = -ENOENT;

	if (rights_find(arguments->user, &user))
		return -ENOENT;
	if (arguments->take_over)
		fd = control_connect(arguments->control, user);
	if (fd >= 0) {
		fallback->take.peer = fd;
		return control_judge(fd, user, &fallback->take.process);
	}
	if (fd != -ENOENT)
		return fd;
	if (arguments->take_over)
		log_notice("nobody to take over from at %s", arguments->control);
	fallback->give.listener = control_listen(arguments->control, user);
	return fallback->give.listener == -EADDRINUSE ? -EADDRINUSE : 0;
}

/* What needs the rights that we were started with. */
static int fallback_open(struct fallback *fallback)
{
	const struct arguments *arguments = &fallback->arguments;
	char error[512];
	int code;

	code = tables_open(&fallback->tables, arguments->pins, TABLES_FALLBACK, error, sizeof(error));
	if (code) {
		log_error("%s", error);
		return code;
	}
	code = open_control(fallback);
	if (!code && arguments->user)
		code = rights_drop(arguments->user);
	return code;
}

/*
 * As many descriptors as all connections of all workers take, if we may. Besides there are two sockets for each address and
 * worker, the tables, and files while zones load.
 */
static void raise_descriptors(const struct arguments *arguments)
{
	unsigned long need = arguments->tcp_connections + DESCRIPTORS_BESIDES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < need)
		log_warning("%lu files may be open, but %u TCP connections may need %lu: when they run out the idlest connection is closed "
			    "for the next; raise `ulimit -n` (LimitNOFILE=) or lower --tcp-connections", (unsigned long)limit.rlim_max,
			    arguments->tcp_connections, need);
}

/* In the thread that watches the generation. */
static void generation_changed(void *context)
{
	struct fallback *fallback = context;
	const uint64_t one = 1;

	crew_wake(&fallback->crew);
	if (write(fallback->news, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("a new generation: %s", strerror(errno));
}

static int start_generations(struct fallback *fallback)
{
	struct generations *generations = &fallback->generations;
	int code;

	generations->tables = &fallback->tables;
	generations->state = fallback->arguments.state;
	generations->changed = generation_changed;
	generations->context = fallback;
	code = generations_start(generations);
	if (code)
		log_error("starting: %s", strerror(-code));
	else if (!__atomic_load_n(&generations->live, __ATOMIC_ACQUIRE))
		log_warning("nothing has been published yet; `ecsctl push FILE` does that");
	return code;
}

/* When all threads have been started, and before one looks at what strangers send. */
static int confine(const struct arguments *arguments)
{
	int code;

	if (arguments->no_seccomp) {
		log_warning("--no-seccomp: every system call is allowed; not for a server that strangers can reach");
		return 0;
	}
	code = seccomp_confine();
	if (code)
		log_error("the filter of system calls: %s%s", strerror(-code),
			  code == -EINVAL ? "; a kernel without seccomp needs --no-seccomp" : "");
	return code;
}

/* Workers, with the sockets of the process before us if there is one, all ready to look at them. */
static int start_crew(struct fallback *fallback)
{
	const struct arguments *arguments = &fallback->arguments;
	int takes_over = fallback->take.peer >= 0, code = 0;

	if (takes_over)
		code = take_sockets(fallback);
	if (!code)
		code = crew_start(&fallback->crew, &fallback->generations, &fallback->policy, arguments->workers,
				  arguments->port, fallback->news);
	if (!code && takes_over)
		code = take_adopt(fallback);
	if (!code)
		code = confine(arguments);
	if (!code && takes_over)
		code = take_release(fallback);
	return code;
}

static int fallback_start(struct fallback *fallback)
{
	const struct arguments *arguments = &fallback->arguments;
	int code;

	raise_descriptors(arguments);
	fallback->policy.tcp_idle_ms = arguments->tcp_idle * 1000;
	fallback->policy.identity = arguments->identity;
	fallback->policy.version = arguments->version;
	fallback->policy.census = census_new(arguments->tcp_connections, arguments->tcp_per_network);
	if (!fallback->policy.census)
		return -ENOMEM;
	code = start_generations(fallback);
	if (!code)
		code = start_crew(fallback);
	if (!code)
		log_info("ecsdns-fallback " ECSDNS_VERSION " answers with %u workers", arguments->workers);
	return code;
}

/* -- the end -- */

/* The watching thread first: it wakes workers. */
static void fallback_end(struct fallback *fallback)
{
	generations_stop_watching(&fallback->generations);
	crew_order(&fallback->crew, WORKER_STOP);	/* those of a start that failed */
	crew_end(&fallback->crew);
	take_end(&fallback->take);
	generations_free(&fallback->generations);
	census_free(fallback->policy.census);
	tables_close(&fallback->tables);
}
