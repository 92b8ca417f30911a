// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A file that somebody else writes. Empty or "up": up; "down", maybe with a reason behind it: down; and so if it is not
 * there. It is read at once: it has to be on a file system of this host, which does not keep one waiting.
 */
#include "user/controller/check_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path with what {pool}, {member} and {address} stand for. False: too long. */
static bool file_path(const struct check_target *target, char path[PATH_MAX])
{
	char address[ADDRESS_TEXT_OCTETS];
	const struct {
		const char *name, *value;
	} words[] = {
		{"{pool}", target->pool}, {"{member}", target->member},
		{"{address}", address_text(&target->address, address)}, {"", NULL},
	};
	size_t used = 0, length, i;
	const char *at, *value;

	for (at = target->check->path; *at;) {
		for (i = 0; strncmp(at, words[i].name, strlen(words[i].name)); i++)
			;
		value = words[i].value ? words[i].value : at;
		length = words[i].value ? strlen(value) : 1;
		if (used + length >= PATH_MAX)
			return false;
		memcpy(path + used, value, length);
		used += length;
		at += words[i].value ? strlen(words[i].name) : 1;
	}
	path[used] = 0;
	return true;
}

static void file_judge(struct check *check, const char *octets, size_t length)
{
	char text[HEALTH_REASON_OCTETS];
	size_t word;

	check_printable(text, sizeof(text), octets, length);
	word = strcspn(text, " \t:");
	if (!word || (word == 2 && !strncmp(text, "up", 2)))
		check_over(check, CHECK_ok, "%s", *text ? text : "ok");
	else if (word == 4 && !strncmp(text, "down", 4))
		check_over(check, CHECK_file, "%s", text);
	else
		check_over(check, CHECK_file, "neither up nor down: \"%s\"", text);
}

static void file_start(struct check *check)
{
	char path[PATH_MAX], octets[HEALTH_REASON_OCTETS];
	struct stat facts;
	ssize_t got;
	int file;

	if (!file_path(&check->target, path)) {
		check_over(check, CHECK_unable, "the path is too long");
		return;
	}
	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0) {
		check_over(check, errno == ENOENT ? CHECK_file : CHECK_unable, "%s", strerror(errno));
		return;
	}
	if (fstat(file, &facts) || !S_ISREG(facts.st_mode)) {
		check_over(check, CHECK_unable, "not a regular file");
	} else {
		got = read(file, octets, sizeof(octets));
		if (got < 0)
			check_over(check, CHECK_unable, "%s", strerror(errno));
		else
			file_judge(check, octets, got);
	}
	close(file);
}

const struct check_kind check_file = {.size = sizeof(struct check), .start = file_start};
