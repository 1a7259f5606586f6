/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A seal record that somebody left on the disk: what is taken is printed as it came, and no two
 * have the same label but for their wrapped FEK. */
#include "fuzz.h"

#include "integrity/seal_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct seal_record r;
	char label[SEAL_RECORD_LABEL_SIZE];
	uint8_t pin[PIN_SIZE];
	struct err err = {0};
	char *text;

	if (seal_record_parse(&r, span_of(bytes, size), &err) < 0) {
		HOLDS(err.code < 0 && err.text[0] && !r.n_directories);
		return 0;
	}
	HOLDS(r.n_directories > 0 && r.n_directories <= SEAL_DIRECTORIES_MAX);
	HOLDS(r.srk_size > 0 && r.srk_size <= SRK_SIZE_MAX);
	HOLDS(r.key_name.size <= sizeof(r.key_name.name));
	text = seal_record_print(&r);
	HOLDS(text && strlen(text) == size && memcmp(text, bytes, size) == 0);
	free(text);
	HOLDS(seal_record_label(&r, label) == 0 && strlen(label) == SEAL_RECORD_LABEL_SIZE - 1);
	HOLDS(seal_record_pin(&r, pin) == 0);
	seal_record_release(&r);
	return 0;
}
