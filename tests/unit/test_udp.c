// SPDX-License-Identifier: GPL-3.0-or-later
/* Queries over UDP as a socket holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/serve_fixture.h"
#include "user/fallback/sockets.h"
#include "user/fallback/udp.h"

#define QUERIES 20000
#define BUFFER_OCTETS (4 << 20)	/* as sockets.c asks for; the kernel doubles it */

static const uint8_t loopback[16] = { [15] = 1 };

/* Sends as many as there is room for, and more. */
static void fill(int fd)
{
	struct sockaddr_in6 to;
	socklen_t length = sizeof(to);
	int from = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_true(from >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &length), 0);
	for (int i = 0; i < QUERIES; i++)
		sendto(from, "?", 1, 0, (const struct sockaddr *)&to, sizeof(to));
	close(from);
}

/* Who stops takes what waits in a socket, in so many turns (udp.h): a full buffer is not more than that. */
static void the_last_turns_empty_a_socket(void **state)
{
	int fd = socket_open(loopback, 0, SOCK_DGRAM), octets = BUFFER_OCTETS, turns = 0, more = 1;
	const __u64 *taken = reasons_at(&fixture.counters[0], REASON_SHORT);
	struct udp *udp = udp_new();

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(udp);
	/* Who may not raise net.core.rmem_max has a smaller buffer, and less to test. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets));
	fill(fd);
	for (; more && turns < UDP_BATCHES_WAITING; turns++)
		more = udp_receive(udp, fd, &fixture.serve);
	print_message("%lu queries waited, and took %d turns of %d\n", (unsigned long)*taken, turns, UDP_BATCHES_WAITING);
	assert_in_range(*taken, 1, QUERIES - 1);
	assert_int_equal(more, 0);
	assert_int_equal(recv(fd, &octets, 1, MSG_DONTWAIT), -1);
	udp_free(udp);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_turns_empty_a_socket),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	fixture_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_stop();
	return failed;
}
