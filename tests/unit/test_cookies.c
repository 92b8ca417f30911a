// SPDX-License-Identifier: GPL-3.0-or-later
/* DNS cookies: the examples of RFC 9018 appendix A, their age, libknot's opinion, and files of secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <libknot/cookies.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/cookie.h"
#include "user/controller/cookies.h"

#define SECRET_A "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define SECRET_UPPER "E5E973E5A6B2A43F48E7DC849E37BFCF"
#define SECRET_NEW "445536bcd2513298075a5d379663c962"
#define SECRET_OLD "dd3bdf9344b678b185a6f5cb60fca715"
#define CLIENT_A "198.51.100.100"
#define COOKIE_A "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
#define TIME_A 1559731985

/* Loads a file of this content; what is wrong, into `faults`. */
static int load(struct cookies *cookies, const char *content, mode_t mode, struct faults *faults)
{
	char path[] = "/tmp/test_cookies.XXXXXX";
	int fd = mkstemp(path), code;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	faults_init(faults);
	code = cookies_load(cookies, path, faults);
	unlink(path);
	return code;
}

static void load_good(struct cookies *cookies, const char *content)
{
	struct faults faults;

	assert_int_equal(load(cookies, content, 0600, &faults), 0);
	assert_int_equal(faults.count, 0);
	faults_free(&faults);
}

/* Where the option's data stand in a message. */
#define OPTION_AT 61

static struct query query_of(const char *from, size_t octets)
{
	struct query query = {
		.flags = QUERY_COOKIE, .cookie_at = OPTION_AT, .cookie_octets = octets,
		.source_family = strchr(from, ':') ? ECS_FAMILY_IPV6 : ECS_FAMILY_IPV4,
	};

	assert_int_equal(inet_pton(query.source_family == ECS_FAMILY_IPV6 ? AF_INET6 : AF_INET, from, query.source_address), 1);
	return query;
}

static enum cookie_verdict judge(const struct cookies *cookies, const struct query *query, const uint8_t *option,
				 uint32_t now, struct cookie *reply)
{
	static struct message message;

	memset(message.octets, 0xee, sizeof(message.octets));
	memcpy(message.octets + OPTION_AT, option, query->cookie_octets);
	return cookie_judge(&message, query, &cookies->sets[cookies->changes % COOKIE_SETS], now, reply);
}

/* The cookie asked with, in hexadecimal, against the verdict and the cookie of the reply. */
static void judged(const struct cookies *cookies, const char *from, uint32_t now, const char *asked,
		   enum cookie_verdict verdict, const char *expected)
{
	char text[2 * COOKIE_OCTETS + 1];
	struct cookie reply;
	struct query query;
	uint8_t option[40];
	size_t octets;

	assert_int_equal(sodium_hex2bin(option, sizeof(option), asked, strlen(asked), NULL, &octets, NULL), 0);
	query = query_of(from, octets);
	assert_int_equal(judge(cookies, &query, option, now, &reply), verdict);
	sodium_bin2hex(text, sizeof(text), (uint8_t *)&reply, sizeof(reply));
	assert_string_equal(text, expected);
}

