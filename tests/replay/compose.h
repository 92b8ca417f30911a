/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of which queries are made, for those who make them (query.c, mix.c). Each appends to asked->octets. */
#ifndef ECSDNS_REPLAY_COMPOSE_H
#define ECSDNS_REPLAY_COMPOSE_H

#include "tests/replay/query.h"

/* Clients of 198.18.8/24 and fd00:ec5:8::/48 are not trusted, those of .7 and :7: have a region of their own. */
void make_ends(struct asked *asked, int may_tcp, uint64_t *random);

void put_u16(struct asked *asked, uint16_t value);
void set_u16(struct asked *asked, size_t at, uint16_t value);
void put_header(struct asked *asked, uint16_t id, uint16_t flags);

/* About asked->target. */
void put_question(struct asked *asked, uint16_t type, uint16_t class);

/* RFC 6891 6.1.2, without options. The extended rcode is nothing in a query. */
void put_opt(struct asked *asked, uint16_t size, uint8_t rcode, uint8_t version, uint16_t flags);

/* Around the places where a topology changes, or anywhere. `i`: 0 for IPv4, 1 for IPv6. */
void draw_address(const struct targets *targets, int i, uint8_t address[16], uint64_t *random);

/* RFC 7871 6; cuts the address. */
void put_subnet(struct asked *asked, uint16_t family, unsigned int source, uint8_t address[16]);

/* A client's part alone, one that looks as we make them, or any octets behind the client's. */
void put_cookie(struct asked *asked, uint64_t *random);

/* What is known of a query from how it was made, when nothing more is put into it. */
void classify(struct asked *asked);

#endif
