// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* pipe2() */
/*
 * A program without a shell, in a session of its own, that ends with status 0 if the member is well. The first line
 * of its output is the reason. It is told of the member by its environment: ECSDNS_POOL, ECSDNS_MEMBER and ECSDNS_ADDRESS.
 * When time is over its whole process group is killed; what a program that ends leaves running is its own affair.
 */
#include "user/controller/check_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXEC_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NAME_OCTETS 64		/* of pools and members */

struct exec {
	struct check check;
	uv_process_t process;
	bool is_running;
	char line[HEALTH_REASON_OCTETS];	/* as it came */
	size_t used;
};

static void exec_spawn(struct exec *exec, int output);
static void exec_on_exit(uv_process_t *process, int64_t status, int signal);

static void exec_start(struct check *check)
{
	struct exec *exec = (struct exec *)check;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC)) {
		check_over(check, CHECK_unable, "%s", strerror(errno));
		return;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (check_watch(check, ends[0], UV_READABLE))
		exec_spawn(exec, ends[1]);
	close(ends[1]);
}

static void exec_spawn(struct exec *exec, int output)
{
	const struct check_target *target = &exec->check.target;
	char pool[NAME_OCTETS + 16], member[NAME_OCTETS + 16], address[ADDRESS_TEXT_OCTETS + 16], text[ADDRESS_TEXT_OCTETS];
	char *environment[] = {EXEC_PATH, pool, member, address, NULL};
	uv_stdio_container_t files[] = {
		{.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = output},
		{.flags = UV_INHERIT_FD, .data.fd = output},
	};
	uv_process_options_t options = {
		.exit_cb = exec_on_exit, .file = target->check->command[0], .args = (char **)target->check->command,
		.env = environment, .cwd = "/", .flags = UV_PROCESS_DETACHED, .stdio = files, .stdio_count = 3,
	};
	int fault;

	snprintf(pool, sizeof(pool), "ECSDNS_POOL=%s", target->pool);
	snprintf(member, sizeof(member), "ECSDNS_MEMBER=%s", target->member);
	snprintf(address, sizeof(address), "ECSDNS_ADDRESS=%s", address_text(&target->address, text));
	fault = uv_spawn(exec->check.engine->loop, &exec->process, &options);
	exec->process.data = exec;
	exec->check.open_handles++;
	exec->is_running = !fault;
	if (fault) {
		uv_close((uv_handle_t *)&exec->process, check_closed);
		check_over(&exec->check, CHECK_unable, "%.60s: %s", target->check->command[0], uv_strerror(fault));
	}
}

/* Whatever is beyond the first line is read, so that the program does not wait, and dropped. False: nothing more. */
static bool exec_read(struct exec *exec)
{
	char octets[4096];
	ssize_t got = read(exec->check.file, octets, sizeof(octets));
	size_t room = sizeof(exec->line) - exec->used;

	if (got <= 0)
		return got < 0 && errno == EINTR;
	if ((size_t)got < room)
		room = got;
	memcpy(exec->line + exec->used, octets, room);
	exec->used += room;
	return true;
}

static void exec_ready(struct check *check, int events)
{
	struct exec *exec = (struct exec *)check;

	(void)events;
	if (!exec_read(exec) && errno != EAGAIN)
		check_watch_for(check, 0);	/* it has closed its output, and runs on */
}

static void exec_on_exit(uv_process_t *process, int64_t status, int signal)
{
	struct exec *exec = process->data;
	char text[HEALTH_REASON_OCTETS];

	exec->is_running = false;
	uv_close((uv_handle_t *)process, check_closed);
	if (exec->check.is_over)
		return;
	for (int i = 0; i < 16 && exec_read(exec); i++)
		;	/* what it wrote last, which the loop may not have come to */
	check_printable(text, sizeof(text), exec->line, exec->used);
	if (signal)
		check_over(&exec->check, CHECK_exit, "killed by signal %d%s%s", signal, *text ? ": " : "", text);
	else if (status)
		check_over(&exec->check, CHECK_exit, "exit status %d%s%s", (int)status, *text ? ": " : "", text);
	else
		check_over(&exec->check, CHECK_ok, "%s", *text ? text : "ok");
}

/* The handle stays until the process has been waited for. */
static void exec_stop(struct check *check)
{
	struct exec *exec = (struct exec *)check;

	if (exec->is_running)
		kill(-exec->process.pid, SIGKILL);
}

const struct check_kind check_exec = {.size = sizeof(struct exec), .start = exec_start, .ready = exec_ready,
				      .stop = exec_stop};