/* Appendix A.1 to A.3; the third has reserved bits set, and is older than an hour. */
static void examples(void **state)
{
	struct cookies cookies = {0};

	(void)state;
	load_good(&cookies, "# of the site\n\n  " SECRET_A "\r\n");
	judged(&cookies, CLIENT_A, TIME_A, "2464c4abcf10c957", COOKIE_NEW, COOKIE_A);
	judged(&cookies, CLIENT_A, 1559734385, COOKIE_A, COOKIE_VALID, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
	judged(&cookies, "203.0.113.203", 1559734700, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", COOKIE_INVALID,
	       "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
	/* within its hour it is believed, reserved bits and all */
	judged(&cookies, "203.0.113.203", 0x5cf78f71 + 60, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", COOKIE_VALID,
	       "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
}

/* Appendix A.4: signed with the old secret, replaced by one of the new. */
static void rollover(void **state)
{
	static const char of_old[] = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
	static const char of_new[] = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
	static const char client[] = "2001:db8:220:1:59de:d0f4:8769:82b8";
	struct cookies cookies = {0};

	(void)state;
	load_good(&cookies, SECRET_OLD "\n");
	judged(&cookies, client, 1559741961, of_old, COOKIE_VALID, of_old);
	load_good(&cookies, SECRET_NEW "\n" SECRET_OLD "\n");
	judged(&cookies, client, 1559741961, of_old, COOKIE_VALID, of_new);
	judged(&cookies, client, 1559741961, of_new, COOKIE_VALID, of_new);
	load_good(&cookies, SECRET_NEW "\n");
	judged(&cookies, client, 1559741961, of_old, COOKIE_INVALID, of_new);
}

static void made_at(const struct cookies *cookies, uint32_t now, char text[2 * COOKIE_OCTETS + 1])
{
	struct query query = query_of(CLIENT_A, COOKIE_CLIENT_OCTETS);
	struct cookie reply;

	judge(cookies, &query, (const uint8_t *)"\x24\x64\xc4\xab\xcf\x10\xc9\x57", now, &reply);
	sodium_bin2hex(text, 2 * COOKIE_OCTETS + 1, (uint8_t *)&reply, sizeof(reply));
}

/* RFC 9018 4.3, to the second, also where the clock of 32 bits goes round. */
static void ages(void **state)
{
	static const struct {
		int32_t age;
		enum cookie_verdict verdict;
		bool same;
	} rows[] = {
		{0, COOKIE_VALID, true}, {1800, COOKIE_VALID, true}, {1801, COOKIE_VALID, false}, {3600, COOKIE_VALID, false},
		{3601, COOKIE_INVALID, false}, {-300, COOKIE_VALID, true}, {-301, COOKIE_INVALID, false},
		{INT32_MAX, COOKIE_INVALID, false}, {INT32_MIN, COOKIE_INVALID, false},
	};
	static const uint32_t clocks[] = {TIME_A, 100, UINT32_MAX - 100};
	char made[2 * COOKIE_OCTETS + 1], fresh[2 * COOKIE_OCTETS + 1];
	struct cookies cookies = {0};

	(void)state;
	load_good(&cookies, SECRET_A);
	for (size_t clock = 0; clock < sizeof(clocks) / sizeof(clocks[0]); clock++) {
		made_at(&cookies, clocks[clock], made);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			made_at(&cookies, clocks[clock] + rows[i].age, fresh);
			judged(&cookies, CLIENT_A, clocks[clock] + rows[i].age, made, rows[i].verdict,
			       rows[i].same ? made : fresh);
		}
	}
}

static void forgeries(void **state)
{
	static const char *const lengths[] = {
		"2464c4abcf10c9570102030405060708", "2464c4abcf10c957010000005cf79f111f8130c3eee29480ff",
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480ffffffffffffffffffffffffffffffff",
		"2464c4abcf10c957010000005cf79f111f8130c3eee294",
	};
	struct cookies cookies = {0};
	char asked[sizeof(COOKIE_A)];

	(void)state;
	load_good(&cookies, SECRET_A);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		judged(&cookies, CLIENT_A, TIME_A, lengths[i], COOKIE_INVALID, COOKIE_A);
	/* any digit of the server's part changed */
	for (size_t i = 2 * COOKIE_CLIENT_OCTETS; i < 2 * COOKIE_OCTETS; i++) {
		memcpy(asked, COOKIE_A, sizeof(asked));
		asked[i] = asked[i] == '0' ? '1' : '0';
		judged(&cookies, CLIENT_A, TIME_A, asked, COOKIE_INVALID, COOKIE_A);
	}
	judged(&cookies, "198.51.100.101", TIME_A, COOKIE_A, COOKIE_INVALID, "2464c4abcf10c957010000005cf79f113dee680ff87b4d82");
}

/* What libknot would say of the same octets; its clock does not go round, so it is asked well before that. */
static enum cookie_verdict knot_verdict(const struct cookie_secrets *secrets, const struct query *query, const uint8_t *option,
					uint32_t now, uint8_t fresh[COOKIE_OCTETS])
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};
	int is_ipv4 = query->source_family == ECS_FAMILY_IPV4;
	knot_edns_cookie_params_t params = {
		.version = KNOT_EDNS_COOKIE_VERSION, .timestamp = now, .lifetime_before = COOKIE_BELIEVED_BEFORE,
		.lifetime_after = COOKIE_BELIEVED_AFTER,
		.client_addr = is_ipv4 ? (struct sockaddr_storage *)&in : (struct sockaddr_storage *)&in6,
	};
	knot_edns_cookie_t of_client = {.len = 0}, of_server = {.len = 0}, made;
	enum cookie_verdict verdict = COOKIE_INVALID;

	memcpy(&in.sin_addr, query->source_address, 4);
	memcpy(&in6.sin6_addr, query->source_address, 16);
	assert_int_equal(knot_edns_cookie_parse(&of_client, &of_server, option, query->cookie_octets), KNOT_EOK);
	for (int i = secrets->count - 1; i >= 0; i--) {
		memcpy(params.secret, &secrets->keys[i], sizeof(params.secret));
		if (of_server.len && knot_edns_cookie_server_check(&of_server, &of_client, &params) == KNOT_EOK)
			verdict = COOKIE_VALID;
	}
	assert_int_equal(knot_edns_cookie_server_generate(&made, &of_client, &params), KNOT_EOK);
	memcpy(fresh, of_client.data, COOKIE_CLIENT_OCTETS);
	memcpy(fresh + COOKIE_CLIENT_OCTETS, made.data, made.len);
	return of_server.len ? verdict : COOKIE_NEW;
}

