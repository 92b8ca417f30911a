/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parser for messages that are not of the one shape that query_parse() takes. */
#ifndef ECSDNS_FALLBACK_PARSE_H
#define ECSDNS_FALLBACK_PARSE_H

#include "maps/query.h"

/*
 * Walks a whole message of at least a header: other opcodes, any number of questions, records and options. Fills the
 * query as query_parse() does (same input, same order of faults), with the OPT record wherever it stands among the
 * additional ones (RFC 6891 6.1.1). Other records are looked at for their bounds only.
 * Returns the fault, or REASON_GO, REASON_NSID, REASON_COOKIE. QUERY_EDNS is set as soon as the fixed part of an OPT
 * record was seen, fault or not: its reply has one too. REASON_COOKIE: there is no question, but a cookie to ask for
 * (RFC 7873 5.4). REASON_RECORDS: two OPT records, or a record out of bounds.
 */
int parse_message(const struct message *message, struct query *query);

#endif
