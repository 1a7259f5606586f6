/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lists and look-ups of registry_enrolment.h. */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_transaction.h"

/* false = the column has another size, and ret is untouched. */
static bool copy_bytes(struct query *q, unsigned column, void *ret, size_t size)
{
	struct span bytes = query_bytes(q, column);

	if (bytes.size != size)
		return false;
	memcpy(ret, bytes.bytes, size);
	return true;
}

#define ENROLMENTS                                                                                 \
	"SELECT e.router, e.node, e.pin, e.pin_digest, e.ssh_key, e.pcrs, e.jti,"                  \
	" e.enrolled, e.address, n.listen_port, COALESCE(k.key_exchange, 'classical')"             \
	" FROM enrolments e JOIN nodes n ON n.router = e.router AND n.name = e.node"               \
	" LEFT JOIN key_exchanges k ON k.router = e.router AND k.node = e.node"

static void read_enrolment(struct query *q, void *row)
{
	struct registry_enrolment *enrolment = row;
	char pin[32];

	query_text(q, 0, enrolment->router, sizeof(enrolment->router));
	query_text(q, 1, enrolment->node, sizeof(enrolment->node));
	query_text(q, 2, pin, sizeof(pin));
	enrolment->pin.kind = registry_pin_kind_from_name(pin);
	(void)copy_bytes(q, 3, enrolment->pin.digest, sizeof(enrolment->pin.digest));
	(void)copy_bytes(q, 4, enrolment->ssh_key, sizeof(enrolment->ssh_key));
	enrolment->has_pcrs = copy_bytes(q, 5, enrolment->pcrs, sizeof(enrolment->pcrs));
	query_text(q, 6, enrolment->jti, sizeof(enrolment->jti));
	enrolment->enrolled_s = query_integer(q, 7);
	query_text(q, 8, enrolment->address, sizeof(enrolment->address));
	enrolment->listen_port = (uint16_t)query_integer(q, 9);
	query_text(q, 10, enrolment->key_exchange, sizeof(enrolment->key_exchange));
}

#define PAGE(bytewise)                                                                             \
	ENROLMENTS " WHERE (e.router" bytewise ", e.node" bytewise ") > ($1, $2)"                  \
		   " ORDER BY e.router" bytewise ", e.node" bytewise " LIMIT $3"
#define PAGE_OF_ROUTER(bytewise)                                                                   \
	ENROLMENTS " WHERE e.router = $1 AND e.node" bytewise " > $2"                              \
		   " ORDER BY e.node" bytewise " LIMIT $3"

int registry_enrolments_page(struct registry *r, const char *router, const char *after_router,
			     const char *after_node, size_t limit, struct registry_enrolment **ret,
			     size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = router ? PAGE_OF_ROUTER("") : PAGE(""),
		.sql_collated =
			router ? PAGE_OF_ROUTER(REGISTRY_BYTEWISE) : PAGE(REGISTRY_BYTEWISE),
		.values = {value_text(router ? router : after_router), value_text(after_node),
			   value_integer((int64_t)limit)},
		.n_values = 3,
		.row_size = sizeof(**ret),
		.read = read_enrolment,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

static void read_enrolled_key(struct query *q, void *row)
{
	struct registry_enrolled_key *key = row;

	query_text(q, 0, key->router, sizeof(key->router));
	(void)copy_bytes(q, 1, key->ssh_key, sizeof(key->ssh_key));
}

int registry_enrolled_keys_list(struct registry *r, struct registry_enrolled_key **ret,
				size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = "SELECT router, ssh_key FROM enrolments",
		.row_size = sizeof(**ret),
		.read = read_enrolled_key,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

/* list: finds one, or none. */
static int find_one(struct registry *r, struct registry_listing *list,
		    struct registry_enrolment *ret, struct err *err)
{
	int rc;

	list->row_size = sizeof(*ret);
	list->read = read_enrolment;
	rc = registry_find(r, list, ret, err);
	return rc == 0 ? err_set(err, -ENOENT, "nobody is enrolled there") : MIN(rc, 0);
}

int registry_enrolment_at(struct registry *r, uint16_t listen_port, struct registry_enrolment *ret,
			  struct err *err)
{
	struct registry_listing list = {
		.sql = ENROLMENTS " WHERE n.listen_port = $1",
		.values = {value_integer(listen_port)},
		.n_values = 1,
	};

	return find_one(r, &list, ret, err);
}

int registry_enrolment_of(struct registry *r, const char *router, const char *node,
			  struct registry_enrolment *ret, struct err *err)
{
	struct registry_listing list = {
		.sql = ENROLMENTS " WHERE e.router = $1 AND e.node = $2",
		.values = {value_text(router), value_text(node)},
		.n_values = 2,
	};

	return find_one(r, &list, ret, err);
}