/* Random secrets, clients, times and lengths; half of the cookies are such as we made, some of these with a bit turned. */
static void agrees_with_libknot(void **state)
{
	unsigned int verdicts[3] = {0};

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t now = 1u << 30 | randombytes_uniform(1u << 30), age = randombytes_uniform(4200);
		struct query query = {.source_family = 1 + randombytes_uniform(2)};
		struct cookies cookies = {.changes = 1};
		struct cookie_secrets *secrets = &cookies.sets[1];
		uint8_t option[40], fresh[COOKIE_OCTETS];
		struct cookie reply, asked;
		enum cookie_verdict verdict;

		secrets->count = 1 + randombytes_uniform(COOKIE_SECRETS_MAX);
		randombytes_buf(secrets->keys, sizeof(secrets->keys));
		randombytes_buf(query.source_address, query.source_family == ECS_FAMILY_IPV4 ? 4 : 16);
		randombytes_buf(option, sizeof(option));
		query.cookie_at = OPTION_AT;
		query.cookie_octets = randombytes_uniform(2) ? COOKIE_OCTETS : 16 + randombytes_uniform(25);
		if (!randombytes_uniform(8))
			query.cookie_octets = COOKIE_CLIENT_OCTETS;
		memcpy(&asked, option, sizeof(asked));
		asked.head = COOKIE_VERSION | (uint64_t)cookie_swap32(now - age + 500) << 32;
		asked.hash = cookie_hash(&secrets->keys[randombytes_uniform(COOKIE_SECRETS_MAX)], &query, asked.client, asked.head);
		if (randombytes_uniform(4))
			memcpy(option, &asked, sizeof(asked));
		if (!randombytes_uniform(4))
			option[randombytes_uniform(COOKIE_OCTETS)] ^= 1 << randombytes_uniform(8);
		verdict = judge(&cookies, &query, option, now, &reply);
		assert_int_equal(verdict, knot_verdict(secrets, &query, option, now, fresh));
		if (memcmp(&reply, fresh, sizeof(reply)))	/* the same again, then, which is right while it is believed */
			assert_true(verdict == COOKIE_VALID && !memcmp(&reply, option, sizeof(reply)));
		verdicts[verdict]++;
	}
	for (int i = 0; i < 3; i++)
		assert_true(verdicts[i] > 1000);
}

/* The clock that driver and fallback share. */
static void clocks(void **state)
{
	struct cookies cookies = {.tai_offset = 37};

	(void)state;
	assert_int_equal(cookie_now(&cookies, TIME_A + 37), TIME_A);
	cookies.tai_offset = -1;
	assert_int_equal(cookie_now(&cookies, TIME_A), TIME_A + 1);
	assert_int_equal(cookie_now(&cookies, (1ULL << 32) + 5), 6);
	cookies.stopped = 17;
	assert_int_equal(cookie_now(&cookies, TIME_A), 17);
	cookies_follow_clock(&cookies);
	assert_in_range(cookies.tai_offset, 0, 100);
}

/* New secrets go into the set that nobody reads; the same ones again move nothing. */
static void changes(void **state)
{
	struct cookies cookies = {0};
	struct cookie_secrets first;

	(void)state;
	load_good(&cookies, SECRET_OLD "\n");
	assert_int_equal(cookies.changes, 1);
	first = cookies.sets[1];
	load_good(&cookies, SECRET_OLD "\n");
	assert_int_equal(cookies.changes, 1);
	load_good(&cookies, SECRET_NEW "\n" SECRET_OLD "\n");
	assert_int_equal(cookies.changes, 2);
	assert_int_equal(cookies.sets[0].count, 2);
	assert_memory_equal(&cookies.sets[1], &first, sizeof(first));
	cookies.changes = UINT32_MAX;
	load_good(&cookies, SECRET_NEW "\n");
	assert_int_equal(cookies.changes, COOKIE_SETS);
	assert_int_equal(cookies.sets[0].count, 1);
}

