/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS, EDNS and client subnet on the wire, and the buffer that holds a message while the stages look at it.
 *
 * The stages read and write through message_*() only. Offsets are masked there, so that the verifier sees every
 * access inside the buffer; on the host the mask is a belt beside the braces of the stages' own length checks.
 */
#ifndef ECSDNS_WIRE_H
#define ECSDNS_WIRE_H

#include "abi.h"

/*
 * A stage is one function for the verifier: it is checked once, whatever led to it, and its callers continue from
 * one state. On the host it is an ordinary inline function. Pointer arguments may be null to kernels before 6.8,
 * whatever the callers do, hence STAGE_NEEDS.
 */
#ifdef __bpf__
#define STAGE __attribute__((noinline))
#define STAGE_NEEDS(condition, otherwise) do { if (!(condition)) return otherwise; } while (0)
#define MESSAGE_OCTETS 4096
#else
#define STAGE static inline
#define STAGE_NEEDS(condition, otherwise) do { } while (0)
#define MESSAGE_OCTETS 65536	/* TCP: RFC 1035 4.2.2 */
#endif
#define PIECE static inline __attribute__((always_inline))
/* Linux 6.1 refuses loops that clang lays out to be entered in their middle; straight code leaves it no choice. */
#ifdef __bpf__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED
#endif

/* RFC 1035 4.1.1 */
#define HEADER_OCTETS 12
#define HEADER_QR 0x8000
#define HEADER_OPCODE 0x7800
#define HEADER_AA 0x0400
#define HEADER_TC 0x0200
#define HEADER_RD 0x0100
#define HEADER_CD 0x0010	/* RFC 4035 3.2.2 */

#define CLASS_IN 1
#define TYPE_A 1
#define TYPE_NS 2
#define TYPE_CNAME 5
#define TYPE_SOA 6
#define TYPE_HINFO 13
#define TYPE_AAAA 28
#define TYPE_OPT 41
#define TYPE_HTTPS 65
#define TYPE_ANY 255
/* RFC 6895 3.1: 128 to 255 are meta and query types */
#define TYPE_META_FIRST 128
#define TYPE_META_LAST 255

/* RFC 6891 6.1.2: root owner, type, size, extended rcode, version, flags, RDLENGTH */
#define OPT_OCTETS 11
#define OPT_DO 0x8000
#define OPTION_NSID 3		/* RFC 5001 */
#define OPTION_ECS 8		/* RFC 7871 6 */
#define OPTION_COOKIE 10	/* RFC 7873 4 */
#define OPTION_KEEPALIVE 11	/* RFC 7828 3.1 */
#define OPTION_EDE 15		/* RFC 8914 2 */
#define OPTION_HEADER_OCTETS 4
#define ECS_HEADER_OCTETS 4	/* family, source, scope */
/* RFC 7873 4: the client's part alone, or with a server's part behind it */
#define COOKIE_CLIENT_OCTETS 8
#define COOKIE_SERVER_OCTETS_MIN 8
#define COOKIE_SERVER_OCTETS_MAX 32
#define ECS_FAMILY_NONE 0	/* as some releases of dig send for +subnet=0 */
#define ECS_FAMILY_IPV4 1
#define ECS_FAMILY_IPV6 2

/* `lead` aligns the question to eight octets, for lowering its name by words. */
struct message {
	__u8 lead[4];
	__u8 octets[MESSAGE_OCTETS];
	__u8 slack[12];
} __attribute__((aligned(8)));

/*
 * Eight octets at any address. The kernels' x86-64 and arm64 do that in one instruction, but the compiler for BPF
 * would take it apart into single octets; on the host memcpy() says the same to a compiler that knows.
 */
PIECE __u64 wire_load64(const __u8 *from)
{
#ifdef __bpf__
	return *(const __u64 *)from;
#else
	__u64 word;

	__builtin_memcpy(&word, from, sizeof(word));
	return word;
#endif
}

PIECE void wire_store64(__u8 *to, __u64 word)
{
#ifdef __bpf__
	*(__u64 *)to = word;
#else
	__builtin_memcpy(to, &word, sizeof(word));
#endif
}

PIECE __u16 wire_swap16(__u16 value)
{
	return (__u16)(value << 8 | value >> 8);
}

PIECE __u64 wire_swap64(__u64 value)
{
	return __builtin_bswap64(value);
}

/* Zero bits before the first one, 64 for zero. By halves: clang 14 crashes on the builtin when it compiles for BPF. */
PIECE __u32 wire_leading_zeros(__u64 word)
{
	__u32 zeros = 0, half;

	if (!word)
		return 64;
	for (half = 32; half; half /= 2) {
		if (!(word >> (64 - half))) {
			zeros += half;
			word <<= half;
		}
	}
	return zeros;
}

/*
 * An offset that the verifier sees bounded. The compiler may know the bound already and would drop the mask, which the
 * verifier needs; the barrier makes it forget.
 */
PIECE __u32 wire_masked(__u32 offset, __u32 octets)
{
#ifdef __bpf__
	if (!__builtin_constant_p(offset))
		asm volatile("" : "+r"(offset));
#endif
	return offset & (octets - 1);
}

PIECE __u8 message_u8(const struct message *message, __u32 offset)
{
	return message->octets[wire_masked(offset, MESSAGE_OCTETS)];
}

PIECE __u16 message_u16(const struct message *message, __u32 offset)
{
	const __u8 *at = &message->octets[wire_masked(offset, MESSAGE_OCTETS)];

	return (__u16)(at[0] << 8 | at[1]);
}

PIECE void message_put_u8(struct message *message, __u32 offset, __u8 value)
{
	message->octets[wire_masked(offset, MESSAGE_OCTETS)] = value;
}

PIECE void message_put_u16(struct message *message, __u32 offset, __u16 value)
{
	__u8 *at = &message->octets[wire_masked(offset, MESSAGE_OCTETS)];

	at[0] = value >> 8;
	at[1] = value & 0xff;
}

#endif
