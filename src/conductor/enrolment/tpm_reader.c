/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/tpm_reader.h"

struct span tpm_read_bytes(struct tpm_reader *reader, size_t n)
{
	struct span bytes = span_of(reader->rest.bytes, n);

	if (reader->failed || n > reader->rest.size) {
		reader->failed = true;
		return span_of(NULL, 0);
	}
	reader->rest = span_of(reader->rest.bytes + n, reader->rest.size - n);
	return bytes;
}

uint64_t tpm_read_uint(struct tpm_reader *reader, size_t n)
{
	struct span bytes = tpm_read_bytes(reader, n);
	uint64_t value = 0;

	for (size_t i = 0; i < bytes.size; i++)
		value = value << 8 | bytes.bytes[i];
	return value;
}

struct span tpm_read_sized(struct tpm_reader *reader)
{
	return tpm_read_bytes(reader, (size_t)tpm_read_uint(reader, 2));
}

bool tpm_read_all(const struct tpm_reader *reader)
{
	return !reader->failed && reader->rest.size == 0;
}