/* A file that is not right names the place, quotes no secret, and leaves what was live. */
static void files(void **state)
{
	static const struct {
		const char *content, *text;
		uint32_t line, column;
	} rows[] = {
		{"", "no secret in it", 0, 0},
		{"# none\n\n", "no secret in it", 0, 0},
		{SECRET_A "\n  e5e973e5\n", "32 hexadecimal digits", 2, 3},
		{SECRET_A "0\n", "32 hexadecimal digits", 1, 1},
		{SECRET_A " " SECRET_A "\n", "nothing behind it", 1, 1},
		{"x5e973e5a6b2a43f48e7dc849e37bfcf\n", "0 to 9 and a to f", 1, 1},
		{SECRET_A "\n" SECRET_A "\n" SECRET_A "\n" SECRET_A "\n", "at most 3", 4, 1},
	};
	struct cookies cookies = {0};
	struct faults faults;

	(void)state;
	load_good(&cookies, SECRET_A);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_not_equal(load(&cookies, rows[i].content, 0600, &faults), 0);
		assert_int_equal(faults.count, 1);
		assert_non_null(strstr(faults.list[0].text, rows[i].text));
		assert_null(strstr(faults.list[0].text, "e973e5"));
		assert_int_equal(faults.list[0].line, rows[i].line);
		assert_int_equal(faults.list[0].column, rows[i].column);
		faults_free(&faults);
		judged(&cookies, CLIENT_A, TIME_A, COOKIE_A, COOKIE_VALID, COOKIE_A);
	}
	faults_init(&faults);
	assert_int_not_equal(cookies_load(&cookies, "/nonexistent/secrets", &faults), 0);
	assert_string_equal(faults.list[0].text, "No such file or directory");
	faults_free(&faults);
	assert_int_equal(load(&cookies, SECRET_A, 0644, &faults), 0);
	assert_int_equal(faults.warnings, 1);
	faults_free(&faults);
}

/* What is no file, or no file of secrets, is found out at once; what is one may look as editors leave it. */
static void strange_files(void **state)
{
	static char long_comment[1000], too_long[5000], directory[] = "/tmp/test_cookies.XXXXXX";
	char fresh[2 * COOKIE_OCTETS + 1], fifo[sizeof(directory) + 8];
	const char *const no_files[] = {"/dev/zero", "/dev/null", directory, fifo};
	struct cookies cookies = {0};
	struct faults faults;

	(void)state;
	load_good(&cookies, SECRET_A);
	assert_non_null(mkdtemp(directory));
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(10);	/* whoever waits for its writer waits for ever */
	for (size_t i = 0; i < sizeof(no_files) / sizeof(no_files[0]); i++) {
		faults_init(&faults);
		assert_int_not_equal(cookies_load(&cookies, no_files[i], &faults), 0);
		assert_int_equal(faults.count, 1);
		assert_non_null(strstr(faults.list[0].text, "expected a regular file"));
		faults_free(&faults);
	}
	alarm(0);
	unlink(fifo);
	rmdir(directory);
	memset(too_long, '\n', sizeof(too_long) - 1);
	assert_int_not_equal(load(&cookies, too_long, 0600, &faults), 0);
	assert_non_null(strstr(faults.list[0].text, "at most 4096 octets"));
	faults_free(&faults);
	judged(&cookies, CLIENT_A, TIME_A, COOKIE_A, COOKIE_VALID, COOKIE_A);
	memset(long_comment, '#', sizeof(long_comment) - 1);
	memcpy(long_comment + sizeof(long_comment) - 1 - 33, "\n" SECRET_NEW, 33);
	load_good(&cookies, long_comment);
	made_at(&cookies, TIME_A, fresh);
	judged(&cookies, CLIENT_A, TIME_A, COOKIE_A, COOKIE_INVALID, fresh);
	load_good(&cookies, "\t" SECRET_UPPER " \t\r\n\r\n");
	judged(&cookies, CLIENT_A, TIME_A, COOKIE_A, COOKIE_VALID, COOKIE_A);
}

/* Without a file: believed by who made it and by nobody else. */
static void random_secret(void **state)
{
	struct cookie_secrets first = {.count = 1}, second = {.count = 1};
	struct cookies one = {0}, other = {0};
	char made[2 * COOKIE_OCTETS + 1], fresh[2 * COOKIE_OCTETS + 1];
	struct faults faults;

	(void)state;
	faults_init(&faults);
	randombytes_buf(first.keys, sizeof(first.keys[0]));
	randombytes_buf(second.keys, sizeof(second.keys[0]));
	assert_int_equal(cookies_give(&one, &first, &faults), 0);
	assert_int_equal(cookies_give(&other, &second, &faults), 0);
	made_at(&one, TIME_A, made);
	made_at(&other, TIME_A, fresh);
	judged(&one, CLIENT_A, TIME_A, made, COOKIE_VALID, made);
	judged(&other, CLIENT_A, TIME_A, made, COOKIE_INVALID, fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples), cmocka_unit_test(rollover), cmocka_unit_test(ages), cmocka_unit_test(forgeries),
		cmocka_unit_test(agrees_with_libknot), cmocka_unit_test(clocks), cmocka_unit_test(changes), cmocka_unit_test(files),
		cmocka_unit_test(strange_files), cmocka_unit_test(random_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
