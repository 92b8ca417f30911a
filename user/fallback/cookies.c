// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libknot/cookies.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/wire.h"
#include "user/fallback/cookies.h"

#define FILE_OCTETS_MAX 4096	/* three lines, and much to say of them */

struct cookie_secrets {
	uint8_t list[COOKIE_SECRETS_MAX][COOKIE_SECRET_OCTETS];
	uint32_t count;
	const struct cookie_secrets *before;	/* what was live before these */
};

_Static_assert(COOKIE_SECRET_OCTETS == KNOT_EDNS_COOKIE_SECRET_SIZE, "RFC 9018 4.4: SipHash-2-4");

static int secrets_read(struct cookie_secrets *secrets, const char *path, struct faults *faults);
static int secrets_line(struct cookie_secrets *secrets, char *line, struct place *place, struct faults *faults);

/* -- secrets -- */

static int secrets_equal(const struct cookie_secrets *one, const struct cookie_secrets *other)
{
	return one && one->count == other->count && !memcmp(one->list, other->list, sizeof(one->list));
}

static void secrets_free(const struct cookie_secrets *secrets)
{
	sodium_memzero((void *)secrets, sizeof(*secrets));
	free((void *)secrets);
}

int cookies_load(struct cookies *cookies, const char *path, struct faults *faults)
{
	struct cookie_secrets *secrets = calloc(1, sizeof(*secrets));
	int code = 0;

	if (!secrets || sodium_init() < 0) {
		free(secrets);
		return faults_memory(faults);
	}
	if (path) {
		code = secrets_read(secrets, path, faults);
	} else {
		randombytes_buf(secrets->list[0], COOKIE_SECRET_OCTETS);
		secrets->count = 1;
	}
	if (code || secrets_equal(cookies->live, secrets)) {
		secrets_free(secrets);
		return code;
	}
	secrets->before = cookies->live;
	__atomic_store_n(&cookies->live, secrets, __ATOMIC_RELEASE);
	return 0;
}

void cookies_free(struct cookies *cookies)
{
	const struct cookie_secrets *secrets, *before;

	for (secrets = cookies->live; secrets; secrets = before) {
		before = secrets->before;
		secrets_free(secrets);
	}
	cookies->live = NULL;
}

/*
 * All of the file, over zeroes. Opens without waiting: the thread that reads it is the one that SIGTERM stops, and a
 * FIFO or a device may never end.
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
	if (from[length + strspn(from + length, blanks)] || length != 2 * COOKIE_SECRET_OCTETS)
		return faults_error(faults, place, "expected a secret of 32 hexadecimal digits and nothing behind it");
	if (secrets->count == COOKIE_SECRETS_MAX)
		return faults_error(faults, place, "expected at most %d secrets", COOKIE_SECRETS_MAX);
	if (sodium_hex2bin(secrets->list[secrets->count], COOKIE_SECRET_OCTETS, from, length, NULL, &octets, NULL) ||
	    octets != COOKIE_SECRET_OCTETS)
		return faults_error(faults, place, "expected hexadecimal digits, 0 to 9 and a to f");
	secrets->count++;
	return 0;
}

/* -- cookies -- */

static void client_sockaddr(const struct client *client, struct sockaddr_storage *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *in = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	if (client->family == ECS_FAMILY_IPV4) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, client->address, 4);
	} else {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, client->address, 16);
	}
}

/* When it was made, as it says (RFC 9018 4.3). */
static uint32_t cookie_time(const knot_edns_cookie_t *of_server)
{
	const uint8_t *at = of_server->data + 4;

	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

/*
 * The number of the secret that made it, or -1: too old or from the future, or not made by us for this client. libknot's
 * own judgement of the time does not go round with the clock in 2106, so it is asked at the cookie's own time.
 */
static int cookie_secret(const struct cookie_secrets *secrets, const knot_edns_cookie_t *of_client,
			 const knot_edns_cookie_t *of_server, knot_edns_cookie_params_t params, int32_t age)
{
	int number = -1;

	if (age > COOKIE_BELIEVED_BEFORE || age < -COOKIE_BELIEVED_AFTER)
		return -1;
	params.timestamp = cookie_time(of_server);
	for (uint32_t i = 0; i < secrets->count && number < 0; i++) {
		memcpy(params.secret, secrets->list[i], COOKIE_SECRET_OCTETS);
		if (knot_edns_cookie_server_check(of_server, of_client, &params) == KNOT_EOK)
			number = i;
	}
	sodium_memzero(params.secret, sizeof(params.secret));
	return number;
}

enum cookie_verdict cookies_judge(const struct cookies *cookies, const struct client *client, const uint8_t *option,
				  uint32_t octets, uint32_t now, uint8_t reply[COOKIE_OCTETS])
{
	const struct cookie_secrets *secrets = __atomic_load_n(&cookies->live, __ATOMIC_ACQUIRE);
	struct sockaddr_storage address;
	knot_edns_cookie_params_t params = {
		.version = KNOT_EDNS_COOKIE_VERSION, .timestamp = now, .client_addr = &address,
	};
	knot_edns_cookie_t of_client = {.len = 0}, of_server = {.len = 0}, fresh;
	int32_t age;
	int number;

	client_sockaddr(client, &address);
	knot_edns_cookie_parse(&of_client, &of_server, option, octets);
	memcpy(reply, of_client.data, COOKIE_CLIENT_OCTETS);
	age = now - cookie_time(&of_server);
	number = of_server.len ? cookie_secret(secrets, &of_client, &of_server, params, age) : -1;
	if (!number && age <= COOKIE_FRESH) {
		memcpy(reply + COOKIE_CLIENT_OCTETS, of_server.data, COOKIE_OCTETS - COOKIE_CLIENT_OCTETS);
	} else {
		memcpy(params.secret, secrets->list[0], COOKIE_SECRET_OCTETS);
		knot_edns_cookie_server_generate(&fresh, &of_client, &params);
		memcpy(reply + COOKIE_CLIENT_OCTETS, fresh.data, COOKIE_OCTETS - COOKIE_CLIENT_OCTETS);
	}
	sodium_memzero(params.secret, sizeof(params.secret));
	return number >= 0 ? COOKIE_VALID : of_server.len ? COOKIE_INVALID : COOKIE_NEW;
}
