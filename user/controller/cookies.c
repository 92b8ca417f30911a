// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/cookies.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/controller/grace.h"

#define FILE_OCTETS_MAX 4096	/* three lines, and much to say of them */
#define SECRET_OCTETS sizeof(struct cookie_key)
#define SECOND 1000000000LL
#define CLOCKS_TOGETHER (SECOND / 10)

static int secrets_read(struct cookie_secrets *secrets, const char *path, struct faults *faults);
static int secrets_line(struct cookie_secrets *secrets, char *line, struct place *place, struct faults *faults);

/* -- the table -- */

static int64_t nanoseconds(const struct timespec *at)
{
	return at->tv_sec * SECOND + at->tv_nsec;
}

/* The driver may still be reading the set that is filled here, if these are the second secrets within microseconds. */
int cookies_give(struct cookies *cookies, const struct cookie_secrets *secrets, struct faults *faults)
{
	uint32_t changes = cookies->changes + 1;
	int code;

	if (cookies->changes && !memcmp(&cookies->sets[cookies->changes % COOKIE_SETS], secrets, sizeof(*secrets)))
		return 0;
	code = grace_period(faults);
	if (code)
		return code;
	if (!changes)
		changes = COOKIE_SETS;	/* 0 means none */
	cookies->sets[changes % COOKIE_SETS] = *secrets;
	__atomic_store_n(&cookies->changes, changes, __ATOMIC_RELEASE);
	return 0;
}

int cookies_load(struct cookies *cookies, const char *path, struct faults *faults)
{
	struct cookie_secrets secrets = {0};
	int code = secrets_read(&secrets, path, faults);

	if (!code)
		code = cookies_give(cookies, &secrets, faults);
	sodium_memzero(&secrets, sizeof(secrets));
	return code;
}

/* By both clocks, since adjtimex(2) is not for services that may not set them. */
void cookies_follow_clock(struct cookies *cookies)
{
	struct timespec tai, before, after;
	int64_t ahead;

	clock_gettime(CLOCK_REALTIME, &before);
	clock_gettime(CLOCK_TAI, &tai);
	clock_gettime(CLOCK_REALTIME, &after);
	if (nanoseconds(&after) - nanoseconds(&before) > CLOCKS_TOGETHER)
		return;		/* we slept in between; next time */
	ahead = nanoseconds(&tai) - nanoseconds(&before);
	__atomic_store_n(&cookies->tai_offset, (ahead + (ahead < 0 ? -1 : 1) * SECOND / 2) / SECOND, __ATOMIC_RELAXED);
}

/* -- the file -- */

/*
 * All of the file, over zeroes. Opens without waiting: the thread that reads it is the loop's, and a FIFO or a device may
 * never end.
 */
static int secrets_octets(const char *path, char octets[FILE_OCTETS_MAX], struct faults *faults)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), code = 0;
	const struct place place = {.file = path};
	struct stat status;
	ssize_t length;

	if (fd < 0 || fstat(fd, &status))
		code = faults_error(faults, &place, "%s", strerror(errno));
	else if (!S_ISREG(status.st_mode) || status.st_size > FILE_OCTETS_MAX)
		code = faults_error(faults, &place, "expected a regular file of at most %d octets", FILE_OCTETS_MAX);
	else if ((length = read(fd, octets, FILE_OCTETS_MAX)) < 0)
		code = faults_error(faults, &place, "%s", strerror(errno));
	else if (memchr(octets, 0, length))
		code = faults_error(faults, &place, "expected text, and there are zero octets in it");
	else if (status.st_mode & S_IROTH)
		faults_warning(faults, &place, "everybody can read these secrets: chmod o-r");
	if (fd >= 0)
		close(fd);
	return code;
}

static int secrets_read(struct cookie_secrets *secrets, const char *path, struct faults *faults)
{
	char octets[FILE_OCTETS_MAX + 1] = "", *line = octets, *next;
	struct place place = {.file = path};
	int code = secrets_octets(path, octets, faults);

	for (; !code && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		place.line++;
		code = secrets_line(secrets, line, &place, faults);
	}
	if (!code && !secrets->count)
		code = faults_error(faults, &(struct place){.file = path}, "no secret in it: expected a line of 32 hexadecimal "
				    "digits; `openssl rand -hex 16` makes one");
	sodium_memzero(octets, sizeof(octets));
	return code;
}

/* What stands in the line is not quoted: it may be nearly a secret. */
static int secrets_line(struct cookie_secrets *secrets, char *line, struct place *place, struct faults *faults)
{
	static const char blanks[] = " \t\r";
	char *from = line + strspn(line, blanks);
	size_t length = strcspn(from, blanks), octets = 0;

	if (!length || *from == '#')
		return 0;
	place->column = from - line + 1;
	if (from[length + strspn(from + length, blanks)] || length != 2 * SECRET_OCTETS)
		return faults_error(faults, place, "expected a secret of 32 hexadecimal digits and nothing behind it");
	if (secrets->count == COOKIE_SECRETS_MAX)
		return faults_error(faults, place, "expected at most %d secrets", COOKIE_SECRETS_MAX);
	if (sodium_hex2bin((uint8_t *)&secrets->keys[secrets->count], SECRET_OCTETS, from, length, NULL, &octets, NULL) ||
	    octets != SECRET_OCTETS)
		return faults_error(faults, place, "expected hexadecimal digits, 0 to 9 and a to f");
	secrets->count++;
	return 0;
}
